"""The sockets of one client thread (or asyncio loop): one to the supervisor's gate, one to each worker it calls.

Nothing here waits. Whoever uses it polls the file descriptors and then drains: a ZeroMQ descriptor is edge
triggered, so every use of a socket is followed by reading it empty before anybody waits on its descriptor again.

ZMQ_IMMEDIATE stays off although it looks made for this: with it libzmq 4.3.5 throws away messages that have arrived
but were not read yet when the peer disconnects, and an answer sent just before a death has to count. The
price, that a message to a dead worker is queued instead of refused, is nothing here: an endpoint belongs to one
incarnation, so nobody will ever read it.
"""

from __future__ import annotations

import itertools
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec
import zmq
from zmq.backend import Socket as _Core

from proto import control, info, operation
from proto.envelope import MessageClass, WireError
from theater.errors import ChannelClosed
from theater.rundir import Run, is_alive

NOBLOCK: Final = int(zmq.NOBLOCK)
POLLIN: Final = int(zmq.POLLIN)
EVENTS: Final = int(zmq.EVENTS)
RCVMORE: Final = int(zmq.RCVMORE)

RECONNECT_MS: Final = 5
ROOT_RECONNECT_MS_MAX: Final = 1000
"""Each try to reach a supervisor that is gone is noted for a thread that may never look again."""
ENDED_KEPT: Final = 1024
"""Lives whose end is remembered."""
ROUTES_MAX: Final = 256
"""Workers one thread stays connected to; the one connected longest is dropped for the next."""
SOCKETS_MAX: Final = 16_384

POSTED_LINGER_MS: Final = 1000
LAST_WORDS_S: Final = 0.003
"""How long an answer that was sent before the worker's death may still be on its way through our own I/O thread."""

Socket = zmq.Socket[bytes]
send: Final[Callable[[Socket, bytes, int], Any]] = _Core.send
receive: Final[Callable[[Socket, int], bytes]] = _Core.recv
get: Final[Callable[[Socket, int], Any]] = _Core.get
"""The core of pyzmq's socket without its Python layer, which costs 2 us of a call's 40."""

_monitors = itertools.count(1)
Received = tuple[Any, list[bytes]]
Life = tuple[str, int]


class SupervisorGone(ChannelClosed):
    """The supervisor itself has ended, or the connection to it is lost."""

    def text(self) -> str:
        return "Operation channel closed (the supervisor is gone)"


class Pool:
    """A ZeroMQ context of our own and every socket that is open in it.

    It holds its sockets itself, because a context cannot end before each of them is closed, and the garbage collector
    may forget them before it asks us to clean up.
    """

    def __init__(self) -> None:
        self._pid = os.getpid()
        self._context: zmq.Context[Socket] = zmq.Context()
        self._context.set(zmq.MAX_SOCKETS, SOCKETS_MAX)
        self._open: set[Socket] = set()

    def socket(self, kind: int) -> Socket:
        """Return a new socket."""
        sock = self._context.socket(kind)
        self._open.add(sock)
        return sock

    def close(self, sock: Socket, linger_ms: int = 0) -> None:
        """Close a socket; what it still has to send has ``linger_ms`` to get out."""
        self._open.discard(sock)
        sock.close(linger_ms)

    @property
    def is_unused(self) -> bool:
        """No socket is open."""
        return not self._open

    def destroy(self) -> None:
        """Close everything, in the process that made it."""
        if os.getpid() == self._pid:
            for sock in tuple(self._open):
                self.close(sock)
            self._context.term()


