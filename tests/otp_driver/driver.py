"""Runs one scenario: performs the core's actions with workers in memory and a clock that jumps."""

from __future__ import annotations

import heapq
from collections import deque
from itertools import count
from typing import Any

from supervisor.core import actions as act
from supervisor.core import notices as note
from supervisor.core.ref import Ref, join
from supervisor.core.tree import Tree
from tests.otp_driver.record import Event, Record
from tests.otp_driver.scenario import Plan, Plans, child_spec, init_plan, supervisor_spec

NS_PER_MS = 1_000_000
NO_PROCESS = "no_process"

START_REASONS = {"error": "start_error", "raise": "raised", "bad": "garbage", "init_crash": "init_crash"}
INIT_REASONS = {"error": "start_error", "raise": "raised", "bad": "bad_return", "init_crash": "init_crash"}


def run(scenario: dict[str, Any], extras: bool = False) -> list[Event]:
    """The trace of a scenario. ``extras``: with start timeouts and a fine clock, as users have them by default."""
    driver = Driver(scenario["root"], extras)
    driver.begin()
    for step in scenario["steps"]:
        driver.step(step)
    return driver.record.trace


class Hold:
    """A start attempt that is to be held up while calls arrive."""

    def __init__(self, path: str, outcome: str, calls: list[dict[str, Any]]) -> None:
        self.path = path
        self.outcome = outcome
        self.calls = calls
        self.attempt: act.StartWorker | act.InitSupervisor | None = None


