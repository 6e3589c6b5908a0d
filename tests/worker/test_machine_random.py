"""Random message sequences: no forbidden move, nothing impossible raised, every waiter answered exactly once."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from worker import machine_actions as actions
from worker import machine_notices as n
from worker.machine import Machine
from worker.machine_state import MOVES, Rules, State

ALWAYS = [
    "call",
    "call that expires",
    "call that does not wait",
    "host call",
    "tick",
    "child event",
    "child exit",
    "update",
    "pause",
    "pause if idle",
    "resume",
    "shutdown",
    "shutdown soon",
    "cancel",
    "time",
    "parent graceful",
    "posted call",
    "hand over",
    "take back",
    "retire",
]
RARE = ["terminate", "parent lost", "stop deadline"]
GUEST = ["progress", "decline", "trap", "reject", "guest stop"]


class Driver:
    """A careless world around a machine that keeps the books."""

    def __init__(self, rules: Rules) -> None:
        self.machine = Machine(rules, 0)
        self.now = 0
        self.serial = 0
        self.owed: dict[int, int] = {}
        self.operations: list[int] = []
        self.initialising = False
        self.armed = False

    def waiter(self) -> int:
        self.serial += 1
        self.owed[self.serial] = 0
        return self.serial

    def call(self, **more: Any) -> n.Call:
        waiter = self.waiter()
        self.operations.append(waiter)
        return n.Call(function="f", waiter=waiter, key=waiter, **more)

    def feed(self, notice: Any) -> None:
        before = self.machine.state
        done = self.machine.feed(notice, self.now)
        after = self.machine.state
        assert after == before or after in self.reachable(before)
        for action in done:
            self.perform(action)

    @staticmethod
    def reachable(state: State) -> set[State]:
        """Announce passes through states within one notice, so one step may be two allowed moves."""
        return set(MOVES[state])

    def perform(self, action: actions.Action) -> None:
        match action:
            case (
                actions.Answer(waiter=waiter)
                | actions.Refuse(waiter=waiter)
                | actions.Handed(waiter=waiter)
                | actions.AskUpdate(waiter=waiter)
            ):
                self.owed[waiter] += 1
                assert self.owed[waiter] == 1
            case actions.StartInit():
                self.initialising = True
            case actions.ArmStopDeadline():
                self.armed = True

    def do(self, word: str) -> None:
        machine = self.machine
        state = machine.state
        self.now += 1
        match word:
            case "call":
                self.feed(self.call())
            case "call that expires":
                self.feed(self.call(expires_ns=self.now + 3, timeout_ms=1))
            case "call that does not wait":
                self.feed(self.call(wait=False))
            case "host call":
                self.feed(n.HostCall(function="h"))
            case "tick":
                self.feed(n.HostCall(function="t", merge_key="t"))
            case "child event":
                self.feed(n.HostCall(function="e", child="c", is_event=True))
            case "child exit":
                self.feed(n.HostCall(function="x", child="c"))
            case "update":
                self.feed(n.UpdatePackage(function="u", waiter=self.waiter()))
            case "posted call":
                self.feed(self.call(posted=True))
            case "hand over":
                self.feed(n.HandOver(self.waiter()))
            case "take back":
                self.feed(n.TakeBack(self.waiter()))
            case "retire":
                self.feed(n.Retire(self.waiter()))
            case "pause":
                self.feed(n.Pause(self.waiter()))
            case "pause if idle":
                self.feed(n.Pause(self.waiter(), if_idle=True))
            case "resume":
                self.feed(n.Resume(self.waiter()))
            case "shutdown":
                self.feed(n.Shutdown(self.waiter()))
            case "shutdown soon":
                self.feed(n.Shutdown(self.waiter(), deadline_ms=1))
            case "cancel":
                self.feed(n.Cancel(self.waiter(), self.operations[-1] if self.operations else 0))
            case "time":
                self.now += 10
                self.feed(n.TimePassed())
            case "parent graceful":
                self.feed(n.Shutdown(by="parent"))
            case "terminate":
                self.feed(n.Terminate())
            case "parent lost":
                self.feed(n.ParentLost())
            case "stop deadline" if self.armed:
                self.feed(n.StopDeadline())
            case "progress":
                self.progress()
            case "decline" if state is State.PROCESSING or (state is State.STARTING and self.initialising):
                self.feed(n.Declined("no"))
            case "trap" if state is State.PROCESSING or (state is State.STARTING and self.initialising):
                self.feed(n.Trapped("bang"))
            case "reject" if state is State.PROCESSING:
                self.feed(n.Rejected("function_not_found", ("f",)))
            case "guest stop" if state is State.PROCESSING or (state is State.STARTING and self.initialising):
                self.feed(n.GuestAskedShutdown(b""))

    def progress(self) -> None:
        """The one thing that can happen next by itself."""
        match self.machine.state:
            case State.STARTING:
                self.feed(n.Returned() if self.initialising else n.Loaded())
            case State.PROCESSING:
                self.feed(n.Returned())
            case State.SHUTTING_DOWN:
                self.feed(n.Left())


words = st.lists(st.sampled_from(ALWAYS * 2 + GUEST * 2 + ["progress"] * 12 + RARE), max_size=60)
rules = st.builds(
    Rules,
    operation_queue_max=st.integers(1, 3),
    waiting_callers_max=st.integers(0, 2),
    child_notices_max=st.integers(1, 2),
    reject_when_paused=st.booleans(),
    crash_on_decline=st.booleans(),
)


@settings(max_examples=600, deadline=None)
@given(rules, words)
def test_every_waiter_is_answered_exactly_once(rules: Rules, words: list[str]) -> None:
    """Whatever is sent in whatever order: one answer each, allowed moves only, and counts that agree with the queue."""
    driver = Driver(rules)
    for word in words:
        driver.do(word)
        machine = driver.machine
        callers = [o for o in machine.queue if o.waiter is not None]
        assert len(callers) == machine.queued_callers <= rules.operation_queue_max
        assert machine.child_notices == len([o for o in machine.queue if getattr(o, "child", None)])
        assert (machine.running is not None) == (machine.state is State.PROCESSING)
    driver.feed(n.Terminate())

    assert dict.fromkeys(driver.owed, 1) == driver.owed
