"""The floors: the least a Python process can do for the same thing, written here as barely as possible."""

from __future__ import annotations

import gc
import os
import socket
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

import zmq


@contextmanager
def ping_pong(size: int = 100) -> Iterator[Callable[[], object]]:
    """A bare DEALER/ROUTER pair over ipc, the other end a blocking echo in a forked process."""
    directory = tempfile.mkdtemp(prefix="floor-")
    endpoint = f"ipc://{directory}/e"
    pid = os.fork()
    if pid == 0:
        _echo(endpoint)
    context = zmq.Context()
    sock = context.socket(zmq.DEALER)
    sock.connect(endpoint)
    data = b"x" * size

    def once() -> object:
        sock.send(data)
        return sock.recv()

    yield once
    context.destroy(linger=0)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    os.unlink(f"{directory}/e")
    os.rmdir(directory)


def _echo(endpoint: str) -> NoReturn:
    sock = zmq.Context().socket(zmq.ROUTER)
    sock.bind(endpoint)
    while True:
        sock.send_multipart(sock.recv_multipart())


class BareZygote:
    """A template that forks children which connect one DEALER and answer one message; nothing else.

    It has imported what a worker imports, so its forks copy page tables of the same size.
    """

    def __init__(self) -> None:
        self.directory = tempfile.mkdtemp(prefix="floor-")
        self.endpoint = f"ipc://{self.directory}/s"
        self.context = zmq.Context()
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        serve = "import benchmarks.floors as f; f.serve_zygote()"
        self.pid = os.posix_spawn(
            sys.executable,
            [sys.executable, "-c", serve, str(theirs.fileno()), self.endpoint],
            os.environ | {"PYTHONPATH": os.getcwd()},
            file_actions=[(os.POSIX_SPAWN_DUP2, theirs.fileno(), 3)],
        )
        theirs.close()
        self.sock = ours
        self.router = self.context.socket(zmq.ROUTER)
        self.router.bind(self.endpoint)
        assert self.sock.recv(8) == b"up"

    def fork_and_ask(self) -> int:
        """Fork one child, wait for its hello, ask it once, and return its pid."""
        self.sock.send(b"fork")
        pid = int(self.sock.recv(32))
        identity, _ = self.router.recv_multipart()
        self.router.send_multipart([identity, b"ping"])
        assert self.router.recv_multipart()[1] == b"ping"
        return pid

    def close(self) -> None:
        """End the template and clean up."""
        self.sock.close()
        os.waitpid(self.pid, 0)
        self.context.destroy(linger=0)
        os.unlink(f"{self.directory}/s")
        os.rmdir(self.directory)


def serve_zygote() -> NoReturn:
    """The template's side of BareZygote."""
    import msgspec  # noqa: F401
    import wasmtime  # noqa: F401

    from worker.zygote import _clone_sibling

    sock = socket.socket(fileno=3)
    gc.collect()
    gc.freeze()
    sock.send(b"up")
    while sock.recv(32):
        pid = _clone_sibling()
        if pid == 0:
            peer = zmq.Context().socket(zmq.DEALER)
            peer.connect(sys.argv[2])
            peer.send(b"hello")
            peer.send(peer.recv())
            peer.recv()  # until it is killed
            os._exit(0)
        sock.send(str(pid).encode())
    os._exit(0)
