"""A small ring, filled and emptied."""

from __future__ import annotations

from tests.chain.chains import chain, frame
from theater.ring import (
    RingFull,
    RingWriter,
)

CAPACITY = 4096


def fill(ring: RingWriter, first_seq: int = 0) -> int:
    """Append until the ring is full; return how many went in."""
    for count, event in enumerate(chain(1000, first_seq)):
        try:
            ring.append(frame(event))
        except RingFull:
            return count
    raise AssertionError("never full")


def drain(ring: RingWriter, position: int) -> tuple[int, bytes]:
    """Take everything unsent."""
    data = b""
    while (unsent := ring.unsent(position, 1000)) is not None:
        position, data = unsent.position, data + unsent.data
    return position, data
