"""The port of an actor: a well-kept server (waitress) in threads of its own, in front of the guest's one at a time.

A request is taken in whole, up to ``max_body`` (beyond half a megabyte on the disk), so a slow client never holds the
guest; then it is an operation like any other: queued, bounded, timed, recorded.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterable
from itertools import count
from typing import Any, Final
from weakref import WeakKeyDictionary

from theater import http
from theater.cause import UPDATED
from theater.grants.http import GRANT
from theater.records import HttpResponse
from worker import machine_notices as n
from worker.engine.errors import StartError
from worker.http.visitor import Visitor
from worker.incarnation import Incarnation
from worker.interfaces.wasi.http_fields import BAD_VALUE, FORBIDDEN, TOKEN, Pairs
from worker.machine_actions import Answer

THREADS: Final = 8
"""Requests in front of the guest at one time; further ones wait in the server."""
HEADER_BYTES_MAX: Final = 64 << 10
BACKLOG: Final = 1024
ASK_S: Final = 5.0
REASONS: Final[dict[str, tuple[int, str]]] = {
    "shutting_down": (503, "the actor is stopping"),
    "channel_closed": (503, "the actor has ended"),
    "paused": (503, "the actor is paused"),
    "mailbox_full": (503, "the actor has too much to do"),
    "operation_timeout": (504, "the actor did not answer in time"),
}
"""What a client is told when its request was refused, by kind of error."""
MOVED: Final = "moved"
LOOK_AGAIN_S: Final = 0.005
DRAIN_S: Final = 2.0
"""Answers have so long to leave, when the actor stops."""
FRESH_S: Final = 0.5
"""Whoever has just connected has so long to begin a request, although we accept nothing more."""
PASS_S: Final = 1.0
STATUS_MIN, STATUS_MAX = 200, 999
"""Below are those that announce a response (RFC 9110, section 15.2): alone, a client would wait for ever."""
OWN_CHANNELS: Final = 2
"""The server counts its listening socket and its alarm bell as connections."""
_numbers = count(1)

StartResponse = Callable[[str, list[tuple[str, str]]], Any]
Environ = dict[str, Any]


def listener(path: str) -> socket.socket:
    """The listening socket of this actor, from the supervisor. StartError: there is none, and why."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as asking:
        asking.settimeout(ASK_S)
        try:
            asking.connect(path)
            words, fds, _, _ = socket.recv_fds(asking, 1024, 1)
        except OSError as error:
            raise StartError("services", f"http: the supervisor gives no socket: {error}") from None
    if not fds:
        raise StartError("services", f"http: {words.decode('utf-8', 'replace') or 'the supervisor gives no socket'}")
    return socket.socket(fileno=fds[0])


