"""Requests that come in: ``wasi:http/types`` for those who answer, and the two calls around the guest's handler.

``accept`` and ``respond`` are host calls of the door (worker.engine.component.http), not of the guest: they make the
handles that the guest's ``handle`` is called with, and take what it made of them. So a replay needs neither a request
nor a client: both are answered from the record.
"""

from __future__ import annotations

import hashlib
from typing import Any, Final

from theater import types
from theater.grants.http import GRANT
from theater.http import REQUEST, RESPONSE
from theater.values import U16, U32, UNIT, Record, Result, String, Tuple, Value, Variant, bytes_of
from worker.interfaces.context import Context
from worker.interfaces.sending import Sends
from worker.interfaces.wasi import http_fields, http_messages
from worker.interfaces.wasi.declaring import Failure, Maker, record, some
from worker.interfaces.wasi.http_bodies import Collected, Sink
from worker.interfaces.wasi.http_body_resources import OutgoingBody
from worker.interfaces.wasi.http_fields import Fields, headers_bytes, pairs_of, pairs_value
from worker.interfaces.wasi.http_messages import IncomingRequest, OutgoingRequest, OutgoingResponse
from worker.interfaces.wasi.http_names import HEADER_ERROR, NAMES
from worker.interfaces.wasi.resources import drop, resources
from worker.interfaces.wasi.streams import Bytes, Error, InputStream


class Exchange:
    """Where the response to one request goes while it is made; this one waits until it is complete."""

    def sink(self) -> Sink | None:
        """Who takes pieces of the body, if anybody does before it is complete."""
        return None

    def begin(self, status: int, headers: http_fields.Pairs) -> None:
        """The guest has decided on status and headers."""


class Outparam:
    """Where the guest puts its response, once."""

    def __init__(self) -> None:
        self.response: OutgoingResponse | None = None
        self.error: str | None = None


class Incoming:
    """The service that knows the request under way."""

    def __init__(self, context: Context) -> None:
        self.outparam = Outparam()
        self.exchange: Exchange = Exchange()
        self.body_bytes_max = int(GRANT.held_by(context)["body_bytes_max"])


def accept(context: Context, request: Record) -> Value:
    """Make the handles for a request: the request itself, and where its response goes."""
    service = context.service(Incoming)
    service.outparam = Outparam()
    service.exchange = context.exchange or Exchange()
    fields = dict(request.fields)
    texts = {name: _optional(fields[name]) for name in ("scheme", "authority", "path-with-query")}
    body: InputStream = Bytes(bytes(fields["body"].items))  # type: ignore[attr-defined]
    made = IncomingRequest(
        fields["method"].value,  # type: ignore[attr-defined]
        texts["scheme"],
        texts["authority"],
        texts["path-with-query"],
        pairs_of(fields["headers"]),
        body,
    )
    return Tuple((resources(context).add(made), resources(context).add(service.outparam)))


def _optional(value: Any) -> str | None:
    return None if value.value is None else str(value.value.value)


def respond(context: Context) -> Value:
    """What the guest made of the request under way; an error says what it failed to do."""
    service = context.service(Incoming)
    outparam, service.outparam, service.exchange = service.outparam, Outparam(), Exchange()
    if outparam.error is not None:
        raise Failure(String(f"the actor answered the request with an error: {outparam.error}"))
    if outparam.response is None:
        raise Failure(String("the actor returned without a response"))
    response = outparam.response
    if response.is_body_taken and not response.body.is_finished:
        raise Failure(String("the actor returned without finishing the body of its response"))
    headers = pairs_value(response.headers.pairs)
    return record(RESPONSE, U16(response.status), headers, bytes_of(bytes(response.body.content.data)))


def _digest(given: Value) -> Value:
    """The request is in the chain already, with the call."""
    from theater import cgrf

    return String(hashlib.sha256(cgrf.encode(given)).hexdigest())


# -- what the guest does with them -------------------------------------------------------------------------------------


def new_response(context: Context, headers: U32) -> Value:
    """Begin a response with these headers."""
    fields = _taken(context, headers)
    service = context.service(Incoming)
    body = OutgoingBody(Collected(service.body_bytes_max, service.exchange.sink()))
    return resources(context).add(OutgoingResponse(fields, body))


def new_request(context: Context, headers: U32) -> Value:
    """Begin a request with these headers."""
    from worker.interfaces.wasi.http_outgoing import body_bytes_max

    body = OutgoingBody(Collected(body_bytes_max(context)))
    return resources(context).add(OutgoingRequest(_taken(context, headers), body))


def _taken(context: Context, headers: U32) -> Fields:
    fields = resources(context).get(headers, Fields)
    drop(context, headers)
    return Fields(fields.pairs, is_fixed=True)


def set_outparam(context: Context, param: U32, response: Result) -> Value:
    """Answer the request: with a response, or with an error."""
    outparam = resources(context).get(param, Outparam)
    drop(context, param)
    if not response.is_ok:
        assert isinstance(response.value, Variant)
        outparam.error = str(response.value.case)
        return UNIT
    assert isinstance(response.value, U32)
    made = resources(context).get(response.value, OutgoingResponse)
    drop(context, response.value)
    outparam.response = made
    context.service(Incoming).exchange.begin(made.status, tuple(made.headers.pairs))
    return UNIT


def _head_bytes(context: Context, param: U32, response: Result) -> int:
    """What leaves but the body, which is counted as it is written."""
    if not response.is_ok:
        return len(str(response.value))
    assert isinstance(response.value, U32)
    return headers_bytes(resources(context).get(response.value, OutgoingResponse).headers.pairs)


def http_error_code(context: Context, handle: U32) -> Value:
    """Which error of HTTP a stream's error was; not told."""
    resources(context).get(handle, Error)
    return some(None)


def _types() -> Maker:
    made = Maker(NAMES, HEADER_ERROR)
    http_fields.declare(made)
    http_messages.declare(made)
    made.add("[constructor]outgoing-response", "(headers: u32) -> u32", new_response)
    made.add("[constructor]outgoing-request", "(headers: u32) -> u32", new_request)
    made.add("[static]response-outparam.set", "(param: u32, response: result<u32, error-code>)", set_outparam)
    made.drop("response-outparam", drop)
    made.add("http-error-code", "(err: u32) -> option<error-code>", http_error_code)
    from worker.interfaces.wasi.http_outgoing import declare_future

    declare_future(made)
    return made


def _handler() -> Maker:
    made = Maker({"http-request": REQUEST, "http-response": RESPONSE}, types.STRING)
    made.add("accept", "(request: http-request) -> tuple<u32, u32>", accept, secrets=_digest)
    made.add("respond", "() -> result<http-response, string>", respond)
    return made


INTERFACES: Final = (
    _types().interface(
        "wasi:http/types", "Messages of HTTP.", {"[static]response-outparam.set": Sends(_head_bytes)}
    ),
    _handler().interface(
        GRANT.name, "Around the guest's own `handle`: the handles it is given, and what it made of them."
    ),
)
