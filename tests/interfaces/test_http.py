"""``wasi:http``: headers, messages, and requests to hosts that are allowed; secrets stay out of guest and chain."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from tests.interfaces.calling import Host
from theater import cgrf, http, types
from theater.grants import HTTP, HTTP_CLIENT, SIMPLE_HTTP_CLIENT
from theater.values import (
    U16,
    U32,
    U64,
    UNIT,
    List,
    Option,
    Result,
    String,
    Tuple,
    Value,
    Variant,
    bytes_of,
    items_of,
)
from worker.engine.errors import Trap

TYPES, STREAMS, POLL = "wasi:http/types", "wasi:io/streams", "wasi:io/poll"
NOTHING = Option(types.STRING, None)


def some(value: Value) -> Option:
    return Option(types.STRING, value)


class Guest:
    """What a guest does with ``wasi:http/types``."""

    def __init__(self, **client: Any) -> None:
        self.host = Host({HTTP_CLIENT: client, HTTP: {"body_bytes_max": 1000}})

    def ask(self, function: str, *arguments: Value, of: str = TYPES) -> Any:
        """Call a function: its answer; of a result the payload, or the error's case (None if it has none)."""
        answer = self.host.call(of, function, *(arguments or (UNIT,)))
        if not isinstance(answer, Result):
            return answer
        return answer.value if answer.is_ok else getattr(answer.value, "case", None)

    def fields(self, *pairs: tuple[str, bytes]) -> Any:
        entries = tuple(Tuple((String(name), bytes_of(value))) for name, value in pairs)
        return self.ask("[static]fields.from-list", List(types.Tuple((types.STRING, types.BYTES)), entries))

    def pairs(self, fields: U32) -> list[tuple[str, bytes]]:
        found: Any = items_of(self.ask("[method]fields.entries", fields))
        return [(pair.items[0].value, bytes(pair.items[1].items)) for pair in found]

    def request(self, authority: str, path: str = "/", body: bytes | None = None, *headers: tuple[str, bytes]) -> U32:
        made: U32 = self.ask("[constructor]outgoing-request", self.fields(*headers))
        self.ask("[method]outgoing-request.set-scheme", made, some(Variant("scheme", "HTTP", 0)))
        self.ask("[method]outgoing-request.set-authority", made, some(String(authority)))
        self.ask("[method]outgoing-request.set-path-with-query", made, some(String(path)))
        if body is not None:
            self.ask("[method]outgoing-request.set-method", made, Variant("method", "post", 2))
            content = self.ask("[method]outgoing-request.body", made)
            stream = self.ask("[method]outgoing-body.write", content)
            self.ask("[method]output-stream.blocking-write-and-flush", stream, bytes_of(body), of=STREAMS)
            self.ask("[resource-drop]output-stream", stream, of=STREAMS)
            self.ask("[static]outgoing-body.finish", content, NOTHING)
        return made

    def send(self, request: U32, options: Option = NOTHING) -> Any:
        """Send and wait: status and body, or the error's case."""
        future = self.ask("handle", request, options, of=HTTP_CLIENT)
        if isinstance(future, str):
            return future
        pollable = self.ask("[method]future-incoming-response.subscribe", future)
        self.ask("[method]pollable.block", pollable, of=POLL)
        answer = self.ask("[method]future-incoming-response.get", future).value.value
        if not answer.is_ok:
            return answer.value.case
        return self.ask("[method]incoming-response.status", answer.value).value, self.body(answer.value)

    def body(self, response: U32) -> bytes | str:
        content = self.ask("[method]incoming-response.consume", response)
        stream = self.ask("[method]incoming-body.stream", content)
        found = b""
        while True:
            part = self.ask("[method]input-stream.blocking-read", stream, U64(1 << 16), of=STREAMS)
            if isinstance(part, str):
                return found if part == "closed" else part
            found += bytes(part.items)


