"""Origins (``https://api.example.com:8443``) and lists of those that may be reached (RFC 6454)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

from theater.patterns import BadPattern
from theater.patterns.hosts import covers_name

PORTS: Final = {"http": 80, "https": 443}

Origin = tuple[str, str, int]
"""Scheme, host and port."""


def parse(text: str) -> Origin:
    """Scheme, host in small letters and port of an origin. Raises BadPattern."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError as error:
        raise BadPattern(f"expected an origin such as https://api.example.com, found {text!r}: {error}") from None
    if parts.scheme not in PORTS or not parts.hostname or parts.path not in ("", "/") or parts.query or parts.username:
        raise BadPattern(f"expected an origin such as https://api.example.com, found {text!r}")
    return parts.scheme, parts.hostname.lower().rstrip("."), PORTS[parts.scheme] if port is None else port


def check(text: str) -> None:
    """Raise BadPattern for what is no origin."""
    parse(text)


def allows(allowed: Iterable[str], origin: str) -> bool:
    """Whether an origin is one of those allowed; ``https://*.example.com`` stands for every host below example.com.

    Raises:
        BadPattern: ``origin`` is none.
    """
    wanted = parse(origin)
    return any(_covers(parse(each), wanted) for each in allowed)


def covers(held: str, asked: str) -> bool:
    """Whether everything that ``asked`` stands for is also something that ``held`` stands for."""
    return _covers(parse(held), parse(asked))


def _covers(held: Origin, asked: Origin) -> bool:
    return (held[0], held[2]) == (asked[0], asked[2]) and covers_name(held[1], asked[1])
