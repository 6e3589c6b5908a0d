"""A shell for tests: feeds a tree, keeps what it wants done, and lets the test decide what becomes of it."""

from __future__ import annotations

from typing import Any

from supervisor.core import actions as act
from supervisor.core import notices as note
from supervisor.core.ref import Ref
from supervisor.core.tree import Tree
from theater.spec import ChildSpec, SupervisorSpec

NS_PER_MS = 1_000_000


def worker(name: str, **keys: Any) -> ChildSpec:
    """A worker child, without a start timeout unless it is given one."""
    return ChildSpec(id=name, **{"start_timeout_ms": None, **keys})


def supervisor(name: str, *children: ChildSpec, restart: str = "permanent", **keys: Any) -> ChildSpec:
    """A supervisor child with children of its own."""
    return ChildSpec(id=name, restart=restart, supervisor=SupervisorSpec(children=children, **keys))


class Shell:
    """A tree and everything it has asked for. By default workers do at once what they are told."""

    def __init__(
        self, *children: ChildSpec, obedient: bool = True, options: dict[str, Any] | None = None, **flags: Any
    ):
        self.tree = Tree(SupervisorSpec(children=children, **flags), **(options or {}))
        self.obedient = obedient
        self.now_ns = 0
        self.actions: list[act.Action] = []
        self.replies: dict[int, Any] = {}
        self.refs: dict[str, Ref] = {}
        self.timers: dict[int, int] = {}
        self._queue: list[note.Notice] = []
        self._last_call = 0

    # -- feeding ---------------------------------------------------------------------------------------------------

    def begin(self) -> Shell:
        """Start the tree."""
        self.feed(note.Begin())
        return self

    def feed(self, *notices: note.Notice) -> list[act.Action]:
        """Feed notices that come together, and what obedient workers answer; the actions that came of it."""
        before = len(self.actions)
        self._take(self.tree.feed_all(notices, self.now_ns))
        while self._queue:
            self._take(self.tree.feed(self._queue.pop(0), self.now_ns))
        return self.actions[before:]

    def start(self, path: str) -> list[act.Action]:
        """The worker that is starting at a path runs."""
        return self.feed(note.WorkerStarted(self.refs[path]))

    def exit(self, path: str, reason: Any = "crash") -> list[act.Action]:
        """The last worker at a path ends."""
        return self.feed(note.WorkerExited(self.refs[path], reason))

    def call(self, make: Any, *args: Any, **keys: Any) -> Any:
        """An API call; its answer, or None if there is none yet."""
        self._last_call += 1
        self.feed(make(self._last_call, *args, **keys))
        return self.replies.get(self._last_call)

    def sleep(self, ms: int) -> list[act.Action]:
        """Let time pass, and timers fire when they are due."""
        before, until_ns = len(self.actions), self.now_ns + ms * NS_PER_MS
        while self.timers and min(self.timers.values()) <= until_ns:
            timer = min(self.timers, key=lambda timer: (self.timers[timer], timer))
            self.now_ns = self.timers.pop(timer)
            self.feed(note.TimerFired(timer))
        self.now_ns = until_ns
        return self.actions[before:]

    # -- looking ---------------------------------------------------------------------------------------------------

    def seen(self, since: int = 0) -> list[str]:
        """What was observed and done to workers, in short: ``started /a``, ``stop /a``, ``terminated /a shutdown``."""
        return [text for text in map(brief, self.actions[since:]) if text]

    def has(self, kind: type) -> bool:
        """Whether an action of this kind was asked for."""
        return any(isinstance(action, kind) for action in self.actions)

    # -- performing ------------------------------------------------------------------------------------------------

    def _take(self, actions: list[act.Action]) -> None:
        self.actions += actions
        for action in actions:
            self._perform(action)

    def _perform(self, action: act.Action) -> None:
        match action:
            case act.StartWorker(ref=ref):
                self.refs[ref.path] = ref
                self._obey(note.WorkerStarted(ref))
            case act.StopWorker(ref=ref):
                self._obey(note.WorkerExited(ref, "shutdown"))
            case act.KillWorker(ref=ref):
                self._obey(note.WorkerExited(ref, "killed"))
            case act.SetTimer(timer=timer, at_ns=at_ns):
                self.timers[timer] = at_ns
            case act.CancelTimer(timer=timer):
                del self.timers[timer]
            case act.Reply(id=number, value=value):
                assert number not in self.replies, "answered twice"
                self.replies[number] = value

    def _obey(self, notice: note.Notice) -> None:
        if self.obedient:
            self._queue.append(notice)


def briefs(actions: list[act.Action]) -> list[str]:
    """Actions in short, without those that a recorder does not care about."""
    return [text for text in map(brief, actions) if text]


def brief(action: act.Action) -> str:
    """An action in short; nothing for timers and replies."""
    match action:
        case act.StartWorker(ref=ref):
            return f"start {ref.path}"
        case act.StopWorker(ref=ref):
            return f"stop {ref.path}"
        case act.KillWorker(ref=ref):
            return f"kill {ref.path}"
        case act.Observed(kind=kind, ref=ref, reason=reason):
            return f"{kind} {ref.path}" + (f" {reason}" if reason is not None else "")
        case act.Report(context=context, child=child, reason=reason):
            return f"report {context} {child} {reason}"
        case act.GaveUp(child=child):
            return f"gave_up {child}"
        case act.Up() | act.Down() | act.StartFailedTree():
            reason = getattr(action, "reason", None)
            return type(action).__name__ + (f" {reason}" if reason is not None else "")
        case _:
            return ""


def slow(*children, **keys) -> Shell:
    """A tree whose workers do nothing before the test says so."""
    return Shell(*children, obedient=False, **keys).begin()
