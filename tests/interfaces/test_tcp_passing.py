"""Connections between actors: the descriptor is handed over by token, belongs to one of them, and to nobody else."""

from __future__ import annotations

import os
import socket
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from proto import control
from tests.interfaces.passingkit import Member, Turns
from tests.interfaces.tcpkit import WAIT_S, Refused, dial, listening, pair, read_all
from tests.system.running import until
from worker.machine_notices import Declined, Rejected, Trapped
from worker.tcp import passing
from worker.tcp.service import Tcp

GONE = "this actor has no connection"


@pytest.fixture
def make() -> Iterator[Callable[..., Member]]:
    tree: dict[str, Member] = {}
    with tempfile.TemporaryDirectory(prefix="th-") as directory:
        yield lambda **more: Member(tree, directory, **more)
        for each in tree.values():
            each.close()


@pytest.fixture
def giver(make: Callable[..., Member]) -> Member:
    return make()


@pytest.fixture
def taker(make: Callable[..., Member]) -> Member:
    return make()


# -- handing over ------------------------------------------------------------------------------------------------------


def test_transfer(giver: Member, taker: Member) -> None:
    """The taker is told, and can use it at once; the giver cannot any more; the peer notices nothing."""
    id_, peer = pair(giver)
    turns = Turns(taker)
    giver.call("transfer", id_, taker.actor_id)
    name, new = turns.done()
    taker.call("send", new, b"from the taker")
    peer.sendall(b"to the taker")

    assert name == "handle-connection-transfer"
    assert new != id_
    assert peer.recv(100) == b"from the taker"
    assert taker.call("receive", new, 100) == b"to the taker"
    assert taker.call("peer-address", new) == f"127.0.0.1:{peer.getsockname()[1]}"
    with pytest.raises(Refused, match=GONE):
        giver.call("send", id_, b"x")


def test_transfer_async(giver: Member, taker: Member) -> None:
    """It returns before the taker's guest has heard of it."""
    id_, peer = pair(giver)
    giver.call("transfer-async", id_, taker.actor_id)
    with pytest.raises(Refused, match=GONE):
        giver.call("close", id_)
    _, new = taker.turn()
    taker.call("send", new, b"hello")

    assert peer.recv(100) == b"hello"


def test_pending_connections(giver: Member, taker: Member) -> None:
    """An acceptor hands on what it has never used; the taker need not activate it."""
    _, place = listening(giver)
    peer = dial(place)
    turn = giver.take()
    giver.call("transfer-async", turn.params[0].value, taker.actor_id)  # type: ignore[attr-defined]
    turn.then(Declined("even if the callback fails"))
    _, new = taker.turn()
    taker.call("send", new, b"hello")

    assert peer.recv(100) == b"hello"


def test_what_was_not_read_goes_along(giver: Member, taker: Member) -> None:
    """In the kernel or on its way to on-data: the taker reads it first, and the giver never."""
    id_, peer = pair(giver)
    giver.call("set-active", id_, "active")
    peer.sendall(b"early ")
    until(lambda: not giver.turns.empty(), "the chunk")
    peer.sendall(b"late")
    giver.call("transfer-async", id_, taker.actor_id)
    _, new = taker.turn()
    found = b""
    while len(found) < 10:
        found += taker.call("receive", new, 100)

    assert found == b"early late"
    assert giver.is_idle


def test_there_and_back(giver: Member, taker: Member) -> None:
    """A new id each time."""
    id_, peer = pair(giver)
    giver.call("transfer-async", id_, taker.actor_id)
    _, there = taker.turn()
    taker.call("transfer-async", there, giver.actor_id)
    _, back = giver.turn()
    giver.call("send", back, b"home")

    assert peer.recv(100) == b"home"
    assert len({id_, there, back}) == 3


def test_many_at_once(giver: Member, taker: Member) -> None:
    """One after the other, whatever the taker's guest does meanwhile."""
    peers = []
    for _ in range(20):
        id_, peer = pair(giver)
        peers.append(peer)
        giver.call("transfer-async", id_, taker.actor_id)
    for number in range(20):
        taker.call("send", taker.turn()[1], b"%d" % number)

    assert [int(peer.recv(10)) for peer in peers] == list(range(20))


def test_closing_after_a_transfer_is_the_end(giver: Member, taker: Member) -> None:
    """Nobody keeps a descriptor: the peer sees the end."""
    id_, peer = pair(giver)
    giver.call("transfer-async", id_, taker.actor_id)
    taker.call("close", taker.turn()[1])

    assert read_all(peer) == b""