class Server(BaseHTTPRequestHandler):
    """Answers in the ways the tests need."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        match self.path.split("?")[0]:
            case "/headers":
                self._answer(repr(sorted(self.headers.items())).encode())
            case "/large":
                self._answer(b"x" * 5000)
            case "/cut":
                self.send_response(200)
                self.send_header("content-length", "100")
                self.end_headers()
                self.wfile.write(b"only this")
                self.close_connection = True
            case "/redirect":
                self.send_response(302)
                self.send_header("location", "http://169.254.169.254/")
                self.send_header("content-length", "0")
                self.end_headers()
            case "/nonsense":
                self.wfile.write(b"this is not http\r\n\r\n")
                self.close_connection = True
            case "/never":
                self.server.gate.wait(20)  # type: ignore[attr-defined]
                self.close_connection = True
            case _:
                self._answer(b"hello")

    def do_POST(self) -> None:
        self._answer(self.rfile.read(int(self.headers["content-length"])))

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    """Its authority."""
    made = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    made.gate = threading.Event()  # type: ignore[attr-defined]
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield f"127.0.0.1:{made.server_port}"
    made.gate.set()  # type: ignore[attr-defined]
    made.shutdown()
    thread.join()
    made.server_close()


def guest(authority: str, **more: Any) -> Guest:
    return Guest(allow=[f"http://{authority}"], **more)


# -- requests ----------------------------------------------------------------------------------------------------------


def test_requests(server: str) -> None:
    """Method, path, headers and body arrive; so do status and body of the answer."""
    it = guest(server)
    assert it.send(it.request(server)) == (200, b"hello")
    assert it.send(it.request(server, "/x", b"the body")) == (200, b"the body")
    status, seen = it.send(it.request(server, "/headers", None, ("X-One", b"1"), ("x-two", b"2")))
    assert status == 200 and b"('X-One', '1')" in seen and b"('x-two', '2')" in seen


@pytest.mark.parametrize(
    ("authority", "error"),
    [
        ("example.com", "HTTP-request-denied"),
        ("127.0.0.1", "HTTP-request-denied"),
        ("localhost:SAME", "HTTP-request-denied"),
    ],
)
def test_others_are_denied(server: str, authority: str, error: str) -> None:
    """Another host, another port, another name for the same host: none of them is the origin that is allowed."""
    it = guest(server)
    assert it.send(it.request(authority.replace("SAME", server.rpartition(":")[2]))) == error


def test_redirects_are_not_followed(server: str) -> None:
    """They are answers; following one is a request of its own, to be allowed as such."""
    it = guest(server)
    assert it.send(it.request(server, "/redirect")) == (302, b"")


def test_secrets_are_put_in_on_the_way_out(server: str) -> None:
    """The server sees the secret; the guest and its chain hold the placeholder. Unknown names are an error."""
    it = guest(server, secrets={"KEY": "s3cret"})
    _, seen = it.send(it.request(server, "/headers", None, ("x-key", b"Bearer {{KEY}}")))
    assert b"Bearer s3cret" in seen
    calls = it.host.context.recorded
    recorded = b"".join(data + output for _, function, data, output in calls if "read" not in function)
    assert b"s3cret" not in recorded
    assert it.send(it.request(server, "/headers", None, ("x-key", b"{{OTHER}}"))) == "internal-error"


def test_secret_headers_are_digests_in_the_chain(server: str) -> None:
    """Whatever a guest puts into them, however it puts it in; the same value is the same digest, for replays."""
    it = guest(server)
    fields = it.fields(("Authorization", b"hush"), ("x-open", b"open"))
    it.ask("[method]fields.append", fields, String("authorization"), bytes_of(b"hush"))
    it.ask("[method]fields.set", fields, String("Cookie"), List(types.BYTES, (bytes_of(b"hush"),)))
    recorded = [data for _, _, data, _ in it.host.context.recorded]
    assert not any(b"hush" in data for data in recorded) and b"open" in recorded[0]
    digests = {data[data.index(b"redacted:") :][:25] for data in recorded}
    assert len(digests) == 1
    assert (b"Authorization", b"hush") in [(name.encode(), value) for name, value in it.pairs(fields)]


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("/nonsense", "HTTP-protocol-error"),
        ("/large", "last-operation-failed"),
        ("/cut", "last-operation-failed"),
    ],
)
def test_bad_answers(server: str, path: str, error: str) -> None:
    """What is no answer, larger than allowed, or cut off, is an error, not a shorter body."""
    it = guest(server, body_bytes_max=1000)
    found = it.send(it.request(server, path))
    assert (found if isinstance(found, str) else found[1]) == error


def test_nobody_there() -> None:
    """A refused connection is told."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        authority = f"127.0.0.1:{probe.getsockname()[1]}"
    it = guest(authority)
    assert it.send(it.request(authority)) == "connection-refused"


