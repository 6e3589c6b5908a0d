"""Stand-ins for the parts around one part of the root: a clock that jumps, a socket that remembers, a real tree."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from supervisor.core import actions as act
from supervisor.core import notices as note
from supervisor.core.ref import Ref
from supervisor.core.tree import Tree
from supervisor.loop import Timer
from theater.spec import SupervisorSpec

NS_PER_MS = 1_000_000


class FakeLoop:
    """Timers over a clock that stands still until told to go on."""

    def __init__(self) -> None:
        self.ns = 0
        self.timers: list[Timer] = []

    def now_ns(self) -> int:
        return self.ns

    def call_at(self, at_ns: int, callback: Callable[[], None]) -> Timer:
        self.timers.append(Timer(at_ns, callback))
        return self.timers[-1]

    def call_later(self, delay_ms: float, callback: Callable[[], None]) -> Timer:
        return self.call_at(self.ns + int(delay_ms * NS_PER_MS), callback)

    def advance(self, ms: float) -> None:
        """Let time pass, firing timers in their order."""
        end_ns = self.ns + int(ms * NS_PER_MS)
        while due := [timer for timer in self.timers if timer.callback is not None and timer.at_ns <= end_ns]:
            timer = min(due, key=lambda timer: timer.at_ns)
            self.ns = max(self.ns, timer.at_ns)
            callback, timer.callback = timer.callback, None
            assert callback is not None
            callback()
        self.ns = end_ns


class FakeForest:
    """One real tree; workers start and end when the test says so."""

    def __init__(self, spec: SupervisorSpec) -> None:
        self.tree = Tree(spec)
        self.starting: dict[str, Ref] = {}
        self.running: dict[str, Ref] = {}
        self.stopping: dict[str, Ref] = {}
        self.is_down = False
        self._answers: dict[int, Callable[[Any], None]] = {}
        self._ids = iter(range(1, 1_000_000))
        self._timers: dict[int, int] = {}
        self.feed(note.Begin())

    def ask(self, root: str, make: Callable[[int], Any], answer: Callable[[Any], None]) -> None:
        if self.is_down:
            answer({"exit": "noproc"})
            return
        number = next(self._ids)
        self._answers[number] = answer
        self.feed(make(number))

    def start_all(self) -> None:
        """Let every start that is under way, and those that follow, succeed."""
        while self.starting:
            path, ref = self.starting.popitem()
            self.running[path] = ref
            self.feed(note.WorkerStarted(ref))

    def end(self, path: str, reason: str = "crash") -> None:
        """A worker ends, by itself or as asked."""
        ref = self.stopping.pop(path, None) or self.running[path]
        self.running.pop(path, None)
        self.feed(note.WorkerExited(ref, reason))

    def feed(self, notice: Any) -> None:
        for action in self.tree.feed(notice, 0):
            self._perform(action)

    def _perform(self, action: Any) -> None:
        match action:
            case act.StartWorker(ref=ref):
                self.starting[ref.path] = ref
            case act.StopWorker(ref=ref) | act.KillWorker(ref=ref):
                self.stopping[ref.path] = ref
            case act.Reply(id=number, value=value):
                self._answers.pop(number)(value)
            case act.SetTimer(timer=timer, at_ns=at_ns):
                self._timers[timer] = at_ns
            case act.Down():
                self.is_down = True

    def fire_timers(self) -> None:
        """The time of every timer has come."""
        for timer in sorted(self._timers):
            del self._timers[timer]
            self.feed(note.TimerFired(timer))


def numbers() -> Iterator[int]:
    """Fresh ids."""
    return iter(range(1, 1_000_000))