@pytest.mark.parametrize(
    ("notice", "why"),
    [
        (Declined("not mine"), "not mine"),
        (Trapped("unreachable"), "unreachable"),
        (Rejected("function_not_found", ()), "handle-connection-transfer could not be called"),
    ],
)
def test_a_callback_that_fails(giver: Member, taker: Member, notice: Any, why: str) -> None:
    """The connection is closed, and the giver learns why."""
    id_, peer = pair(giver)
    turns = Turns(taker, notice)
    with pytest.raises(Refused, match=f"it is handed over, and closed: .*{why}"):
        giver.call("transfer", id_, taker.actor_id)
    turns.done()

    assert read_all(peer) == b""
    with pytest.raises(Refused, match=GONE):
        giver.call("send", id_, b"x")


def test_a_callback_that_does_not_end(make: Callable[..., Member], taker: Member) -> None:
    """The giver's wait has an end; the connection is the taker's all the same."""
    giver = make(timeout_ms_max=50)
    id_, peer = pair(giver)
    with pytest.raises(Refused, match="timed out after 50 ms; it is handed over"):
        giver.call("transfer", id_, taker.actor_id)
    taker.call("send", taker.turn()[1], b"hello")

    assert peer.recv(100) == b"hello"


# -- refusals ----------------------------------------------------------------------------------------------------------


def stays(giver: Member, id_: str, peer: socket.socket) -> None:
    """It is where it was, and works."""
    giver.call("send", id_, b"still here")
    assert peer.recv(100) == b"still here"


@pytest.mark.parametrize("function", ["transfer", "transfer-async"])
@pytest.mark.parametrize("target", ["", "nobody", "11111111-2222-4333-8444-555555555555", "../../etc", "x" * 5000])
def test_to_nobody(giver: Member, function: str, target: str) -> None:
    """The root knows no such actor."""
    id_, peer = pair(giver)
    with pytest.raises(Refused, match="no such actor"):
        giver.call(function, id_, target)

    stays(giver, id_, peer)


def test_to_oneself(giver: Member) -> None:
    """It is there already."""
    id_, peer = pair(giver)
    with pytest.raises(Refused, match="this actor's already"):
        giver.call("transfer", id_, giver.actor_id)

    stays(giver, id_, peer)


def test_a_connection_that_is_over(giver: Member, taker: Member) -> None:
    """There is nothing to hand over; on-close follows."""
    id_, peer = pair(giver)
    giver.call("set-active", id_, "active")
    peer.close()
    until(lambda: not giver.turns.empty(), "the end")
    with pytest.raises(Refused, match="the connection is over: eof"):
        giver.call("transfer", id_, taker.actor_id)

    assert giver.turn() == ("on-close", id_, "eof")


def test_no_room(giver: Member, make: Callable[..., Member]) -> None:
    """The taker's limit holds for what it is given."""
    taker = make(connections_max=1)
    pair(taker)
    id_, peer = pair(giver)
    with pytest.raises(Refused, match="no room for another connection"):
        giver.call("transfer", id_, taker.actor_id)

    stays(giver, id_, peer)


def test_no_room_any_more(giver: Member, make: Callable[..., Member]) -> None:
    """Nor does it fill up between the root's word and the connection's coming."""
    taker = make(connections_max=1)
    _, token = taker.expects()
    pair(taker)
    giver.ask = lambda *_, **__: ({"socket": taker.landing, "token": token}, [])  # type: ignore[method-assign]
    id_, peer = pair(giver)
    with pytest.raises(Refused, match="no room for another connection"):
        giver.call("transfer", id_, "whoever")

    stays(giver, id_, peer)


def test_to_an_actor_that_stops(giver: Member, taker: Member) -> None:
    """It takes nothing any more."""
    taker.stop()
    id_, peer = pair(giver)
    with pytest.raises(Refused, match="shutting-down"):
        giver.call("transfer", id_, taker.actor_id)

    stays(giver, id_, peer)


def test_in_the_mode_it_was_in(giver: Member, taker: Member) -> None:
    """What could not be handed over goes on as if nothing had been asked."""
    id_, peer = pair(giver)
    giver.call("set-active", id_, "active")
    giver.ask = lambda *_, **__: ({"socket": taker.landing, "token": b"?"}, [])  # type: ignore[method-assign]
    taker.expects()
    with pytest.raises(Refused, match="not expected"):
        giver.call("transfer", id_, taker.actor_id)
    peer.sendall(b"data")

    assert giver.turn() == ("on-data", id_, b"data")


