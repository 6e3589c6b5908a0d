"""A subscription to an actor's chain: its events as they happen, in order, each exactly once (lifecycle section 8.4).

It has a connection of its own, so that it may be read in one thread, closed from another, and never mixes with calls.
The root sends only what it holds credit for; taking events gives credit back.
"""

from __future__ import annotations

import os
import select
import threading
from collections import deque
from collections.abc import Iterator
from time import monotonic
from types import TracebackType
from typing import Any

from proto import info
from theater.errors import OperationTimeout, from_wire
from theater.records import Ended, Gap, Lagged, cause_from
from theater.rundir import Run
from theater.wires import Pool, SupervisorGone, Wires

BUFFER_EVENTS = 1024
OPEN_TIMEOUT_S = 5.0
GOODBYE_MS = 100
"""How long the word that we leave may take to get out."""
POLICIES = ("drop", "disconnect")
_REQUEST = 1


class Feed:
    """What a subscription receives, without any waiting: messages in, items out, credit to give back."""

    def __init__(self, buffer: int) -> None:
        self.number: int | None = None
        self.items: deque[Any] = deque()
        self.is_over = False
        self._credit_step = max(1, buffer // 4)
        self._taken = 0
        self._last_seq = -1

    def receive(self, message: Any, bodies: list[bytes]) -> None:
        """Take in one message of the root."""
        match message:
            case info.Info() if self.number is None:
                self.number = int(message.data["subscription"])
            case info.Refused() if self.number is None:
                raise from_wire(message.kind, message.data)
            case info.Events():
                self._add(message, bodies[0])
            case info.Gap():
                self.items.append(Gap(message.first_seq, message.last_seq))
            case info.SubscriptionEnded():
                last = Lagged(message.lagged) if message.lagged else Ended(cause_from(message.cause))
                self.items.append(last)
                self.is_over = True
            case _:
                pass  # an Ended of a life, which the subscription outlives

    def take(self) -> Any:
        """Return the next item, None if there is none now."""
        return self.items.popleft() if self.items else None

    def credit(self, count: int = 1) -> info.Received | None:
        """Count events taken; returns what to tell the root when enough have come together."""
        self._taken += count
        if self._taken < self._credit_step or self.number is None:
            return None
        taken, self._taken = self._taken, 0
        return info.Received(self.number, taken)

    def _add(self, message: info.Events, batch: bytes) -> None:
        """Take in a batch; what an earlier one has brought already is left out."""
        from theater.chain import iter_batch

        events = iter_batch(batch, message.prev_hash, incarnation=message.incarnation)
        fresh = [event for event in events if event.seq > self._last_seq]
        self.items.extend(fresh)
        if fresh:
            self._last_seq = fresh[-1].seq


class Subscription:
    """Iterate over it: ChainEvent, or Gap where events were dropped; the last item is Ended (or Lagged).

    Use it in ``with``, or call ``close``; both may happen while another thread waits in it, whose iteration then ends.
    """

    def __init__(
        self,
        owner: object,
        pool: Pool,
        run: Run,
        target: str,
        since: int | None,
        buffer: int,
        policy: str,
        timeout: float | None,
    ) -> None:
        check_policy(policy, buffer)
        self.target = target
        self._owner = owner
        """Kept alive, for it owns the sockets."""
        self._feed = Feed(buffer)
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self.is_closed = False
        self._closing = threading.Lock()
        self._wires = Wires(pool, run)
        self._wake = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        self._poll = select.poll()
        for fd in (*self._wires.fds, self._wake):
            self._poll.register(fd, select.POLLIN)
        question = info.Subscribe(_REQUEST, target, since, buffer, policy)
        self._wires.tell_root(info.QUESTIONS.encode(question))
        try:
            self._open(OPEN_TIMEOUT_S if timeout is None else timeout)
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[Any]:
        return self

    def __next__(self) -> Any:
        item = self.next(None)
        if item is None:
            raise StopIteration
        return item

    def next(self, timeout: float | None = None) -> Any:
        """Return the next item; None when the subscription is over.

        Raises:
            OperationTimeout: nothing came in ``timeout`` seconds (None: wait for ever).
            ChannelClosed: the supervisor is gone.
        """
        deadline = None if timeout is None else monotonic() + timeout
        with self._lock:
            while True:
                if self.is_closed:
                    return None
                item = self._feed.take()
                if item is not None:
                    self._give_credit(item)
                    return item
                if self._feed.is_over:
                    return None
                self._read()
                if self._feed.items:
                    continue
                self._wait(deadline, timeout)

    def close(self) -> None:
        """End the subscription. Closing twice is fine."""
        if os.getpid() != self._pid or not self._closing.acquire(blocking=False):
            return  # a forked child's copy is not ours to close; or closed before
        self.is_closed = True
        os.eventfd_write(self._wake, 1)
        with self._lock:
            if self._feed.number is not None and not self._wires.is_gone:
                self._wires.tell_root(info.QUESTIONS.encode(info.Unsubscribe(_REQUEST + 1, self._feed.number)))
            self._wires.close(linger_ms=GOODBYE_MS)
            os.close(self._wake)

    def __enter__(self) -> Subscription:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_poll"):
            self.close()

    def _open(self, timeout: float) -> None:
        deadline = monotonic() + timeout
        while self._feed.number is None:
            self._read()
            if self._feed.number is None:
                self._wait(deadline, timeout)

    def _read(self) -> None:
        for message, bodies in self._wires.news():
            self._feed.receive(message, bodies)

    def _wait(self, deadline: float | None, timeout: float | None) -> None:
        if self._wires.is_gone:
            raise SupervisorGone(None)
        left = None if deadline is None else deadline - monotonic()
        if left is not None and left <= 0:
            raise OperationTimeout(timeout)
        self._poll.poll(None if left is None else max(1.0, left * 1000))

    def _give_credit(self, item: Any) -> None:
        if isinstance(item, Gap | Ended | Lagged):
            return
        credit = self._feed.credit()
        if credit is not None:
            self._wires.tell_root(info.QUESTIONS.encode(credit))


def check_policy(policy: str, buffer: int) -> None:
    """Refuse what a subscription cannot be."""
    if policy not in POLICIES:
        raise ValueError(f"policy: expected one of {', '.join(POLICIES)}, got {policy!r}")
    if not 1 <= buffer <= 1_000_000:
        raise ValueError(f"buffer: expected 1 to 1000000 events, got {buffer}")
