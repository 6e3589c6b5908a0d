"""Requests and responses of ``wasi:http/types``, as the guest handles them."""

from __future__ import annotations

import re
from typing import Any, Final
from urllib.parse import urlsplit

from theater.values import U16, U32, U64, UNIT, Option, String, Value, Variant
from worker.interfaces.context import Context
from worker.interfaces.wasi.declaring import Failure, Maker, case, err, ok, some
from worker.interfaces.wasi.http_bodies import Collected
from worker.interfaces.wasi.http_fields import Fields, Pairs
from worker.interfaces.wasi.http_names import METHOD, METHODS, SCHEME
from worker.interfaces.wasi.resources import drop, resources
from worker.interfaces.wasi.streams import InputStream
from worker.interfaces.wasi.waiting import Pollable

TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
SCHEME_TEXT: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,100}")
PATH: Final = re.compile(r"[!-~]*")
TARGET_CHARS_MAX: Final = 65_536
STATUS_MIN, STATUS_MAX = 100, 999


# -- words -------------------------------------------------------------------------------------------------------------


def method_value(method: str) -> Variant:
    """A method, as WASI has it."""
    small = method.lower()
    return case(METHOD, small) if small in METHODS and method.isupper() else case(METHOD, "other", String(method))


def method_text(value: Variant) -> str:
    """And back."""
    return value.payload[0].value if value.payload else value.case.upper()  # type: ignore[attr-defined]


def scheme_value(scheme: str) -> Variant:
    """A scheme, as WASI has it."""
    large = scheme.upper()
    return case(SCHEME, large) if large in ("HTTP", "HTTPS") else case(SCHEME, "other", String(scheme))


def scheme_text(value: Variant) -> str:
    """And back."""
    return value.payload[0].value if value.payload else value.case.lower()  # type: ignore[attr-defined]


def _text(value: str | None) -> Option:
    return some(None if value is None else String(value))


# -- bodies ------------------------------------------------------------------------------------------------------------


class IncomingBody:
    """A body to be read."""

    def __init__(self, stream: InputStream) -> None:
        self.stream: InputStream | None = stream


class OutgoingBody:
    """A body to be written."""

    def __init__(self, content: Collected) -> None:
        self.content = content
        self.is_taken = False
        self.is_finished = False
        self.on_finish: Any = None

    def finish(self) -> None:
        """It is complete."""
        self.is_finished = True
        if self.on_finish is not None:
            self.on_finish()

    def close(self) -> None:
        """Dropped: without being finished, whatever it belongs to is cut off."""
        if not self.is_finished and self.on_finish is not None:
            self.on_finish()


class FutureTrailers:
    """Trailers are not kept: there are none."""

    is_taken = False


def body_stream(context: Context, handle: U32) -> Value:
    """The stream of an incoming body, once."""
    body = resources(context).get(handle, IncomingBody)
    if body.stream is None:
        raise Failure(UNIT)
    stream, body.stream = body.stream, None
    return resources(context).add(stream)


def finish_incoming(context: Context, handle: U32) -> Value:
    """Done with a body; its trailers come next."""
    drop(context, handle)
    return resources(context).add(FutureTrailers())


def subscribe_trailers(context: Context, handle: U32) -> Value:
    """They are ready."""
    resources(context).get(handle, FutureTrailers)
    return resources(context).add(Pollable())


def get_trailers(context: Context, handle: U32) -> Value:
    """None, once."""
    future = resources(context).get(handle, FutureTrailers)
    if future.is_taken:
        return some(err(UNIT))
    future.is_taken = True
    return some(ok(ok(some(None))))


def body_write(context: Context, handle: U32) -> Value:
    """The stream of an outgoing body, once."""
    body = resources(context).get(handle, OutgoingBody)
    if body.is_taken:
        raise Failure(UNIT)
    body.is_taken = True
    return resources(context).add(body.content)


def finish_outgoing(context: Context, handle: U32, trailers: Option) -> Value:
    """A body is complete. Trailers are dropped."""
    body = resources(context).get(handle, OutgoingBody)
    if trailers.value is not None:
        assert isinstance(trailers.value, U32)
        drop(context, trailers.value)
    body.finish()
    drop(context, handle)
    return UNIT


# -- requests that come in ---------------------------------------------------------------------------------------------


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


def _request(context: Context, handle: U32) -> IncomingRequest:
    return resources(context).get(handle, IncomingRequest)


def request_method(context: Context, handle: U32) -> Value:
    """Its method."""
    return method_value(_request(context, handle).method)


def request_path(context: Context, handle: U32) -> Value:
    """Path and query."""
    return _text(_request(context, handle).path)


def request_scheme(context: Context, handle: U32) -> Value:
    """http or https."""
    scheme = _request(context, handle).scheme
    return some(None if scheme is None else scheme_value(scheme))


