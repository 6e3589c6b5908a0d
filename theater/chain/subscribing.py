"""Following a chain in memory (lifecycle 8.4): what retained events there are, then each as it comes.

One thread offers events, another one takes them. A reader that is too slow gets what its policy says; it never delays
another reader, and the appending thread only if it asked for that (``block``).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Protocol

from theater.chain.batch import iter_batch
from theater.chain.events import ChainEvent
from theater.records import Ended, Gap, Lagged

DROP: Final = "drop"
"""The newest events are left out, and a Gap in their place says exactly which."""
DISCONNECT: Final = "disconnect"
"""The subscription ends with Lagged."""
BLOCK: Final = "block"
"""The actor's next operation waits, for a bounded time; then as ``disconnect``."""
POLICIES: Final = (DROP, DISCONNECT, BLOCK)
BUFFER_EVENTS: Final = 1024

Item = ChainEvent | Gap | Ended | Lagged
"""Ended and Lagged are last."""
Offered = tuple[int, bytes, bytes | None]
"""Number and frame of an event, and the hash of the one before."""


class Source(Protocol):
    """Where a subscription belongs to."""

    def unsubscribe(self, subscription: EventSubscription) -> None:
        """Forget it."""


class EventSubscription:
    """One reader of a chain. Iterate over it, or call ``next``; use it in ``with``, or call ``close``."""

    def __init__(self, source: Source, buffer: int, policy: str, block_ms: int, key: str | None) -> None:
        if policy not in POLICIES:
            raise ValueError(f"policy of a subscription: expected {', '.join(POLICIES)}, got {policy!r}")
        if buffer < 1:
            raise ValueError(f"buffer of a subscription: expected at least 1 event, got {buffer}")
        self.key = key
        self.dropped = 0
        """Events left out so far."""
        self._source = source
        self._buffer = buffer
        self._policy = policy
        self._block_s = block_ms / 1000
        self._change = threading.Condition()
        """Guards all that follows; held for a few instructions at a time."""
        self._past: deque[Offered] = deque()
        self._queue: deque[Offered | Gap] = deque()
        self._next_seq = -1
        """What comes before it was delivered already."""
        self._gap: Gap | None = None
        self._last: Ended | Lagged | None = None
        self._is_over = False

    # -- reading -------------------------------------------------------------------------------------------------------

    def next(self, timeout: float | None = None) -> Item | None:
        """Return what comes next; None if nothing came in time, or everything was delivered."""
        item = self._await(None if timeout is None else time.monotonic() + timeout)
        return next(iter_batch(item[1], item[2])) if isinstance(item, tuple) else item

    def __iter__(self) -> Iterator[Item]:
        while (item := self.next()) is not None:
            yield item

    def close(self) -> None:
        """Follow no more."""
        self._source.unsubscribe(self)
        with self._change:
            self._is_over = True
            self._change.notify_all()

    def __enter__(self) -> EventSubscription:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # -- the appending side --------------------------------------------------------------------------------------------

    def begin(
        self, first_seq: int, base_hash: bytes | None, kept: tuple[tuple[bytes, bytes], ...], since: int | None
    ) -> None:
        """Deliver what is retained from ``since`` on first; None: nothing of it."""
        with self._change:
            tip = first_seq + len(kept)
            wanted = tip if since is None else max(0, since)
            if wanted < first_seq:
                self._queue.appendleft(Gap(wanted, first_seq - 1))
            parent = base_hash
            for place, (frame, digest) in enumerate(kept, first_seq):
                if place >= wanted:
                    self._past.append((place, frame, parent))
                parent = digest
            self._next_seq = wanted
            self._change.notify_all()

    def offer(self, seq: int, frame: bytes, parent: bytes | None) -> None:
        """One more event. Never waits."""
        with self._change:
            if self._is_over or self._last is not None:
                return
            if len(self._queue) < self._buffer or self._policy == BLOCK:
                self._close_gap()
                self._queue.append((seq, frame, parent))
            elif self._policy == DROP:
                self.dropped += 1
                self._gap = Gap(self._gap.first_seq if self._gap is not None else seq, seq)
            else:
                self._lag()
            self._change.notify_all()

    def make_room(self) -> None:
        """With the policy ``block``: wait until the reader has caught up; one that does not is disconnected."""
        if self._policy != BLOCK:
            return
        with self._change:
            if not self._change.wait_for(self._has_room, self._block_s):
                self._lag()
                self._change.notify_all()

    def end(self, last: Ended) -> None:
        """After everything that was offered comes the end."""
        with self._change:
            self._close_gap()
            self._last = self._last or last
            self._change.notify_all()

    def _await(self, deadline: float | None) -> Offered | Gap | Ended | Lagged | None:
        with self._change:
            while not self._is_over:
                item = self._take()
                if item is not None:
                    return item
                left = None if deadline is None else deadline - time.monotonic()
                if left is not None and left <= 0:
                    return None
                self._change.wait(left)
        return None

    # -- with the lock held --------------------------------------------------------------------------------------------

    def _has_room(self) -> bool:
        return self._is_over or self._last is not None or len(self._queue) < self._buffer

    def _lag(self) -> None:
        self._last = Lagged(len(self._past) + len(self._queue))
        self._past.clear()
        self._queue.clear()
        self._source.unsubscribe(self)

    def _close_gap(self) -> None:
        if self._gap is not None:
            self._queue.append(self._gap)
            self._gap = None

    def _take(self) -> Offered | Gap | Ended | Lagged | None:
        """Return what is to be delivered next, None if there is nothing."""
        while True:
            item: Offered | Gap | None = None
            if self._queue and isinstance(self._queue[0], Gap) and self._is_due(self._queue[0]):
                item = self._queue.popleft()
            elif self._past:
                item = self._past.popleft()
            elif self._queue:
                item = self._queue.popleft()
                self._change.notify_all()
            elif self._gap is not None:
                item, self._gap = self._gap, None
            else:
                return self._ending()
            fresh = self._fresh(item)
            if fresh is not None:
                return fresh

    def _is_due(self, gap: Gap) -> bool:
        """A gap at the beginning comes before the events that are retained."""
        return not self._past or gap.last_seq < self._past[0][0]

    def _fresh(self, item: Offered | Gap) -> Offered | Gap | None:
        """Leave out what was delivered already."""
        if isinstance(item, Gap):
            first = max(item.first_seq, self._next_seq)
            if item.last_seq < first:
                return None
            self._next_seq = item.last_seq + 1
            return Gap(first, item.last_seq)
        if item[0] < self._next_seq:
            return None
        self._next_seq = item[0] + 1
        return item

    def _ending(self) -> Ended | Lagged | None:
        if self._last is not None:
            self._is_over = True
        return self._last
