"""One event of a chain."""

from __future__ import annotations

import msgspec


class ChainEvent(msgspec.Struct, frozen=True, eq=False, gc=False):
    """An event: what is hashed (``parent_hash``, ``event_type``, ``data``), its ``hash``, and what stands beside it.

    ``seq`` counts from 0 over all incarnations; ``time_ns`` is the wall clock of the worker, outside the hash. Two events
    are equal when their hashes are.
    """

    seq: int
    time_ns: int
    event_type: str
    data: bytes
    hash: bytes
    parent_hash: bytes | None = None
    incarnation: int = 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ChainEvent) and self.hash == other.hash

    def __hash__(self) -> int:
        return hash(self.hash)
