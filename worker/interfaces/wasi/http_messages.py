"""Requests and responses of ``wasi:http/types``, as the guest handles them."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter
from typing import Any, Final

from theater.values import U16, U32, U64, UNIT, Option, Value
from worker.interfaces.context import Context
from worker.interfaces.registry import Call
from worker.interfaces.wasi import http_body_resources
from worker.interfaces.wasi.declaring import Failure, Maker, some
from worker.interfaces.wasi.http_body_resources import IncomingBody, OutgoingBody
from worker.interfaces.wasi.http_fields import Fields, Pairs
from worker.interfaces.wasi.http_words import (
    given_authority,
    given_method,
    given_scheme,
    given_target,
    method_value,
    scheme_value,
    text_value,
)
from worker.interfaces.wasi.resources import drop, resources
from worker.interfaces.wasi.streams import InputStream

STATUS_MIN, STATUS_MAX = 100, 999


class IncomingRequest:
    """A request the guest is to answer."""

    def __init__(
        self,
        method: str,
        scheme: str | None,
        authority: str | None,
        path: str | None,
        headers: Pairs,
        body: InputStream,
    ) -> None:
        self.method = method
        self.scheme = scheme
        self.authority = authority
        self.path = path
        self.headers = headers
        self.body: InputStream | None = body


class OutgoingResponse:
    """A response the guest makes."""

    def __init__(self, headers: Fields, body: OutgoingBody) -> None:
        self.status = 200
        self.headers = headers
        self.body = body
        self.is_body_taken = False


class OutgoingRequest:
    """A request the guest makes."""

    def __init__(self, headers: Fields, body: OutgoingBody) -> None:
        self.method = "GET"
        self.scheme: str | None = None
        self.authority: str | None = None
        self.path: str | None = None
        self.headers = headers
        self.body = body
        self.is_body_taken = False


class IncomingResponse:
    """A response to a request of the guest's."""

    def __init__(self, status: int, headers: Pairs, body: InputStream) -> None:
        self.status = status
        self.headers = headers
        self.body: InputStream | None = body


class RequestOptions:
    """Time-outs of one request, in nanoseconds."""

    def __init__(self) -> None:
        self.times: dict[str, int | None] = {}


# -- what they have in common ------------------------------------------------------------------------------------------


def _tells(kind: type[Any], name: str, shown: Callable[[Any], Value]) -> Call:
    """A method that tells an attribute of a message."""
    return lambda context, handle: shown(getattr(resources(context).get(handle, kind), name))


def _takes(kind: type[Any], name: str, read: Callable[[Any], Any]) -> Call:
    """A method that sets an attribute of a message; ``read`` refuses what is wrong."""

    def call(context: Context, handle: U32, given: Value) -> Value:
        value = read(given)
        setattr(resources(context).get(handle, kind), name, value)
        return UNIT

    return call


def _headers(kind: type[Any], name: str) -> Call:
    """A method that gives the headers of a message, which stay as they are."""
    pairs = attrgetter(name)
    return lambda context, handle: resources(context).add(
        Fields(pairs(resources(context).get(handle, kind)), is_fixed=True)
    )


def _consume(kind: type[Any]) -> Call:
    """A method that gives the body of a message that came in, once."""

    def call(context: Context, handle: U32) -> Value:
        found = resources(context).get(handle, kind)
        if found.body is None:
            raise Failure(UNIT)
        body, found.body = found.body, None
        return resources(context).add(IncomingBody(body))

    return call


def _body(kind: type[Any]) -> Call:
    """A method that gives the body of a message of the guest's, once."""

    def call(context: Context, handle: U32) -> Value:
        found = resources(context).get(handle, kind)
        if found.is_body_taken:
            raise Failure(UNIT)
        found.is_body_taken = True
        return resources(context).add(found.body)

    return call


def _given_status(status: U16) -> int:
    if not STATUS_MIN <= status.value <= STATUS_MAX:
        raise Failure(UNIT)
    return status.value


