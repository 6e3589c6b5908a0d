"""Whatever goes wrong with TLS ends the connection: nothing flows in plain again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interfaces.authority import Authority, Issued, openssl
from tests.interfaces.tcpkit import LOCAL, WAIT_S, Actor, Refused, dial, listening, pair, read_all
from tests.interfaces.tls.kit import (
    HANDSHAKE,
    Peer,
    _rest,
    _waits,
    accepted,
    as_client,
    client_of,
    is_closed,
)
from tests.system.running import until
from worker.machine_notices import Returned


@pytest.mark.parametrize("name", ["", "x" * 300, "a\0b", ".localhost", "local host", "\ud7ff" * 80])
def test_bad_server_names(actor: Actor, name: str) -> None:
    """A name nobody can have is no reason to go on without verifying."""
    id_, peer = pair(actor)
    with pytest.raises(Refused):
        actor.call("upgrade-to-tls-client", id_, name)

    assert is_closed(actor, id_)
    assert read_all(peer) == b""


@pytest.mark.parametrize("answer", [b"220 hello\r\n", b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x00" * 50])
def test_a_server_that_knows_no_tls(actor: Actor, answer: bytes) -> None:
    """What is no TLS ends the connection; nothing but TLS records has gone out."""
    id_, peer = pair(actor)
    heard: list[bytes] = []

    def plain() -> None:
        heard.append(peer.recv(10_000))
        peer.sendall(answer)
        heard.append(_rest(peer))

    thread = threading.Thread(target=plain)
    thread.start()
    with pytest.raises(Refused, match="the TLS handshake failed"):
        actor.call("upgrade-to-tls-client", id_, "localhost")
    assert is_closed(actor, id_)
    thread.join(WAIT_S)
    assert heard[0][0] == HANDSHAKE
    assert b"secret" not in b"".join(heard)




def test_a_server_that_says_nothing(authority: Authority) -> None:
    """The handshake has an end, and so has the connection."""
    actor = Actor(LOCAL | {"tls": {"ca": authority.certificate}, "timeout_ms_max": 50})
    id_, _peer = pair(actor)
    with pytest.raises(Refused, match="the TLS handshake: timed out after 50 ms"):
        actor.call("upgrade-to-tls-client", id_, "localhost")

    assert is_closed(actor, id_)
    actor.close()


def test_a_stop_within_the_handshake(actor: Actor) -> None:
    """It ends the wait, and the connection."""
    id_, _peer = pair(actor)
    stopper = threading.Timer(0.05, actor.stop)
    stopper.start()
    with pytest.raises(Refused, match="shutting-down"):
        actor.call("upgrade-to-tls-client", id_, "localhost")
    stopper.join()

    assert is_closed(actor, id_)


def test_a_client_that_goes_on_in_plain(actor: Actor) -> None:
    """Data that waits already and is no TLS is refused (STARTTLS injection)."""
    id_, peer = accepted(actor)
    peer.sendall(b"STARTTLS\r\nRCPT TO:<evil@example.com>\r\n")
    assert actor.call("receive", id_, 10) == b"STARTTLS\r\n"
    with pytest.raises(Refused, match="sent data in plain after the point where TLS begins"):
        actor.call("upgrade-to-tls-server", id_)

    assert is_closed(actor, id_)


def test_a_server_that_is_too_early(actor: Actor, local: Issued) -> None:
    """Whatever it sends before it has heard from us, TLS or not, was injected (CVE-2011-0411)."""
    id_, peer = pair(actor)
    peer.sendall(b"220 go ahead\r\n\x16\x03\x03")
    assert actor.call("receive", id_, 14) == b"220 go ahead\r\n"
    until(lambda: _waits(actor, id_), "what was injected")
    with pytest.raises(Refused, match="sent data in plain after the point where TLS begins"):
        actor.call("upgrade-to-tls-client", id_, "localhost")

    assert is_closed(actor, id_)


@pytest.mark.parametrize("function", ["upgrade-to-tls-server", "upgrade-to-tls-client"])
def test_data_on_its_way_to_on_data(actor: Actor, function: str) -> None:
    """What was read and not seen by the guest is data before TLS, even if it looks like TLS; no callback has it."""
    id_, peer = pair(actor)
    actor.call("set-active", id_, "active")
    peer.sendall(b"\x16\x03\x01 injected")
    until(lambda: not actor.turns.empty(), "the chunk")
    with pytest.raises(Refused, match="sent data in plain after the point where TLS begins"):
        actor.call(function, id_, *(["localhost"] if function.endswith("client") else []))

    assert is_closed(actor, id_)
    assert actor.is_idle


def test_an_upgrade_within_on_data(actor: Actor, authority: Authority) -> None:
    """As a mail server does in active mode: the line that asks for it has been seen."""
    id_, peer = accepted(actor)
    actor.call("set-active", id_, "active")
    peer.sendall(b"STARTTLS\r\n")
    turn = actor.take()
    client = Peer(peer, as_client(authority), server_hostname="localhost")
    actor.call("upgrade-to-tls-server", id_)
    turn.then(Returned(b""))
    client.done().sendall(b"EHLO\r\n")

    assert actor.turn() == ("on-data", id_, b"EHLO\r\n")


def test_twice(actor: Actor, local: Issued) -> None:
    """TLS within TLS is nothing we know; like everything else that is wrong it ends the connection."""
    id_, _ = client_of(actor, local)
    with pytest.raises(Refused, match="encrypted already"):
        actor.call("upgrade-to-tls-client", id_, "localhost")

    assert is_closed(actor, id_)


def test_pending(actor: Actor) -> None:
    """Activate first; too late now."""
    listener, place = listening(actor)
    peer = dial(place)
    id_ = actor.call("accept", listener)
    with pytest.raises(Refused, match="is pending"):
        actor.call("upgrade-to-tls-server", id_)

    assert is_closed(actor, id_)
    assert read_all(peer) == b""


@pytest.mark.parametrize(
    ("files", "why"),
    [
        ({"certificate": "", "key": ""}, "no certificate and key are granted"),
        ({"key": ""}, "no certificate and key are granted"),
        ({"key": "/nowhere/key.pem"}, "the granted certificate, key cannot be used: No such file"),
        ({"certificate": "/dev/null"}, "the granted certificate, key cannot be used"),
    ],
)
def test_server_without_a_certificate(make: Callable[..., Actor], files: dict[str, str], why: str) -> None:
    """The guest learns what is wrong, and not where the host keeps its keys."""
    actor = make(**files)
    id_, peer = accepted(actor)
    with pytest.raises(Refused, match=why) as caught:
        actor.call("upgrade-to-tls-server", id_)

    assert "/" not in str(caught.value)
    assert is_closed(actor, id_)
    assert read_all(peer) == b""


def test_key_with_a_password(make: Callable[..., Actor], local: Issued, tmp_path: Path) -> None:
    """It is an error, not a question on a terminal."""
    locked = tmp_path / "locked.key"
    openssl("pkey", "-in", local.key, "-aes128", "-passout", "pass:secret", "-out", str(locked))
    actor = make(key=str(locked))
    id_, _ = accepted(actor)
    with pytest.raises(Refused, match="the granted certificate, key cannot be used"):
        actor.call("upgrade-to-tls-server", id_)

    assert is_closed(actor, id_)


@pytest.mark.parametrize("bundle", ["/nowhere/ca.pem", "/dev/null"])
def test_client_without_authorities(make: Callable[..., Actor], bundle: str) -> None:
    """A bundle that cannot be read does not become trust in everybody."""
    actor = make(ca=bundle)
    id_, peer = pair(actor)
    with pytest.raises(Refused, match="the granted ca cannot be used"):
        actor.call("upgrade-to-tls-client", id_, "localhost")

    assert is_closed(actor, id_)
    assert read_all(peer) == b""


def test_a_renewed_certificate_is_used(make: Callable[..., Actor], authority: Authority, tmp_path: Path) -> None:
    """Files that have changed are read again, without a restart."""
    live = Issued(str(tmp_path / "live.pem"), str(tmp_path / "live.key"))
    actor = make(certificate=live.certificate, key=live.key)
    for name in ("first.example", "second.example"):
        issued = authority.issue(name, f"DNS:{name}")
        for new, file in zip(issued, live, strict=True):
            (tmp_path / "new").write_bytes(Path(new).read_bytes())
            (tmp_path / "new").replace(file)
        id_, peer = accepted(actor)
        client = Peer(peer, as_client(authority), server_hostname=name)
        actor.call("upgrade-to-tls-server", id_)
        client.done()