class Route:
    """One incarnation of an actor and the socket to its worker."""

    __slots__ = (
        "actor_id", "busy", "call_deadline_ms", "cause", "ended", "ends", "fd", "incarnation", "line",
        "linger_ms", "package", "path", "waiter",
    )  # fmt: skip

    def __init__(self, where: info.Endpoint, line: Socket, ends: dict[Life, dict[str, Any]]) -> None:
        self.actor_id = where.actor_id
        self.path = where.path
        self.incarnation = where.incarnation
        self.call_deadline_ms = where.call_deadline_ms
        self.package = where.package
        self.line = line
        self.fd = int(line.getsockopt(zmq.FD))
        self.ends = ends
        """How lives ended that were asked for before."""
        self.ended = False
        self.cause: dict[str, Any] | None = None
        self.busy = 0
        """Operations under way that keep the socket open."""
        self.linger_ms = 0
        """How long what was sent may take to get out after we close."""
        self.waiter: Any = None
        """What the owner waits with (a poll object, pending futures)."""

    @property
    def life(self) -> Life:
        return (self.actor_id, self.incarnation)

    def read(self, is_likely: bool = False) -> Received | None:
        """Return the next answer of the worker, None if there is none now. Frames nobody should send are skipped.

        ``is_likely``: the descriptor says that something is there, so receiving is tried before asking.
        """
        line = self.line
        while is_likely or get(line, EVENTS) & POLLIN:
            try:
                header = receive(line, NOBLOCK)
            except zmq.Again:
                is_likely = False
                continue
            is_likely = False
            bodies = []
            while get(line, RCVMORE):
                bodies.append(receive(line, NOBLOCK))
            try:
                return operation.ANSWERS.decode(header), bodies
            except WireError:
                continue
        return None


