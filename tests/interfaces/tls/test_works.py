"""TLS for guests, as the client and as the server, from the start or after a few lines in plain."""

from __future__ import annotations

import threading

import pytest

from tests.interfaces.authority import Authority, Issued
from tests.interfaces.tcpkit import LOCAL, WAIT_S, Actor, pair
from tests.interfaces.tls.kit import (
    Peer,
    _waits,
    accepted,
    as_client,
    as_server,
    client_of,
)
from tests.system.running import until


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "a.wild.example"])
def test_client(actor: Actor, local: Issued, name: str) -> None:
    """Names, addresses and wildcards of the certificate; the id stays, bytes go both ways."""
    id_, peer = client_of(actor, local, name)
    actor.call("send", id_, b"hello")

    assert peer.recv(100) == b"hello"
    peer.sendall(b"world")
    assert actor.call("receive", id_, 100) == b"world"


def test_server(actor: Actor, authority: Authority) -> None:
    """The actor shows the certificate of its grant."""
    id_, peer = accepted(actor)
    client = Peer(peer, as_client(authority), server_hostname="localhost")
    actor.call("upgrade-to-tls-server", id_)
    secure = client.done()
    secure.sendall(b"hello")

    assert actor.call("receive", id_, 100) == b"hello"
    actor.call("send", id_, b"world")
    assert secure.recv(100) == b"world"


def test_starttls(actor: Actor, authority: Authority) -> None:
    """A few lines in plain, then TLS, as mail servers do; the client may begin at once."""
    id_, peer = accepted(actor)
    peer.sendall(b"STARTTLS\r\n")
    assert actor.call("receive", id_, 100) == b"STARTTLS\r\n"
    actor.call("send", id_, b"220 go ahead\r\n")
    assert peer.recv(100) == b"220 go ahead\r\n"
    client = Peer(peer, as_client(authority), server_hostname="localhost")
    until(lambda: _waits(actor, id_), "the client's first record")
    actor.call("upgrade-to-tls-server", id_)

    assert client.done().version() in ("TLSv1.2", "TLSv1.3")




def test_active_mode_goes_on_encrypted(actor: Actor, local: Issued) -> None:
    """An upgrade within active mode; what TLS keeps beyond one chunk is given as well."""
    id_, peer = pair(actor)
    actor.call("set-active", id_, "active")
    server = Peer(peer, as_server(local), server_side=True)
    actor.call("upgrade-to-tls-client", id_, "localhost")
    secure = server.done()
    data = bytes(range(256)) * 1000

    def send() -> None:
        secure.sendall(data)
        secure.unwrap()

    sender = threading.Thread(target=send)
    sender.start()
    found = b""
    while len(found) < len(data):
        found += actor.turn()[2]

    assert found == data
    assert actor.turn() == ("on-close", id_, "eof")
    sender.join(WAIT_S)


def test_chunks_smaller_than_a_record(authority: Authority, local: Issued) -> None:
    """Data that OpenSSL has decrypted already makes no descriptor readable; it is given nevertheless."""
    actor = Actor(LOCAL | {"tls": {"ca": authority.certificate}, "chunk_bytes_max": 10})
    id_, secure = client_of(actor, local)
    actor.call("set-active", id_, "active")
    secure.sendall(bytes(25))

    assert [len(actor.turn()[2]) for _ in range(3)] == [10, 10, 5]
    actor.close()


def test_both_directions_at_once(actor: Actor, local: Issued) -> None:
    """Sending on the guest's thread while the loop reads."""
    id_, secure = client_of(actor, local)
    actor.call("set-active", id_, "active")
    data = bytes(1 << 20)
    found: list[int] = []

    def echo() -> None:
        left = len(data)
        while left:
            piece = secure.recv(65_536)
            secure.sendall(piece)
            left -= len(piece)

    def take() -> None:
        while sum(found) < len(data):
            found.append(len(actor.turn()[2]))

    threads = [threading.Thread(target=echo), threading.Thread(target=take)]
    for thread in threads:
        thread.start()
    actor.call("send", id_, data)
    for thread in threads:
        thread.join(WAIT_S)
    assert sum(found) == len(data)


def test_the_end_is_announced(actor: Actor, local: Issued) -> None:
    """close says goodbye in TLS: the peer can tell it from a cut line."""
    id_, secure = client_of(actor, local)
    actor.call("close", id_)

    assert secure.recv(1) == b""
