"""One HTTP request on its way through the guest: what the guest's thread tells, the server's thread waits for.

A small response leaves as a whole once the operation has ended and is recorded. One that is large, slow, or flushed by
the guest leaves while it is made (not with ``durability: group``, where nothing leaves before it is on the disk).
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Iterator
from typing import Any, Final

from worker.interfaces.wasi.http_bodies import WAITING_BYTES_MAX, Sink
from worker.interfaces.wasi.http_fields import Pairs
from worker.interfaces.wasi.http_incoming import Exchange
from worker.interfaces.wasi.streams import CHUNK_BYTES, StreamClosed
from worker.machine_actions import Answer

KEPT_BYTES: Final = 64 << 10
"""A body up to this size waits for the end of the operation …"""
KEPT_S: Final = 0.1
"""… for so long."""


class Visitor(Exchange, Sink):
    """The waiter of one request."""

    delivery = None
    """What goes back is simply the response (worker.desk.Caller)."""

    def __init__(self, may_stream: bool) -> None:
        self._may_stream = may_stream
        self._news = threading.Condition()
        self._parts: deque[bytes] = deque()
        self._waiting = 0
        self._began_s = 0.0
        self._is_released = False
        self._is_gone = False
        self.head: tuple[int, Pairs] | None = None
        """Status and headers, once the guest has decided."""
        self.outcome: Any = None
        """How the operation ended: Answer or Refuse."""

    @property
    def exchange(self) -> Exchange:
        """Itself (worker.interfaces.context.Context.exchange)."""
        return self

    # -- the guest's thread ------------------------------------------------------------------------------------------

    def sink(self) -> Sink | None:
        """Takes pieces of the body, if they may leave before the end."""
        return self if self._may_stream else None

    def begin(self, status: int, headers: Pairs) -> None:
        """Status and headers are decided."""
        with self._news:
            self.head = status, headers
            self._began_s = time.monotonic()
            self._news.notify()

    def room(self) -> int:
        """How much of the body may be given now."""
        if self._is_gone:
            raise StreamClosed
        return max(0, min(CHUNK_BYTES, WAITING_BYTES_MAX - self._waiting))

    def put(self, data: bytes) -> None:
        """A piece of the body."""
        with self._news:
            self._parts.append(data)
            self._waiting += len(data)
            if self._waiting > KEPT_BYTES or (self.head and time.monotonic() - self._began_s > KEPT_S):
                self._is_released = True
            self._news.notify()

    def flush(self) -> None:
        """The guest wants it to leave, if it has waited."""
        with self._news:
            if self.head is not None and time.monotonic() - self._began_s > KEPT_S:
                self._is_released = True
                self._news.notify()

    def settle(self, outcome: Any) -> None:
        """The operation has ended. Any thread."""
        with self._news:
            self.outcome = outcome
            self._news.notify()

    # -- the server's thread -----------------------------------------------------------------------------------------

    def wait(self, deadline_s: float) -> bool:
        """Wait until the operation has ended or its response begins to leave; False if neither has by then."""
        with self._news:
            while self.outcome is None and not self._leaves():
                left = deadline_s - time.monotonic()
                if left <= 0:
                    return False
                self._news.wait(min(left, self._patience_s()))
        return True

    @property
    def is_streaming(self) -> bool:
        """The response leaves while the operation is still going on."""
        return self.outcome is None or (self._is_released and isinstance(self.outcome, Answer))

    def _leaves(self) -> bool:
        if self.head is None or not self._may_stream:
            return False
        if self._waiting and time.monotonic() - self._began_s > KEPT_S:
            self._is_released = True
        return self._is_released

    def _patience_s(self) -> float:
        return KEPT_S if self.head is not None else 3600.0

    def pieces(self, deadline_s: float) -> Iterator[bytes]:
        """The body as it is made. Raises ConnectionError if the operation ends badly: what has left is not all."""
        while True:
            with self._news:
                while not self._parts and self.outcome is None:
                    left = deadline_s - time.monotonic()
                    if left <= 0:
                        raise ConnectionError("the actor did not complete its response in time")
                    self._news.wait(left)
                part = self._parts.popleft() if self._parts else None
                if part is None and not isinstance(self.outcome, Answer):
                    raise ConnectionError("the actor did not complete its response")
                self._waiting -= len(part or b"")
            if part is None:
                return
            yield part

    def leave(self) -> None:
        """Nobody waits any more; what the guest still writes is refused."""
        self._is_gone = True
