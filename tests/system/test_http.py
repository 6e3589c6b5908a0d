"""Actors that answer HTTP: from handles and on a real port, while they crash, are exchanged, and stop."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.component.web import web
from tests.guests import wat
from tests.guests.pack import u32
from tests.ports import free_port
from tests.system.running import RunningTree, running_tree, until
from theater import cgrf, types, values
from theater.errors import InternalError, UnexpectedError

pytest.importorskip("waitress")

TREE = """
version: 1
name: web
intensity: 100000
period: 1s
children:
  - id: it
    actor: it.wat
    state: 0
    restart: transient
    grants: {wasi: {}, http: {listen: "127.0.0.1:PORT", timeout: 10s, max_body: 1MiB}}
  - {id: pack, actor: pack.wasm, grants: {http: {}}}
  - {id: bare, actor: bare.wasm}
"""
HANDLER = "theater:simple/http-handlers.handle-request"
SIGNATURE = "(state: u32, request: value) -> result<tuple<u32, value>, string>"


def _pack_guest() -> bytes:
    headers = values.List(types.Tuple((types.STRING, types.BYTES)), ())
    fields = (("status", values.U16(418)), ("headers", headers), ("body", values.bytes_of(b"teapot")))
    given = values.Tuple((values.U32(1), values.Record("http-response", fields)))
    answer = wat.returns(cgrf.encode(values.Result(types.STRING, types.STRING, True, given)))
    return wat.build([wat.starts(u32(0)), wat.Function(HANDLER, SIGNATURE, answer)])


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def tree(port: int, home: Path) -> Iterator[RunningTree]:
    """A component on a port, a module with a handler that knows the state, and one without a handler."""
    (home / "it.wat").write_text(web())
    (home / "pack.wasm").write_bytes(_pack_guest())
    (home / "bare.wasm").write_bytes(wat.build([wat.starts(u32(0))]))
    with running_tree(home, TREE.replace("PORT", str(port))) as tree:
        yield tree


def _ask(port: int, method: str = "GET", path: str = "/", **how: Any) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request(method, path, **how)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def test_by_handle(tree: RunningTree) -> None:
    """Both kinds of handlers; an actor without one says so; the state goes through the one that knows it."""
    answer = tree.actor("/it").handle_wasi_http_request("GET", "http", "x", "/", (("a", b"1"),), b"body")
    assert (answer.status, answer.body) == (200, b"hello")
    answer = tree.actor("/pack").handle_wasi_http_request("GET", None, None, "/", ())
    assert (answer.status, answer.body) == (418, b"teapot")
    assert tree.actor("/pack").get_state() == 1
    with pytest.raises(UnexpectedError):
        tree.actor("/bare").handle_wasi_http_request("GET", None, None, "/", ())
    assert "Replay complete" in tree.cli("replay", "/it")
    assert "Replay complete" in tree.cli("replay", "/pack")


def test_by_port(tree: RunningTree, port: int) -> None:
    """Requests of anybody, recorded and replayable like every call; methods and sizes as HTTP has them."""
    assert _ask(port) == (200, b"hello")
    assert _ask(port, "POST", "/x?y=z", body=b"x" * 1000) == (200, b"hello")
    assert _ask(port, "HEAD") == (200, b"")
    with socket.create_connection(("127.0.0.1", port), timeout=20) as large:
        large.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2000000\r\n\r\n")
        assert b" 413 " in large.recv(100)
    assert _ask(port, path="/none")[0] == 500
    with ThreadPoolExecutor(20) as pool:
        assert set(pool.map(lambda _: _ask(port), range(100))) == {(200, b"hello")}
    assert "Replay complete" in tree.cli("replay", "/it")


def test_no_response_is_an_error_of_the_actor(tree: RunningTree) -> None:
    """Told to the caller; the actor lives on."""
    with pytest.raises(InternalError, match="returned without a response"):
        tree.actor("/it").handle_wasi_http_request("GET", None, None, "/none", ())
    assert tree.status("/it").incarnation == 1


MALFORMED = (
    b"nonsense\r\n\r\n",
    b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    b"\0" * 100,
    b"GET /" + b"x" * 100_000,
)


@pytest.mark.parametrize("words", MALFORMED, ids=["line", "length", "zeroes", "endless"])
def test_malformed_requests(tree: RunningTree, port: int, words: bytes) -> None:
    """Are refused by the server; the guest never hears of them, and others are served."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as sock:
        try:
            sock.sendall(words)
            sock.shutdown(socket.SHUT_WR)
            answer = sock.recv(100)
        except OSError:
            answer = b""  # it did not wait for the rest
        assert answer == b"" or answer.startswith((b"HTTP/1.0 4", b"HTTP/1.1 4", b"HTTP/1.0 5", b"HTTP/1.1 5"))
    assert _ask(port) == (200, b"hello")


