"""The server of an actor's port, in front of a guest that is a function here."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.system.running import until
from theater import cgrf, types, values
from theater.http import HANDLER
from worker.http import server as http_server
from worker.incarnation import Incarnation
from worker.machine_actions import Answer, Refuse

pytest.importorskip("waitress")

Guest = Callable[[Any], "Answer | Refuse"]
_PAIR = types.Tuple((types.STRING, types.BYTES))


def response(body: bytes = b"hello", status: int = 200, *headers: tuple[str, bytes]) -> bytes:
    """An encoded response."""
    pairs = tuple(values.Tuple((values.String(name), values.bytes_of(value))) for name, value in headers)
    fields = (("status", values.U16(status)), ("headers", values.List(_PAIR, pairs)), ("body", values.bytes_of(body)))
    return cgrf.encode(values.Record("http-response", fields))


def authority(call: Any) -> str:
    """What a request says it was sent to."""
    request: Any = cgrf.decode(call.payload)
    return str(request.items[0]["authority"].value.value)


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    """A socket like the one the supervisor holds."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


@pytest.fixture
def serve(listening: socket.socket) -> Iterator[Callable[..., http_server.Server]]:
    """Begins to serve with a guest."""
    begun: list[http_server.Server] = []

    def begin(guest: Guest | None = None, **grant: Any) -> http_server.Server:
        def submit(notice: Any) -> None:
            if hasattr(notice, "payload"):
                notice.waiter.settle(guest(notice) if guest else Answer(notice.waiter, response()))

        inc = cast(Incarnation, SimpleNamespace(holding=None, submit=submit))
        begun.append(http_server.Server(inc, listening.dup(), HANDLER, grant))
        begun[-1].start()
        return begun[-1]

    yield begin
    for each in begun:
        each.drain()


def ask(listening: socket.socket, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """One request: status, headers and body of the answer."""
    connection = http.client.HTTPConnection(*listening.getsockname(), timeout=20)
    try:
        connection.request(method, "/", headers=headers)
        answer = connection.getresponse()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    finally:
        connection.close()


def test_one_connection_at_a_time(serve: Callable[..., http_server.Server], listening: socket.socket) -> None:
    """``max_connections: 1`` means one, not none."""
    serve(connections_max=1)

    assert ask(listening)[0] == 200


def test_who_has_just_connected_is_answered(
    serve: Callable[..., http_server.Server], listening: socket.socket
) -> None:
    """A server that accepts nothing more has promised an answer to those it has accepted."""
    server = serve()
    with socket.create_connection(listening.getsockname(), timeout=20) as client:
        until(lambda: server._server.active_channels, "the connection")
        server.pause()
        until(lambda: not server._server.accepting, "the pause")
        client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")

        assert client.recv(100).startswith(b"HTTP/1.1 200")


def test_who_asks_nothing_is_hung_up_on(serve: Callable[..., http_server.Server], listening: socket.socket) -> None:
    """A connection without a request does not hold up a process that is to leave."""
    server = serve()
    with socket.create_connection(listening.getsockname(), timeout=20) as client:
        until(lambda: server._server.active_channels, "the connection")
        server.drain()

        assert client.recv(100) == b""


def test_a_trickle_ends(serve: Callable[..., http_server.Server], listening: socket.socket) -> None:
    """A request has so long to arrive, however steadily it does."""
    serve(timeout_ms=1000)
    with socket.create_connection(listening.getsockname(), timeout=20) as client:
        client.sendall(b"GET / HTTP/1.1\r\nX: ")
        client.settimeout(0.05)

        def is_over() -> bool:
            try:
                client.sendall(b"x")
                return client.recv(100) == b""
            except TimeoutError:
                return False
            except OSError:
                return True

        until(is_over, "the end of the connection", 10)


BAD = (
    response(b"", 100),
    response(b"", 99),
    response(b"", 1000),
    response(b"", 200, ("x", b"a\r\nset-cookie: y")),
    response(b"", 200, ("x: a\r\ny", b"a")),
    response(b"", 200, ("", b"a")),
    response(b"", 200, ("\u0442", b"a")),
)


@pytest.mark.parametrize("bad", BAD, ids=["continue", "99", "1000", "value", "name", "nameless", "unicode"])
def test_what_is_no_response_is_not_sent(
    bad: bytes, serve: Callable[..., http_server.Server], listening: socket.socket
) -> None:
    """The client is told that the actor failed, and nothing of what it said."""
    serve(lambda call: Answer(call.waiter, bad))
    status, headers, body = ask(listening)

    assert (status, body) == (500, b"the actor failed\n")
    assert "set-cookie" not in headers


def test_head_may_say_how_long_the_body_would_be(
    serve: Callable[..., http_server.Server], listening: socket.socket
) -> None:
    """The length that the actor gives stands."""
    serve(lambda call: Answer(call.waiter, response(b"", 200, ("content-length", b"1234"))))

    assert ask(listening, "HEAD")[1]["content-length"] == "1234"
    assert ask(listening)[1]["content-length"] == "0"


def test_a_request_that_is_passed_on_stays_what_it_was(
    serve: Callable[..., http_server.Server], listening: socket.socket
) -> None:
    """The process that an actor has moved to learns whom the client wanted to ask."""
    moved = serve(lambda call: Refuse(call.waiter, "moved", ()))
    with socket.create_connection(listening.getsockname(), timeout=20) as client:
        until(lambda: moved._server.active_channels, "the connection")
        moved.pause()
        until(lambda: not moved._server.accepting, "the pause")
        serve(lambda call: Answer(call.waiter, response(authority(call).encode())))
        client.sendall(b"GET / HTTP/1.1\r\nHost: example.com\r\nConnection: close\r\n\r\n")

        assert http_body(client) == b"example.com"


def http_body(client: socket.socket) -> bytes:
    """What is left of a response after its headers."""
    answer = http.client.HTTPResponse(client)
    answer.begin()
    return answer.read()
