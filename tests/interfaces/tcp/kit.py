"""What tests of connections say and ask."""

from __future__ import annotations

from tests.interfaces.tcpkit import dial

NOBODY = "this actor has no connection"


def is_refused(place: tuple[str, int]) -> bool:
    """Nobody listens there."""
    try:
        dial(place).close()
    except ConnectionRefusedError:
        return True
    return False
