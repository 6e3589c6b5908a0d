"""What comes out of the core: what the shell must do, and what a recorder may want to know.

The actions of one ``feed`` are to be performed in their order.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import msgspec

from supervisor.core.ref import Ref
from theater.spec import ChildSpec


class StartWorker(msgspec.Struct, frozen=True):
    """Start a process; to be answered by WorkerStarted, WorkerIgnored, WorkerStartFailed or WorkerExited."""

    ref: Ref
    spec: ChildSpec
    args: Any = None


class StopWorker(msgspec.Struct, frozen=True):
    """Ask a process to end with ``shutdown``. After ``shutdown_ms`` (None: never) KillWorker follows by itself."""

    ref: Ref
    shutdown_ms: int | None


class KillWorker(msgspec.Struct, frozen=True):
    """End a process at once, also one that is still starting; WorkerExited is expected."""

    ref: Ref


class InitSupervisor(msgspec.Struct, frozen=True):
    """Ask whether a supervisor shall run (OTP: ``Module:init/1``); only with ``asks_init``. Answer SupervisorInit.

    ``spec`` is the specification as a child, None for the root.
    """

    ref: Ref
    spec: ChildSpec | None


class SetTimer(msgspec.Struct, frozen=True):
    """Send TimerFired at this time."""

    timer: int
    at_ns: int


class CancelTimer(msgspec.Struct, frozen=True):
    """This timer is not needed any more. A TimerFired that is already on its way does no harm."""

    timer: int


class Reply(msgspec.Struct, frozen=True):
    """The answer to a call. Processes are named by Ref, everything else is plain data."""

    id: int
    value: Any


class Report(msgspec.Struct, frozen=True):
    """A supervisor's error report. ``context`` is ``child_terminated``, ``start_error`` or ``shutdown_error``.

    Dynamic children that were stopped together are reported once per reason, with their ``count``. ``orphan`` says
    that the supervisor is itself ending because one above it was killed.
    """

    sup: str
    context: str
    child: str
    reason: Any
    count: int | None = None
    orphan: bool = False


class GaveUp(msgspec.Struct, frozen=True):
    """A supervisor has reached its restart intensity and ends; ``child`` is the one it could not restart any more."""

    sup: str
    child: str


class Kind(StrEnum):
    """What was observed."""

    STARTED = "started"
    START_IGNORED = "start_ignored"
    START_FAILED = "start_failed"
    EXITED = "exited"
    """It ended and its supervisor had not asked for it."""
    TERMINATED = "terminated"
    """It ended while its supervisor was stopping it."""
    ORPHANED = "orphaned"
    """It ended because a supervisor above it was killed."""


class Observed(msgspec.Struct, frozen=True):
    """Something happened to a process. ``role`` is ``worker`` or ``supervisor``."""

    kind: Kind
    ref: Ref
    role: str
    reason: Any = None


class Up(msgspec.Struct, frozen=True):
    """The whole tree has started."""


class StartFailedTree(msgspec.Struct, frozen=True):
    """The tree could not be started, and nothing of it is left."""

    reason: Any


class Down(msgspec.Struct, frozen=True):
    """The tree has ended, and nothing of it is left."""

    reason: Any


Action = (
    StartWorker
    | StopWorker
    | KillWorker
    | InitSupervisor
    | SetTimer
    | CancelTimer
    | Reply
    | Report
    | GaveUp
    | Observed
    | Up
    | StartFailedTree
    | Down
)