def test_time_is_bounded(server: str) -> None:
    """By the grant, and by the guest's own options."""
    it = guest(server, timeout_ms=100)
    assert it.send(it.request(server, "/never")) == "connection-timeout"
    it = guest(server)
    options = it.ask("[constructor]request-options")
    it.ask("[method]request-options.set-first-byte-timeout", options, some(U64(50_000_000)))
    assert it.send(it.request(server, "/never"), some(options)) == "connection-timeout"


def test_requests_under_way_are_bounded(server: str) -> None:
    """One more than allowed is refused at once."""
    it = guest(server, requests_max=1)
    it.ask("handle", it.request(server, "/never"), NOTHING, of=HTTP_CLIENT)
    assert it.send(it.request(server)) == "connection-limit-reached"
    it.host.close()


def test_https_trusts_nobody_it_does_not_know(server: str) -> None:
    """A server that does not speak TLS is an error; nothing is sent in the clear."""
    it = Guest(allow=[f"https://{server}"])
    request = it.request(server)
    it.ask("[method]outgoing-request.set-scheme", request, some(Variant("scheme", "HTTPS", 1)))
    assert it.send(request) == "TLS-protocol-error"


# -- theater:simple/http-client ----------------------------------------------------------------------------------------


def _simple(it: Guest, url: str, method: str = "GET", body: bytes = b"", *headers: tuple[str, bytes]) -> Any:
    pairs = tuple(Tuple((String(name), bytes_of(value))) for name, value in headers)
    headers_ = List(types.Tuple((types.STRING, types.BYTES)), pairs)
    given = (String(method), String(url), headers_, bytes_of(body), NOTHING)
    answer = it.host.call(SIMPLE_HTTP_CLIENT, "request", *given)
    if not answer.is_ok:
        return answer.value.value
    status, _, content = answer.value.items
    return status.value, bytes(content.items)


def test_the_simple_client(server: str) -> None:
    """One call: request in, response out; the same limits and secrets."""
    it = guest(server, secrets={"KEY": "s3cret"})
    assert _simple(it, f"http://{server}/") == (200, b"hello")
    assert _simple(it, f"http://{server}/x", "POST", b"the body") == (200, b"the body")
    assert b"s3cret" in _simple(it, f"http://{server}/headers?a=b", "GET", b"", ("authorization", b"{{KEY}}"))[1]
    assert b"redacted:" in it.host.context.recorded[-1][2] and b"{{KEY}}" not in it.host.context.recorded[-1][2]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://example.com/", "HTTP-request-denied"),
        ("ftp://example.com/", "HTTP-request-URI-invalid"),
        ("nonsense", "expected a URL"),
        ("http://[", "expected a URL"),
        ("http://SERVER/a b", "expected a URL"),
        ("http://SERVER/nonsense", "HTTP-protocol-error"),
        ("http://user@SERVER/", "HTTP-request-URI-invalid"),
    ],
)
def test_the_simple_client_refuses(server: str, url: str, words: str) -> None:
    """In words."""
    assert words in _simple(guest(server), url.replace("SERVER", server))


# -- messages ----------------------------------------------------------------------------------------------------------


def test_fields() -> None:
    """Names without regard to case, values in order; what belongs to the connection is forbidden; bad syntax too."""
    it = Guest()
    fields = it.fields(("A", b"1"), ("b", b"2"), ("a", b"3"))
    assert [bytes(each.items) for each in items_of(it.ask("[method]fields.get", fields, String("a")))] == [b"1", b"3"]
    assert it.ask("[method]fields.delete", fields, String("A")) == UNIT
    assert it.pairs(fields) == [("b", b"2")]
    assert it.ask("[method]fields.append", fields, String("host"), bytes_of(b"x")) == "forbidden"
    assert it.ask("[method]fields.append", fields, String("a b"), bytes_of(b"x")) == "invalid-syntax"
    assert it.ask("[method]fields.append", fields, String("a"), bytes_of(b"x\r\ny: z")) == "invalid-syntax"
    assert it.fields(("Transfer-Encoding", b"chunked")) == "forbidden"


