"""Ticks at intervals or once (``theater:simple/timer``). The grant is ``timer``.

    @export(timer.HANDLERS)
    def handle_tick(self, name: str) -> None: ...
"""

from __future__ import annotations

from typing import Final

from theater_actor.ends import HostError
from theater_actor.hosting import OUTSIDE, host
from theater_actor.widths import U64

INTERFACE: Final = "theater:simple/timer@0.1.0"
HANDLERS: Final = INTERFACE
"""``handle_tick(name: str) -> None``."""


@host(INTERFACE)
def set_interval(name: str, interval_ms: U64) -> str:
    """Tick at once and then at this interval; answers the name. A timer of this name is replaced."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def set_once(name: str, delay_ms: U64) -> str:
    """Tick once, after this delay; answers the name. A timer of this name is replaced."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def clear_interval(name: str) -> None:
    """End a timer: no tick of it comes after this, not even one that was waiting."""
    raise HostError(OUTSIDE)


@host(INTERFACE, can_fail=False)
def list_timers() -> list[tuple[str, U64 | None]]:
    """The timers that are set, each with its interval, or none if it ticks once."""
    raise HostError(OUTSIDE)


@host(INTERFACE, can_fail=False)
def now() -> U64:
    """Milliseconds since 1970."""
    raise HostError(OUTSIDE)