class Server:
    """Serves one actor's port."""

    def __init__(self, inc: Incarnation, sock: socket.socket, function: str, grant: dict[str, Any]) -> None:
        try:
            from waitress.server import create_server
        except ImportError:
            text = "http: serving a port needs waitress: pip install 'theater-supervisor[http]'"
            raise StartError("services", text) from None
        options = GRANT.of(grant)
        self._inc = inc
        self._function = function
        self._timeout_ms = int(options["timeout_ms"])
        self._address = sock.getsockname()
        self._is_paused = False
        self._under_way = 0
        self._counting = threading.Lock()
        self._idle = threading.Event()
        """Never set: to wait a moment."""
        self._map: dict[int, Any] = {}
        self._next_look_s = 0.0
        self._begun: WeakKeyDictionary[Any, float] = WeakKeyDictionary()
        """Since when requests have been on their way in."""
        self._server: Any = create_server(
            self._serve,
            map=self._map,
            sockets=[sock],
            threads=THREADS,
            ident="theater",
            connection_limit=int(options["connections_max"]) + OWN_CHANNELS,
            channel_timeout=max(1, self._timeout_ms // 1000),
            cleanup_interval=1,
            backlog=BACKLOG,
            max_request_body_size=int(options["body_bytes_max"]),
            max_request_header_size=HEADER_BYTES_MAX,
            asyncore_use_poll=True,
        )
        self._thread = threading.Thread(target=self._loop, name="http", daemon=True)

    def start(self) -> None:
        """Begin to accept."""
        self._thread.start()

    def pause(self) -> None:
        """Accept nothing: whoever connects waits, for another process or for ``resume``. Any thread."""
        self._is_paused = True
        self._server.pull_trigger()

    def resume(self) -> None:
        """Accept again. Any thread."""
        self._is_paused = False
        self._server.pull_trigger()

    def drain(self) -> None:
        """Accept nothing more, and wait until all that was answered has left, or it takes too long."""
        self.pause()
        deadline_s = time.monotonic() + DRAIN_S
        while self._is_busy() and time.monotonic() < deadline_s:
            self._idle.wait(LOOK_AGAIN_S)

    def _is_busy(self) -> bool:
        return self._under_way > 0 or not all(map(_is_idle, list(self._server.active_channels.values())))

    # -- the server's threads ----------------------------------------------------------------------------------------

    def _loop(self) -> None:
        from waitress import wasyncore

        while True:
            patience_s = LOOK_AGAIN_S if self._is_paused else PASS_S
            wasyncore.loop(timeout=patience_s, use_poll=True, map=self._map, count=1)
            self._server.accepting = not self._is_paused
            if self._is_paused:
                self._hang_up_idle()
            if time.monotonic() >= self._next_look_s:
                self._next_look_s = time.monotonic() + PASS_S
                self._hang_up_slow()

    def _hang_up_idle(self) -> None:
        """Close connections on which nothing is asked: their next request is for somebody else."""
        for channel in list(self._server.active_channels.values()):
            if _is_idle(channel):
                channel.handle_close()

    def _hang_up_slow(self) -> None:
        """Close connections whose request does not become complete, however steadily it trickles."""
        now = time.monotonic()
        for channel in list(self._server.active_channels.values()):
            if channel.request is None:
                continue
            if now - self._begun.setdefault(channel.request, now) > self._timeout_ms / 1000:
                channel.handle_close()

    def _serve(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        with self._counting:
            self._under_way += 1
        try:
            deadline_s = time.monotonic() + self._timeout_ms / 1000
            visitor = Visitor(may_stream=self._inc.holding is None)
            request = _Request(environ)
            call = self._call(visitor, request)
            self._inc.submit(call)
            if not visitor.wait(deadline_s):
                self._inc.submit(n.Cancel(None, call.key))
                visitor.leave()
                return self._refuse(start_response, "operation_timeout", request)
            return self._answer(visitor, request, start_response, deadline_s)
        finally:
            with self._counting:
                self._under_way -= 1

    def _call(self, visitor: Visitor, request: _Request) -> n.Call:
        now = time.monotonic_ns()
        return n.Call(
            function=self._function,
            payload=request.params(),
            waiter=visitor,
            key=("http", next(_numbers)),
            received_ns=now,
            expires_ns=now + self._timeout_ms * 1_000_000,
            timeout_ms=self._timeout_ms,
            wait=False,
        )

    def _answer(
        self, visitor: Visitor, request: _Request, start: StartResponse, deadline_s: float
    ) -> Iterable[bytes]:
        outcome = visitor.outcome
        if visitor.is_streaming and visitor.head is not None:
            status, headers = visitor.head
            if status < STATUS_MIN:
                visitor.leave()
                return self._refuse(start, "bad_response", request)
            start(_status(status), self._headers(headers, None))
            return _closing(visitor, deadline_s)
        if not isinstance(outcome, Answer):
            if _has_moved(outcome):
                return self._relay(request, start, deadline_s)
            return self._refuse(start, outcome.kind, request)
        try:
            response = http.response_of(outcome.response or b"")
        except (http.BadResponse, ValueError):
            return self._refuse(start, "bad_response", request)
        if not _is_sendable(response):
            return self._refuse(start, "bad_response", request)
        return self._whole(response, request, start)

    def _whole(self, response: HttpResponse, request: _Request, start: StartResponse) -> Iterable[bytes]:
        size = len(response.body)
        has_body = request.method != "HEAD" and response.status not in (204, 304)
        told = request.method == "HEAD" and not size and _length_of(response)
        start(_status(response.status), self._headers(response.headers, None if told else size))
        return [response.body] if has_body and size else []

    def _headers(self, headers: Pairs, size: int | None) -> list[tuple[str, str]]:
        kept = [
            (name, value.decode("latin-1"))
            for name, value in headers
            if name.lower() not in FORBIDDEN and (size is None or name.lower() != "content-length")
        ]
        if size is not None:
            kept.append(("content-length", str(size)))
        return kept

    def _refuse(self, start: StartResponse, kind: str, request: _Request) -> Iterable[bytes]:
        status, text = REASONS.get(kind, (500, "the actor failed"))
        body = f"{text}\n".encode()
        headers: list[tuple[str, str]] = [("content-type", "text/plain"), ("content-length", str(len(body)))]
        if status == 503:
            headers.append(("retry-after", "1"))
        start(_status(status), headers)
        return [] if request.method == "HEAD" else [body]

    def _relay(self, request: _Request, start: StartResponse, deadline_s: float) -> Iterable[bytes]:
        """The actor has moved to another process, which serves the same address: have it answer."""
        from http import client

        self.pause()
        host, port = self._address[:2]
        headers = dict(request.headers)
        if request.authority is not None:
            headers["host"] = str(request.authority)
        connection = client.HTTPConnection(host, port, timeout=max(LOOK_AGAIN_S, deadline_s - time.monotonic()))
        try:
            connection.request(request.method, request.target, request.body, headers)
            response = connection.getresponse()
            body = response.read()
        except TimeoutError:
            return self._refuse(start, "operation_timeout", request)
        except (OSError, client.HTTPException):
            return self._refuse(start, "channel_closed", request)
        finally:
            connection.close()
        pairs = tuple((name, value.encode("latin-1")) for name, value in response.getheaders())
        return self._whole(HttpResponse(response.status, pairs, body), request, start)


def _is_idle(channel: Any) -> bool:
    """Whether nothing is asked on a connection, and nothing is about to be."""
    if channel.requests or channel.request is not None or channel.total_outbufs_len:
        return False
    is_fresh = channel.last_activity == channel.creation_time
    if is_fresh and time.time() - channel.creation_time < FRESH_S:
        return False
    try:
        return not channel.socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except OSError:
        return True


def _is_sendable(response: HttpResponse) -> bool:
    """Whether it is a response in HTTP: what components say was looked at when they said it."""
    return STATUS_MIN <= response.status <= STATUS_MAX and all(
        TOKEN.fullmatch(name) and not BAD_VALUE.search(value) for name, value in response.headers
    )


def _length_of(response: HttpResponse) -> bool:
    """Whether the response to a HEAD says how long the body would be."""
    return any(name.lower() == "content-length" and value.isdigit() for name, value in response.headers)


class _Request:
    """What the server knows of a request."""

    def __init__(self, environ: Environ) -> None:
        self.method = str(environ["REQUEST_METHOD"])
        self.scheme = str(environ["wsgi.url_scheme"])
        self.target = str(environ.get("REQUEST_URI") or "/")
        self.authority = environ.get("HTTP_HOST")
        self.headers = list(_request_headers(environ))
        self.body = environ["wsgi.input"].read()

    def params(self) -> bytes:
        """As the guest takes it."""
        headers = ((name, value.encode("latin-1", "replace")) for name, value in self.headers)
        return http.request_params(self.method, self.scheme, self.authority, self.target, headers, self.body)


def _has_moved(outcome: Any) -> bool:
    """Whether another worker has taken over (theater.conversation.has_moved)."""
    if outcome.kind == MOVED:
        return True
    cause = outcome.data[0] if outcome.kind == "channel_closed" and outcome.data else None
    return isinstance(cause, dict) and cause.get("kind") == UPDATED


def _request_headers(environ: Environ) -> Iterable[tuple[str, str]]:
    for key, value in environ.items():
        if key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            if value:
                yield key.replace("_", "-").lower(), value
        elif key.startswith("HTTP_"):
            name = key[5:].replace("_", "-").lower()
            if name not in FORBIDDEN or name == "te":
                yield name, value


def _closing(visitor: Visitor, deadline_s: float) -> Iterable[bytes]:
    try:
        yield from visitor.pieces(deadline_s)
    finally:
        visitor.leave()


def _status(status: int) -> str:
    from http import HTTPStatus

    try:
        return f"{status} {HTTPStatus(status).phrase}"
    except ValueError:
        return f"{status} Status"
