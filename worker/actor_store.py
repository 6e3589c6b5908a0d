"""What is kept of an actor in its worker's memory: the newest events of its chain, and extensions (lifecycle 8.1, 8.5).

Events are kept as the frames they travel in and decoded when somebody looks. Appending is the guest thread's; anybody
may read: a reader takes a copy of the references and works on that.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from theater.chain import ChainEvent, iter_batch, verify

T = TypeVar("T")

RUNTIME_PREFIX: Final = "theater-runtime/"


class Part(msgspec.Struct, frozen=True):
    """Retained events: where they begin, what they link to, how many, and their frames."""

    first_seq: int
    base_hash: bytes | None
    count: int
    batch: bytes


class ActorStore:
    """The retained chain of one incarnation. Queries give the oldest event first, except ``get_recent_events``."""

    def __init__(
        self, actor_id: str, first_seq: int, base_hash: bytes | None, keep_events: int, keep_bytes: int
    ) -> None:
        self._actor_id = actor_id
        self._kept: deque[tuple[bytes, bytes]] = deque()
        """(frame, hash)"""
        self._bytes = 0
        self._first_seq = first_seq
        self._base_hash = base_hash
        self._keep_events = keep_events
        self._keep_bytes = keep_bytes
        self._extensions: dict[type, Any] = {}
        self.record: Callable[[str, bytes], None]
        """Appends an event; the recorder's."""
        self.forgotten = 0
        """Events that are no longer retained."""

    def keep(self, frame: bytes, digest: bytes) -> None:
        """Retain one more event; the oldest go when a bound is reached. Guest thread only."""
        kept = self._kept
        kept.append((frame, digest))
        self._bytes += len(frame)
        while len(kept) > self._keep_events or (self._bytes > self._keep_bytes and len(kept) > 1):
            oldest, self._base_hash = kept.popleft()
            self._bytes -= len(oldest)
            self._first_seq += 1
            self.forgotten += 1

    # -- queries ----------------------------------------------------------------

    @property
    def first_seq(self) -> int:
        """Number of the oldest retained event."""
        return self._first_seq

    def get_id(self) -> str:
        """The actor's id."""
        return self._actor_id

    def get_all_events(self) -> list[ChainEvent]:
        """What is retained."""
        part = self.part()
        return list(iter_batch(part.batch, part.base_hash))

    get_chain = get_all_events

    def get_events_by_type(self, event_type: str) -> list[ChainEvent]:
        """The retained events of exactly this type."""
        return [event for event in self.get_all_events() if event.event_type == event_type]

    def get_recent_events(self, count: int) -> list[ChainEvent]:
        """At most so many events, the newest first.

        Raises:
            ValueError: the count is negative.
        """
        if count < 0:
            raise ValueError(f"expected a count of at least 0, got {count}")
        return self.get_all_events()[::-1][:count]

    def get_last_event(self) -> ChainEvent | None:
        """The newest event."""
        _, base, kept = self._copy()
        if not kept:
            return None
        before = kept[-2][1] if len(kept) > 1 else base
        return next(iter_batch(kept[-1][0], before))

    def has_event_type(self, event_type: str) -> bool:
        """Some retained event has exactly this type."""
        return bool(self.get_events_by_type(event_type))

    def head_hash(self) -> bytes | None:
        """Hash of the newest event."""
        kept = tuple(self._kept)
        return kept[-1][1] if kept else self._base_hash

    def verify_chain(self) -> bool:
        """The retained events link and hash as they should (8.3). An empty chain does."""
        part = self.part()
        return verify(iter_batch(part.batch, part.base_hash), part.base_hash).ok

    def part(self, since: int | None = None, limit: int | None = None) -> Part:
        """Retained events from ``since`` on, at most ``limit``, as they travel."""
        first, base, kept = self._copy()
        skip = min(max(0, (since or 0) - first), len(kept))
        if skip:
            base = kept[skip - 1][1]
        chosen = kept[skip:] if limit is None else kept[skip : skip + max(0, limit)]
        return Part(first + skip, base, len(chosen), b"".join(frame for frame, _ in chosen))

    def _copy(self) -> tuple[int, bytes | None, tuple[tuple[bytes, bytes], ...]]:
        """A consistent copy, though the guest thread may forget events meanwhile."""
        while True:
            forgotten, first, base = self.forgotten, self._first_seq, self._base_hash
            kept = tuple(self._kept)
            if forgotten == self.forgotten and first == self._first_seq:
                return first, base, kept

    # -- recording ----------------------------------------------------------------

    def record_event(self, event_type: str, payload: bytes) -> ChainEvent:
        """Append an event with this payload (an encoded value). Guest thread only."""
        self.record(event_type, payload)
        event = self.get_last_event()
        assert event is not None
        return event

    def record_runtime_event(self, event_type: str, payload: bytes) -> ChainEvent:
        """Append an event of the runtime's own: its type becomes ``theater-runtime/<event_type>``."""
        return self.record_event(RUNTIME_PREFIX + event_type, payload)

    # -- extensions: one slot per exact type ----------------------------------------------------------------

    def set_extension(self, value: object) -> None:
        """Keep a value under its exact type, replacing an earlier one."""
        self._extensions[type(value)] = value

    def get_extension(self, kind: type[T]) -> T | None:
        """A copy of the value of exactly this type."""
        from copy import copy

        found: T | None = self._extensions.get(kind)
        return copy(found)

    def has_extension(self, kind: type) -> bool:
        """A value of exactly this type is kept."""
        return kind in self._extensions

    def remove_extension(self, kind: type[T]) -> T | None:
        """Take the value of exactly this type away and return it."""
        found: T | None = self._extensions.pop(kind, None)
        return found