def test_too_many_on_their_way(taker: Member) -> None:
    """A bound on what an actor can be promised; old promises make room."""
    for _ in range(passing.EXPECTED_MAX):
        assert isinstance(taker.expects()[0], control.Done)

    assert isinstance(taker.expects()[0], control.Refused)


def test_nowhere_to_bind(make: Callable[..., Member]) -> None:
    """Words, not an exception in the post thread."""
    taker = make()
    taker.landing = "/nowhere/at/all"

    refused, _ = taker.expects()
    assert refused == control.Refused(7, "unexpected", ("it cannot take connections: No such file or directory",))


def test_taker_that_never_answers(make: Callable[..., Member]) -> None:
    """The wait has an end, and the connection stays."""
    giver = make(timeout_ms_max=50)
    id_, peer = pair(giver)
    with tempfile.TemporaryDirectory() as directory, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as silent:
        silent.bind(f"{directory}/s")
        silent.listen(1)
        giver.ask = lambda *_, **__: ({"socket": f"{directory}/s", "token": b""}, [])  # type: ignore[method-assign]
        with pytest.raises(Refused, match="transfer: timed out after 50 ms"):
            giver.call("transfer", id_, "whoever")

    stays(giver, id_, peer)


def test_nobody_there(giver: Member) -> None:
    """The taker's process has ended meanwhile."""
    id_, peer = pair(giver)
    giver.ask = lambda *_, **__: ({"socket": "/nowhere/s", "token": b""}, [])  # type: ignore[method-assign]
    with pytest.raises(Refused, match="it could not be handed over: No such file"):
        giver.call("transfer", id_, "whoever")

    stays(giver, id_, peer)


# -- forgeries ---------------------------------------------------------------------------------------------------------


class Stranger:
    """Somebody at the taker's socket."""

    def __init__(self, taker: Member) -> None:
        _, self.token = taker.expects()
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.sock.settimeout(WAIT_S)
        self.sock.connect(taker.landing)

    def offer(self, token: bytes, *fds: int, held: bytes = b"") -> bytes:
        return self.say(msgspec.msgpack.encode(passing.Offer(token, held)), *fds)

    def say(self, data: bytes, *fds: int) -> bytes:
        socket.send_fds(self.sock, [data], list(fds))
        return self.hear()

    def hear(self) -> bytes:
        try:
            return self.sock.recv(1000)
        except ConnectionResetError:
            return b""


@pytest.fixture
def stranger(taker: Member) -> Iterator[Stranger]:
    found = Stranger(taker)
    yield found
    found.sock.close()


@pytest.fixture
def tcp() -> Iterator[socket.socket]:
    """One end of a connection."""
    with socket.create_server(("127.0.0.1", 0)) as server, dial(server.getsockname()) as sock:
        peer, _ = server.accept()
        yield sock
        peer.close()


def open_fds() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.parametrize("change", [lambda t: b"", lambda t: t[:-1], lambda t: bytes(16), lambda t: t + b"\0"])
def test_forged_tokens(stranger: Stranger, taker: Member, tcp: socket.socket, change: Callable[[bytes], bytes]) -> None:
    """Whoever does not have the token has nothing to give."""
    assert stranger.offer(change(stranger.token), tcp.fileno()) == b"Nthis connection is not expected"
    assert stranger.hear() == b""
    assert taker.is_idle


def test_a_token_is_good_once(stranger: Stranger, taker: Member, tcp: socket.socket) -> None:
    """The second comer is refused."""
    second = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    second.settimeout(WAIT_S)
    second.connect(taker.landing)
    assert stranger.offer(stranger.token, tcp.fileno()) == b"T"
    offer = msgspec.msgpack.encode(passing.Offer(stranger.token, b""))
    socket.send_fds(second, [offer], [tcp.fileno()])

    assert second.recv(100) == b"Nthis connection is not expected"
    second.close()


def test_a_token_expires(taker: Member, tcp: socket.socket) -> None:
    """What the root has announced does not wait for ever."""
    taker.expires_ms = 0

    stranger = Stranger(taker)
    assert stranger.offer(stranger.token, tcp.fileno()) == b"Nthis connection is not expected"
    stranger.sock.close()


