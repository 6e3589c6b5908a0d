"""Requests the guest makes: ``wasi:http/outgoing-handler``, to hosts of the grant's allow-list only.

Each request is made in a thread of its own (http.client), so a guest may have several under way. A text ``{{NAME}}`` in
a header is replaced by the grant's secret of that name on the way out: guest and chain only ever see the placeholder.
"""

from __future__ import annotations

import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from theater.grants.http_client import GRANT
from theater.patterns import BadPattern
from theater.patterns.origins import allows
from theater.values import U32, UNIT, Option, String, Value
from worker.interfaces.context import Context
from worker.interfaces.sending import Sends
from worker.interfaces.wasi.declaring import Failure, Maker, case, err, ok, some
from worker.interfaces.wasi.http_bodies import Arriving
from worker.interfaces.wasi.http_fields import headers_bytes
from worker.interfaces.wasi.http_messages import IncomingResponse, OutgoingRequest, RequestOptions
from worker.interfaces.wasi.http_names import ERROR, NAMES
from worker.interfaces.wasi.resources import drop, resources
from worker.interfaces.wasi.waiting import Pollable, Waker

if TYPE_CHECKING:
    import http.client

PIECE_BYTES: Final = 1 << 16
PLACEHOLDER: Final = re.compile(rb"\{\{([A-Za-z0-9_.-]{1,100})\}\}")


def options_of(context: Context) -> dict[str, Any]:
    """The options of the grant."""
    return GRANT.held_by(context)


def body_bytes_max(context: Context) -> int:
    """The largest body of a request or a response."""
    return int(options_of(context)["body_bytes_max"])


class Refused(Exception):
    """A request failed: an error code of WASI, with a number or a text where it has one."""

    def __init__(self, code: str, *payload: Value) -> None:
        super().__init__(code)
        self.code = code
        self.payload = payload

    @property
    def value(self) -> Value:
        """As WASI has it."""
        return case(ERROR, self.code, *self.payload)


def _internal(text: str) -> Refused:
    return Refused("internal-error", some(String(text[:500])))


class Future:
    """A response that is to come."""

    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed
        self.answer: IncomingResponse | Refused | None = None
        self.is_taken = False
        self.body: Arriving | None = None

    def settle(self, answer: IncomingResponse | Refused) -> None:
        """It has come, or it never will. The requesting thread."""
        self.answer = answer
        self._changed()

    def is_ready(self) -> bool:
        """Whether it has."""
        return self.answer is not None

    def close(self) -> None:
        """Nobody wants it any more."""
        if self.body is not None and not self.is_taken:
            self.body.close()


class Requests:
    """The service that counts those under way and ends them with the actor."""

    def __init__(self, context: Context) -> None:
        self.lock = threading.Lock()
        self.count = 0
        self.connections: set[Any] = set()

    def close(self) -> None:
        """End all of them."""
        with self.lock:
            for connection in self.connections:
                _hang_up(connection)


def _hang_up(connection: Any) -> None:
    sock = connection.sock
    if sock is not None:
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            return


class Order:
    """Everything one request needs, apart from the guest."""

    def __init__(self, context: Context, request: OutgoingRequest, options: RequestOptions | None) -> None:
        grant = options_of(context)
        scheme, authority = request.scheme or "https", request.authority
        if authority is None:
            raise Refused("HTTP-request-URI-invalid")
        try:
            if not allows(grant["allow"], f"{scheme}://{authority}"):
                raise Refused("HTTP-request-denied")
        except BadPattern:
            raise Refused("HTTP-request-URI-invalid") from None
        self.is_secure = scheme == "https"
        self.authority = authority
        self.method = request.method
        self.path = request.path or "/"
        self.headers = [(name, _with_secrets(value, grant["secrets"])) for name, value in request.headers.pairs]
        self.body = request.body
        self.bytes_max = int(grant["body_bytes_max"])
        whole = int(grant["timeout_ms"]) / 1000
        times = {} if options is None else options.times
        self.connect_s = _seconds(times.get("connect-timeout"), whole)
        self.first_byte_s = _seconds(times.get("first-byte-timeout"), whole)
        self.between_s = _seconds(times.get("between-bytes-timeout"), whole)
        self.deadline = time.monotonic() + whole


def _seconds(given_ns: int | None, most: float) -> float:
    return most if given_ns is None else min(most, max(0.001, given_ns / 1e9))


def _with_secrets(value: bytes, secrets: Mapping[str, str]) -> bytes:
    def put_in(match: re.Match[bytes]) -> bytes:
        name = match.group(1).decode()
        if name not in secrets:
            raise _internal(f"the grant has no secret {name}")
        return secrets[name].encode()

    return PLACEHOLDER.sub(put_in, value)


# -- in the guest's thread ---------------------------------------------------------------------------------------------


def handle(context: Context, handle: U32, options: Option) -> Value:
    """Send a request. Its body may still be written; it leaves when that is complete."""
    request = resources(context).get(handle, OutgoingRequest)
    drop(context, handle)
    chosen = None
    if isinstance(options.value, U32):
        chosen = resources(context).get(options.value, RequestOptions)
        drop(context, options.value)
    try:
        return resources(context).add(begin(context, request, chosen))
    except Refused as refused:
        raise Failure(refused.value) from None


def _head_bytes(context: Context, handle: U32, options: Option) -> int:
    """What leaves but the body, which is counted as it is written."""
    request = resources(context).get(handle, OutgoingRequest)
    line = f"{request.method} {request.scheme or ''} {request.authority or ''} {request.path or ''}"
    return len(line.encode()) + headers_bytes(request.headers.pairs)


