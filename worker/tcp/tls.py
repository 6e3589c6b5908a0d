"""TLS, and nothing but TLS: what goes wrong ends the connection, and no byte is ever read or written in plain again.

A client always verifies the server's certificate and its name. Truncation is an error: an end of the stream that the
peer has not announced by TLS is not taken for one (RFC 8446, 6.1). Imported by the first upgrade.
"""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Mapping
from typing import Any, Final

from worker.interfaces.registry import Refusal
from worker.tcp.streams import hang_up
from worker.tcp.waiting import READ, WRITE, NotNow

HANDSHAKE_RECORD: Final = b"\x16"
"""First byte of what a client begins TLS with."""


class Secure:
    """A stream that has been upgraded. Not to be used by two threads at one time."""

    is_tls = True

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, server_name: str | None) -> None:
        """Take the socket over; ``server_name`` None: we are the server. Raises OSError, ValueError."""
        self.sock: ssl.SSLSocket = context.wrap_socket(
            sock,
            server_side=server_name is None,
            server_hostname=server_name,
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,
        )

    def handshake(self) -> None:
        """Go on with the handshake."""
        try:
            self.sock.do_handshake()
        except ssl.SSLWantReadError:
            raise NotNow(READ) from None
        except ssl.SSLWantWriteError:
            raise NotNow(WRITE) from None

    def read(self, size: int) -> bytes:
        """Some decrypted bytes, or none at the end."""
        self._require_tls()
        try:
            return self.sock.recv(size)
        except ssl.SSLWantReadError:
            raise NotNow(READ) from None
        except ssl.SSLWantWriteError:
            raise NotNow(WRITE) from None
        except ssl.SSLZeroReturnError:
            return b""

    def write(self, data: memoryview) -> int:
        """Encrypt and give away some of it."""
        self._require_tls()
        try:
            return self.sock.send(data)
        except ssl.SSLWantReadError:
            raise NotNow(READ) from None
        except ssl.SSLWantWriteError:
            raise NotNow(WRITE) from None

    def _require_tls(self) -> None:
        """A socket object whose TLS has not begun, or has ended, would go on in plain."""
        if self.sock.version() is None:
            raise OSError("TLS is not established")

    def close(self) -> None:
        """Announce the end, if there is room for it."""
        try:
            self.sock.unwrap()
        except (OSError, ValueError):
            pass  # the peer's own announcement is not waited for
        hang_up(self.sock)


class Contexts:
    """Keys and trusted authorities, from the files the grant names; read again when they have changed."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._made: dict[str, tuple[Any, ssl.SSLContext]] = {}

    def client(self) -> ssl.SSLContext:
        """Verifies certificate and name of the server. Raises Refusal."""
        return self._get("client", ("ca",), self._make_client)

    def server(self) -> ssl.SSLContext:
        """Shows our certificate. Raises Refusal."""
        if not self._options["certificate"] or not self._options["key"]:
            raise Refusal("no certificate and key are granted (tcp: tls: certificate, key)")
        return self._get("server", ("certificate", "key"), self._make_server)

    def _get(self, kind: str, names: tuple[str, ...], make: Any) -> ssl.SSLContext:
        try:
            marks = [_mark(self._options[name]) for name in names]
            known = self._made.get(kind)
            if known is None or known[0] != marks:
                known = self._made[kind] = (marks, make())
        except (OSError, ValueError) as error:
            # Without the path: where the host keeps its keys is not for the guest to know.
            what = error.strerror if isinstance(error, OSError) and error.strerror else type(error).__name__
            raise Refusal(f"the granted {', '.join(names)} cannot be used: {what}") from None
        return known[1]

    def _make_client(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # verifies certificates and names
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        authorities = self._options["ca"]
        if authorities:
            context.load_verify_locations(cafile=authorities)
        else:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        return context

    def _make_server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        # An encrypted key is an error; without a password here it would be asked for on a terminal.
        context.load_cert_chain(self._options["certificate"], self._options["key"], password="")
        return context


def _mark(path: str | None) -> tuple[int, int, int] | None:
    if path is None:
        return None
    status = os.stat(path)
    return status.st_ino, status.st_size, status.st_mtime_ns


def reason(error: Exception) -> str:
    """Why TLS has failed, in OpenSSL's words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate does not hold: {error.verify_message}"
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return str(error)


def came_too_early(sock: socket.socket, *, is_server: bool) -> bool:
    """Whether something waits to be read that the peer sent in plain, before TLS (RFC 3207, 6; CVE-2011-0411).

    A client may have begun with TLS already; a server has nothing to say before it has heard from us.
    """
    try:
        waiting = sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    return waiting != b"" and not (is_server and waiting == HANDSHAKE_RECORD)