def request_authority(context: Context, handle: U32) -> Value:
    """Whom it was sent to."""
    return _text(_request(context, handle).authority)


def request_headers(context: Context, handle: U32) -> Value:
    """Its headers, which stay as they are."""
    return resources(context).add(Fields(_request(context, handle).headers, is_fixed=True))


def request_consume(context: Context, handle: U32) -> Value:
    """Its body, once."""
    found = _request(context, handle)
    if found.body is None:
        raise Failure(UNIT)
    body, found.body = found.body, None
    return resources(context).add(IncomingBody(body))


# -- responses the guest makes -----------------------------------------------------------------------------------------


class OutgoingResponse:
    """A response the guest makes."""

    def __init__(self, headers: Fields, body: OutgoingBody) -> None:
        self.status = 200
        self.headers = headers
        self.body = body
        self.is_body_taken = False


def response_status(context: Context, handle: U32) -> Value:
    """Its status."""
    return U16(resources(context).get(handle, OutgoingResponse).status)


def set_response_status(context: Context, handle: U32, status: U16) -> Value:
    """Choose its status."""
    if not STATUS_MIN <= status.value <= STATUS_MAX:
        raise Failure(UNIT)
    resources(context).get(handle, OutgoingResponse).status = status.value
    return UNIT


def response_headers(context: Context, handle: U32) -> Value:
    """Its headers, which stay as they are."""
    return resources(context).add(Fields(resources(context).get(handle, OutgoingResponse).headers.pairs, is_fixed=True))


def response_body(context: Context, handle: U32) -> Value:
    """Its body, once."""
    response = resources(context).get(handle, OutgoingResponse)
    if response.is_body_taken:
        raise Failure(UNIT)
    response.is_body_taken = True
    return resources(context).add(response.body)


# -- requests the guest makes ------------------------------------------------------------------------------------------


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


def _outgoing(context: Context, handle: U32) -> OutgoingRequest:
    return resources(context).get(handle, OutgoingRequest)


def outgoing_body(context: Context, handle: U32) -> Value:
    """Its body, once."""
    request = _outgoing(context, handle)
    if request.is_body_taken:
        raise Failure(UNIT)
    request.is_body_taken = True
    return resources(context).add(request.body)


def outgoing_method(context: Context, handle: U32) -> Value:
    """Its method."""
    return method_value(_outgoing(context, handle).method)


def set_method(context: Context, handle: U32, method: Variant) -> Value:
    """Choose it."""
    text = method_text(method)
    if not TOKEN.fullmatch(text):
        raise Failure(UNIT)
    _outgoing(context, handle).method = text
    return UNIT


def outgoing_path(context: Context, handle: U32) -> Value:
    """Path and query."""
    return _text(_outgoing(context, handle).path)


def set_path(context: Context, handle: U32, path: Option) -> Value:
    """Choose them."""
    text = None if path.value is None else path.value.value  # type: ignore[attr-defined]
    if text is not None and (not PATH.fullmatch(text) or len(text) > TARGET_CHARS_MAX or "#" in text):
        raise Failure(UNIT)
    _outgoing(context, handle).path = text
    return UNIT


def outgoing_scheme(context: Context, handle: U32) -> Value:
    """http or https."""
    scheme = _outgoing(context, handle).scheme
    return some(None if scheme is None else scheme_value(scheme))


def set_scheme(context: Context, handle: U32, scheme: Option) -> Value:
    """Choose it."""
    text = None if scheme.value is None else scheme_text(scheme.value)  # type: ignore[arg-type]
    if text is not None and not SCHEME_TEXT.fullmatch(text):
        raise Failure(UNIT)
    _outgoing(context, handle).scheme = text
    return UNIT


def outgoing_authority(context: Context, handle: U32) -> Value:
    """Whom it goes to."""
    return _text(_outgoing(context, handle).authority)


def set_authority(context: Context, handle: U32, authority: Option) -> Value:
    """Choose it: a host, with a port or without."""
    text = None if authority.value is None else authority.value.value  # type: ignore[attr-defined]
    if text is not None and not _is_authority(text):
        raise Failure(UNIT)
    _outgoing(context, handle).authority = text
    return UNIT


def _is_authority(text: str) -> bool:
    try:
        parts = urlsplit(f"//{text}")
        return bool(PATH.fullmatch(text) and parts.hostname and parts.netloc == text and "@" not in text) and (
            parts.port is None or parts.port > 0
        )
    except ValueError:
        return False


def outgoing_headers(context: Context, handle: U32) -> Value:
    """Its headers, which stay as they are."""
    return resources(context).add(Fields(_outgoing(context, handle).headers.pairs, is_fixed=True))


