"""The processes of a tree, as the core knows them: workers somewhere outside, supervisors in here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from supervisor.core.mail import Mail, Mailbox, Routine, Wait
from supervisor.core.ref import Ref
from theater.spec import ChildSpec, SupervisorSpec

WORKER = "worker"
SUPERVISOR = "supervisor"


class State(StrEnum):
    """Where a process is in its life; when it is over, the process is not in the table any more."""

    HELD_BACK = "held_back"
    """A worker that may not start yet: an orphan still lives at its path."""
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"


MOVES: dict[State, frozenset[State]] = {
    State.HELD_BACK: frozenset({State.STARTING}),
    State.STARTING: frozenset({State.RUNNING}),
    State.RUNNING: frozenset({State.STOPPING}),
    State.STOPPING: frozenset(),
}


@dataclass(slots=True, eq=False)
class Process:
    """One process, from the attempt to start it to its end."""

    ref: Ref
    role: str
    parent: Process | None
    spec: ChildSpec | None = None
    """What it was started by; None for the root."""
    args: Any = None
    state: State = State.STARTING
    is_orphan: bool = False
    """A supervisor above it was killed."""
    doom: str | None = None
    """Why its start is being ended, if it is."""
    supervisor: Supervising | None = None
    children: dict[Ref, Process] = field(default_factory=dict)

    def move(self, state: State) -> None:
        """Enter another state of life."""
        assert state in MOVES[self.state], f"{self.ref} cannot go from {self.state} to {state}"
        self.state = state

    @property
    def path(self) -> str:
        """Its place in the tree."""
        return self.ref.path

    def descendants(self) -> Iterator[Process]:
        """Everything below it, each supervisor before what is below that one."""
        todo = list(self.children.values())
        while todo:
            process = todo.pop()
            yield process
            todo.extend(process.children.values())


@dataclass(slots=True, eq=False)
class Supervising:
    """What a process has that is a supervisor."""

    spec: SupervisorSpec
    mailbox: Mailbox = field(default_factory=Mailbox)
    routine: Routine[None] | None = None
    wait: Wait | None = None
    """What the routine waits for; None while it has something to do."""
    incoming: Mail | None = None
    """What the routine will be sent next."""
    timers: set[int] = field(default_factory=set)
    unanswered: dict[int, None] = field(default_factory=dict)
    """The calls that wait for an answer, the one being served among them."""
    machine: Any = None
    """The strategy at work, once there is one."""
    is_closing: bool = False
    """It has been told to end and begins nothing any more."""