def begin(context: Context, request: OutgoingRequest, options: RequestOptions | None) -> Future:
    """Have a request sent as soon as its body is complete. Raises Refused."""
    requests = context.service(Requests)
    order = Order(context, request, options)
    if requests.count >= options_of(context)["requests_max"]:
        raise Refused("connection-limit-reached")
    future = Future(context.service(Waker).changed)
    body = request.body

    def send() -> None:
        if body.is_finished or not request.is_body_taken:
            with requests.lock:
                requests.count += 1
            threading.Thread(target=_run, args=(order, future, requests), name="http", daemon=True).start()
        else:
            future.settle(Refused("HTTP-protocol-error"))  # dropped before it was complete

    if body.is_finished or not request.is_body_taken:
        send()
    else:
        body.on_finish = send
    return future


def subscribe(context: Context, handle: U32) -> Value:
    """Ready when the response is there."""
    return resources(context).add(Pollable(resources(context).get(handle, Future).is_ready))


def get(context: Context, handle: U32) -> Value:
    """The response, once; none as long as it is not there."""
    future = resources(context).get(handle, Future)
    if future.answer is None:
        return some(None)
    if future.is_taken:
        return some(err(UNIT))
    future.is_taken = True
    if isinstance(future.answer, Refused):
        return some(ok(err(future.answer.value)))
    return some(ok(ok(resources(context).add(future.answer))))


def declare_future(made: Maker) -> None:
    """Add the future of a response to ``wasi:http/types``."""
    made.methods(
        "future-incoming-response",
        [
            ("subscribe", "() -> u32", subscribe),
            ("get", "() -> option<result<result<u32, error-code>, _>>", get),
        ],
    )
    made.drop("future-incoming-response", drop)


# -- in the thread of the request --------------------------------------------------------------------------------------


def _run(order: Order, future: Future, requests: Requests) -> None:
    connection = _connection(order)
    with requests.lock:
        requests.connections.add(connection)
    try:
        _exchange(order, future, connection)
    except Refused as refused:
        future.settle(refused)
    except Exception as error:
        future.settle(_told(error))
    finally:
        connection.close()
        with requests.lock:
            requests.connections.discard(connection)
            requests.count -= 1


def _connection(order: Order) -> http.client.HTTPConnection:
    import http.client

    if order.is_secure:
        context = ssl.create_default_context()
        return http.client.HTTPSConnection(order.authority, timeout=order.connect_s, context=context)
    return http.client.HTTPConnection(order.authority, timeout=order.connect_s)


def _exchange(order: Order, future: Future, connection: http.client.HTTPConnection) -> None:
    connection.connect()
    connection.sock.settimeout(_left(order, order.first_byte_s))
    _send(order, connection)
    response = connection.getresponse()
    body = future.body = Arriving(future._changed)
    headers = tuple((name.lower(), value.encode("latin-1")) for name, value in response.getheaders())
    future.settle(IncomingResponse(response.status, headers, body))
    size = 0
    try:
        while True:
            if connection.sock is not None:
                connection.sock.settimeout(_left(order, order.between_s))
            piece = response.read1(PIECE_BYTES)
            size += len(piece)
            if size > order.bytes_max:
                body.end(f"the body is larger than {order.bytes_max} bytes (max_body)")
                return
            if not piece or not body.put(piece):
                break
        length = response.length
        body.end("the connection ended before the body did" if length else None)
    except Exception as error:
        body.end(str(error) or type(error).__name__)


def _send(order: Order, connection: http.client.HTTPConnection) -> None:
    data = bytes(order.body.content.data)
    connection.putrequest(order.method, order.path, skip_accept_encoding=True)
    names = {name.lower() for name, _ in order.headers}
    for name, value in order.headers:
        if name.lower() != "content-length":
            connection.putheader(name, value)
    if data or order.method in ("POST", "PUT", "PATCH") or "content-length" in names:
        connection.putheader("content-length", str(len(data)))
    connection.putheader("connection", "close")
    connection.endheaders(data or None)


def _left(order: Order, most: float) -> float:
    left = order.deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return min(left, most)


def _told(error: Exception) -> Refused:
    import http.client

    match error:
        case ssl.SSLCertVerificationError():
            return Refused("TLS-certificate-error")
        case ssl.SSLError():
            return Refused("TLS-protocol-error")
        case TimeoutError():
            return Refused("connection-timeout")
        case socket.gaierror():
            return Refused("DNS-error", _dns(error))
        case ConnectionRefusedError():
            return Refused("connection-refused")
        case http.client.HTTPException():
            return Refused("HTTP-protocol-error")
        case ConnectionError():
            return Refused("connection-terminated")
        case OSError():
            return Refused("destination-unavailable")
    return _internal(f"{type(error).__name__}: {error}")


def _dns(error: socket.gaierror) -> Value:
    from worker.interfaces.wasi.declaring import record

    kind = dict(ERROR.cases)["DNS-error"]  # type: ignore[attr-defined]
    return record(kind, some(String(str(error.strerror or ""))), some(None))


def _outgoing() -> Maker:
    made = Maker(NAMES, ERROR)
    made.add("handle", "(request: u32, options: option<u32>) -> result<u32, error-code>", handle)
    return made


INTERFACES: Final = (
    _outgoing().interface(GRANT.name, "Requests to hosts of the allow-list.", {"handle": Sends(_head_bytes)}),
)
