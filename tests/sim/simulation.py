"""A tree under a clock and workers that do whatever a seed says, watched by checkers.

Everything takes time here: answers come late and in any order, workers crash, hang and die while they start, notices
come twice, supervisors are killed. The checkers hold at every moment; ``calm`` then ends the mishaps and asks whether
the tree finds back to rest.
"""

from __future__ import annotations

import heapq
from itertools import count
from random import Random
from typing import Any

from supervisor.core import actions as act
from supervisor.core import notices as note
from supervisor.core.ref import Ref
from supervisor.core.tree import Tree
from tests.sim.forest import random_supervisor, supervisors_of
from theater.spec import ChildSpec

NS_PER_MS = 1_000_000
EVENTS_MAX = 50_000


class Simulation:
    """One random tree and its life."""

    def __init__(self, seed: int, *, gentle: bool = False) -> None:
        self.random = Random(seed)
        self.spec = random_supervisor(self.random, gentle=gentle)
        self.tree = Tree(self.spec, patient=self.random.random() < 0.2, seed=seed)
        self.supervisors = supervisors_of(self.spec)
        self.now_ns = 0
        self.is_calm = False
        self.is_up = False
        self.verdict: act.Down | act.StartFailedTree | None = None
        self.starting: dict[Ref, ChildSpec] = {}
        self.running: dict[Ref, ChildSpec] = {}
        self.stop_asked: dict[str, int] = {}
        self.ended_at: dict[str, int] = {}
        self.unanswered: dict[int, note.Call] = {}
        self._gone: list[Ref] = []
        self._timers: set[int] = set()
        self._events: list[tuple[int, int, note.Notice]] = []
        self._order = count()
        self._calls = count()

    # -- driving ---------------------------------------------------------------------------------------------------

    def storm(self, duration_ms: int) -> None:
        """Begin, and live through a time of mishaps."""
        self.feed(note.Begin())
        for _ in range(self.random.randint(0, 60)):
            self._later(self.random.uniform(0, duration_ms), self._mishap)
        self.run(until_ns=duration_ms * NS_PER_MS)

    def calm(self) -> None:
        """No more mishaps: whatever is under way comes to its end."""
        self.is_calm = True
        self.run()

    def stop(self) -> None:
        """Ask the tree to end."""
        self.stop_asked, self.ended_at = {}, {}
        self.feed(note.Stop())

    def run(self, until_ns: int | None = None) -> None:
        """Let time pass until nothing is due any more, or until a moment."""
        for _ in range(EVENTS_MAX):
            if not self._events or (until_ns is not None and self._events[0][0] > until_ns):
                return
            at_ns, _, event = heapq.heappop(self._events)
            self.now_ns = max(self.now_ns, at_ns)
            notice = event() if callable(event) else event
            if notice is not None and self._is_due(notice):
                self.feed(*self._with_company(notice))
        raise AssertionError(f"no rest after {EVENTS_MAX} events")

    def feed(self, *notices: note.Notice) -> None:
        """Feed notices, and check what comes of them."""
        self._note(notices)
        for action in self.tree.feed_all(notices, self.now_ns):
            self._perform(action)
        self._check()

    def _is_due(self, notice: note.Notice) -> bool:
        """Facts happen once; a timer that was cancelled does not fire (or only now and then, too late)."""
        match notice:
            case note.WorkerExited(ref=ref):
                return ref in self.starting or ref in self.running
            case note.TimerFired(timer=timer):
                return timer in self._timers or self.random.random() < 0.1
            case note.WorkerStarted(ref=ref) | note.WorkerIgnored(ref=ref) | note.WorkerStartFailed(ref=ref):
                return ref in self.starting
        return True

    def _with_company(self, notice: note.Notice) -> list[note.Notice]:
        """Now and then a stale notice comes along, or a call together with a fact."""
        notices = [notice]
        if not self.is_calm and self._gone and self.random.random() < 0.1:
            ref = self.random.choice(self._gone)
            stale = (note.WorkerExited(ref, "crash"), note.WorkerStarted(ref), note.WorkerStartFailed(ref, "late"))
            notices.append(self.random.choice(stale))
        if not self.is_calm and self.random.random() < 0.1:
            notices.append(self._call())
        return notices

    def _note(self, notices: tuple[note.Notice, ...]) -> None:
        for notice in notices:
            match notice:
                case note.WorkerExited(ref=ref):
                    self._end(ref)
                case note.WorkerIgnored(ref=ref) | note.WorkerStartFailed(ref=ref):
                    self.starting.pop(ref, None)
                case note.WorkerStarted(ref=ref) if ref in self.starting:
                    self._ran(ref)
                case note.TimerFired(timer=timer):
                    self._timers.discard(timer)
                case _ if isinstance(notice, note.Call):
                    self.unanswered[notice.id] = notice

    def _ran(self, ref: Ref) -> None:
        self.running[ref] = self.starting.pop(ref)
        if not self.is_calm and self.random.random() < 0.5:
            reason = self.random.choice(("normal", "shutdown", "shutdown:x", "crash", "crash", "killed"))
            self._later(self.random.expovariate(1 / 300), note.WorkerExited(ref, reason))

    def _end(self, ref: Ref) -> None:
        self.starting.pop(ref, None)
        if self.running.pop(ref, None) is not None:
            self.ended_at[ref.path] = next(self._order)
            self._gone.append(ref)

    # -- mishaps ---------------------------------------------------------------------------------------------------

    def _later(self, delay_ms: float, event: Any) -> None:
        heapq.heappush(self._events, (self.now_ns + int(delay_ms * NS_PER_MS), next(self._order), event))

    def _mishap(self) -> note.Notice | None:
        if self.is_calm:
            return None
        if self.random.random() < 0.08:
            return note.Kill(self.random.choice([path for path in self.supervisors if path != "/"] or ["/nobody"]))
        if self.random.random() < 0.3 and self.running:
            return note.WorkerExited(self.random.choice(list(self.running)), "crash")
        return self._call()

    def _call(self) -> note.Call:
        number, random = next(self._calls), self.random
        path = random.choice([*self.supervisors, "/nobody"])
        child = random.choice([*"abcdte", "x1", *([random.choice(self._gone)] if self._gone else [])])
        match random.randint(0, 7):
            case 0 | 1 if path in self.supervisors and self.supervisors[path].strategy == "simple_one_for_one":
                return note.StartChild(number, path, name=random.choice(("x1", "x2", "x3")))
            case 0 | 1:
                return note.StartChild(number, path, spec=ChildSpec(id=random.choice("ae"), restart="temporary"))
            case 2:
                return note.TerminateChild(number, path, child)
            case 3:
                return note.RestartChild(number, path, child)
            case 4:
                return note.DeleteChild(number, path, child)
            case 5:
                return note.GetChildspec(number, path, child)
            case 6:
                return note.WhichChildren(number, path)
            case _:
                return note.CountChildren(number, path)

    # -- the world outside -----------------------------------------------------------------------------------------

    def _perform(self, action: act.Action) -> None:
        assert self.verdict is None or isinstance(action, act.Reply), f"after the end: {action}"
        match action:
            case act.StartWorker(ref=ref, spec=spec):
                self._start(ref, spec)
            case act.StopWorker(ref=ref, shutdown_ms=shutdown_ms):
                self._stop(ref, shutdown_ms)
            case act.KillWorker(ref=ref):
                self._kill(ref)
            case act.SetTimer(timer=timer, at_ns=at_ns):
                assert at_ns >= self.now_ns
                self._timers.add(timer)
                self._later((at_ns - self.now_ns) / NS_PER_MS, note.TimerFired(timer))
            case act.CancelTimer(timer=timer):
                self._timers.remove(timer)
            case act.Reply(id=number):
                del self.unanswered[number]
            case act.Up():
                assert not self.is_up
                self.is_up = True
            case act.Down() | act.StartFailedTree():
                self.verdict = action

    def _start(self, ref: Ref, spec: ChildSpec) -> None:
        alive = [other for other in (*self.starting, *self.running) if other.path == ref.path]
        assert alive == [], f"{ref} is started while {alive} live"
        self.starting[ref] = spec
        delay_ms = self.random.choice((0, 1, 10, 50))
        if self.is_calm:
            self._later(delay_ms, note.WorkerStarted(ref))
            return
        if self.random.random() < 0.05:
            delay_ms = 2000
        bad = (note.WorkerIgnored(ref), note.WorkerStartFailed(ref, "no luck"), note.WorkerExited(ref, "early"))
        answer = self.random.choice(bad) if self.random.random() < 0.15 else note.WorkerStarted(ref)
        self._later(delay_ms, answer)

    def _stop(self, ref: Ref, shutdown_ms: int | None) -> None:
        assert ref in self.running, f"stop of {ref}, which is not there"
        self.stop_asked.setdefault(ref.path, next(self._order))
        hangs = shutdown_ms is not None and self.random.random() < 0.1
        if not hangs:
            reason = "crash" if self.random.random() < 0.1 else "shutdown"
            self._later(self.random.choice((0, 1, 10, 40)), note.WorkerExited(ref, reason))

    def _kill(self, ref: Ref) -> None:
        assert ref in self.running or ref in self.starting, f"kill of {ref}, which is not there"
        self.stop_asked.setdefault(ref.path, next(self._order))
        self._later(self.random.choice((0, 1, 5)), note.WorkerExited(ref, "killed"))

    # -- checkers --------------------------------------------------------------------------------------------------

    def _check(self) -> None:
        """What must hold at every moment."""
        nodes = worker_nodes(self.tree.snapshot())
        living = {ref.path for ref in (*self.running, *self.starting)}
        shown = {node["path"] for node in nodes if node["state"] in ("starting", "running", "stopping")}
        assert self.verdict is None or not (self.running or self.starting), f"down, but {living} live"
        assert shown == living, f"the tree shows {shown}, there are {living}"


def worker_nodes(snapshot: dict[str, Any]) -> list[dict[str, Any]]:
    """Every worker of a tree, orphans too: an orphan and its successor share a path for a while."""
    nodes = []
    todo = [snapshot, *snapshot.get("orphans", ())]
    while todo:
        node = todo.pop()
        if node["type"] == "worker":
            nodes.append(node)
        todo.extend(node.get("children", ()))
    return nodes
