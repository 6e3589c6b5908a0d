"""StateChain: the newest events of one actor, in memory, as its store offers them (lifecycle 8.1, 8.4, 8.5).

Events are kept as the frames they travel in and decoded when somebody looks. One thread appends; any thread may read: a
reader takes a copy of the references and works on that, so nobody waits for anybody.
"""

from __future__ import annotations

import threading
from collections import deque

import msgspec

from theater.cause import Cause
from theater.chain.batch import iter_batch
from theater.chain.events import ChainEvent
from theater.chain.subscribing import BUFFER_EVENTS, DROP, EventSubscription
from theater.chain.verifying import Report, verify
from theater.records import Ended

Kept = tuple[bytes, bytes]
"""A frame and the hash of its event."""


class Part(msgspec.Struct, frozen=True):
    """Retained events: where they begin, what they link to, how many, and their frames."""

    first_seq: int
    base_hash: bytes | None
    count: int
    batch: bytes


class StateChain:
    """The retained chain of one incarnation. Queries give the oldest event first, except ``get_recent_events``.

    ``first_seq`` is the number of the first event to come, ``base_hash`` the hash of the one before it. Of the events
    that come the newest ``keep_events`` are retained, and of these no more than ``keep_bytes``, but always one.
    """

    def __init__(self, first_seq: int, base_hash: bytes | None, keep_events: int, keep_bytes: int) -> None:
        self._kept: deque[Kept] = deque()
        self._bytes = 0
        self._first_seq = first_seq
        self._base_hash = base_hash
        self._keep_events = keep_events
        self._keep_bytes = keep_bytes
        self._subscriptions: tuple[EventSubscription, ...] = ()
        """Replaced as a whole, so that appending needs no lock."""
        self._changing = threading.Lock()
        self._end: Ended | None = None
        self.forgotten = 0
        """Events that are no longer retained."""

    def keep(self, frame: bytes, digest: bytes) -> None:
        """Retain one more event; the oldest go when a bound is reached. Appending thread only."""
        kept = self._kept
        kept.append((frame, digest))
        if self._subscriptions:  # looked at after the event is there: who subscribes now finds it, or is told
            self._offer(frame)
        self._bytes += len(frame)
        while len(kept) > self._keep_events or (self._bytes > self._keep_bytes and len(kept) > 1):
            oldest, self._base_hash = kept.popleft()
            self._bytes -= len(oldest)
            self._first_seq += 1
            self.forgotten += 1

    # -- queries -------------------------------------------------------------------------------------------------------

    @property
    def first_seq(self) -> int:
        """Number of the oldest retained event."""
        return self._first_seq

    def get_all_events(self) -> list[ChainEvent]:
        """What is retained."""
        part = self.part()
        return list(iter_batch(part.batch, part.base_hash))

    def get_chain(self) -> list[ChainEvent]:
        """The same as ``get_all_events``."""
        return self.get_all_events()

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
        first, _, kept = self._copy()
        part = self.part(since=first + max(0, len(kept) - count))
        return list(iter_batch(part.batch, part.base_hash))[::-1][:count]

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
        return self.verification().ok

    def verification(self) -> Report:
        """The same, with the first bad event and what is wrong with it."""
        part = self.part()
        return verify(iter_batch(part.batch, part.base_hash), part.base_hash, base_seq=part.first_seq - 1)

    def part(self, since: int | None = None, limit: int | None = None) -> Part:
        """Retained events from ``since`` on, at most ``limit``, as they travel."""
        first, base, kept = self._copy()
        skip = min(max(0, (since or 0) - first), len(kept))
        if skip:
            base = kept[skip - 1][1]
        chosen = kept[skip:] if limit is None else kept[skip : skip + max(0, limit)]
        return Part(first + skip, base, len(chosen), b"".join(frame for frame, _ in chosen))

    # -- subscriptions -------------------------------------------------------------------------------------------------

    def subscribe_to_events(
        self,
        since: int | None = None,
        *,
        buffer: int = BUFFER_EVENTS,
        policy: str = DROP,
        block_ms: int = 1000,
        key: str | None = None,
    ) -> EventSubscription:
        """Follow the chain (8.4): every event from ``since`` on (None: from now on), then as they come.

        ``policy`` says what happens to a reader that is ``buffer`` events behind: ``drop`` tells it the Gap,
        ``disconnect`` ends it, ``block`` lets the actor's next operation wait at most ``block_ms``, then ends it.
        Subscribing again with a ``key`` returns the subscription there is.

        Raises:
            ValueError: no such policy, or a buffer below 1.
        """
        with self._changing:
            known = next((each for each in self._subscriptions if key is not None and each.key == key), None)
            if known is not None:
                return known
            subscription = EventSubscription(self, buffer, policy, block_ms, key)
            self._subscriptions = (*self._subscriptions, subscription)
        # Registered first, copied then: an event that comes between is in both, and left out once.
        first, base, kept = self._copy()
        subscription.begin(first, base, kept, since)
        if self._end is not None:
            subscription.end(self._end)
        return subscription

    def unsubscribe(self, subscription: EventSubscription) -> None:
        """Forget a subscription; unknown ones are fine (C3)."""
        with self._changing:
            self._subscriptions = tuple(each for each in self._subscriptions if each is not subscription)

    def make_room(self) -> None:
        """Before the next operation: wait for readers with the policy ``block`` that are behind. Appending thread."""
        for subscription in self._subscriptions:
            subscription.make_room()

    def end(self, cause: Cause | None) -> None:
        """There will be no more events: every reader learns why, after the last one (C2)."""
        self._end = Ended(cause)
        for subscription in self._subscriptions:
            subscription.end(self._end)

    def _offer(self, frame: bytes) -> None:
        """The newest event, to everybody who follows."""
        kept = self._kept
        parent = kept[-2][1] if len(kept) > 1 else self._base_hash
        seq = self._first_seq + len(kept) - 1
        for subscription in self._subscriptions:
            subscription.offer(seq, frame, parent)

    def _copy(self) -> tuple[int, bytes | None, tuple[Kept, ...]]:
        """A consistent copy, though the appending thread may forget events meanwhile."""
        while True:
            forgotten, first, base = self.forgotten, self._first_seq, self._base_hash
            kept = tuple(self._kept)
            if forgotten == self.forgotten and first == self._first_seq:
                return first, base, kept
