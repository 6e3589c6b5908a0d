"""Connections from worker to worker: the descriptor itself travels (SCM_RIGHTS), and belongs to one actor at a time.

The receiving worker waits at a socket of its own in the run directory. Who comes must be a process of our user
(SO_PEERCRED) and show a token that the supervisor has given to both sides for this one connection.

    sender → receiver   Offer(token, held) [descriptor]
    receiver → sender   T: can have it              or N and a text: cannot; it stays where it is
    sender → receiver   G: it is yours              or nothing: it stays where it is
    receiver → sender   R: handle-connection-transfer has returned, or F and a text: it failed, and all is closed
"""

from __future__ import annotations

import hmac
import os
import socket
import struct
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from theater.values import String
from worker.interfaces.registry import Refusal
from worker.machine_notices import Returned
from worker.tcp.connection import CLIENT, Connection
from worker.tcp.streams import words
from worker.tcp.waiting import READ, Deadline, TimedOut, Waits

if TYPE_CHECKING:
    from worker.interfaces.context import Context
    from worker.tcp.loop import Loop

HANDLE_TRANSFER: Final = f"{CLIENT}.handle-connection-transfer"
EXPECTED_MAX: Final = 64
"""Connections announced to an actor that have not come yet."""
VISITORS_MAX: Final = 64
"""Who has come and not handed anything over yet; more are turned away."""
COMMIT_NS: Final = 5_000_000_000
"""Time for a sender to say that it is ours."""
WORDS_BYTES_MAX: Final = 1024
_CREDENTIALS: Final = struct.Struct("3i")
_CAN, _CANNOT, _YOURS, _RETURNED, _FAILED = b"T", b"N", b"G", b"R", b"F"

Admit = Callable[[socket.socket, bytes], Connection | None]
"""Makes a connection of what was handed over; None if there is no room for it."""


class Offer(msgspec.Struct, frozen=True):
    """First word of a sender, with the descriptor."""

    token: bytes
    held: bytes
    """What was read and not seen by the guest: the new owner reads it first."""


OFFER_BYTES_MAX: Final = (128 << 10) + 256

# -- sending: the guest's thread ---------------------------------------------------------------------------------------


class Handing:
    """One connection on its way to another actor."""

    def __init__(self, waits: Waits, deadline: Deadline) -> None:
        self._waits = waits
        self._deadline = deadline
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._sock.setblocking(False)

    def __enter__(self) -> Handing:
        return self

    def __exit__(self, *failure: object) -> None:
        self._sock.close()

    def give(self, connection: Connection, path: str, token: bytes) -> None:
        """Hand it over. Raises Refusal: it has stayed where it is, in the mode it was in."""
        with connection.lock:
            if connection.ended:
                raise Refusal(f"the connection is over: {connection.ended}")
            if connection.stream.is_tls:
                raise Refusal("an encrypted connection cannot be transferred: its keys are in this process")
            mode = connection.suspend()
            offer = msgspec.msgpack.encode(Offer(token, connection.held))
        try:
            self._offer(offer, connection.stream.sock.fileno(), path)
        except (OSError, Refusal) as error:
            connection.resume(mode)
            if isinstance(error, Refusal):
                raise
            raise Refusal(f"it could not be handed over: {words(error)}") from None
        connection.close(hands_over=True)

    def outcome(self) -> None:
        """Wait until the other actor's handle-connection-transfer has returned. Raises Refusal: it is lost."""
        try:
            said = self._receive()
        except TimedOut as late:
            raise Refusal(f"{late}; it is handed over, and the other actor has not answered yet") from None
        except OSError as error:
            said = _FAILED + words(error).encode()
        if said != _RETURNED:
            text = said[1:].decode("utf-8", "replace") or "the other actor ended"
            raise Refusal(f"it is handed over, and closed: {text}")

    def _offer(self, offer: bytes, fd: int, path: str) -> None:
        self._sock.connect(path)
        if _uid(self._sock) != os.getuid():
            raise Refusal("the process that waits there is none of ours")
        socket.send_fds(self._sock, [offer], [fd])
        said = self._receive()
        if said != _CAN:
            raise Refusal(said[1:].decode("utf-8", "replace") or "the other actor ended")
        self._sock.send(_YOURS)

    def _receive(self) -> bytes:
        self._waits.until(self._sock.fileno(), READ, self._deadline)
        return self._sock.recv(WORDS_BYTES_MAX)


# -- receiving: the loop's thread --------------------------------------------------------------------------------------


