"""TLS for guests verifies, always; and what comes after the handshake is what was sent."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import pytest

from tests.interfaces.authority import Authority, Issued, openssl
from tests.interfaces.tcpkit import LOCAL, WAIT_S, Actor, Refused, pair
from tests.interfaces.tls.kit import (
    Peer,
    _rest,
    accepted,
    as_server,
    client_of,
    is_closed,
    refused,
)

# -- that it verifies --------------------------------------------------------------------------------------------------




def test_another_name(actor: Actor, authority: Authority) -> None:
    """A good certificate for somebody else is none."""
    refused(actor, authority.issue("other", "DNS:other.example"), "localhost", "(?i)hostname mismatch")


def test_another_address(actor: Actor, authority: Authority) -> None:
    """An address is verified as an address."""
    refused(actor, authority.issue("named", "DNS:127.0.0.1"), "127.0.0.1", "(?i)IP address mismatch")


def test_another_authority(actor: Actor, tmp_path: Path) -> None:
    """One the grant does not name is trusted by nobody."""
    stranger = Authority(tmp_path, "stranger").issue("local", "DNS:localhost")
    refused(actor, stranger, "localhost", "unable to get local issuer certificate|self-signed")


def test_a_certificate_of_its_own_make(actor: Actor, tmp_path: Path) -> None:
    """Self-signed, with the right name."""
    files = Issued(str(tmp_path / "self.pem"), str(tmp_path / "self.key"))
    openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-subj", "/CN=x",
            "-addext", "subjectAltName=DNS:localhost", "-out", files.certificate, "-keyout", files.key)  # fmt: skip
    refused(actor, files, "localhost", "self-signed certificate")


def test_without_a_bundle_the_system_decides(local: Issued) -> None:
    """Our own authority is none of the system's."""
    actor = Actor(LOCAL)
    refused(actor, local, "localhost", "unable to get local issuer certificate|self-signed")
    actor.close()


def test_old_versions_are_refused(actor: Actor, local: Issued) -> None:
    """Below TLS 1.2 there is no TLS."""
    context = as_server(local)
    with pytest.warns(DeprecationWarning):
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    id_, peer = pair(actor)
    server = Peer(peer, context, server_side=True)
    with pytest.raises(Refused, match="the TLS handshake failed"):
        actor.call("upgrade-to-tls-client", id_, "localhost")
    server.join(WAIT_S)

    assert is_closed(actor, id_)


def test_a_client_that_does_not_trust_us(actor: Actor) -> None:
    """Its alert ends the connection on our side as well."""
    id_, peer = accepted(actor)
    client = Peer(peer, ssl.create_default_context(), server_hostname="localhost")
    with pytest.raises(Refused, match=r"the TLS handshake failed|Connection reset"):
        actor.call("upgrade-to-tls-server", id_)
        actor.call("receive", id_, 1)  # TLS 1.3 clients verify after the server is done
        raise Refused("the TLS handshake failed later")
    client.join(WAIT_S)


# -- after the handshake -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["passive", "active"])
def test_a_cut_line_is_no_end(actor: Actor, local: Issued, mode: str) -> None:
    """An end that the peer has not announced in TLS is an error: somebody may have cut it off (truncation attack)."""
    id_, secure = client_of(actor, local)
    actor.call("set-active", id_, mode)
    socket.socket(fileno=secure.detach()).close()
    if mode == "active":
        assert actor.turn() == ("on-close", id_, "tls: unexpected eof while reading")
        return
    with pytest.raises(Refused, match="tls: unexpected eof while reading"):
        actor.call("receive", id_, 1)


def test_plain_data_after_the_handshake(actor: Actor, local: Issued) -> None:
    """It is an error, and never given to the guest."""
    id_, secure = client_of(actor, local)
    raw = socket.socket(fileno=secure.detach())
    raw.sendall(b"plain and simple" * 10)
    with pytest.raises(Refused, match="tls: "):
        actor.call("receive", id_, 100)
    with pytest.raises(Refused):
        actor.call("receive", id_, 100)
    raw.close()


def test_nothing_in_plain_after_an_error(actor: Actor, local: Issued) -> None:
    """A connection whose TLS is broken sends no byte that is no TLS record."""
    id_, secure = client_of(actor, local)
    raw = socket.socket(fileno=secure.detach())
    raw.settimeout(WAIT_S)
    raw.sendall(b"plain and simple" * 10)
    with pytest.raises(Refused):
        actor.call("receive", id_, 100)
    with pytest.raises(Refused):
        actor.call("send", id_, b"secret")
    actor.call("close", id_)

    assert b"secret" not in _rest(raw)


@pytest.mark.parametrize("function", ["transfer", "transfer-async"])
def test_an_encrypted_connection_stays(actor: Actor, local: Issued, function: str) -> None:
    """Its keys are in this process: a clear refusal, and it goes on here."""
    id_, secure = client_of(actor, local)
    with pytest.raises(Refused, match="an encrypted connection cannot be transferred"):
        actor.call(function, id_, "11111111-2222-4333-8444-555555555555")
    actor.call("send", id_, b"still here")

    assert secure.recv(100) == b"still here"
