"""Requests per second and waiting times of an actor's port, against a plain ASGI server (uvicorn) that says hello.

Eight connections are kept open, each sending the next request when it has the answer. The load, and each server, run in
processes of their own; every contender runs several times in turn, and the middle one counts.
"""

from __future__ import annotations

import importlib.util
import json
import multiprocessing
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.table import Table
from tests.component.web import web
from tests.system.running import RunningTree, until
from tests.system.test_http import _pack_guest

CONNECTIONS = 8
SECONDS = 3.0
ROUNDS = 5
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
TREE = """
version: 1
name: web
children:
  - {id: component, actor: it.wat, state: 0, grants: {wasi: {}, http: {listen: "127.0.0.1:PORT1"}}}
  - {id: pack, actor: pack.wasm, grants: {http: {listen: "127.0.0.1:PORT2"}}}
"""
ASGI = """
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"5")]})
        await send({"type": "http.response.body", "body": b"hello"})
"""


def main() -> None:
    """Measure all of them in turn."""
    ports = [_free_port() for _ in range(4)]
    with tempfile.TemporaryDirectory(prefix="th") as directory, _tree(Path(directory), ports) as _:
        contenders = {"component (wasi:http)": ports[0], "module (http-handlers)": ports[1]}
        with _other_servers(Path(directory), ports[2:]) as others:
            contenders.update(others)
            found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in contenders}
            for _round in range(ROUNDS):
                for name, port in contenders.items():
                    found[name].append(_load(port))
    table = Table(f"HTTP, {CONNECTIONS} connections", "requests/s", "p50 ms", "p99 ms")
    for name, runs in found.items():
        table.add(name, *(statistics.median(run[place] for run in runs) for place in range(3)))
    table.show()


@contextmanager
def _tree(home: Path, ports: list[int]) -> Iterator[RunningTree]:
    (home / "it.wat").write_text(web())
    (home / "pack.wasm").write_bytes(_pack_guest())
    running = RunningTree(home, TREE.replace("PORT1", str(ports[0])).replace("PORT2", str(ports[1])))
    try:
        yield running
    finally:
        running.stop()


@contextmanager
def _other_servers(home: Path, ports: list[int]) -> Iterator[dict[str, int]]:
    """Uvicorn, and waitress without an actor behind it: what the port costs by itself."""
    commands: dict[str, tuple[list[str], int]] = {}
    if importlib.util.find_spec("uvicorn") is not None:
        (home / "plain.py").write_text(ASGI)
        options = f"--port {ports[0]} --no-access-log --log-level error --loop asyncio --http h11".split()
        commands["uvicorn (ASGI, asyncio, h11)"] = ([sys.executable, "-m", "uvicorn", "plain:app", *options], ports[0])
    else:
        print("uvicorn is not installed: pip install uvicorn\n")
    (home / "bare.py").write_text(
        "import sys, waitress\n"
        "def app(environ, start):\n"
        "    start('200 OK', [('content-length', '5')])\n"
        "    return [b'hello']\n"
        "waitress.serve(app, host='127.0.0.1', port=int(sys.argv[1]), threads=16)\n"
    )
    commands["waitress (WSGI)"] = ([sys.executable, "bare.py", str(ports[1])], ports[1])
    processes = [subprocess.Popen(command, cwd=home) for command, _ in commands.values()]
    try:
        for _, port in commands.values():
            until(lambda port=port: _answers(port), "a server", 20.0)  # type: ignore[misc]
        yield {name: port for name, (_, port) in commands.items()}
    finally:
        for process in processes:
            process.terminate()
            process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=1) as sock:
            return _ask(sock)
    except OSError:
        return False


def _load(port: int) -> tuple[float, float, float]:
    """Requests a second, and the median and the 99th percentile of the waiting times in milliseconds."""
    receiver, sender = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_generate, args=(port, sender))
    process.start()
    taken: list[float] = json.loads(receiver.recv())
    process.join()
    taken.sort()
    return len(taken) / SECONDS, taken[len(taken) // 2] * 1e3, taken[int(len(taken) * 0.99)] * 1e3


def _generate(port: int, sender: Any) -> None:
    taken: list[float] = []
    deadline = time.monotonic() + SECONDS
    threads = [threading.Thread(target=_knock, args=(port, deadline, taken)) for _ in range(CONNECTIONS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sender.send(json.dumps(taken))


def _knock(port: int, deadline: float, taken: list[float]) -> None:
    clock: Callable[[], float] = time.monotonic
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        while (began := clock()) < deadline:
            _ask(sock)
            taken.append(clock() - began)


def _ask(sock: socket.socket) -> bool:
    sock.sendall(REQUEST)
    data = b""
    while b"\r\n\r\n" not in data:
        part = sock.recv(4096)
        if not part:
            raise ConnectionError
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    size = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(body) < size:
        body += sock.recv(4096)
    return True


if __name__ == "__main__":
    main()
