"""What every actor may want of its own host (``theater:simple/runtime``). The grant is ``runtime``."""

from __future__ import annotations

from typing import Final

from theater_actor.hosting import host
from theater_actor.widths import U64

INTERFACE: Final = "theater:simple/runtime@0.1.0"


@host(INTERFACE, can_fail=False)
def log(msg: str) -> None:
    """Write a line to the log, with the actor's name and the level info."""
    print(msg)


@host(INTERFACE, can_fail=False)
def self() -> str:
    """The actor's id as text."""
    return "test"


@host(INTERFACE)
def shutdown(data: bytes | None = None) -> None:
    """End this actor as completed, with an optional value for its parent, when the running operation has returned."""


@host(INTERFACE, can_fail=False)
def get_chain() -> list[tuple[U64, tuple[str, U64 | None, bytes]]]:
    """The newest events of the actor's own chain, oldest first: number, type, number of the one before, data."""
    return []
