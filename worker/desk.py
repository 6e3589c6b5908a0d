"""The operation socket: where callers hand in work and get their answers (design D5).

It belongs to the guest thread, except while that thread is inside the guest: then the post thread may use it. Whoever
uses it holds ``lock``; the guest thread keeps it held except around the guest.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final

import msgspec
import zmq

from proto import operation
from proto.envelope import PREFIX_BYTES, MessageClass, OversizedFrame, WireError, check_bodies, class_of
from proto.limits import BODY_BYTES_MAX
from theater import http
from theater.chain.keyed import KEY_CHARS_MAX
from worker.logs import Logs
from worker.machine_notices import Call, Cancel, UpdatePackage
from worker.metrics import Metrics
from worker.quick import EVENTS, HAS_MORE, MORE_FOLLOWS, NO_WAIT, READABLE, zmq_get, zmq_receive, zmq_send

SEND_HWM: Final = 10_000
"""Answers that may wait for one caller to take them; past it they are lost, and counted."""
BACKLOG: Final = 1024
UNIT: Final = bytes.fromhex("43475246020000000100000000000000") + bytes.fromhex("0b0000000400000000000000")
"""``()``: the parameters of a call without a body."""
NO_HTTP: Final = ("unexpected", ("HandleWasiHttpRequest should be handled by the HTTP handler directly",))

_REQUESTS = operation.REQUESTS
_ANSWERS = operation.ANSWERS


class Caller(msgspec.Struct, frozen=True, gc=False):
    """Who is owed the answer to an operation: a connection and the number it gave the request."""

    identity: bytes
    id: int
    is_void: bool = False
    is_http: bool = False
    """It wants an HTTP response: status and headers, and the body, as two bodies of the answer."""
    delivery: Any = None
    """Says what goes back, of operations whose answer is not simply the response (worker.mailbox)."""
    letter: Any = None
    """A message nobody waits for (worker.mailbox): its refusal is told elsewhere if whoever sent it is gone."""


NO_MAIL: Final = ("handler", ("the actor takes no messages",))


class Desk:
    """Reads requests, writes answers."""

    def __init__(self, context: Any, endpoint: str, logs: Logs, metrics: Metrics) -> None:
        self.lock = threading.Lock()
        self.context = context
        self.mail: Callable[[bytes, operation.Mail, list[bytes]], Any] | None = None
        """Makes operations of mail (worker.mailbox); None: nothing of the kind is granted."""
        self.forget: Callable[[tuple[bytes, int]], None] | None = None
        """Told of requests that nobody waits for any more."""
        self.unheard: Callable[[Any, str, tuple[Any, ...]], None] | None = None
        """Told of a letter that was refused, with kind and data, if whoever sent it cannot be told any more."""
        self.message_bytes_max = BODY_BYTES_MAX
        self.is_closed = False
        self.http_function: str | None = None
        """The guest's function that answers HTTP requests, if that is granted."""
        self._logs = logs
        self._metrics = metrics
        self.socket: Any = context.socket(zmq.ROUTER)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.ROUTER_MANDATORY, 1)
        self.socket.setsockopt(zmq.SNDHWM, SEND_HWM)
        self.socket.setsockopt(zmq.BACKLOG, BACKLOG)
        self.socket.setsockopt(zmq.MAXMSGSIZE, BODY_BYTES_MAX)
        self.socket.bind(endpoint)

    def receive(self) -> Any:
        """Return the next request as a notice for the machine; None if there is none now."""
        socket = self.socket
        while zmq_get(socket, EVENTS) & READABLE:  # asking costs a tenth of being refused
            frames: list[bytes] = [zmq_receive(socket, NO_WAIT)]
            while zmq_get(socket, HAS_MORE):
                frames.append(zmq_receive(socket, NO_WAIT))
            try:
                notice = self._read(frames)
            except WireError as error:
                self._refuse_frames(frames, error)
                continue
            if notice is not None:
                return notice
        return None

    def answer(self, caller: Caller, response: bytes | None) -> None:
        """Send a caller its result."""
        header = _ANSWERS.encode(operation.Returned(caller.id))
        if caller.is_http:
            self._answer_http(caller, header, response or b"")
        else:
            self._send(caller.identity, header, None if caller.is_void else response)

    def _answer_http(self, caller: Caller, header: bytes, response: bytes) -> None:
        try:
            found = http.response_of(response)
        except (http.BadResponse, ValueError) as error:
            self.refuse(caller, "internal", (str(error),))
            return
        head = msgspec.msgpack.encode((found.status, found.headers))
        try:
            self.socket.send_multipart((caller.identity, header, head, found.body), zmq.NOBLOCK)
        except zmq.ZMQError as error:
            self._lost(error)

    def refuse(self, caller: Caller, kind: str, data: tuple[Any, ...]) -> None:
        """Send a caller its error."""
        self._metrics.refused(kind)
        if caller.delivery is not None and not caller.delivery.failed():
            return  # it has been answered already
        is_told = self._send(caller.identity, _ANSWERS.encode(operation.Failed(caller.id, kind, data)), None)
        if not is_told and caller.letter is not None and self.unheard is not None:
            self.unheard(caller.letter, kind, data)

    def close(self, linger_ms: int) -> None:
        """Close; what was sent may take this long to leave."""
        if not self.is_closed:
            self.is_closed = True
            self.socket.close(linger_ms)

    def _send(self, identity: bytes, header: bytes, body: bytes | None) -> bool:
        """Whether there is still somebody of that identity."""
        socket = self.socket
        try:
            zmq_send(socket, identity, MORE_FOLLOWS)  # the only frame that can be refused
            if body is None:
                zmq_send(socket, header, NO_WAIT)
            else:
                zmq_send(socket, header, MORE_FOLLOWS)
                zmq_send(socket, body, NO_WAIT)
        except zmq.ZMQError as error:
            self._lost(error)
            return error.errno != zmq.EHOSTUNREACH
        return True

    def _lost(self, error: zmq.ZMQError) -> None:
        if error.errno not in (zmq.EHOSTUNREACH, zmq.EAGAIN):
            raise error
        self._metrics.replies_lost += 1
        if error.errno == zmq.EAGAIN:
            self._logs.warn("slow caller", f"a caller leaves {SEND_HWM} answers unread: further ones are lost")

    def _read(self, frames: list[bytes]) -> Any:
        bodies = frames[2:]
        if len(bodies) > 1 or (bodies and len(bodies[0]) > self.message_bytes_max):
            check_bodies(bodies)
            self._check_size(bodies)
        message = _REQUESTS.decode(frames[1] if len(frames) > 1 else b"")
        identity = frames[0]
        if type(message) is operation.Call:
            if message.idempotency_key is not None and len(message.idempotency_key) > KEY_CHARS_MAX:
                raise OversizedFrame(f"expected an idempotency_key of at most {KEY_CHARS_MAX} characters")
            now = time.monotonic_ns()
            timeout = message.timeout_ms
            return Call(
                function=message.function,
                payload=bodies[0] if bodies else UNIT,
                waiter=Caller(identity, message.id, message.void),
                key=(identity, message.id),
                received_ns=now,
                expires_ns=None if timeout is None else now + timeout * 1_000_000,
                timeout_ms=timeout,
                deadline_ms=message.deadline_ms,
                wait=message.wait,
                cancel_running=message.cancel_running,
                idempotency_key=message.idempotency_key,
                posted=message.posted,
            )
        if type(message) is operation.HttpRequest:
            return self._http(identity, message, bodies[0] if bodies else b"")
        if type(message) is operation.Mail:
            return self._read_mail(identity, message, bodies)
        if type(message) is operation.Cancel and self.forget is not None:
            self.forget((identity, message.operation))
        return _OTHERS[type(message)](identity, message)

    def _read_mail(self, identity: bytes, message: operation.Mail, bodies: list[bytes]) -> Any:
        if self.mail is not None:
            return self.mail(identity, message, bodies)
        self.refuse(Caller(identity, message.id), *NO_MAIL)
        return None

    def _http(self, identity: bytes, message: operation.HttpRequest, body: bytes) -> Call:
        caller, key = Caller(identity, message.id, is_http=True), (identity, message.id)
        if self.http_function is None:
            return Call(function="handle-http-request", waiter=caller, key=key, refusal=NO_HTTP)
        payload = http.request_params(
            message.method, message.scheme, message.authority, message.path_with_query, message.headers, body
        )
        received = time.monotonic_ns()
        return Call(function=self.http_function, payload=payload, waiter=caller, key=key, received_ns=received)

    def _check_size(self, bodies: list[bytes]) -> None:
        for body in bodies:
            if len(body) > self.message_bytes_max:
                limit = self.message_bytes_max
                raise OversizedFrame(f"expected a body of at most {limit} bytes (message_bytes_max), got {len(body)}")

    def _refuse_frames(self, frames: list[bytes], error: WireError) -> None:
        """Count it, log it once in a while, answer it if it is a request with a number."""
        self._metrics.frame_refused(error.reason)
        self._logs.warn(f"operation {error.reason}", f"operation socket: {error.reason} frame refused: {error}")
        header = frames[1] if len(frames) > 1 else b""
        number = request_number(header)
        if class_of(header) is MessageClass.OPERATION and number is not None:
            self.refuse(Caller(frames[0], number), "serialization", (str(error),))


def request_number(header: bytes) -> int | None:
    """The number of a request that does not decode, if that much of it can be read."""
    try:
        match msgspec.msgpack.decode(header[PREFIX_BYTES:]):
            case [str(), int(number), *_]:
                return number
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    return None


def _update(identity: bytes, message: operation.UpdatePackage) -> UpdatePackage:
    caller = Caller(identity, message.id)
    return UpdatePackage(function="update-package", payload=message.package, waiter=caller, key=(identity, message.id))


def _cancel(identity: bytes, message: operation.Cancel) -> Cancel:
    return Cancel(Caller(identity, message.id, is_void=True), (identity, message.operation))


_OTHERS: Final[dict[type, Any]] = {
    operation.UpdatePackage: _update,
    operation.Cancel: _cancel,
}
