"""One connection of a guest: who reads it, and what has been read but not yet been seen by the guest.

In *passive* mode the guest reads, by ``receive``. In the *active* modes the loop reads one chunk, has it queued for
``on-data``, and reads on only when the guest has dealt with it: so much waits per connection, and no more. Until the
guest's turn has come the chunk can be called back (``recall``): when the guest returns to passive mode or closes, no
callback follows, and nothing is lost or comes out of order.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from theater import types
from theater.grants import TCP
from theater.values import List, String
from worker.interfaces.registry import Refusal
from worker.machine_notices import Rejected
from worker.tcp.streams import Stream, words
from worker.tcp.waiting import NotNow

if TYPE_CHECKING:
    from worker.interfaces.context import Context
    from worker.tcp.loop import Loop

ACTIVE: Final = "active"
ONCE: Final = "once"
PASSIVE: Final = "passive"
MODES: Final = (ACTIVE, ONCE, PASSIVE)

CLIENT: Final = f"{TCP}-client"
ON_DATA: Final = f"{CLIENT}.on-data"
ON_CLOSE: Final = f"{CLIENT}.on-close"
EOF: Final = "eof"
CLOSED_HERE: Final = "closed"


class Chunk:
    """Data on its way to ``on-data``."""

    __slots__ = ("data",)

    def __init__(self, data: bytes) -> None:
        self.data = data


class Connection:
    """A socket, its mode and its state. ``gone`` is called once, when the guest can name it no more."""

    def __init__(
        self,
        context: Context,
        loop: Loop,
        stream: Stream,
        peer: str,
        chunk_bytes: int,
        gone: Callable[[Connection], None],
    ) -> None:
        self.id = secrets.token_hex(16)
        self.peer = peer
        self.stream = stream
        self.lock = threading.Lock()
        """Guards everything below, and the stream: encrypted ones bear one thread at a time."""
        self.mode = PASSIVE
        self.is_pending = False
        """Accepted, and neither activated nor handed over yet."""
        self.held = b""
        """Called back: read before everything that is still to be read."""
        self.ended = ""
        """Why it is over: ``eof``, or an error."""
        self._context = context
        self._loop = loop
        self._chunk_bytes = chunk_bytes
        self._gone = gone
        self._chunk: Chunk | None = None
        self._is_giving = False
        """The guest is in ``on-data``."""
        self._is_closed = False

    # -- what the guest does: its own thread ---------------------------------------------------------------------------

    def require_open(self) -> None:
        """Raise Refusal if it is over, or not activated yet."""
        if self.ended:
            raise Refusal(f"the connection is over: {self.ended}")
        if self.is_pending:
            raise Refusal("the connection is pending: activate it first")

    def set_mode(self, mode: str) -> None:
        """From now on the guest reads by itself, or is given what comes."""
        with self.lock:
            self.require_open()
            self.mode = mode
            if mode == PASSIVE:
                self._recall()
        if mode != PASSIVE:
            self._loop.call(self._pump)

    def read(self, size: int) -> bytes:
        """What ``receive`` returns. Raises NotNow, OSError, or Refusal: not in passive mode."""
        with self.lock:
            self.require_open()
            if self.mode != PASSIVE:
                raise Refusal(f"the connection is in mode {self.mode}: what comes is given to on-data")
            if self.held:
                data, self.held = self.held[:size], self.held[size:]
                return data
            return self.stream.read(size)

    def write(self, data: memoryview) -> int:
        """Give some of it away. Raises NotNow, OSError, Refusal."""
        with self.lock:
            self.require_open()
            return self.stream.write(data)

    def suspend(self) -> str:
        """Have nobody else touch the stream until ``resume``; return the mode it was in. The lock must be held."""
        mode, self.mode = self.mode, PASSIVE
        self._recall()
        return mode

    def resume(self, mode: str) -> None:
        """Go on in that mode."""
        with self.lock:
            self.mode = mode
        if mode != PASSIVE:
            self._loop.call(self._pump)

    def close(self, *, hands_over: bool = False) -> None:
        """The end, without a callback. ``hands_over``: somebody else has the socket, which goes on. Any thread."""
        with self.lock:
            if self._is_closed:
                return
            self._is_closed = True
            self.ended = self.ended or CLOSED_HERE
            self._chunk = None
        self._gone(self)
        if self._loop.is_running:
            self._loop.call(lambda: self._release(hands_over))
        else:
            self._release(hands_over)

    def _recall(self) -> None:
        if self._chunk is not None:
            self.held = self._chunk.data + self.held
            self._chunk = None

    def _release(self, hands_over: bool) -> None:
        if self._loop.is_running:
            self._loop.forget(self.stream.sock)
        if hands_over:
            self.stream.sock.close()
        else:
            self.stream.close()

    # -- what comes: the loop's thread ---------------------------------------------------------------------------------

    def _pump(self) -> None:
        """Read a chunk for ``on-data``, if the guest is ready for it."""
        with self.lock:
            if self._is_closed or self.ended:
                return
            if self.mode == PASSIVE or self._chunk is not None or self._is_giving:
                self._loop.forget(self.stream.sock)
                return
            try:
                data = self._next()
            except NotNow as later:
                self._loop.watch(self.stream.sock, later.events, self._pump)
                return
            except OSError as error:
                self._end(self.why(error))
                return
            self._loop.forget(self.stream.sock)
            if not data:
                self._end(EOF)
                return
            self._chunk = chunk = Chunk(data)
        params = (String(self.id), List(types.U8, data))
        self._context.deliver(ON_DATA, *params, wanted=lambda: self._begins(chunk), then=self._given)

    def _next(self) -> bytes:
        if self.held:
            data, self.held = self.held[: self._chunk_bytes], self.held[self._chunk_bytes :]
            return data
        return self.stream.read(self._chunk_bytes)

    def why(self, error: OSError) -> str:
        """What an error of the stream means."""
        if not self.stream.is_tls:
            return words(error)
        from worker.tcp.tls import reason

        return f"tls: {reason(error)}"

    def _end(self, why: str) -> None:
        """Over, by the peer: the guest is told. The lock is held."""
        self.ended = why
        self._loop.forget(self.stream.sock)
        self.stream.close()
        self._context.deliver(ON_CLOSE, String(self.id), String(why), wanted=self._tells_end)

    # -- callbacks: the guest's thread again ---------------------------------------------------------------------------

    def _begins(self, chunk: Chunk) -> bool:
        """The guest's turn has come: is the chunk still for ``on-data``?"""
        with self.lock:
            if self._chunk is not chunk:
                return False
            self._chunk = None
            self._is_giving = True
            if self.mode == ONCE:
                self.mode = PASSIVE
            return True

    def _given(self, notice: Any) -> None:
        """``on-data`` has returned. If it cannot be called there is no active mode: its data is lost."""
        with self.lock:
            self._is_giving = False
        self._loop.call(self._fail if type(notice) is Rejected else self._pump)

    def _fail(self) -> None:
        with self.lock:
            if not self._is_closed and not self.ended:
                self._end(f"{ON_DATA} cannot be called")

    def _tells_end(self) -> bool:
        """The guest's turn has come: it is told, unless it has closed the connection before."""
        with self.lock:
            if self._is_closed:
                return False
            self._is_closed = True
        self._gone(self)
        return True
