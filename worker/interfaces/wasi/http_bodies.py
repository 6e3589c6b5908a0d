"""Bodies of HTTP messages: one kind to read, one to write."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

from worker.interfaces.wasi.streams import CHUNK_BYTES, InputStream, OutputStream, StreamClosed, StreamFailed

WAITING_BYTES_MAX: Final = 1 << 20
"""Of a body that somebody else reads, or writes, in another thread."""


class Arriving(InputStream):
    """A body that another thread puts in, piece by piece."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self._room = threading.Condition()
        self._parts = bytearray()
        self._is_over = False
        self._failure: str | None = None

    def put(self, data: bytes) -> bool:
        """Add bytes, waiting for room; False if nobody wants them any more. The other thread."""
        with self._room:
            while len(self._parts) >= WAITING_BYTES_MAX and not self._is_over:
                self._room.wait()
            if self._is_over:
                return False
            self._parts += data
        self._changed()
        return True

    def end(self, failure: str | None = None) -> None:
        """There is no more. The other thread."""
        with self._room:
            self._is_over, self._failure = True, failure
        self._changed()

    def read(self, size: int) -> bytes:
        """What has arrived."""
        with self._room:
            found = bytes(self._parts[:size])
            del self._parts[:size]
            self._room.notify()
            if found or not size:
                return found
            if self._failure is not None:
                raise StreamFailed(self._failure)
            if self._is_over:
                raise StreamClosed
            return b""

    def has_news(self) -> bool:
        """Something has arrived, or nothing more will."""
        return bool(self._parts) or self._is_over

    def close(self) -> None:
        """The guest does not want the rest."""
        with self._room:
            self._is_over = True
            self._parts.clear()
            self._room.notify()


class Collected(OutputStream):
    """A body that is gathered; ``sink`` is given each piece as well, and says how much it could take now."""

    def __init__(self, bytes_max: int, sink: Sink | None = None) -> None:
        self.data = bytearray()
        self._max = bytes_max
        self._sink = sink

    def room(self) -> int:
        """How much may be written now."""
        left = self._max - len(self.data)
        if left <= 0:
            raise StreamFailed(f"the body is larger than {self._max} bytes (max_body)")
        return min(left, CHUNK_BYTES if self._sink is None else self._sink.room())

    def write(self, data: bytes) -> None:
        """Gather it."""
        self.data += data
        if self._sink is not None:
            self._sink.put(data)

    def flush(self) -> None:
        """Pass on what there is."""
        if self._sink is not None:
            self._sink.flush()


class Sink:
    """Where a body goes while it is being written."""

    def room(self) -> int:
        """How much it takes now."""
        raise StreamClosed

    def put(self, data: bytes) -> None:
        """Take a piece."""

    def flush(self) -> None:
        """Do not keep it back."""
