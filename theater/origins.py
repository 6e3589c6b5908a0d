"""Origins (``https://api.example.com:8443``) and lists of those that may be reached (RFC 6454)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

PORTS: Final = {"http": 80, "https": 443}


class BadOrigin(ValueError):
    """A text is no origin; the message says what was expected."""


def parse(text: str) -> tuple[str, str, int]:
    """Scheme, host in small letters and port of an origin. Raises BadOrigin."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise BadOrigin(f"expected an origin such as https://api.example.com, found {text!r}: {error}") from None
    if parts.scheme not in PORTS or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.username:
        raise BadOrigin(f"expected an origin such as https://api.example.com, found {text!r}")
    return parts.scheme, parts.hostname.lower().rstrip("."), PORTS[parts.scheme] if port is None else port


def allows(allowed: Iterable[str], origin: str) -> bool:
    """Whether an origin is one of those allowed; ``https://*.example.com`` stands for every host below example.com.

    Raises:
        BadOrigin: ``origin`` is none.
    """
    scheme, host, port = parse(origin)
    return any(_covers(parse(each), scheme, host, port) for each in allowed)


def _covers(allowed: tuple[str, str, int], scheme: str, host: str, port: int) -> bool:
    allowed_scheme, pattern, allowed_port = allowed
    if (allowed_scheme, allowed_port) != (scheme, port):
        return False
    if pattern.startswith("*."):
        return host.endswith(pattern[1:]) and len(host) > len(pattern) - 1
    return host == pattern
