"""Nobody gets a connection, or gives one, who was not meant."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.interfaces.passing.kit import Stranger, open_fds, stays
from tests.interfaces.passingkit import Member
from tests.interfaces.tcpkit import WAIT_S, Refused, dial, pair
from tests.system.running import until
from worker.tcp import passing
from worker.tcp.service import Tcp


@pytest.fixture
def tcp() -> Iterator[socket.socket]:
    """One end of a connection."""
    with socket.create_server(("127.0.0.1", 0)) as server, dial(server.getsockname()) as sock:
        peer, _ = server.accept()
        yield sock
        peer.close()




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