class Wires:
    """Opens, sends and reads; remembers which lives were asked for and which have ended."""

    def __init__(self, pool: Pool, run: Run) -> None:
        self._pool = pool
        self.run = run
        self.root = self._dealer()
        self.root.setsockopt(zmq.RECONNECT_IVL_MAX, ROOT_RECONNECT_MS_MAX)
        self._monitor = pool.socket(zmq.PAIR)
        self._monitor.setsockopt(zmq.RCVHWM, 0)  # a full one would stop the I/O thread, and whoever closes us with it
        address = f"inproc://root-monitor-{next(_monitors)}"  # never used twice: the last one may still be closing
        self.root.monitor(address, zmq.EVENT_DISCONNECTED | zmq.EVENT_CONNECT_RETRIED)
        self._monitor.connect(address)
        self.root.connect(run.gate)
        self.fds = (int(self.root.getsockopt(zmq.FD)), int(self._monitor.getsockopt(zmq.FD)))
        """Descriptors that become readable when the root has said something, or is gone."""
        self.is_gone = False
        self.routes: dict[str, Route] = {}
        self._lives: dict[Life, Route] = {}
        self._ended: dict[Life, dict[str, Any]] = {}
        self.dropped: list[Route] = []
        """Routes that are no longer used and wait to be closed by the owner."""

    def tell_root(self, header: bytes, bodies: Sequence[bytes] = ()) -> None:
        """Send one message to the root."""
        self.root.send_multipart([header, *bodies], NOBLOCK)

    def news(self) -> list[Received]:
        """Read everything the root has sent. Ends of lives are noted and left in; sets ``is_gone``."""
        self._look_for_loss()  # first: what the root sent before it went is in our hands by now
        found: list[Received] = []
        while get(self.root, EVENTS) & POLLIN:
            message = _decode(self.root.recv_multipart(NOBLOCK))
            if message is None:
                continue
            if isinstance(message[0], info.Ended):
                self._note_end(message[0])
            found.append(message)
        return found

    def _look_for_loss(self) -> None:
        """The connection is lost; or it cannot be made, and nobody is there any more (else it will be, in a moment)."""
        while get(self._monitor, EVENTS) & POLLIN:
            event = int.from_bytes(self._monitor.recv_multipart(NOBLOCK)[0][:2], sys.byteorder)
            if event == zmq.EVENT_DISCONNECTED or not is_alive(self.run.path):
                self.is_gone = True

    def route(self, target: str, where: info.Endpoint) -> Route:
        """Return the route for the answer to a Resolve, opening the socket if this life is new to us."""
        life = (where.actor_id, where.incarnation)
        route = self._lives.get(life)
        if route is None:
            line = self._dealer()
            line.connect(where.endpoint)
            route = self._lives[life] = Route(where, line, self._ended)
            if life in self._ended:
                self._close_life(route, self._ended[life])
        self._remember(target, route)
        return route

    def forget(self, route: Route) -> None:
        """Take a route out of use. The owner closes its socket when nobody waits on it any more."""
        self._lives.pop(route.life, None)
        for target in [target for target, known in self.routes.items() if known is route]:
            del self.routes[target]
        self.dropped.append(route)

    def moved(self, route: Route) -> None:
        """Another worker serves the actor: ask where it is next time. Answers that are still due come by this route."""
        for target in [target for target, known in self.routes.items() if known is route]:
            del self.routes[target]

    def all_routes(self) -> tuple[Route, ...]:
        """Every route in use."""
        return tuple(self._lives.values())

    def close(self, linger_ms: int = 0) -> None:
        """Close every socket at once; what is on its way to the root has ``linger_ms`` to get out."""
        self.close_dropped()
        for route in self.all_routes():
            self.hang_up(route)
        self._lives.clear()
        self.routes.clear()
        if not self.root.closed:  # the pool may have been closed as a whole
            self.root.disable_monitor()
        self._pool.close(self._monitor)
        self._pool.close(self.root, linger_ms)

    def close_dropped(self, keep: Route | None = None) -> None:
        """Close the sockets of the routes that are no longer used."""
        for route in self.dropped:
            if route is not keep:
                self.hang_up(route)
        self.dropped = []

    def hang_up(self, route: Route) -> None:
        """Close the socket of a route."""
        self._pool.close(route.line, 0 if route.ended else route.linger_ms)

    def _remember(self, target: str, route: Route) -> None:
        if route.ended:
            return
        if len(self._lives) > ROUTES_MAX:
            oldest = next((other for other in self._lives.values() if other is not route and not other.busy), None)
            if oldest is not None:
                self.forget(oldest)
        if target in (route.path, route.actor_id):  # a name may be another's the next time
            self.routes[target] = route

    def _note_end(self, message: info.Ended) -> None:
        life = (message.actor_id, message.incarnation)
        self._ended[life] = message.cause
        if len(self._ended) > ENDED_KEPT:
            del self._ended[next(iter(self._ended))]
        route = self._lives.get(life)
        if route is not None:
            self._close_life(route, message.cause)

    def _close_life(self, route: Route, cause: dict[str, Any]) -> None:
        route.ended = True
        route.cause = cause
        self.forget(route)

    def _dealer(self) -> Socket:
        dealer = self._pool.socket(zmq.DEALER)
        dealer.setsockopt(zmq.LINGER, 0)
        dealer.setsockopt(zmq.SNDHWM, 0)
        dealer.setsockopt(zmq.RCVHWM, 0)
        dealer.setsockopt(zmq.RECONNECT_IVL, RECONNECT_MS)
        return dealer


def _decode(frames: list[bytes]) -> Received | None:
    """Return the message in frames from the root; frames it should not have sent are dropped."""
    header = frames[0]
    codec = control.TO_CLIENT if header[3:4] == bytes((MessageClass.CONTROL,)) else info.ANSWERS
    try:
        return _unfold(codec.decode(header), frames[1:])
    except (WireError, msgspec.MsgspecError, IndexError):
        return None


def _unfold(message: Any, bodies: list[bytes]) -> Received:
    """Put the data of a wide answer back where it belongs."""
    if not getattr(message, "wide", False):
        return message, bodies
    data = msgspec.msgpack.decode(bodies[-1])
    place = "data" if isinstance(message, info.Info) else "value"
    return msgspec.structs.replace(message, **{place: data}), bodies[:-1]
