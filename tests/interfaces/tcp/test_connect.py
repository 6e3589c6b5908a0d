"""TCP of guests, with real sockets: connecting, sending, receiving, and their refusals."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.interfaces.tcp.kit import NOBODY
from tests.interfaces.tcpkit import LOCAL, WAIT_S, Actor, Refused, listening, pair, read_all

# -- connect -----------------------------------------------------------------------------------------------------------


def test_connect_send_and_receive(actor: Actor) -> None:
    """A connection of one's own is activated and passive: bytes go both ways."""
    id_, peer = pair(actor)

    assert actor.call("send", id_, b"hello") == 5
    assert peer.recv(100) == b"hello"
    peer.sendall(b"world")
    assert actor.call("receive", id_, 100) == b"world"


def test_addresses_of_a_connection(actor: Actor) -> None:
    """Both sides of it can be asked for."""
    id_, peer = pair(actor)

    assert actor.call("peer-address", id_) == f"127.0.0.1:{peer.getsockname()[1]}"
    assert actor.call("local-address", id_) == f"127.0.0.1:{peer.getpeername()[1]}"


def test_names_are_looked_up(make: Callable[..., Actor]) -> None:
    """A name the grant allows is connected to, wherever it is."""
    actor = make(LOCAL | {"connect": ["localhost:*"]})
    with socket.create_server(("127.0.0.1", 0)) as server:
        id_ = actor.call("connect", f"LOCALHOST:{server.getsockname()[1]}")

    assert actor.call("peer-address", id_).startswith("127.0.0.1:")


def test_name_that_does_not_exist(make: Callable[..., Actor]) -> None:
    """It is an error, in words."""
    actor = make(LOCAL | {"connect": ["*:1"]})
    with pytest.raises(Refused, match=r"nowhere\.invalid was not found"):
        actor.call("connect", "nowhere.invalid:1")


def test_nobody_listens(actor: Actor) -> None:
    """The machine's own words."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Refused, match=f"connecting to 127.0.0.1:{port}: Connection refused"):
        actor.call("connect", f"127.0.0.1:{port}")


@pytest.mark.parametrize(
    "address", ["127.0.0.2:80", "localhost:80", "[::1]:80", "10.0.0.1:80", "[::ffff:10.0.0.1]:80", "example.com:443"]
)
def test_connect_beyond_the_grant(actor: Actor, address: str) -> None:
    """Nothing is tried, not even a lookup."""
    with pytest.raises(Refused, match="is not granted"):
        actor.call("connect", address)


@pytest.mark.parametrize("address", ["", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:66666", "a b:1", "::1:80", "\0:1"])
@pytest.mark.parametrize("function", ["connect", "listen"])
def test_bad_addresses(actor: Actor, function: str, address: str) -> None:
    """The error says what an address looks like."""
    with pytest.raises(Refused, match="expected an address such as"):
        actor.call(function, address)


def test_too_many_connections(make: Callable[..., Actor]) -> None:
    """The grant's limit; closing one makes room."""
    actor = make(connections_max=1)
    id_, _ = pair(actor)
    with pytest.raises(Refused, match="1 connections are open already"):
        pair(actor)
    actor.call("close", id_)

    assert pair(actor)


def test_without_a_grant_nothing_is_allowed(make: Callable[..., Actor]) -> None:
    """Empty options: no address at all."""
    actor = make({})
    for function in ("connect", "listen"):
        with pytest.raises(Refused, match="is not granted"):
            actor.call(function, "127.0.0.1:0")


# -- send and receive --------------------------------------------------------------------------------------------------


def test_end_of_the_stream(actor: Actor) -> None:
    """An empty list; the other direction still works."""
    id_, peer = pair(actor)
    peer.sendall(b"last")
    peer.shutdown(socket.SHUT_WR)

    assert actor.call("receive", id_, 100) == b"last"
    assert actor.call("receive", id_, 100) == b""
    assert actor.call("send", id_, b"answer") == 6
    assert peer.recv(100) == b"answer"


def test_receive_at_most(make: Callable[..., Actor]) -> None:
    """Never more than asked for, nor than the grant's chunk."""
    actor = make(chunk_bytes_max=4)
    id_, peer = pair(actor)
    peer.sendall(b"123456789")

    assert actor.call("receive", id_, 2) == b"12"
    assert actor.call("receive", id_, 4_000_000_000) == b"3456"


def test_receive_nothing(actor: Actor) -> None:
    """No bytes is no request."""
    id_, _ = pair(actor)
    with pytest.raises(Refused, match="expected max-bytes of at least 1"):
        actor.call("receive", id_, 0)


def test_receive_has_an_end(make: Callable[..., Actor]) -> None:
    """The grant says how long it waits; the connection stays."""
    actor = make(wait_ms_max=20)
    id_, peer = pair(actor)
    with pytest.raises(Refused, match="receive: timed out after 20 ms"):
        actor.call("receive", id_, 1)
    peer.sendall(b"late")

    assert actor.call("receive", id_, 10) == b"late"


def test_large_data_is_sent_whole(actor: Actor) -> None:
    """However often the peer lets us wait."""
    id_, peer = pair(actor)
    data = bytes(range(256)) * 16_384
    found: list[bytes] = []
    reader = threading.Thread(target=lambda: found.append(read_all(peer)))
    reader.start()

    assert actor.call("send", id_, data) == len(data)
    actor.call("close", id_)
    reader.join(WAIT_S)
    assert found == [data]


def test_peer_that_does_not_read(make: Callable[..., Actor]) -> None:
    """What could not be sent in time ends the connection: nobody knows how much has arrived."""
    actor = make(timeout_ms_max=50)
    id_, _peer = pair(actor)
    with pytest.raises(Refused, match="send: timed out after 50 ms"):
        actor.call("send", id_, bytes(16 << 20))
    with pytest.raises(Refused, match=NOBODY):
        actor.call("send", id_, b"more")


def test_send_too_much(make: Callable[..., Actor]) -> None:
    """The grant's limit; nothing of it is sent."""
    actor = make(send_bytes_max=3)
    id_, _ = pair(actor)
    with pytest.raises(Refused, match="expected at most 3 bytes, found 4"):
        actor.call("send", id_, b"1234")


def test_reset_by_the_peer(actor: Actor) -> None:
    """An error, not an end."""
    id_, peer = pair(actor)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    peer.close()
    with pytest.raises(Refused, match="Connection reset by peer"):
        actor.call("receive", id_, 1)


@pytest.mark.parametrize("wait", ["receive", "accept", "send"])
def test_a_stop_ends_every_wait(make: Callable[..., Actor], wait: str) -> None:
    """A guest that waits gets an error at once, and can return (L5.3)."""
    actor = make(timeout_ms_max=60_000, wait_ms_max=60_000)
    id_, _peer = pair(actor)
    arguments: dict[str, tuple[Any, ...]] = {
        "receive": (id_, 1),
        "accept": (listening(actor)[0],),
        "send": (id_, bytes(16 << 20)),
    }
    stopper = threading.Timer(0.05, actor.stop)
    stopper.start()
    with pytest.raises(Refused, match="shutting-down"):
        actor.call(wait, *arguments[wait])
    stopper.join()


def test_no_wait_after_a_stop(actor: Actor) -> None:
    """What would have to wait is refused from then on."""
    id_, _ = pair(actor)
    actor.stop()
    with pytest.raises(Refused, match="shutting-down"):
        actor.call("receive", id_, 1)
