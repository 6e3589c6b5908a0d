"""One socket of the system under a ``tcp-socket`` and its two streams. Nothing here waits.

Reading takes from the kernel what is there: the host buffers nothing. What the kernel does not take at once when the
guest writes waits here, at most one chunk of it, and is sent by the actor's IO thread, which otherwise only tells those
who wait that something may be ready.
"""

from __future__ import annotations

import select
import socket
import threading
from collections.abc import Callable
from typing import Final

from worker.interfaces.wasi.streams import CHUNK_BYTES, InputStream, OutputStream, StreamClosed, StreamFailed
from worker.tcp.loop import Loop
from worker.tcp.streams import words
from worker.tcp.waiting import READ, WRITE

LINGER_MS: Final = 10_000
"""What is still to be sent when the guest drops a connection is given up if the peer takes nothing for so long."""


class Wire:
    """A non-blocking socket, closed when the last of those that hold it lets go."""

    def __init__(
        self, sock: socket.socket, loop: Loop, changed: Callable[[], None], gone: Callable[[Wire], None]
    ) -> None:
        self.sock = sock
        self.failure: OSError | None = None
        """Why nothing can be sent any more."""
        self._loop = loop
        self._changed = changed
        self._gone = gone
        self._lock = threading.Lock()
        """Guards all below. Whoever holds it must not call ``changed``: waiters ask us under a lock of their own."""
        self._holders = 1
        self._waiting = bytearray()
        self._wants = 0
        """Events the IO thread watches for, or is about to."""
        self._is_ended = False
        self._is_lingering = False
        self._is_closed = False

    # -- the guest's thread --------------------------------------------------------------------------------------------

    def hold(self) -> None:
        """One more that lets go some time."""
        with self._lock:
            self._holders += 1

    def release(self) -> None:
        """One of them lets go. After the last, what waits is sent still."""
        with self._lock:
            self._holders -= 1
            if self._holders or self._is_closed:
                return
            if self._waiting:
                self._is_lingering = True
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, LINGER_MS)
                return
            self._close()

    def close(self) -> None:
        """The actor ends: nothing more is sent."""
        with self._lock:
            if not self._is_closed:
                self._close()

    def is_ready(self, events: int) -> bool:
        """Whether one of these events is there; if not, ``changed`` is called when it is."""
        with self._lock:
            if self._is_closed:
                return True
            poll = select.poll()
            poll.register(self.sock, events)
            if poll.poll(0):
                return True
            self._want(events)
            return False

    @property
    def is_clear(self) -> bool:
        """Nothing waits to be sent, or nothing can be sent any more."""
        return not self._waiting

    @property
    def is_ended(self) -> bool:
        """The guest has said that it sends no more."""
        return self._is_ended

    def send(self, data: bytes) -> None:
        """Send, or keep until it can be sent."""
        with self._lock:
            self._waiting += data
            self._send()

    def end(self) -> None:
        """Tell the peer that there is no more, after what waits."""
        with self._lock:
            if self._is_ended:
                return
            self._is_ended = True
            if not self._waiting:
                self.sock.shutdown(socket.SHUT_WR)

    # -- under the lock ------------------------------------------------------------------------------------------------

    def _want(self, events: int) -> None:
        if self._wants | events != self._wants:
            self._wants |= events
            self._loop.call(self._watch)

    def _send(self) -> None:
        try:
            while self._waiting:
                del self._waiting[: self.sock.send(self._waiting, socket.MSG_NOSIGNAL)]
            if self._is_ended:
                self.sock.shutdown(socket.SHUT_WR)
        except BlockingIOError:
            self._want(WRITE)
        except OSError as error:
            self.failure = error
            self._waiting.clear()

    def _close(self) -> None:
        self._is_closed = True
        self._waiting.clear()
        if self._wants:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)  # at once, so that the port is free
            except OSError:
                pass  # never connected, or over already
            self._loop.call(self._forget)
        else:
            self.sock.close()
        self._gone(self)

    # -- the IO thread -------------------------------------------------------------------------------------------------

    def _watch(self) -> None:
        with self._lock:
            if self._is_closed:
                return
            if self._wants:
                self._loop.watch(self.sock, self._wants, self._happened)
            else:
                self._loop.forget(self.sock)

    def _happened(self) -> None:
        """Once only: who finds nothing after all asks again."""
        with self._lock:
            if self._is_closed:
                return
            self._wants = 0
            self._loop.forget(self.sock)
            self._send()
            if self._is_lingering and not self._waiting:
                self._close()
        self._changed()

    def _forget(self) -> None:
        self._loop.forget(self.sock)
        self.sock.close()


class Incoming(InputStream):
    """What the peer sends."""

    def __init__(self, wire: Wire) -> None:
        wire.hold()
        self._wire = wire
        self._is_over = False

    def end(self) -> None:
        """The guest wants no more of it."""
        self._is_over = True

    def read(self, size: int) -> bytes:
        """Take from the kernel what is there."""
        if self._is_over:
            raise StreamClosed
        if not size:
            return b""
        try:
            data = self._wire.sock.recv(size)
        except BlockingIOError:
            return b""
        except OSError as error:
            self._is_over = True
            raise StreamFailed(words(error)) from None
        if not data:
            self._is_over = True
            raise StreamClosed
        return data

    def has_news(self) -> bool:
        """Something is there, or it is over."""
        return self._is_over or self._wire.is_ready(READ)

    def close(self) -> None:
        """The guest drops it."""
        self._is_over = True
        self._wire.release()


class Outgoing(OutputStream):
    """What is sent to the peer."""

    def __init__(self, wire: Wire) -> None:
        wire.hold()
        self._wire = wire

    def room(self) -> int:
        """One chunk, as soon as nothing of the one before waits any more."""
        self._require_open()
        return CHUNK_BYTES if self._wire.is_clear else 0

    def write(self, data: bytes) -> None:
        """Send it, or keep it for a while."""
        self._require_open()
        self._wire.send(data)

    def flush(self) -> None:
        """Nothing is held back; only a failure is told."""
        if not self._wire.is_ended:
            self._require_open()

    def is_flushed(self) -> bool:
        """Whether the kernel has all of it."""
        return self._wire.is_clear

    def close(self) -> None:
        """The guest drops it."""
        self._wire.release()

    def _require_open(self) -> None:
        if self._wire.is_ended:
            raise StreamClosed
        if isinstance(self._wire.failure, BrokenPipeError):
            raise StreamClosed
        if self._wire.failure is not None:
            raise StreamFailed(words(self._wire.failure))
