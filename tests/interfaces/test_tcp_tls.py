"""TLS for guests: it verifies, always, and whatever goes wrong ends the connection. Nothing flows in plain again."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.interfaces.authority import Authority, Issued, openssl
from tests.interfaces.tcpkit import LOCAL, WAIT_S, Actor, Refused, dial, listening, pair, read_all
from tests.system.running import until
from worker.machine_notices import Returned

HANDSHAKE = 22
GONE = "this actor has no connection"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def local(authority: Authority) -> Issued:
    """A certificate for this machine."""
    return authority.issue("local", "DNS:localhost,DNS:*.wild.example,IP:127.0.0.1")


@pytest.fixture
def make(authority: Authority, local: Issued) -> Iterator[Callable[..., Actor]]:
    made: list[Actor] = []

    def make_actor(**tls: str) -> Actor:
        files = {"ca": authority.certificate, "certificate": local.certificate, "key": local.key}
        made.append(Actor(LOCAL | {"tls": {**files, **tls}, "timeout_ms_max": 5_000}))
        return made[-1]

    yield make_actor
    for actor in made:
        actor.close()


@pytest.fixture
def actor(make: Callable[..., Actor]) -> Actor:
    return make()


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


# -- that it works -----------------------------------------------------------------------------------------------------


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


def _waits(actor: Actor, id_: str) -> bool:
    from worker.tcp.service import Tcp

    sock = actor.service(Tcp).connection(id_).stream.sock
    try:
        return len(sock.recv(1, socket.MSG_PEEK)) == 1
    except BlockingIOError:
        return False


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


# -- that it verifies --------------------------------------------------------------------------------------------------


def refused(actor: Actor, issued: Issued, name: str, why: str) -> None:
    """The handshake is refused, no matter what the server says, and nothing has gone out in plain."""
    id_, peer = pair(actor)
    server = Peer(peer, as_server(issued), server_side=True)
    with pytest.raises(Refused, match=why):
        actor.call("upgrade-to-tls-client", id_, name)
    server.join(WAIT_S)

    assert is_closed(actor, id_)


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


# -- that it fails closed ----------------------------------------------------------------------------------------------


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


def _rest(peer: socket.socket) -> bytes:
    try:
        return read_all(peer)
    except ConnectionResetError:
        return b""


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
