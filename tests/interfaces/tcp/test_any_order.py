"""TCP with real sockets: any calls in any order, among peers that do anything, end in an answer or a refusal."""

from __future__ import annotations

import os
import socket
import threading
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.interfaces.tcpkit import LOCAL, Actor, Refused
from tests.system.running import until
from theater import types
from theater.errors import NotAChild
from theater.grants import TCP
from worker.interfaces.registry import known
from worker.machine_notices import Declined, Rejected, Returned

QUICK = LOCAL | {"timeout_ms_max": 3, "wait_ms_max": 3, "connections_max": 4, "chunk_bytes_max": 8}
FUNCTIONS = {item.name: item.variants[0].params for item in known()[TCP].functions}
NOTICES = (Returned(b""), Declined("no"), Rejected("function_not_found", ()))
SETTINGS = settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])


class World:
    """An actor, a server it may connect to, and everybody who has connected to anybody."""

    def __init__(self) -> None:
        self.actor = Actor(QUICK)
        self.actor.answers["pass-connection"] = NotAChild("whoever")
        self.server = socket.create_server(("127.0.0.1", 0), backlog=100)
        self.server.setblocking(False)
        self.ids = ["", "unknown"]
        self.places = [f"127.0.0.1:{self.server.getsockname()[1]}", "127.0.0.1:0", "127.0.0.1:1", "nonsense"]
        self.peers: list[socket.socket] = []

    def arguments(self, data: st.DataObject, params: tuple[types.Type, ...], function: str) -> list[Any]:
        texts = self.places if function in ("connect", "listen") else self.ids
        found: list[Any] = []
        for number, kind in enumerate(params):
            if kind is types.STRING and number:
                found.append(data.draw(st.sampled_from(("active", "once", "passive", "localhost", "", "x"))))
            elif kind is types.STRING:
                found.append(data.draw(st.sampled_from(texts)))
            elif kind is types.U32:
                found.append(data.draw(st.sampled_from((0, 1, 5, 2**32 - 1))))
            else:
                found.append(data.draw(st.binary(max_size=20)))
        return found

    def call(self, function: str, *arguments: Any) -> None:
        try:
            answer = self.actor.call(function, *arguments)
        except Refused as refused:
            assert str(refused)
            return
        if function in ("connect", "listen", "accept"):
            self.ids.append(answer)
        if function == "listen":
            self.places.append(self.actor.call("local-address", answer))

    def turn(self, notice: Any) -> None:
        """What waits for the guest, if anything does."""
        if self.actor.turns.empty():
            return
        turn = self.actor.turns.get()
        if turn.wanted is None or turn.wanted():
            self.ids.append(turn.params[0].value)  # type: ignore[attr-defined]
            if turn.then is not None:
                turn.then(notice)

    def outside(self, what: str, number: int) -> None:
        """Somebody else does something."""
        try:
            self.peers.append(self.server.accept()[0])
        except BlockingIOError:
            pass
        if what == "dial":
            host, _, port = self.places[number % len(self.places)].rpartition(":")
            if port.isdigit() and int(port) > 1:
                sock = socket.socket()
                sock.setblocking(False)
                sock.connect_ex((host, int(port)))
                self.peers.append(sock)
        elif self.peers:
            self.disturb(self.peers[number % len(self.peers)], what)

    def disturb(self, peer: socket.socket, what: str) -> None:
        try:
            peer.setblocking(False)
            if what == "close":
                peer.close()
            elif what == "half":
                peer.shutdown(socket.SHUT_WR)
            else:
                peer.send({"text": b"some bytes of data", "tls": b"\x16\x03\x01\x00\x05hello"}[what])
        except OSError:
            pass

    def close(self) -> None:
        self.actor.close()
        self.actor.asks.close()  # a worker keeps it to its end
        self.server.close()
        for peer in self.peers:
            peer.close()


def steps() -> st.SearchStrategy[tuple[str, str, int]]:
    calls = st.tuples(st.just("call"), st.sampled_from(sorted(FUNCTIONS)), st.just(0))
    likely = st.tuples(st.just("call"), st.sampled_from(("connect", "set-active", "activate", "receive")), st.just(0))
    turns = st.tuples(st.just("turn"), st.just(""), st.integers(0, len(NOTICES) - 1))
    outside = st.tuples(
        st.just("outside"), st.sampled_from(("dial", "text", "text", "tls", "half", "close")), st.integers(0, 20)
    )
    return calls | likely | turns | outside


@SETTINGS
@given(data=st.data())
def test_any_order(data: st.DataObject) -> None:
    """No exception, no hang; afterwards no thread and no descriptor is left."""
    before = len(os.listdir("/proc/self/fd"))
    world = World()
    try:
        for kind, what, number in data.draw(st.lists(steps(), max_size=25)):
            if kind == "call":
                world.call(what, *world.arguments(data, FUNCTIONS[what], what))
            elif kind == "turn":
                world.turn(NOTICES[number])
            else:
                world.outside(what, number)
    finally:
        world.close()
    until(lambda: not any(thread.name == "tcp" for thread in threading.enumerate()), "the thread to end")
    assert len(os.listdir("/proc/self/fd")) <= before


@SETTINGS
@given(pieces=st.lists(st.binary(min_size=1, max_size=30), max_size=8), modes=st.lists(
    st.sampled_from(("active", "once", "passive")), max_size=12), chunk=st.integers(1, 16))  # fmt: skip
def test_no_byte_is_lost_by_changes_of_mode(pieces: list[bytes], modes: list[str], chunk: int) -> None:
    """Whatever way the guest takes it, everything comes, once, in order."""
    actor = Actor(LOCAL | {"chunk_bytes_max": chunk})
    with socket.create_server(("127.0.0.1", 0)) as server:
        id_ = actor.call("connect", f"127.0.0.1:{server.getsockname()[1]}")
        peer, _ = server.accept()
    sent, found, rest = b"", b"", list(pieces)
    try:
        for mode in [*modes, "passive"]:
            if rest:
                sent += rest[0]
                peer.sendall(rest.pop(0))
            actor.call("set-active", id_, mode)
            if mode != "passive" and len(found) < len(sent):
                found += actor.turn()[2]
        sent += b"".join(rest)
        peer.sendall(b"".join(rest))
        peer.shutdown(socket.SHUT_WR)
        while data := actor.call("receive", id_, 7):
            found += data
    finally:
        peer.close()
        actor.close()

    assert found == sent
