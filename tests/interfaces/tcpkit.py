"""Actors without a guest, for the tests of TCP: the test makes host calls, and callbacks come when it takes a turn."""

from __future__ import annotations

import queue
import socket
from typing import Any, NamedTuple

from tests.worker.enginekit import FakeContext
from theater import cgrf, types
from theater.grants import TCP
from theater.values import U32, List, Result, String, Tuple, Value
from worker.interfaces.registry import Dispatcher, known
from worker.machine_notices import Returned

WAIT_S = 10.0
LOCAL = {"connect": ["127.0.0.1:*"], "listen": ["127.0.0.1:*"], "timeout_ms_max": 5_000, "wait_ms_max": 5_000}


class Refused(Exception):
    """A host function answered ``err``."""


class Turn(NamedTuple):
    """A call of the guest that waits."""

    function: str
    params: tuple[Value, ...]
    then: Any
    wanted: Any


class Actor(FakeContext):
    """One actor with the grant tcp."""

    def __init__(self, options: dict[str, Any] | None = None, **more: Any) -> None:
        super().__init__()
        self.grants = {TCP: {**(LOCAL if options is None else options), **more}}
        self.turns: queue.Queue[Turn] = queue.Queue()
        self._dispatcher = Dispatcher(self)
        self._dispatcher.bind({(TCP, each.name): each.variants[0] for each in known()[TCP].functions})

    def deliver(
        self, function: str, *params: Value, merge_key: str | None = None, then: Any = None, wanted: Any = None
    ) -> None:
        self.turns.put(Turn(function, params, then, wanted))

    def stop(self) -> None:
        """A stop of the actor comes."""
        self.is_stopping = True
        self.asks.release()

    def answer(self, function: str, *arguments: Value) -> Value:
        """The value a guest would get."""
        given = arguments[0] if len(arguments) == 1 else Tuple(arguments)
        return cgrf.decode(self._dispatcher.answer(TCP, function, cgrf.encode(given)))

    def call(self, function: str, *arguments: Any) -> Any:
        """Call a host function with plain data; return its plain answer, or raise Refused."""
        result = self.answer(function, *(_value(each) for each in arguments))
        assert isinstance(result, Result)
        if not result.is_ok:
            assert isinstance(result.value, String)
            raise Refused(result.value.value)
        return _plain(result.value)

    def take(self) -> Turn:
        """The next turn, as the guest thread begins it; those that were called off are passed over."""
        while True:
            turn = self.turns.get(timeout=WAIT_S)
            if turn.wanted is None or turn.wanted():
                return turn

    def turn(self, notice: Any = None) -> tuple[Any, ...]:
        """The next turn, and its end: the name of the callback and its plain parameters."""
        turn = self.take()
        if turn.then is not None:
            turn.then(Returned(b"") if notice is None else notice)
        return turn.function.rpartition(".")[2], *(_plain(each) for each in turn.params)

    @property
    def is_idle(self) -> bool:
        """No turn waits that is still wanted. Asks each: for the end of a test."""
        while True:
            try:
                turn = self.turns.get_nowait()
            except queue.Empty:
                return True
            if turn.wanted is None or turn.wanted():
                return False


def pair(actor: Actor) -> tuple[str, socket.socket]:
    """A connection of the actor's own making, and its other end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        id_ = actor.call("connect", f"127.0.0.1:{server.getsockname()[1]}")
        peer, _ = server.accept()
    peer.settimeout(WAIT_S)
    return id_, peer


def listening(actor: Actor) -> tuple[str, tuple[str, int]]:
    """A listener, and where it is."""
    id_ = actor.call("listen", "127.0.0.1:0")
    host, _, port = actor.call("local-address", id_).rpartition(":")
    return id_, (host, int(port))


def dial(place: tuple[str, int]) -> socket.socket:
    """A client of a listener."""
    return socket.create_connection(place, timeout=WAIT_S)


def read_all(peer: socket.socket) -> bytes:
    """Everything until the other side has ended."""
    found = b""
    while data := peer.recv(65_536):
        found += data
    return found


def _value(plain: Any) -> Value:
    match plain:
        case str():
            return String(plain)
        case bytes():
            return List(types.U8, plain)
        case int():
            return U32(plain)
    raise TypeError(plain)


def _plain(value: Any) -> Any:
    match value:
        case Tuple(items=()):
            return None
        case List():
            return value.items
        case _:
            return value.value
