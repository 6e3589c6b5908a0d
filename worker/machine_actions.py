"""What the lifecycle machine wants done. Whoever fed the notice performs the actions, in order."""

from __future__ import annotations

from typing import Any

import msgspec

from theater.cause import Cause
from worker.machine_notices import Operation


class Action(msgspec.Struct, frozen=True, gc=False):
    """Base of every action."""


class Answer(Action, frozen=True, gc=False):
    """Give this waiter its one answer: success, with the response as it came."""

    waiter: Any
    response: Any = None


class Refuse(Action, frozen=True, gc=False):
    """Give this waiter its one answer: an error of lifecycle section 7."""

    waiter: Any
    kind: str
    data: tuple[Any, ...] = ()


class Run(Action, frozen=True, gc=False):
    """Run this operation in the guest; then say Returned, Declined, Rejected or Trapped."""

    operation: Operation


class StartInit(Action, frozen=True, gc=False):
    """Call ``init``; then say Returned, Declined or Trapped."""


class Announce(Action, frozen=True, gc=False):
    """The start is complete: tell the root (Ready)."""


class Handed(Action, frozen=True, gc=False):
    """Tell this waiter what the next incarnation begins from: nothing changes it any more."""

    waiter: Any


class AskUpdate(Action, frozen=True, gc=False):
    """Have the supervisor exchange the package, and give this waiter its answer."""

    waiter: Any
    package: str


class Forward(Action, frozen=True, gc=False):
    """Have the next incarnation do this; nobody waits for it."""

    function: str
    payload: Any


class ArmStopDeadline(Action, frozen=True, gc=False):
    """Say StopDeadline at this time, whatever was armed before."""

    at_ns: int


class ReleaseHostCalls(Action, frozen=True, gc=False):
    """A stop is pending: a guest blocked in a host call gets ``shutting-down`` from it (L5.3)."""


class InterruptGuest(Action, frozen=True, gc=False):
    """Trap the running guest."""

    reason: str


class Leave(Action, frozen=True, gc=False):
    """No guest code runs any more: stop children, close services, record ``shutdown``, flush; then say Left."""

    cause: Cause


class Exit(Action, frozen=True, gc=False):
    """End the process. A cause that is clean goes with a Goodbye, any other with last words only."""

    cause: Cause