@pytest.mark.parametrize(
    ("method", "value", "fits"),
    [
        ("set-method", Variant("method", "other", 9, (String("FETCH"),)), True),
        ("set-method", Variant("method", "other", 9, (String("GET / HTTP/1.1\r\nX: y"),)), False),
        ("set-path-with-query", some(String("/a?b=c")), True),
        ("set-path-with-query", some(String("/a b")), False),
        ("set-path-with-query", some(String("/a\r\nX: y")), False),
        ("set-authority", some(String("example.com:8080")), True),
        ("set-authority", some(String("user@example.com")), False),
        ("set-authority", some(String("example.com/x")), False),
        ("set-authority", some(String("example.com:x")), False),
        ("set-scheme", some(Variant("scheme", "other", 2, (String("f t p"),))), False),
    ],
)
def test_setters(method: str, value: Value, fits: bool) -> None:
    """Nothing gets into a request that could be another header, or another request."""
    it = Guest()
    request = it.ask("[constructor]outgoing-request", it.fields())
    assert it.ask(f"[method]outgoing-request.{method}", request, value) == (UNIT if fits else None)


def test_a_request_is_answered() -> None:
    """What the door does around a guest's handler, and what the handler does in between."""
    it = Guest()
    params: Any = cgrf.decode(http.request_params("PATCH", None, "x", "/p", (("A", b"1"),), b"in"))
    request, outparam = it.ask("accept", params.items[0], of=HTTP).items
    assert it.ask("[method]incoming-request.method", request).case == "patch"
    assert it.ask("[method]incoming-request.path-with-query", request) == some(String("/p"))
    assert it.pairs(it.ask("[method]incoming-request.headers", request)) == [("A", b"1")]
    headers = it.ask("[method]incoming-request.headers", request)
    assert it.ask("[method]fields.delete", headers, String("A")) == "immutable"
    response = it.ask("[constructor]outgoing-response", it.fields(("b", b"2")))
    assert it.ask("[method]outgoing-response.set-status-code", response, U16(99)) is None
    assert it.ask("[method]outgoing-response.set-status-code", response, U16(201)) == UNIT
    body = it.ask("[method]outgoing-response.body", response)
    assert it.ask("[method]outgoing-response.body", response) is None
    it.ask("[static]response-outparam.set", outparam, Result(types.STRING, types.STRING, True, response))
    stream = it.ask("[method]outgoing-body.write", body)
    it.ask("[method]output-stream.write", stream, bytes_of(b"out"), of=STREAMS)
    it.ask("[static]outgoing-body.finish", body, NOTHING)
    answer = http.response_of(cgrf.encode(it.ask("respond", of=HTTP)))
    assert (answer.status, answer.headers, answer.body) == (201, (("b", b"2"),), b"out")


def test_too_large_a_response() -> None:
    """Is the guest's error while it writes, and no response."""
    it = Guest()
    params: Any = cgrf.decode(http.request_params("GET", None, None, None, (), b""))
    _, outparam = it.ask("accept", params.items[0], of=HTTP).items
    response = it.ask("[constructor]outgoing-response", it.fields())
    body = it.ask("[method]outgoing-response.body", response)
    it.ask("[static]response-outparam.set", outparam, Result(types.STRING, types.STRING, True, response))
    stream = it.ask("[method]outgoing-body.write", body)
    assert it.ask("[method]output-stream.check-write", stream, of=STREAMS) == U64(1000)
    assert it.ask("[method]output-stream.blocking-write-and-flush", stream, bytes_of(b"x" * 1001), of=STREAMS) == (
        "last-operation-failed"
    )
    with pytest.raises(Trap, match="check-write allowed"):
        fresh = it.ask("[method]outgoing-body.write", _fresh(it))
        it.ask("[method]output-stream.write", fresh, bytes_of(b"x" * 1001), of=STREAMS)


def _fresh(it: Guest) -> U32:
    found: U32 = it.ask("[method]outgoing-response.body", it.ask("[constructor]outgoing-response", it.fields()))
    return found