class Landing:
    """Where connections for this actor arrive. ``expect`` is called by the post thread."""

    def __init__(self, context: Context, loop: Loop, admit: Admit) -> None:
        self._context = context
        self._loop = loop
        self._admit = admit
        self._sock: socket.socket | None = None
        self._path = ""
        self.visitors: set[Visitor] = set()
        """Those that have not handed anything over yet. The loop's thread."""
        self._expected: dict[bytes, int] = {}
        """Token -> until when."""

    def expect(self, path: str, token: bytes, expires_ms: int) -> str | None:
        """Take a connection from whoever shows this token; a text if that is not possible."""
        now = time.monotonic_ns()
        for old in [old for old, until_ns in list(self._expected.items()) if until_ns <= now]:
            self._expected.pop(old, None)
        if len(self._expected) >= EXPECTED_MAX:
            return f"{EXPECTED_MAX} connections are on their way to it already"
        try:
            self._bind(path)
        except OSError as error:
            return f"it cannot take connections: {words(error)}"
        self._expected[token] = now + expires_ms * 1_000_000
        return None

    def close(self) -> None:
        """Take none any more."""
        if self._sock is not None:
            self._sock.close()
            try:
                os.unlink(self._path)
            except OSError:
                pass

    def is_expected(self, token: bytes) -> bool:
        """Whether the supervisor has announced this token, which is good for one time."""
        for known, until_ns in list(self._expected.items()):
            if hmac.compare_digest(known, token):
                self._expected.pop(known, None)
                return until_ns > time.monotonic_ns()
        return False

    def _bind(self, path: str) -> None:
        if self._sock is not None:
            return
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            sock.setblocking(False)
            sock.bind(path)  # in a directory of ours alone, and the umask leaves it to us alone
            sock.listen(EXPECTED_MAX)
        except OSError:
            sock.close()
            raise
        self._sock, self._path = sock, path
        self._loop.call(lambda: self._loop.watch(sock, READ, lambda: self._arrivals(sock)))

    def _arrivals(self, sock: socket.socket) -> None:
        try:
            visitor, _ = sock.accept()
        except OSError:
            return
        if _uid(visitor) != os.getuid() or len(self.visitors) >= VISITORS_MAX:
            visitor.close()
            return
        self.visitors.add(Visitor(self, visitor, self._context, self._loop, self._admit))


class Visitor:
    """A worker that has come with a connection."""

    def __init__(self, landing: Landing, sock: socket.socket, context: Context, loop: Loop, admit: Admit) -> None:
        self._landing = landing
        self._sock = sock
        self._context = context
        self._loop = loop
        self._admit = admit
        self._connection: Connection | None = None
        sock.setblocking(False)
        loop.watch(sock, READ, self._offered)
        self._patience = context.at(time.monotonic_ns() + COMMIT_NS, lambda: loop.call(self._leave))

    def _offered(self) -> None:
        try:
            self._connection = self._take()
        except (Refusal, ValueError, OSError) as error:
            self._say(_CANNOT + str(error).encode()[: WORDS_BYTES_MAX - 1])
            self._leave()
            return
        self._loop.watch(self._sock, READ, self._committed)
        self._say(_CAN)

    def _take(self) -> Connection:
        data, fds, flags, _ = socket.recv_fds(self._sock, OFFER_BYTES_MAX, 4, socket.MSG_CMSG_CLOEXEC)
        try:
            if flags & (socket.MSG_CTRUNC | socket.MSG_TRUNC) or len(fds) != 1:
                raise Refusal("expected one descriptor")
            offer = msgspec.msgpack.decode(data, type=Offer)
            if not self._landing.is_expected(offer.token):
                raise Refusal("this connection is not expected")
            sock = _tcp(fds[0])
            fds = []
        finally:
            for fd in fds:
                os.close(fd)
        connection = self._admit(sock, offer.held)
        if connection is None:
            raise Refusal("the other actor has no room for another connection")
        return connection

    def _committed(self) -> None:
        """It is ours now, or it stays where it was."""
        connection, self._connection = self._connection, None
        assert connection is not None
        try:
            is_ours = self._sock.recv(1) == _YOURS
        except OSError:
            is_ours = False
        if not is_ours:
            connection.close(hands_over=True)
            self._leave()
            return
        self._patience.call_off()
        self._landing.visitors.discard(self)
        self._loop.forget(self._sock)
        params = String(connection.id)
        self._context.deliver(HANDLE_TRANSFER, params, then=lambda notice: self._told(connection, notice))

    def _told(self, connection: Connection, notice: Any) -> None:
        """The guest's thread: its handler has returned, or could not be called."""
        if type(notice) is Returned:
            self._say(_RETURNED)
        else:
            connection.close()
            self._say(_FAILED + _why(notice).encode()[: WORDS_BYTES_MAX - 1])
        self._loop.call(self._leave)

    def _say(self, what: bytes) -> None:
        try:
            self._sock.send(what)
        except OSError:
            pass  # it has left

    def _leave(self) -> None:
        """Nothing more to say; what was not given to us stays where it was."""
        self._patience.call_off()
        self._landing.visitors.discard(self)
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close(hands_over=True)
        self._loop.forget(self._sock)
        self._sock.close()


def _tcp(fd: int) -> socket.socket:
    """The descriptor as a connected TCP socket; it is closed if it is anything else."""
    sock = socket.socket(fileno=fd)
    try:
        is_tcp = sock.family in (socket.AF_INET, socket.AF_INET6) and sock.type == socket.SOCK_STREAM
        if not is_tcp or sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            raise Refusal("expected a TCP connection")
    except BaseException:
        sock.detach()  # the caller closes the descriptor
        raise
    return sock


def _why(notice: Any) -> str:
    text = getattr(notice, "text", "")
    return str(text or f"{HANDLE_TRANSFER} could not be called")


def _uid(sock: socket.socket) -> int:
    data = sock.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(data)
    return int(uid)


