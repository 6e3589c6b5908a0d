"""Both sides of TLS: an actor, and a peer in a thread of its own."""

from __future__ import annotations

import socket
import ssl
import threading
from typing import Any

import pytest

from tests.interfaces.authority import Authority, Issued
from tests.interfaces.tcpkit import WAIT_S, Actor, Refused, dial, listening, pair, read_all

HANDSHAKE = 22
GONE = "this actor has no connection"


class Peer(threading.Thread):
    """The other side of a handshake, in a thread of its own. ``raw`` is everything that came after it, undecrypted."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, **how: Any) -> None:
        super().__init__()
        self._sock, self._context, self._how = sock, context, how
        self.error: Exception | None = None
        self.secure: ssl.SSLSocket
        self.start()

    def run(self) -> None:
        try:
            self.secure = self._context.wrap_socket(self._sock, suppress_ragged_eofs=False, **self._how)
            self.secure.settimeout(WAIT_S)
        except (OSError, ValueError) as error:
            self.error = error

    def done(self) -> ssl.SSLSocket:
        self.join(WAIT_S)
        assert self.error is None
        return self.secure


def as_server(issued: Issued) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*issued)
    return context


def as_client(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=authority.certificate)


def client_of(actor: Actor, issued: Issued, name: str = "localhost") -> tuple[str, ssl.SSLSocket]:
    """The actor as the client of a server with this certificate, after the handshake."""
    id_, peer = pair(actor)
    server = Peer(peer, as_server(issued), server_side=True)
    try:
        actor.call("upgrade-to-tls-client", id_, name)
    finally:
        server.join(WAIT_S)
    return id_, server.done()


def accepted(actor: Actor) -> tuple[str, socket.socket]:
    """A connection that somebody else has made, activated."""
    listener, place = listening(actor)
    peer = dial(place)
    id_ = actor.call("accept", listener)
    actor.call("activate", id_)
    return id_, peer


def is_closed(actor: Actor, id_: str) -> bool:
    with pytest.raises(Refused, match=GONE):
        actor.call("send", id_, b"secret")
    with pytest.raises(Refused, match=GONE):
        actor.call("receive", id_, 1)
    return True


def _waits(actor: Actor, id_: str) -> bool:
    from worker.tcp.service import Tcp

    sock = actor.service(Tcp).connection(id_).stream.sock
    try:
        return len(sock.recv(1, socket.MSG_PEEK)) == 1
    except BlockingIOError:
        return False


def _rest(peer: socket.socket) -> bytes:
    try:
        return read_all(peer)
    except ConnectionResetError:
        return b""


def refused(actor: Actor, issued: Issued, name: str, why: str) -> None:
    """The handshake is refused, no matter what the server says, and nothing has gone out in plain."""
    id_, peer = pair(actor)
    server = Peer(peer, as_server(issued), server_side=True)
    with pytest.raises(Refused, match=why):
        actor.call("upgrade-to-tls-client", id_, name)
    server.join(WAIT_S)

    assert is_closed(actor, id_)
