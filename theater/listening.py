"""Addresses to listen on: ``127.0.0.1:8080``, ``[::1]:8080``."""

from __future__ import annotations

import ipaddress

PORT_MAX = 65_535


class BadAddress(ValueError):
    """A text is no address; the message says what was expected."""


def split(text: str) -> tuple[str, int]:
    """Host and port of an address; the host is a number, ``localhost`` or ``*``, so that no name is ever looked up.

    Raises:
        BadAddress: it is none.
    """
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not port.isdecimal() or int(port) > PORT_MAX:
        raise BadAddress(f"expected an address such as 127.0.0.1:8080, found {text!r}")
    if host in ("localhost", "*"):
        return ("127.0.0.1" if host == "localhost" else "0.0.0.0"), int(port)
    try:
        return str(ipaddress.ip_address(host)), int(port)
    except ValueError:
        raise BadAddress(f"expected an address such as 127.0.0.1:8080, found {text!r}") from None