def test_a_slow_client_holds_nobody(tree: RunningTree, port: int) -> None:
    """The guest is entered when a request is complete, not while it trickles in."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as slow:
        slow.sendall(b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n12345")
        assert _ask(port) == (200, b"hello")
        slow.sendall(b"67890")
        assert slow.recv(100).startswith(b"HTTP/1.1 200")


def test_a_crash_is_one_clients_trouble(tree: RunningTree, port: int) -> None:
    """Whoever connects while the actor is restarted waits; nobody finds the port closed."""
    try:
        assert _ask(port, path="/trap")[0] >= 500
    except (ConnectionError, http.client.HTTPException):
        pass
    for number in range(2, 6):
        until(lambda: _is_served(port), "an answer after the restart")
        tree.wait_incarnation("/it", number)
        os.kill(tree.pid("/it"), signal.SIGKILL)


def _is_served(port: int) -> bool:
    """A connection that was there when the actor died may break; a new one may not be refused."""
    try:
        return _ask(port) == (200, b"hello")
    except ConnectionRefusedError:
        raise
    except (ConnectionError, http.client.HTTPException):
        return False


def test_a_rolling_update(tree: RunningTree, port: int) -> None:
    """While the package is exchanged every request is answered, by the old one or the new one."""
    (tree.home / "new.wat").write_text(web("welcome"))
    answers: list[tuple[int, bytes]] = []
    done = threading.Event()

    def knock() -> None:
        while not done.is_set():
            answers.append(_ask(port))

    threads = [threading.Thread(target=knock) for _ in range(3)]
    for thread in threads:
        thread.start()
    try:
        until(lambda: len(answers) > 30, "some answers")
        tree.cli("update", "/it", "--package", str(tree.home / "new.wat"))
        seen = len(answers)
        until(lambda: len(answers) > seen + 30, "answers after the update")
    finally:
        done.set()
        for thread in threads:
            thread.join()
    assert set(answers) == {(200, b"hello"), (200, b"welcome")}
    assert _ask(port) == (200, b"welcome")


def test_the_end(tree: RunningTree, port: int) -> None:
    """An orderly stop closes the port."""
    assert _ask(port) == (200, b"hello")
    tree.cli("stop")
    with pytest.raises(ConnectionRefusedError):
        _ask(port)


def test_an_actor_that_is_stopped_does_not_listen(tree: RunningTree, port: int) -> None:
    """Its port closes with it, and opens when it is started again."""
    tree.cli("stop", "/it")
    until(lambda: _is_closed(port), "the port to close")
    tree.cli("restart", "/it")
    assert _ask(port) == (200, b"hello")


def _is_closed(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=20):
            return False
    except ConnectionRefusedError:
        return True


def test_an_address_in_use(tree: RunningTree, port: int) -> None:
    """A start error that says which, and nothing hangs."""
    other = tree.home / "other"
    other.mkdir()
    (other / "it.wat").write_text(web())
    text = TREE.replace("PORT", str(port)).partition("  - {id: pack")[0]
    second = RunningTree(other, text, wait=False)
    try:
        assert second.process.wait(30) == 1
        assert "Address already in use" in second.said.read_text()
    finally:
        second.clean_up()
