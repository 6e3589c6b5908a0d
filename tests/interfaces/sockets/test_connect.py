"""``wasi:sockets``: connections to others, and how they end."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest

from tests.interfaces.sockets.guest import LOCAL, STREAMS, Guest, accepted, at, port, port_of
from theater import values
from theater.values import U32, U64, Bool, String, Variant, bytes_of
from worker.engine.errors import Trap
from worker.interfaces.wasi.socket_rights import Sockets
from worker.interfaces.wasi.streams import CHUNK_BYTES
from worker.interfaces.wasi.waiting import Waker

# -- connect -----------------------------------------------------------------------------------------------------------


def test_connect_and_echo(guest: Guest, server: socket.socket) -> None:
    """Bytes go both ways."""
    sock, reader, writer = guest.connected(port(server))
    with accepted(server) as peer:
        assert guest.write(writer, b"hello") == 5
        assert peer.recv(100) == b"hello"
        peer.sendall(b"world")
        assert guest.read(reader) == b"world"
        assert port_of(guest.tcp("remote-address", sock)) == port(server)
        assert port_of(guest.tcp("local-address", sock)) == peer.getpeername()[1]


def test_nobody_there(guest: Guest, server: socket.socket) -> None:
    """The machine's answer comes with finish-connect; then the socket is of no use."""
    nobody = port(server)
    server.close()
    sock = guest.create()
    assert guest.start_connect(sock, at(nobody)) == "begun"

    assert guest.finish_connect(sock) == "connection-refused"
    assert guest.tcp("finish-connect", sock) == "not-in-progress"
    assert guest.start_connect(sock, at(nobody)) == "invalid-state"


def test_much_data(guest: Guest, server: socket.socket) -> None:
    """More than the kernel takes: check-write says nothing for a while, and nothing is lost."""
    _, _, writer = guest.connected(port(server))
    peer = accepted(server)
    sent = 0
    while room := guest.call(STREAMS, "[method]output-stream.check-write", writer).value:
        piece = bytes(each % 251 for each in range(sent, sent + room))
        guest.call(STREAMS, "[method]output-stream.write", writer, bytes_of(piece))
        sent += room
    received = bytearray()
    while len(received) < sent:
        received += peer.recv(1 << 20)
    guest.block(guest.call(STREAMS, "[method]output-stream.subscribe", writer))

    assert received == bytes(each % 251 for each in range(sent))
    assert guest.call(STREAMS, "[method]output-stream.check-write", writer) == U64(CHUNK_BYTES)
    peer.close()


def test_what_was_written_is_sent_after_the_drop(guest: Guest, server: socket.socket) -> None:
    """A guest may let go of a connection at once; the peer gets all of it, and then the end."""
    sock, reader, writer = guest.connected(port(server))
    sent = 0
    while room := guest.call(STREAMS, "[method]output-stream.check-write", writer).value:
        guest.call(STREAMS, "[method]output-stream.write", writer, bytes_of(bytes(room)))
        sent += room
    for kind, handle in (("input-stream", reader), ("output-stream", writer), ("tcp-socket", sock)):
        guest.drop(kind, handle)
    with accepted(server) as peer:
        received = 0
        while data := peer.recv(1 << 20):
            received += len(data)

    assert received == sent


def test_peer_closes(guest: Guest, server: socket.socket) -> None:
    """What it sent is read; then the stream is closed, and stays so."""
    _, reader, _ = guest.connected(port(server))
    with accepted(server) as peer:
        peer.sendall(b"bye")

    assert guest.read(reader) == b"bye"
    assert guest.read(reader) == "closed"
    assert guest.read(reader) == "closed"


def test_peer_resets(guest: Guest, server: socket.socket) -> None:
    """That is a failure of reading, in words."""
    _, reader, writer = guest.connected(port(server))
    peer = accepted(server)
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    peer.close()
    answer = guest.host.call(STREAMS, "[method]input-stream.blocking-read", reader, U64(1))
    text = guest.host.call("wasi:io/error", "[method]error.to-debug-string", answer.value.payload[0])

    assert text == String("Connection reset by peer")
    assert guest.read(reader) == "closed"
    assert guest.write(writer, b"x") == "closed"


def test_an_idle_connection_wakes_nobody(guest: Guest, server: socket.socket, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits is told once that something came, however long it is left unread."""
    _, reader, _ = guest.connected(port(server))
    told: list[int] = []
    sockets = guest.host.context.service(Sockets)
    wire = next(iter(sockets._wires))
    changed = guest.host.context.service(Waker).changed

    def tell() -> None:
        told.append(1)
        changed()

    monkeypatch.setattr(wire, "_changed", tell)
    with accepted(server) as peer:
        pollable = guest.call(STREAMS, "[method]input-stream.subscribe", reader)
        assert guest.host.call("wasi:io/poll", "[method]pollable.ready", pollable) == Bool(False)
        peer.sendall(b"x")
        guest.block(pollable)
        assert not threading.Event().wait(0.2)  # long enough for a loop that runs hot

    assert told == [1]


def test_shutdown(guest: Guest, server: socket.socket) -> None:
    """Each direction ends for itself."""
    sock, reader, writer = guest.connected(port(server))
    with accepted(server) as peer:
        guest.tcp("shutdown", sock, Variant("shutdown-type", "send", 1))
        assert peer.recv(1) == b""
        assert guest.write(writer, b"x") == "closed"
        peer.sendall(b"still")
        assert guest.read(reader) == b"still"
        guest.tcp("shutdown", sock, Variant("shutdown-type", "receive", 0))
        assert guest.read(reader) == "closed"
        assert not isinstance(guest.tcp("shutdown", sock, Variant("shutdown-type", "both", 2)), str)


# -- ends --------------------------------------------------------------------------------------------------------------


def test_the_actor_ends(guest: Guest, server: socket.socket) -> None:
    """Peers see it, and no thread stays."""
    _, reader, _ = guest.connected(port(server))
    guest.call(STREAMS, "[method]input-stream.subscribe", reader)
    with accepted(server) as peer:
        guest.host.close()
        assert peer.recv(1) == b""
    assert not [each for each in threading.enumerate() if each.name == "tcp"]


def test_handles_of_an_earlier_life(guest: Guest, make: Callable[..., Guest]) -> None:
    """After a rebuild by replay a connection is no more; the network is, so that another may be made."""
    sock, _ = guest.listening()
    later = make(LOCAL)
    earlier = U32(guest.network.value + 1_000)
    later.host.dispatcher.revive("wasi:sockets/instance-network", "instance-network", values.UNIT, earlier)
    with pytest.raises(Trap, match="is no more"):
        later.tcp("accept", U32(sock.value + 1_000))
    later.network = earlier
    assert later.bind(later.create(), at(0)) == "begun"
