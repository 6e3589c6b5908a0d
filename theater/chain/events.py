"""What a chain consists of."""

from __future__ import annotations

import msgspec


class ChainError(ValueError):
    """Bytes, a file or a text that should hold a chain and does not; the text says where and what was expected."""


class ChainEvent(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One entry of a chain (lifecycle 8.2). Two events are equal when their hashes are.

    ``hash`` covers parent_hash, event_type and data. Number, time and incarnation stay outside, so that a replay by
    another actor reproduces the hashes.
    """

    seq: int
    time_ns: int
    incarnation: int
    """0 where it is not known."""
    event_type: str
    data: bytes
    parent_hash: bytes | None
    """None for the first event of an actor."""
    hash: bytes

    def __eq__(self, other: object) -> bool:
        return self.hash == other.hash if isinstance(other, ChainEvent) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.hash)
