"""What goes into the core: facts about workers, timers that fired, calls of the supervisor API, orders to end.

Every call has an ``id``, chosen by the caller, that comes back in exactly one ``Reply``; ``sup`` is the path of the
supervisor that is asked. A call to a supervisor that is not there is answered ``{"exit": "noproc"}``.
"""

from __future__ import annotations

from typing import Any

import msgspec

from supervisor.core.ref import Ref
from theater.spec import ChildSpec


class Begin(msgspec.Struct, frozen=True):
    """Start the tree; the first notice, given once."""


class WorkerStarted(msgspec.Struct, frozen=True):
    """Answer to StartWorker: the process runs. ``info`` goes to the caller of start_child or restart_child."""

    ref: Ref
    info: Any = None


class WorkerIgnored(msgspec.Struct, frozen=True):
    """Answer to StartWorker: the worker declined; there is no process and no error."""

    ref: Ref


class WorkerStartFailed(msgspec.Struct, frozen=True):
    """Answer to StartWorker: it failed and no process is left of it."""

    ref: Ref
    reason: Any


class WorkerExited(msgspec.Struct, frozen=True):
    """The process is gone, whoever wanted it; sent once. Before WorkerStarted it means that the start failed.

    The reason is clean when it is ``normal``, ``shutdown`` or ``shutdown:…`` (OTP's ``{shutdown, Term}``).
    """

    ref: Ref
    reason: Any


class SupervisorInit(msgspec.Struct, frozen=True):
    """Answer to InitSupervisor: ``outcome`` is ``ok``, ``ignore``, or ``failed`` with a reason."""

    ref: Ref
    outcome: str = "ok"
    reason: Any = None


class TimerFired(msgspec.Struct, frozen=True):
    """The time of a SetTimer has come."""

    timer: int


class Stop(msgspec.Struct, frozen=True):
    """Whoever is above the root asks it to end; the root ends with this reason, its children with ``shutdown``."""

    reason: Any = "shutdown"


class Kill(msgspec.Struct, frozen=True):
    """The supervisor at the path is killed: it stops nobody, and what is below it dies of its death."""

    path: str


class StartChild(msgspec.Struct, frozen=True):
    """``supervisor:start_child/2``: a new child by ``spec``, or by ``name`` under simple_one_for_one."""

    id: int
    sup: str
    spec: ChildSpec | None = None
    name: str | None = None
    args: Any = None


class TerminateChild(msgspec.Struct, frozen=True):
    """``supervisor:terminate_child/2``. ``child`` is an id, or a Ref as OTP takes a pid.

    Beyond OTP, a dynamic child may be named by the name it was started with; ``exact`` refuses that.
    """

    id: int
    sup: str
    child: str | Ref
    exact: bool = False


class RestartChild(msgspec.Struct, frozen=True):
    """``supervisor:restart_child/2``: start a child that has a specification and no process."""

    id: int
    sup: str
    child: str | Ref


class DeleteChild(msgspec.Struct, frozen=True):
    """``supervisor:delete_child/2``: forget the specification of a child that has no process."""

    id: int
    sup: str
    child: str | Ref


class GetChildspec(msgspec.Struct, frozen=True):
    """``supervisor:get_childspec/2``, with every default filled in. ``child`` and ``exact`` as in TerminateChild."""

    id: int
    sup: str
    child: str | Ref
    exact: bool = False


class WhichChildren(msgspec.Struct, frozen=True):
    """``supervisor:which_children/1``, the latest child first."""

    id: int
    sup: str


class CountChildren(msgspec.Struct, frozen=True):
    """``supervisor:count_children/1``."""

    id: int
    sup: str


Call = StartChild | TerminateChild | RestartChild | DeleteChild | GetChildspec | WhichChildren | CountChildren
Notice = (
    Begin
    | WorkerStarted
    | WorkerIgnored
    | WorkerStartFailed
    | WorkerExited
    | SupervisorInit
    | TimerFired
    | Stop
    | Kill
    | Call
)
