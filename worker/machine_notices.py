"""What the lifecycle machine is told (lifecycle section 2). Waiters and payloads are opaque to it."""

from __future__ import annotations

from typing import Any

import msgspec


class Notice(msgspec.Struct, frozen=True, gc=False):
    """Base of everything fed to the machine except operations."""


class Operation(msgspec.Struct, eq=False, kw_only=True):
    """Work for the guest. The shell fills it in; the machine queues it, runs it, and answers its waiter once."""

    function: str
    payload: Any = None
    waiter: Any = None
    """Who is owed the answer; None for host-originated operations, whose result is discarded."""
    key: Any = None
    """What a Cancel names: sender and the sender's own number."""
    received_ns: int = 0
    started_ns: int = 0
    expires_ns: int | None = None
    """The caller's patience ends here: if still queued then, it is answered operation_timeout."""
    timeout_ms: int | None = None
    deadline_ms: int | None = None
    """Guest time for this call; None: the actor's limit."""
    wait: bool = True
    """False: mailbox_full at once instead of waiting for room (L3)."""
    cancel_running: bool = False
    refusal: tuple[str, tuple[Any, ...]] | None = None
    """Kind and data with which it is refused when its turn comes, for operations that cannot be served."""
    missed: int = 0
    """How many merged notices this one stands for besides itself (ticks, gaps; L8)."""
    last: Any = None
    """Payload of the newest notice merged into this one."""


class Call(Operation, eq=False, kw_only=True):
    """Call, CallVoid, HttpRequest: an operation somebody waits for."""

    posted: bool = False
    """Nobody reads the answer."""
    idempotency_key: str | None = None
    """Not to be executed again once it has returned under this key."""


class UpdatePackage(Operation, eq=False, kw_only=True):
    """Exchange the package: that is the supervisor's to do, who is asked by handles (lifecycle 3.1)."""


class HostCall(Operation, eq=False, kw_only=True):
    """A host-originated operation: callback, tick or data (L8)."""

    then: Any = None
    """Called with the notice of how it ended, by the guest thread."""
    wanted: Any = None
    """Asked by the guest thread before it begins; false: it is dropped."""
    merge_key: str | None = None
    """Ticks: at most one of a key waits; further ones raise its missed-count."""
    child: str | None = None
    """Child notices: the child's id."""
    is_event: bool = False
    """A child's event, which may give way to a gap notice; exits never do."""
    is_gap: bool = False


class Pause(Notice, frozen=True, gc=False):
    """Stop taking operations after the current one, or only if idle."""

    waiter: Any
    if_idle: bool = False


class HandOver(Notice, frozen=True, gc=False):
    """Another package takes over: stop at the next place between two operations."""

    waiter: Any


class TakeBack(Notice, frozen=True, gc=False):
    """It does not after all: go on."""

    waiter: Any


class Retire(Notice, frozen=True, gc=False):
    """It has: end."""

    waiter: Any


class Resume(Notice, frozen=True, gc=False):
    """Take operations again; withdraws a pause that has not taken effect."""

    waiter: Any


class Shutdown(Notice, frozen=True, gc=False):
    """Graceful stop, from outside or from the parent (waiter None)."""

    waiter: Any = None
    deadline_ms: int | None = None
    """None: the actor's shutdown_ms; 0: Terminate."""
    by: str = "supervisor"


class ParentLost(Notice, frozen=True, gc=False):
    """The link to the supervisor is gone."""


class Terminate(Notice, frozen=True, gc=False):
    """Forced end (Terminate, ParentForce). Normally a SIGKILL from the root that needs no notice."""

    by: str = "supervisor"


class Cancel(Notice, frozen=True, gc=False):
    """Take back the operation with this key (L11)."""

    waiter: Any
    key: Any


class StepReached(Notice, frozen=True, gc=False):
    """The start has reached this step (lifecycle section 5)."""

    step: str


class Loaded(Notice, frozen=True, gc=False):
    """Everything before ``init`` is done; ``init`` may begin."""


class SetupDone(Notice, frozen=True, gc=False):
    """The start is complete: ``init`` returned, or there was none to call (resume)."""


class SetupFailed(Notice, frozen=True, gc=False):
    """The start failed at this step."""

    step: str
    text: str


class Returned(Notice, frozen=True, gc=False):
    """The guest returned; ``response`` goes to the caller as it is."""

    response: Any = None


class Declined(Notice, frozen=True, gc=False):
    """The guest returned its declared error (L10)."""

    text: str


class Rejected(Notice, frozen=True, gc=False):
    """The operation was found unfit before the guest was touched (unknown function, wrong types)."""

    kind: str
    data: tuple[Any, ...] = ()


class Trapped(Notice, frozen=True, gc=False):
    """The guest trapped, broke its contract, or overran its deadline (L9, L12)."""

    text: str


class StopDeadline(Notice, frozen=True, gc=False):
    """The time for a graceful stop is over (L7)."""


class GuestAskedShutdown(Notice, frozen=True, gc=False):
    """The guest called runtime.shutdown; takes effect when the current operation has returned."""

    value: bytes | None = None


class Withdraw(Notice, frozen=True, gc=False):
    """The guest wants a host-originated operation no more that may still wait, known by its key."""

    key: Any


class TimePassed(Notice, frozen=True, gc=False):
    """Look at the clock: queued operations may have run out of their caller's patience."""


class Left(Notice, frozen=True, gc=False):
    """Leaving is complete: services closed, ``shutdown`` recorded, stream flushed."""


__all__ = [
    "Call",
    "Cancel",
    "Declined",
    "GuestAskedShutdown",
    "HandOver",
    "HostCall",
    "Left",
    "Loaded",
    "Notice",
    "Operation",
    "ParentLost",
    "Pause",
    "Rejected",
    "Resume",
    "Retire",
    "Returned",
    "SetupDone",
    "SetupFailed",
    "Shutdown",
    "StepReached",
    "StopDeadline",
    "TakeBack",
    "Terminate",
    "TimePassed",
    "Trapped",
    "UpdatePackage",
    "Withdraw",
]
