"""The states of a ``tcp-socket`` (wasi:sockets/tcp), and what may be asked of it in each."""

from __future__ import annotations

import errno
import os
import socket
from typing import Any, Final

from worker.interfaces.wasi.declaring import Failure
from worker.interfaces.wasi.socket_rights import Ip, Sockets
from worker.interfaces.wasi.socket_wire import Incoming, Outgoing, Wire
from worker.tcp.waiting import READ, WRITE

BACKLOG: Final = 128
BACKLOG_MAX: Final = 4_096
UNBOUND, BINDING, BOUND, CONNECTING, CONNECTED, STARTING, LISTENING, CLOSED = (
    "unbound", "bind-in-progress", "bound", "connecting", "connected", "listen-in-progress", "listening", "closed",
)  # fmt: skip
IN_PROGRESS: Final = (BINDING, CONNECTING, STARTING)

POSSIBLE: Final[dict[str, tuple[str, ...]]] = {
    "start-bind": (UNBOUND,),
    "start-connect": (UNBOUND, BOUND),
    "start-listen": (BOUND,),
    "accept": (LISTENING,),
    "local-address": (BOUND, CONNECTED, STARTING, LISTENING, CONNECTING),
    "remote-address": (CONNECTED,),
    "set-listen-backlog-size": (UNBOUND, BINDING, BOUND, STARTING, LISTENING),
    "shutdown": (CONNECTED,),
}
"""The states in which something is possible. In others: not while something else is in progress, or not at all."""
FINISHED_BY: Final = {BINDING: "finish-bind", CONNECTING: "finish-connect", STARTING: "finish-listen"}

Streams = tuple[Incoming, Outgoing]


class TcpSocket:
    """One of a guest's. Raises Failure, and OSError for what the system says."""

    def __init__(self, sockets: Sockets, family: int, wire: Wire, state: str = UNBOUND) -> None:
        self.family = family
        self.wire = wire
        self.state = state
        self._sockets = sockets
        self._backlog = BACKLOG
        self._failure = 0
        """Why connecting failed at once."""
        self._streams: Streams | None = None

    @property
    def sock(self) -> socket.socket:
        """That of the system."""
        return self.wire.sock

    def require(self, what: str) -> None:
        """Raises Failure unless this is possible now."""
        if self.state not in POSSIBLE[what]:
            raise Failure("concurrency-conflict" if self.state in IN_PROGRESS else "invalid-state")

    def _require_started(self, what: str) -> None:
        if FINISHED_BY.get(self.state) != what:
            raise Failure("not-in-progress")

    # -- bind ----------------------------------------------------------------------------------------------------------

    def start_bind(self, ip: Ip, port: int, place: Any) -> None:
        """Bind to an address that the grant has to listen on."""
        self.require("start-bind")
        self._require_usable(ip)
        if not self._sockets.may_listen(ip, port):
            raise Failure("access-denied")
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.bind(place)
        self.state = BINDING

    def finish_bind(self) -> None:
        """It was bound at once."""
        self._require_started("finish-bind")
        self.state = BOUND

    def _require_usable(self, ip: Ip) -> None:
        if (ip.version == 6) is not (self.family == socket.AF_INET6):
            raise Failure("invalid-argument")
        if getattr(ip, "ipv4_mapped", None) is not None or ip.is_multicast or str(ip) == "255.255.255.255":
            raise Failure("invalid-argument")

    # -- connect -------------------------------------------------------------------------------------------------------

    def start_connect(self, ip: Ip, port: int, place: Any) -> None:
        """Connect to an address that the grant has, or a name of the grant has led to."""
        self.require("start-connect")
        self._require_usable(ip)
        if ip.is_unspecified or not port:
            raise Failure("invalid-argument")
        if not self._sockets.may_connect(ip, port):
            raise Failure("access-denied")
        try:
            self.sock.connect(place)
        except BlockingIOError:
            pass
        except OSError as error:
            self._failure = error.errno or errno.EIO
        self.state = CONNECTING

    def finish_connect(self) -> Streams:
        """The two streams, once the peer has answered."""
        self._require_started("finish-connect")
        if not self._failure and not self.wire.is_ready(WRITE):
            raise Failure("would-block")
        failure = self._failure or self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if failure:
            self.state = CLOSED
            if failure == errno.EADDRNOTAVAIL:
                raise Failure("address-in-use")  # no port of our own is left
            raise OSError(failure, os.strerror(failure))
        self.state = CONNECTED
        return self.streams()

    def streams(self) -> Streams:
        """Those of a connection just made."""
        self._streams = Incoming(self.wire), Outgoing(self.wire)
        return self._streams

    # -- listen --------------------------------------------------------------------------------------------------------

    def start_listen(self) -> None:
        """Where it is bound."""
        self.require("start-listen")
        self.sock.listen(self._backlog)
        self.state = STARTING

    def finish_listen(self) -> None:
        """It listens at once."""
        self._require_started("finish-listen")
        self.state = LISTENING

    def accept(self) -> tuple[TcpSocket, Streams]:
        """The next connection; would-block: none is there."""
        self.require("accept")
        self._sockets.require_room()
        sock, _ = self.sock.accept()
        made = TcpSocket(self._sockets, self.family, self._sockets.wire(sock), CONNECTED)
        return made, made.streams()

    def set_backlog(self, size: int) -> None:
        """How many connections the kernel keeps until they are accepted."""
        self.require("set-listen-backlog-size")
        if not size:
            raise Failure("invalid-argument")
        self._backlog = min(size, BACKLOG_MAX)
        if self.state in (STARTING, LISTENING):
            self.sock.listen(self._backlog)

    # -- and then ------------------------------------------------------------------------------------------------------

    def is_ready(self) -> bool:
        """Whether what it waits for is there: an answer of the peer, or a connection to accept."""
        if self.state == CONNECTING:
            return bool(self._failure) or self.wire.is_ready(WRITE)
        return self.state != LISTENING or self.wire.is_ready(READ)

    def shutdown(self, receives: bool, sends: bool) -> None:
        """One direction, or both, are over."""
        self.require("shutdown")
        assert self._streams is not None
        if receives:
            self._streams[0].end()
            self.sock.shutdown(socket.SHUT_RD)
        if sends:
            self.wire.end()

    def close(self) -> None:
        """The guest drops it; the streams may live on."""
        self.wire.release()