class Driver:
    """A tree, its test workers and their clock."""

    def __init__(self, root: dict[str, Any], extras: bool) -> None:
        self.record = Record()
        self._extras = extras
        self._root = root
        self._tree = Tree(
            supervisor_spec(root, timeouts=extras),
            whole_seconds=not extras,
            patient=True,
            unique_names=False,
            asks_init=True,
        )
        self._plans = Plans()
        self._now_ns = 0
        self._arriving: deque[note.Notice] = deque()
        self._due: list[tuple[int, int, note.Notice]] = []
        self._order = count()
        self._cancelled: set[int] = set()
        self._workers: dict[Ref, Plan] = {}
        self._calls: dict[int, str] = {}
        self._hold: Hold | None = None
        if root.get("strategy") == "simple_one_for_one":
            self.record.simple_paths.add("/")

    # -- steps -----------------------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Start the tree."""
        self._arriving.append(note.Begin())
        self._come_to_rest()
        self.record.end_step()

    def step(self, step: dict[str, Any]) -> None:
        """Do one step and everything that follows from it."""
        self._do(step)
        self._come_to_rest()
        self._hold = None
        self.record.end_step()

    def _do(self, step: dict[str, Any]) -> None:
        match step["do"]:
            case "exit":
                self._exit(step["path"], step["reason"], "exit")
            case "exit_many":
                self._exit_many(step["paths"], step["reason"])
            case "held":
                if self._exit(step["path"], step["reason"], "held"):
                    self._hold = Hold(step["hold"], step["outcome"], step["calls"])
            case "set_start":
                self._plans.replace(step["path"], step["start"])
            case "stop":
                self._stop(step.get("reason", "shutdown"))
            case "sleep":
                self._now_ns += step["ms"] * NS_PER_MS
            case call:
                self._call(call, step)

    def _exit(self, path: str, reason: str, call: str) -> bool:
        notice = self._end_of(path, reason)
        if notice is None:
            self.record.result(call, NO_PROCESS)
            return False
        self._arriving.append(notice)
        return True

    def _end_of(self, path: str, reason: str) -> note.Notice | None:
        ref = self.record.living(path)
        if ref is None:
            return None
        if self.record.alive[ref] == "supervisor":
            return note.Kill(path)
        return note.WorkerExited(ref, "killed" if reason == "kill" else reason)

    def _exit_many(self, paths: list[str], reason: str) -> None:
        """All of these end before their supervisor looks. Further ones that are missing are told in their turn."""
        if self._end_of(paths[0], reason) is None:
            self.record.result("exit_many", NO_PROCESS)
            return
        ends = [self._end_of(path, reason) for path in paths]
        seen: set[str] = set()
        for place, path in enumerate(paths):
            if path in seen:
                ends[place] = None
            seen.add(path)
        actions = self._tree.feed_all([end for end in ends if end is not None], self._now_ns)
        for end in ends:
            if end is None:
                self.record.result("exit", NO_PROCESS)
            else:
                self._perform_until_exit(actions)
        self._perform_all(actions)

    def _perform_until_exit(self, actions: list[act.Action]) -> None:
        while actions:
            action = actions.pop(0)
            self._perform(action)
            if isinstance(action, act.Observed) and action.kind is act.Kind.EXITED:
                return

    def _stop(self, reason: str) -> None:
        if self.record.living("/") is None:
            self.record.result("stop", NO_PROCESS)
        else:
            self._arriving.append(note.Stop(reason))

    def _call(self, call: str, step: dict[str, Any]) -> None:
        number = len(self._calls)
        self._calls[number] = call
        self._perform_all(self._tree.feed(self._notice(number, call, step), self._now_ns), answering=number)

    def _notice(self, number: int, call: str, step: dict[str, Any]) -> note.Call:
        sup = step["sup"]
        match call:
            case "start_child" if "name" in step:
                return note.StartChild(number, sup, name=step["name"])
            case "start_child":
                return note.StartChild(number, sup, spec=child_spec(step["child"], self._extras))
            case "terminate_child":
                return note.TerminateChild(number, sup, self._child(step), exact=True)
            case "restart_child":
                return note.RestartChild(number, sup, self._child(step))
            case "delete_child":
                return note.DeleteChild(number, sup, self._child(step))
            case "get_childspec":
                return note.GetChildspec(number, sup, self._child(step), exact=True)
            case "which_children":
                return note.WhichChildren(number, sup)
            case "count_children":
                return note.CountChildren(number, sup)
            case _:
                raise ValueError(f"expected a step of the scenario format, got {step!r}")

    def _child(self, step: dict[str, Any]) -> str | Ref:
        """An id, or the process that was last started by a name; a name that never was is a stranger's."""
        if "id" in step:
            return step["id"]
        path = join(step["sup"], step["name"])
        return self.record.last_started.get(path, Ref(path, 0))

    # -- the world outside -----------------------------------------------------------------------------------------

    def _come_to_rest(self) -> None:
        """Let everything happen that follows from what has happened, in time."""
        while True:
            self._take_in()
            if self._hold is not None and self._hold.attempt is not None:
                self._end_hold(self._hold, self._hold.attempt)
            elif not self._jump():
                return

    def _take_in(self) -> None:
        """Let everything happen that needs no time."""
        while self._arriving:
            self._perform_all(self._tree.feed(self._arriving.popleft(), self._now_ns))

    def _end_hold(self, hold: Hold, attempt: act.StartWorker | act.InitSupervisor) -> None:
        """While the attempt is held up the calls come in, one after the other; then it ends."""
        self._hold = None
        for call in hold.calls:
            self._do(call)
            self._take_in()
        self._arriving.append(self._outcome(attempt, hold.outcome))

    def _jump(self) -> bool:
        """Go to the next time at which something is due, if there is one."""
        while self._due:
            at_ns, _, notice = heapq.heappop(self._due)
            if isinstance(notice, note.TimerFired) and notice.timer in self._cancelled:
                continue
            if isinstance(notice, note.WorkerExited) and notice.ref not in self.record.alive:
                continue
            self._now_ns = max(self._now_ns, at_ns)
            self._arriving.append(notice)
            return True
        return False

    def _later(self, at_ns: int, notice: note.Notice) -> None:
        heapq.heappush(self._due, (at_ns, next(self._order), notice))

    # -- actions ---------------------------------------------------------------------------------------------------

    def _perform_all(self, actions: list[act.Action], answering: int | None = None) -> None:
        for action in actions:
            self._perform(action, answering)

    def _perform(self, action: act.Action, answering: int | None = None) -> None:
        match action:
            case act.StartWorker() | act.InitSupervisor():
                self._attempt(action)
            case act.StopWorker(ref=ref):
                self._stop_worker(ref)
            case act.KillWorker(ref=ref):
                self._arriving.append(note.WorkerExited(ref, "killed"))
            case act.SetTimer(timer=timer, at_ns=at_ns):
                self._later(at_ns, note.TimerFired(timer))
            case act.CancelTimer(timer=timer):
                self._cancelled.add(timer)
            case act.Reply(id=number, value=value):
                self._reply(number, value, is_at_once=number == answering)
            case act.Observed():
                self.record.observed(action)
            case act.Report():
                self.record.report(action)
            case act.GaveUp():
                self.record.gave_up(action)

    def _reply(self, number: int, value: Any, is_at_once: bool) -> None:
        """A supervisor that ended with calls waiting answers none of them; that is noticed when the step is over."""
        if value == {"exit": "noproc"} and not is_at_once:
            self.record.late_answer(number, self._calls[number], value)
        else:
            self.record.result(self._calls[number], value)

    def _attempt(self, attempt: act.StartWorker | act.InitSupervisor) -> None:
        path, hold = attempt.ref.path, self._hold
        if isinstance(attempt, act.StartWorker):
            self._workers[attempt.ref] = attempt.spec.actor
        elif attempt.spec is not None and attempt.spec.supervisor.strategy == "simple_one_for_one":
            self.record.simple_paths.add(path)
        if hold is not None and hold.attempt is None and hold.path == path:
            hold.attempt = attempt
            return
        plan = attempt.spec.actor if attempt.spec is not None else init_plan(self._root)
        self._arriving.append(self._outcome(attempt, self._plans.next(path, plan)))

    def _outcome(self, attempt: act.StartWorker | act.InitSupervisor, outcome: str) -> note.Notice:
        ref = attempt.ref
        if isinstance(attempt, act.InitSupervisor):
            kind = "ok" if outcome == "ok_info" else outcome if outcome in ("ok", "ignore") else "failed"
            return note.SupervisorInit(ref, kind, INIT_REASONS.get(outcome))
        match outcome:
            case "ok":
                return note.WorkerStarted(ref)
            case "ok_info":
                return note.WorkerStarted(ref, "info")
            case "ignore":
                return note.WorkerIgnored(ref)
            case _:
                return note.WorkerStartFailed(ref, START_REASONS[outcome])

    def _stop_worker(self, ref: Ref) -> None:
        plan = self._workers[ref]
        if plan.stop_reason == "ignore":
            return
        ended = note.WorkerExited(ref, plan.stop_reason)
        if plan.stop_after_ms:
            self._later(self._now_ns + plan.stop_after_ms * NS_PER_MS, ended)
        else:
            self._arriving.append(ended)