class RequestOptions:
    """Time-outs of one request, in nanoseconds."""

    def __init__(self) -> None:
        self.times: dict[str, int | None] = {}


def new_options(context: Context) -> Value:
    """None set."""
    return resources(context).add(RequestOptions())


def _option(name: str) -> tuple[Any, Any]:
    def get(context: Context, handle: U32) -> Value:
        found = resources(context).get(handle, RequestOptions).times.get(name)
        return some(None if found is None else U64(found))

    def set_(context: Context, handle: U32, time: Option) -> Value:
        given = None if time.value is None else time.value.value  # type: ignore[attr-defined]
        resources(context).get(handle, RequestOptions).times[name] = given
        return UNIT

    return get, set_


# -- responses that come in --------------------------------------------------------------------------------------------


class IncomingResponse:
    """A response to a request of the guest's."""

    def __init__(self, status: int, headers: Pairs, body: InputStream) -> None:
        self.status = status
        self.headers = headers
        self.body: InputStream | None = body


def _response(context: Context, handle: U32) -> IncomingResponse:
    return resources(context).get(handle, IncomingResponse)


def incoming_status(context: Context, handle: U32) -> Value:
    """Its status."""
    return U16(_response(context, handle).status)


def incoming_headers(context: Context, handle: U32) -> Value:
    """Its headers, which stay as they are."""
    return resources(context).add(Fields(_response(context, handle).headers, is_fixed=True))


def incoming_consume(context: Context, handle: U32) -> Value:
    """Its body, once."""
    found = _response(context, handle)
    if found.body is None:
        raise Failure(UNIT)
    body, found.body = found.body, None
    return resources(context).add(IncomingBody(body))


_DONE: Final = "result<_, _>"


def declare(made: Maker) -> None:
    """Add all but fields, outparams and futures to the interface."""
    made.methods(
        "incoming-request",
        [
            ("method", "() -> method", request_method),
            ("path-with-query", "() -> option<string>", request_path),
            ("scheme", "() -> option<scheme>", request_scheme),
            ("authority", "() -> option<string>", request_authority),
            ("headers", "() -> u32", request_headers),
            ("consume", "() -> result<u32, _>", request_consume),
        ],
    )
    made.methods(
        "outgoing-request",
        [
            ("body", "() -> result<u32, _>", outgoing_body),
            ("method", "() -> method", outgoing_method),
            ("set-method", f"(method: method) -> {_DONE}", set_method),
            ("path-with-query", "() -> option<string>", outgoing_path),
            ("set-path-with-query", f"(path-with-query: option<string>) -> {_DONE}", set_path),
            ("scheme", "() -> option<scheme>", outgoing_scheme),
            ("set-scheme", f"(scheme: option<scheme>) -> {_DONE}", set_scheme),
            ("authority", "() -> option<string>", outgoing_authority),
            ("set-authority", f"(authority: option<string>) -> {_DONE}", set_authority),
            ("headers", "() -> u32", outgoing_headers),
        ],
    )
    made.add("[constructor]request-options", "() -> u32", new_options)
    for name in ("connect-timeout", "first-byte-timeout", "between-bytes-timeout"):
        get, set_ = _option(name)
        made.methods(
            "request-options",
            [(name, "() -> option<u64>", get), (f"set-{name}", f"(duration: option<u64>) -> {_DONE}", set_)],
        )
    made.methods(
        "outgoing-response",
        [
            ("status-code", "() -> u16", response_status),
            ("set-status-code", f"(status-code: u16) -> {_DONE}", set_response_status),
            ("headers", "() -> u32", response_headers),
            ("body", "() -> result<u32, _>", response_body),
        ],
    )
    made.methods(
        "incoming-response",
        [
            ("status", "() -> u16", incoming_status),
            ("headers", "() -> u32", incoming_headers),
            ("consume", "() -> result<u32, _>", incoming_consume),
        ],
    )
    made.methods("incoming-body", [("stream", "() -> result<u32, _>", body_stream)])
    made.add("[static]incoming-body.finish", "(this: u32) -> u32", finish_incoming)
    made.methods(
        "future-trailers",
        [
            ("subscribe", "() -> u32", subscribe_trailers),
            ("get", "() -> option<result<result<option<u32>, error-code>, _>>", get_trailers),
        ],
    )
    made.methods("outgoing-body", [("write", "() -> result<u32, _>", body_write)])
    made.add(
        "[static]outgoing-body.finish", "(this: u32, trailers: option<u32>) -> result<_, error-code>", finish_outgoing
    )
    for resource in (
        "incoming-request",
        "outgoing-request",
        "request-options",
        "outgoing-response",
        "incoming-response",
        "incoming-body",
        "future-trailers",
        "outgoing-body",
    ):
        made.drop(resource, drop)
