"""From plain TCP to TLS (STARTTLS). The caller closes the connection if anything is raised here: it fails closed."""

from __future__ import annotations

import ssl
from typing import Final

from theater.patterns import BadPattern, hostports
from worker.interfaces.registry import Refusal
from worker.tcp.connection import Connection
from worker.tcp.tls import Contexts, Secure, came_too_early, reason
from worker.tcp.waiting import Deadline, Waits

TOO_EARLY: Final = "the peer has sent data in plain after the point where TLS begins"


def upgrade(
    connection: Connection, contexts: Contexts, server_name: str | None, waits: Waits, deadline: Deadline
) -> None:
    """Shake hands, as client of this server or as server (None), and verify. Raises Refusal."""
    if server_name is not None:
        server_name = _checked(server_name)
    context = contexts.server() if server_name is None else contexts.client()
    with connection.lock:
        connection.require_open()
        if connection.stream.is_tls:
            raise Refusal("the connection is encrypted already")
        mode = connection.suspend()
        secure = _begin(connection, context, server_name)
    try:
        waits.done(secure.handshake, secure.sock.fileno(), deadline)
    except (OSError, ValueError) as error:
        raise Refusal(f"the TLS handshake failed: {reason(error)}") from None
    connection.resume(mode)


def _begin(connection: Connection, context: ssl.SSLContext, server_name: str | None) -> Secure:
    """From here on the connection's stream is encrypted, or dead. The lock is held."""
    if connection.held:
        raise Refusal(TOO_EARLY)
    try:
        if came_too_early(connection.stream.sock, is_server=server_name is None):
            raise Refusal(TOO_EARLY)
        connection.stream = secure = Secure(connection.stream.sock, context, server_name)
    except (OSError, ValueError) as error:
        raise Refusal(f"the TLS handshake failed: {reason(error)}") from None
    return secure


def _checked(name: str) -> str:
    """A server's name, or its IP address."""
    try:
        return hostports.parse(hostports.shown(name, 0)).host
    except BadPattern:
        raise Refusal(f"expected the server's name or IP address, found {name[:64]!r}") from None