def new_options(context: Context) -> Value:
    """None set."""
    return resources(context).add(RequestOptions())


def _time(name: str) -> tuple[Call, Call]:
    def get(context: Context, handle: U32) -> Value:
        found = resources(context).get(handle, RequestOptions).times.get(name)
        return some(None if found is None else U64(found))

    def set_(context: Context, handle: U32, time: Option) -> Value:
        given = None if time.value is None else time.value.value  # type: ignore[attr-defined]
        resources(context).get(handle, RequestOptions).times[name] = given
        return UNIT

    return get, set_


# -- the interface -----------------------------------------------------------------------------------------------------

_DONE: Final = "result<_, _>"
_REQUESTS: Final = {
    "incoming-request": (
        ("method", "() -> method", _tells(IncomingRequest, "method", method_value)),
        ("path-with-query", "() -> option<string>", _tells(IncomingRequest, "path", text_value)),
        ("scheme", "() -> option<scheme>", _tells(IncomingRequest, "scheme", scheme_value)),
        ("authority", "() -> option<string>", _tells(IncomingRequest, "authority", text_value)),
        ("headers", "() -> u32", _headers(IncomingRequest, "headers")),
        ("consume", "() -> result<u32, _>", _consume(IncomingRequest)),
    ),
    "outgoing-request": (
        ("body", "() -> result<u32, _>", _body(OutgoingRequest)),
        ("method", "() -> method", _tells(OutgoingRequest, "method", method_value)),
        ("set-method", f"(method: method) -> {_DONE}", _takes(OutgoingRequest, "method", given_method)),
        ("path-with-query", "() -> option<string>", _tells(OutgoingRequest, "path", text_value)),
        (
            "set-path-with-query",
            f"(path-with-query: option<string>) -> {_DONE}",
            _takes(OutgoingRequest, "path", given_target),
        ),
        ("scheme", "() -> option<scheme>", _tells(OutgoingRequest, "scheme", scheme_value)),
        ("set-scheme", f"(scheme: option<scheme>) -> {_DONE}", _takes(OutgoingRequest, "scheme", given_scheme)),
        ("authority", "() -> option<string>", _tells(OutgoingRequest, "authority", text_value)),
        (
            "set-authority",
            f"(authority: option<string>) -> {_DONE}",
            _takes(OutgoingRequest, "authority", given_authority),
        ),
        ("headers", "() -> u32", _headers(OutgoingRequest, "headers.pairs")),
    ),
}
_RESPONSES: Final = {
    "outgoing-response": (
        ("status-code", "() -> u16", _tells(OutgoingResponse, "status", U16)),
        ("set-status-code", f"(status-code: u16) -> {_DONE}", _takes(OutgoingResponse, "status", _given_status)),
        ("headers", "() -> u32", _headers(OutgoingResponse, "headers.pairs")),
        ("body", "() -> result<u32, _>", _body(OutgoingResponse)),
    ),
    "incoming-response": (
        ("status", "() -> u16", _tells(IncomingResponse, "status", U16)),
        ("headers", "() -> u32", _headers(IncomingResponse, "headers")),
        ("consume", "() -> result<u32, _>", _consume(IncomingResponse)),
    ),
}


def declare(made: Maker) -> None:
    """Add all but fields, outparams and futures to the interface."""
    for resource, methods in _REQUESTS.items():
        made.methods(resource, methods)
    _declare_options(made)
    for resource, methods in _RESPONSES.items():
        made.methods(resource, methods)
    http_body_resources.declare(made)
    for resource in (*_REQUESTS, "request-options", *_RESPONSES, *http_body_resources.RESOURCES):
        made.drop(resource, drop)


def _declare_options(made: Maker) -> None:
    made.add("[constructor]request-options", "() -> u32", new_options)
    for name in ("connect-timeout", "first-byte-timeout", "between-bytes-timeout"):
        get, set_ = _time(name)
        made.methods(
            "request-options",
            [(name, "() -> option<u64>", get), (f"set-{name}", f"(duration: option<u64>) -> {_DONE}", set_)],
        )
