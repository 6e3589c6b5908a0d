"""What ``theater:simple/tcp`` keeps for one incarnation of an actor: its connections, its listeners, its limits."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from proto import control
from theater.grants.tcp import GRANT
from theater.patterns import BadPattern, hostports
from theater.patterns.hostports import Address
from worker.asks import SHUTTING_DOWN
from worker.interfaces.context import Context
from worker.interfaces.registry import Refusal
from worker.tcp.connection import Connection
from worker.tcp.listener import BACKLOG, Listener
from worker.tcp.loop import Loop
from worker.tcp.names import Found, Names
from worker.tcp.streams import Plain, words
from worker.tcp.waiting import WRITE, Deadline, Stopped, TimedOut, Waits

if TYPE_CHECKING:
    from worker.tcp.passing import Landing
    from worker.tcp.tls import Contexts

LISTENERS_MAX: Final = 16
LOCALHOST: Final = "127.0.0.1"
AGAIN_NS: Final = 50_000_000
AGAIN_TRIES: Final = 40


class Tcp:
    """One actor's TCP. Its functions run on the guest thread and raise Refusal, where they say nothing else."""

    def __init__(self, context: Context) -> None:
        options = GRANT.held_by(context)
        self._context = context
        self._may_connect: list[str] = options["connect"]
        self._may_listen: list[str] = options["listen"]
        self._connections_max: int = options["connections_max"]
        self._chunk_bytes: int = options["chunk_bytes_max"]
        self._send_bytes_max: int = options["send_bytes_max"]
        self._timeout_ms: int = options["timeout_ms_max"]
        self._wait_ms: int = options["wait_ms_max"]
        self._tls_files: dict[str, Any] = options["tls"]
        self._lock = threading.Lock()
        """Guards the two tables."""
        self._connections: dict[str, Connection] = {}
        self._listeners: dict[str, Listener] = {}
        self._suspended: dict[str, tuple[str, int]] = {}
        """Where listeners were that another package may listen now."""
        self._loop = Loop()
        self._waits = Waits(context)
        self._names = Names(self._waits)
        self._contexts: Contexts | None = None
        self._landing: Landing | None = None

    # -- connections ---------------------------------------------------------------------------------------------------

    def connect(self, text: str) -> Connection:
        """A connection to this address, activated, in passive mode."""
        address = _parsed(text)
        if not hostports.allows(self._may_connect, address):
            raise Refusal(f"connecting to {address} is not granted (tcp: connect)")
        if not self._has_room():
            raise Refusal(f"{self._connections_max} connections are open already (tcp: max_connections)")
        deadline = Deadline(self._timeout_ms, f"connecting to {address}")
        why = ""
        for found in self._names.addresses(address, deadline):
            try:
                sock = self._connected(found, deadline)
            except OSError as error:
                why = words(error)
                continue
            connection = self._admit(sock)
            if connection is None:
                break
            return connection
        raise Refusal(f"connecting to {address}: {why or 'no room for it'}")

    def _connected(self, found: Found, deadline: Deadline) -> socket.socket:
        family, place = found
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            try:
                sock.connect(place)
            except BlockingIOError:
                self._waits.until(sock.fileno(), WRITE, deadline)
                failure = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if failure:
                    raise OSError(failure, os.strerror(failure)) from None
        except BaseException:
            sock.close()
            raise
        return sock

    def connection(self, id_: str) -> Connection:
        """The connection with this id. Others' ids, ids of earlier lives and nonsense get the same words."""
        found = self._connections.get(id_)
        if found is None:
            raise Refusal(f"this actor has no connection {id_[:64]!r}: closed, handed over, or of an earlier life")
        return found

    def activate(self, id_: str) -> None:
        """A pending connection is this actor's to use."""
        connection = self.connection(id_)
        with connection.lock:
            if not connection.is_pending:
                raise Refusal("the connection is activated already")
            connection.is_pending = False

    def send(self, id_: str, data: bytes) -> int:
        """Send all of it. What could not be sent in time ends the connection: nobody knows how much has arrived."""
        connection = self.connection(id_)
        connection.require_open()
        if len(data) > self._send_bytes_max:
            raise Refusal(f"expected at most {self._send_bytes_max} bytes, found {len(data)} (tcp: max_send)")
        deadline = Deadline(self._timeout_ms, "send")
        view, sent = memoryview(data), 0
        fd = connection.stream.sock.fileno()
        try:
            while sent < len(data):
                sent += self._waits.done(partial(connection.write, view[sent:]), fd, deadline)
        except OSError as error:
            raise Refusal(f"send: {connection.why(error)}") from None
        except (TimedOut, Stopped):
            connection.close()
            raise
        return len(data)

    def receive(self, id_: str, bytes_max: int) -> bytes:
        """Some bytes, at least one; none when the peer has ended."""
        connection = self.connection(id_)
        connection.require_open()
        if not bytes_max:
            raise Refusal("expected max-bytes of at least 1, found 0")
        size = min(bytes_max, self._chunk_bytes)
        deadline = Deadline(self._wait_ms, "receive")
        try:
            return self._waits.done(partial(connection.read, size), connection.stream.sock.fileno(), deadline)
        except OSError as error:
            raise Refusal(f"receive: {connection.why(error)}") from None

    # -- listeners -----------------------------------------------------------------------------------------------------

    def listen(self, text: str) -> Listener:
        """Listen, and have connections announced."""
        address = _parsed(text)
        if not hostports.allows(self._may_listen, address):
            raise Refusal(f"listening on {address} is not granted (tcp: listen)")
        if len(self._listeners) >= LISTENERS_MAX:
            raise Refusal(f"expected at most {LISTENERS_MAX} listeners")
        try:
            sock = _listening(address)
        except OSError as error:
            raise Refusal(f"listening on {address}: {words(error)}") from None
        listener = Listener(self._context, self._loop, sock, lambda sock, place: self._accepted(sock), self._has_room)
        with self._lock:
            self._listeners[listener.id] = listener
        return listener

    def hand_over(self) -> None:
        """Another package is to take over, and may listen where this one does. Post thread."""
        for listener in list(self._listeners.values()):
            self._suspended[listener.id] = listener.sock.getsockname()[:2]
            listener.suspend()

    def take_back(self) -> None:
        """It does not: listen again. Post thread."""
        suspended, self._suspended = self._suspended, {}
        for id_, (host, port) in suspended.items():
            listener = self._listeners.get(id_)
            if listener is not None:
                self._listen_again(listener, host, port, AGAIN_TRIES)

    def _listen_again(self, listener: Listener, host: str, port: int, tries: int) -> None:
        """The other process may be about to end. Post thread."""
        try:
            listener.resume(lambda: _bound(host, port))
        except OSError as error:
            if tries > 1:
                at_ns = time.monotonic_ns() + AGAIN_NS
                self._context.at(at_ns, lambda: self._listen_again(listener, host, port, tries - 1))
            else:
                self._context.log("warning", f"tcp: listening on {host}:{port} again: {words(error)}")

    def listener(self, id_: str) -> Listener:
        """The listener with this id."""
        found = self._listeners.get(id_)
        if found is None:
            raise Refusal(f"this actor has no listener {id_[:64]!r}: closed, or of an earlier life")
        return found

    def accept(self, id_: str) -> Connection:
        """The next connection, pending."""
        listener = self.listener(id_)
        deadline = Deadline(self._wait_ms, "accept")
        try:
            return self._waits.done(listener.accept, listener.sock.fileno(), deadline)
        except OSError as error:
            raise Refusal(f"accept: {words(error)}") from None

    def close_listener(self, id_: str) -> None:
        """Listen no more. Connections the actor knows of stay."""
        listener = self.listener(id_)
        with self._lock:
            self._listeners.pop(id_, None)
        listener.close()

    def local_address(self, id_: str) -> str:
        """Where a connection or a listener is, on this side."""
        listener = self._listeners.get(id_)
        sock = listener.sock if listener is not None else self.connection(id_).stream.sock
        try:
            return _shown(sock.getsockname())
        except OSError as error:
            raise Refusal(words(error)) from None

    # -- TLS -----------------------------------------------------------------------------------------------------------

    def upgrade(self, id_: str, server_name: str | None) -> None:
        """TLS from here on, as client of this server, or as server (None). Whatever goes wrong ends the connection."""
        from worker.tcp.upgrade import upgrade

        if self._contexts is None:
            from worker.tcp.tls import Contexts

            self._contexts = Contexts(self._tls_files)
        connection = self.connection(id_)
        deadline = Deadline(self._timeout_ms, "the TLS handshake")
        try:
            upgrade(connection, self._contexts, server_name, self._waits, deadline)
        except BaseException:
            connection.close()
            raise

    # -- other actors --------------------------------------------------------------------------------------------------

    def transfer(self, id_: str, target: str, *, waits: bool) -> None:
        """Give a connection to another actor; ``waits``: until its handle-connection-transfer has returned."""
        from worker.tcp.passing import Handing

        connection = self.connection(id_)
        if target == self._context.actor_id:
            raise Refusal("the connection is this actor's already")
        if connection.stream.is_tls:
            raise Refusal("an encrypted connection cannot be transferred: its keys are in this process")
        there, _ = self._context.ask("pass-connection", {"id": target})
        with Handing(self._waits, Deadline(self._timeout_ms, "transfer")) as handing:
            handing.give(connection, there["socket"], there["token"])
            if waits:
                handing.outcome()

    def expect(self, message: control.Expect) -> str | None:
        """The supervisor announces a connection of another actor; a text if it cannot be had. Post thread."""
        from worker.tcp.passing import Landing

        if self._context.is_stopping:
            return SHUTTING_DOWN
        if not self._has_room():
            return "the other actor has no room for another connection"
        if self._landing is None:
            self._landing = Landing(self._context, self._loop, self._landed)
        return self._landing.expect(message.socket, message.token, message.expires_ms)

    # -- the tables ----------------------------------------------------------------------------------------------------

    def _has_room(self) -> bool:
        with self._lock:
            return self._open() < self._connections_max

    def _open(self) -> int:
        """Those that are over, and whose end the guest has not heard of yet, have no socket any more."""
        return sum(1 for each in self._connections.values() if not each.ended)

    def _admit(self, sock: socket.socket, prepare: Callable[[Connection], None] | None = None) -> Connection | None:
        try:
            peer = _shown(sock.getpeername())
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError:
            peer = "unknown"  # it has gone already: reading says so
        connection = Connection(self._context, self._loop, Plain(sock), peer, self._chunk_bytes, self._forget)
        if prepare is not None:
            prepare(connection)
        with self._lock:
            if self._open() >= self._connections_max:
                sock.close()
                return None
            self._connections[connection.id] = connection
        return connection

    def _accepted(self, sock: socket.socket) -> Connection | None:
        def prepare(connection: Connection) -> None:
            connection.is_pending = True

        return self._admit(sock, prepare)

    def _landed(self, sock: socket.socket, held: bytes) -> Connection | None:
        def prepare(connection: Connection) -> None:
            connection.held = held

        return self._admit(sock, prepare)

    def _forget(self, connection: Connection) -> None:
        """There is room for another one. Any thread."""
        with self._lock:
            self._connections.pop(connection.id, None)
            listeners = list(self._listeners.values())
        for listener in listeners:
            self._loop.call(listener.announce)

    def close(self) -> None:
        """The actor ends in order: everything is closed, and peers see it."""
        with self._lock:
            listeners, self._listeners = list(self._listeners.values()), {}
            connections = list(self._connections.values())
        for listener in listeners:
            listener.close()
        for connection in connections:
            connection.close()
        self._loop.close()
        if self._landing is not None:
            self._landing.close()
        self._names.close()


def expect(context: Context, message: control.Expect) -> control.Done | control.Refused:
    """Answer the supervisor's word that a connection is coming. Post thread."""
    why = context.service(Tcp).expect(message)
    return control.Done(message.id) if why is None else control.Refused(message.id, "unexpected", (why,))


def _parsed(text: str) -> Address:
    try:
        return hostports.parse(text)
    except BadPattern as error:
        raise Refusal(str(error)) from None


def _listening(address: Address) -> socket.socket:
    host = LOCALHOST if address.host == "localhost" else address.host
    if address.ip is None and host != LOCALHOST:
        raise Refusal(f"expected an IP address to listen on, found {address.host}")
    return _bound(host, address.port)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind((host, port))
        sock.listen(BACKLOG)
    except BaseException:
        sock.close()
        raise
    return sock


def _shown(name: Any) -> str:
    return hostports.shown(name[0], name[1])