def test_other_descriptors(taker: Member) -> None:
    """Files, pipes, datagram and listening sockets are no connections; none is kept."""
    read, write = os.pipe()
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp,
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as unix,
        Path("/dev/null").open("rb") as file,
    ):
        for fd in (read, write, udp.fileno(), server.fileno(), unix.fileno(), file.fileno()):
            stranger = Stranger(taker)
            before = open_fds()
            assert stranger.offer(stranger.token, fd)[:1] == b"N"
            stranger.sock.close()
            until(lambda before=before: open_fds() <= before, "the descriptor to be closed")  # type: ignore[misc]
    os.close(read)
    os.close(write)
    assert taker.is_idle


@pytest.mark.parametrize("data", [b"\x00", b"garbage", b"\x92\xc4\x01x\xc0", bytes(150_000)])
def test_garbage(stranger: Stranger, taker: Member, tcp: socket.socket, data: bytes) -> None:
    """Refused with a word, or cut off."""
    assert stranger.say(data, tcp.fileno())[:1] in (b"N", b"")
    assert taker.is_idle


def test_no_descriptor_and_too_many(taker: Member, tcp: socket.socket) -> None:
    """Exactly one."""
    for fds in ((), (tcp.fileno(),) * 2, (tcp.fileno(),) * 50):
        stranger = Stranger(taker)
        before = open_fds()
        assert stranger.offer(stranger.token, *fds) == b"Nexpected one descriptor"
        stranger.sock.close()
        until(lambda before=before: open_fds() <= before, "the descriptors to be closed")  # type: ignore[misc]


@pytest.mark.parametrize("word", [b"", b"X", b"T"])
def test_a_giver_that_changes_its_mind(
    stranger: Stranger, taker: Member, giver: Member, word: bytes
) -> None:
    """Without the last word it stays the giver's: the taker lets go of it, and does not end it."""
    id_, peer = pair(giver)
    fd = giver.service(Tcp).connection(id_).stream.sock.fileno()
    assert stranger.offer(stranger.token, fd) == b"T"
    if word:
        stranger.sock.send(word)
    else:
        stranger.sock.close()
    until(lambda: taker.service(Tcp)._open() == 0, "the taker to let go")

    assert taker.is_idle
    stays(giver, id_, peer)


def test_a_giver_that_says_no_more(stranger: Stranger, taker: Member, giver: Member) -> None:
    """The taker waits for the last word for a while, and no longer."""
    id_, peer = pair(giver)
    fd = giver.service(Tcp).connection(id_).stream.sock.fileno()
    assert stranger.offer(stranger.token, fd) == b"T"
    taker.alarms.ring(time.monotonic_ns() + passing.COMMIT_NS)

    assert stranger.hear() == b""
    until(lambda: taker.service(Tcp)._open() == 0, "the taker to let go")
    stays(giver, id_, peer)


def test_a_giver_that_says_nothing(stranger: Stranger, taker: Member) -> None:
    """Nor does it wait for a first one for ever."""
    until(lambda: taker.alarms.next_ns, "the visit")
    taker.alarms.ring(time.monotonic_ns() + passing.COMMIT_NS)

    assert stranger.hear() == b""


def test_a_crowd(taker: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many may stand there and say nothing; the next is turned away, until one leaves."""
    monkeypatch.setattr(passing, "VISITORS_MAX", 3)
    crowd = [Stranger(taker) for _ in range(3)]
    landing = taker.service(Tcp)._landing
    assert landing is not None
    until(lambda: len(landing.visitors) == 3, "the crowd")
    late = Stranger(taker)
    assert late.hear() == b""
    crowd[0].sock.close()
    until(lambda: len(landing.visitors) == 2, "one to leave")
    for each in (late, *crowd):
        each.sock.close()


def test_another_user(taker: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """A process of another user is cut off before it has said a word."""
    monkeypatch.setattr(os, "getuid", lambda: 123_456)
    stranger = Stranger(taker)

    assert stranger.hear() == b""
    stranger.sock.close()


def test_a_taker_of_another_user(giver: Member, taker: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is a connection given to one."""
    id_, peer = pair(giver)
    monkeypatch.setattr(os, "getuid", lambda: 123_456)
    with pytest.raises(Refused, match=r"is none of ours|Connection reset"):
        giver.call("transfer", id_, taker.actor_id)

    stays(giver, id_, peer)


def test_the_socket_is_ours_alone(taker: Member) -> None:
    """It is gone when the actor ends."""
    taker.expects()
    assert os.path.exists(taker.landing)
    taker.close()

    assert not os.path.exists(taker.landing)
