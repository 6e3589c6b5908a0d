"""TLS of real actors, as a server and as a client."""

from __future__ import annotations

import ssl
import threading
from pathlib import Path

from tests.interfaces.authority import Authority
from tests.system.running import DEADLINE_S
from tests.system.sockets.porters import Porter


def test_tls_server(porter: Porter, authority: Authority) -> None:
    """With the certificate of the grant, in active mode, from real processes."""
    porter.be("keep")
    peer = porter.dial()
    porter.wait_note("connection")
    id_ = porter.ask("last")
    porter.ask("activate", id_)
    context = ssl.create_default_context(cafile=authority.certificate)
    found: list[ssl.SSLSocket] = []
    client = threading.Thread(target=lambda: found.append(context.wrap_socket(peer, server_hostname="localhost")))
    client.start()
    porter.ask("upgrade-to-tls-server", id_)
    client.join(DEADLINE_S)
    porter.be("echo")
    porter.ask("set-active", id_, "active")
    found[0].sendall(b"hello")

    assert found[0].recv(100) == b"hello"


def test_tls_client_verifies(porter: Porter, tmp_path: Path) -> None:
    """A server of another authority is refused, and the connection is closed."""
    stranger = Authority(tmp_path, "stranger").issue("local", "DNS:localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*stranger)
    id_, peer = porter.pair()
    failed: list[Exception] = []

    def serve() -> None:
        try:
            context.wrap_socket(peer, server_side=True)
        except OSError as error:
            failed.append(error)

    server = threading.Thread(target=serve)
    server.start()
    refused = porter.refused("upgrade-to-tls-client", id_, "localhost")
    server.join(DEADLINE_S)

    assert "the certificate does not hold" in refused
    assert failed
    assert "has no connection" in porter.refused("send", id_, b"secret")
