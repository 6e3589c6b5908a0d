"""``theater:simple/timing``: clocks, and sleeping inside an operation.

Sleeping keeps the actor from everything else; who wants to do something later sets a timer.
"""

from __future__ import annotations

import select
import time
from typing import Final

from theater.grants.timing import GRANT
from theater.values import U64, Value, unit
from worker.asks import SHUTTING_DOWN
from worker.interfaces.context import Context
from worker.interfaces.registry import Function, Interface, Refusal, Variant
from worker.interfaces.sending import STAYS

POLL_MS_MAX: Final = 1 << 30
"""poll counts milliseconds in 32 bits."""
NS_PER_MS: Final = 1_000_000


def now(context: Context) -> Value:
    """The time of day."""
    return U64(time.time_ns())


def monotonic(context: Context) -> Value:
    """A clock that never goes back; only differences of one life mean something."""
    return U64(time.monotonic_ns())


def sleep(context: Context, ms: U64) -> Value:
    """Ends early, with an error, when the actor is to stop (L5.3)."""
    most: int = GRANT.held_by(context)["sleep_ms_max"]
    if ms.value > most:
        raise Refusal(f"expected at most {most} ms, got {ms.value}")
    if _stops_within(context, ms.value):
        raise Refusal(SHUTTING_DOWN)
    return unit()


def _stops_within(context: Context, ms: int) -> bool:
    poller = select.poll()
    poller.register(context.stop_fd, select.POLLIN)
    until_ns = time.monotonic_ns() + ms * NS_PER_MS
    while True:
        left_ms = max(0, -(-(until_ns - time.monotonic_ns()) // NS_PER_MS))
        if poller.poll(min(left_ms, POLL_MS_MAX)):
            return True
        if left_ms <= POLL_MS_MAX:
            return False


INTERFACE: Final = Interface(
    GRANT.name,
    "Clocks, and sleeping inside an operation. Sleeping does not count as the actor's computing time, but nothing else "
    "of the actor runs meanwhile: to do something later, set a timer.",
    (
        Function("now", "Nanoseconds since 1970.", (Variant("func() -> u64", now),), own=True),
        Function(
            "monotonic",
            "Nanoseconds of a clock that never goes back; only differences mean something, and only within one life.",
            (Variant("func() -> u64", monotonic),),
            own=True,
        ),
        Function(
            "sleep",
            "Wait this long. An actor that is to stop gets an error at once.",
            (Variant("func(ms: u64) -> result<_, string>", sleep),),
            own=True,
        ),
    ),
    sends=STAYS,
)

INTERFACES: Final = (INTERFACE,)
