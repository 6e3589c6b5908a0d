"""Addresses of TCP that an actor may use: options of ``tcp`` and of ``wasi``."""

from __future__ import annotations

from typing import Final

from theater.grants.comparing import Within
from theater.grants.declaring import Option
from theater.grants.shapes import ListOf, Pattern
from theater.patterns import hostports

_PATTERN: Final = Pattern(
    "a pattern such as db.example.com:5432",
    hostports.check,
    {"type": "string", "pattern": "(:|\\$\\{)"},
)
_ADDRESSES: Final = ListOf(_PATTERN, "a list of addresses")


def connect(doc: str) -> Option:
    """Addresses to connect to."""
    return Option("connect", _ADDRESSES, doc, Within("connecting to", hostports.covers), ())


LISTEN: Final = Option(
    "listen",
    _ADDRESSES,
    "Addresses it may listen on: `127.0.0.1:8080`, `0.0.0.0:8000-8099`, `[::1]:*`.",
    Within("listening on", hostports.covers),
    (),
)
