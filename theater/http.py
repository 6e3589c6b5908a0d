"""HTTP requests and responses as values: what an actor's HTTP function takes and gives (docs/actors.md).

An actor answers requests by one of two exports: ``wasi:http/incoming-handler.handle`` (components), or
``theater:simple/http-handlers.handle-request``, which takes the state first and gives the next one, as all functions of
the actor contract do.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from theater import cgrf, types
from theater.interfaces import parse_type
from theater.records import HttpResponse
from theater.values import List, Option, Record, String, Tuple, Value, bytes_of, items_of

WASI_HANDLER: Final = "wasi:http/incoming-handler.handle"
HANDLER: Final = "theater:simple/http-handlers.handle-request"
FUNCTIONS: Final = (HANDLER, WASI_HANDLER)
"""Exports that answer requests; the first one there is used."""

_HEADERS: Final = "headers: list<tuple<string, list<u8>>>, body: list<u8>"
REQUEST: Final = parse_type(
    "record http-request {method: string, scheme: option<string>, authority: option<string>, "
    f"path-with-query: option<string>, {_HEADERS}}}"
)
RESPONSE: Final = parse_type(f"record http-response {{status: u16, {_HEADERS}}}")
_PAIR: Final = types.Tuple((types.STRING, types.BYTES))

Headers = Iterable[tuple[str, bytes]]


class BadResponse(ValueError):
    """What an actor gave is no response."""


def request_params(
    method: str, scheme: str | None, authority: str | None, path: str | None, headers: Headers, body: bytes
) -> bytes:
    """The encoded parameters of a call of either function."""
    fields: tuple[tuple[str, Value], ...] = (
        ("method", String(method)),
        ("scheme", _text(scheme)),
        ("authority", _text(authority)),
        ("path-with-query", _text(path)),
        ("headers", List(_PAIR, tuple(Tuple((String(name), bytes_of(value))) for name, value in headers))),
        ("body", bytes_of(body)),
    )
    return cgrf.encode(Tuple((Record("http-request", fields),)))


def _text(value: str | None) -> Option:
    return Option(types.STRING, None if value is None else String(value))


def response_of(data: bytes) -> HttpResponse:
    """The response in the encoded answer of either function.

    Raises:
        BadResponse: it is none.
    """
    value: Any = cgrf.decode(data)
    if isinstance(value, Tuple) and len(value.items) == 1:
        value = value.items[0]
    try:
        pairs: tuple[Any, ...] = items_of(value["headers"])
        headers = tuple((pair.items[0].value, bytes(pair.items[1].items)) for pair in pairs)
        return HttpResponse(value["status"].value, headers, bytes(value["body"].items))
    except (AttributeError, KeyError, TypeError, IndexError):
        raise BadResponse(f"expected {RESPONSE}, got {str(value)[:200]}") from None
