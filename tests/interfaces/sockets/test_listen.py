"""``wasi:sockets``: listening, and what is given back."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable

import pytest

from tests.interfaces.sockets.guest import WAIT_S, Guest, accepted, at, descriptors, port, port_of
from theater.values import Bool
from worker.interfaces.wasi import waiting
from worker.interfaces.wasi.socket_rights import SOCKETS_MAX


def test_listen_and_accept(guest: Guest) -> None:
    """A connection and its streams; would-block when there is none."""
    sock, at_port = guest.listening()
    assert guest.tcp("is-listening", sock) == Bool(True)
    assert guest.tcp("accept", sock) == "would-block"
    with socket.create_connection(("127.0.0.1", at_port), WAIT_S) as client:
        guest.wait(sock)
        connection, reader, writer = guest.tcp("accept", sock).items
        client.sendall(b"hello")
        assert guest.read(reader) == b"hello"
        assert guest.write(writer, b"world") == 5
        assert client.recv(100) == b"world"
        assert port_of(guest.tcp("remote-address", connection)) == client.getsockname()[1]
        assert guest.tcp("is-listening", connection) == Bool(False)


def test_a_waiting_guest_is_woken(guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the connection, not by looking again from time to time."""
    monkeypatch.setattr(waiting, "LOOK_AGAIN_S", 3600)
    sock, at_port = guest.listening()
    client = socket.socket()
    timer = threading.Timer(0.1, lambda: client.connect(("127.0.0.1", at_port)))
    timer.start()
    guest.wait(sock)
    assert not isinstance(guest.tcp("accept", sock), str)
    timer.join()
    client.close()


def test_nothing_stays_open(guest: Guest, server: socket.socket) -> None:
    """Connections that were waited for, and are dropped in any order, leave no descriptor behind."""
    guest.connected(port(server))
    first = accepted(server)
    before = descriptors(guest)
    for turn in range(SOCKETS_MAX * 2):
        other = guest.connected(port(server))
        accepted(server).close()
        assert guest.read(other[1]) == "closed"
        kinds = list(zip(("tcp-socket", "input-stream", "output-stream"), other, strict=True))
        for kind, handle in kinds[turn % 3 :] + kinds[: turn % 3]:
            guest.drop(kind, handle)

    assert descriptors(guest) == before
    first.close()


def test_port_is_free_after_the_drop(guest: Guest) -> None:
    """Even if the listener was being waited for."""
    sock, at_port = guest.listening()
    pollable = guest.tcp("subscribe", sock)
    assert guest.host.call("wasi:io/poll", "[method]pollable.ready", pollable) == Bool(False)
    guest.drop("tcp-socket", sock)

    assert guest.listening(at(at_port))[1] == at_port


def test_listening_elsewhere(make: Callable[..., Guest]) -> None:
    """Binding is refused where listening is not granted; localhost is the loopback address."""
    guest = make({"listen": ["localhost:*", "10.0.0.1:80"]})
    assert guest.bind(guest.create(), at(0, "0.0.0.0")) == "access-denied"
    assert guest.bind(guest.create(), at(80, "10.0.0.1")) == "address-not-bindable"
    assert guest.bind(guest.create(), at(0)) == "begun"


def test_address_in_use(guest: Guest, server: socket.socket) -> None:
    """Somebody else listens there."""
    assert guest.bind(guest.create(), at(port(server))) == "address-in-use"
