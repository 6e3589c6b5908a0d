"""Clients for tests: both handles behind one way to use them, and clients that are processes of their own."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import theater
from tests.system.running import DEADLINE_S, RunningTree

DOORS = ("threads", "asyncio")


class Door:
    """A client of one of the two kinds. ``do`` returns what a method answers, awaited if it has to be."""

    def __init__(self, tree: RunningTree, kind: str) -> None:
        self.kind = kind
        if kind == "asyncio":
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(target=self._loop.run_forever)
            self._thread.start()
        self.client: Any = self.do(
            theater.connect_async(tree.run_dir) if kind == "asyncio" else theater.connect(tree.run_dir)
        )

    def actor(self, path: str) -> Any:
        return self.client.actor(path)

    def do(self, answer: Any) -> Any:
        """What a method has answered."""
        if asyncio.iscoroutine(answer):
            return asyncio.run_coroutine_threadsafe(answer, self._loop).result(DEADLINE_S)
        return answer

    def link(self, path: str) -> Any:
        return self.do(self.actor(path).link())

    def watch(self, path: str) -> Any:
        return self.do(self.actor(path).watch())

    def wait(self, bond: Any, timeout: float = DEADLINE_S) -> Any:
        return self.do(bond.wait(timeout))

    def leave(self, error: BaseException | None = None) -> None:
        """Leave the client's ``with`` block, by an error perhaps."""
        if self.kind == "asyncio":
            self.do(self.client.__aexit__(error and type(error), error, None))
        else:
            self.client.__exit__(error and type(error), error, None)

    def close(self) -> None:
        """Close the client."""

        async def close() -> None:
            self.client.close()

        if self.kind == "asyncio":
            self.do(close())
        else:
            self.client.close()

    def end(self) -> None:
        """Close it, and what it runs in."""
        self.close()
        if self.kind == "asyncio":
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()


PROGRAM = """
import asyncio, os, sys, theater

def told():
    print("linked", flush=True)
    return sys.stdin.readline().strip()

def in_threads(run_dir, paths):
    client = theater.connect(run_dir)
    links = [client.actor(path).link() for path in paths]
    match told():
        case "close":
            client.close()
            os._exit(0)
        case "raise":
            raise ValueError("oops")
        case "end":
            sys.exit(0)
        case "raise in with":
            with client:
                raise ValueError("oops")
        case "fork":
            if os.fork():
                os._exit(0)
            client.close()
            print("closed", flush=True)
            sys.stdin.readline()

async def in_a_loop(run_dir, paths):
    client = await theater.connect_async(run_dir)
    links = [await client.actor(path).link() for path in paths]
    match await asyncio.to_thread(told):
        case "close":
            client.close()
            os._exit(0)
        case "raise":
            raise ValueError("oops")
        case "end":
            sys.exit(0)
        case "raise in with":
            async with client:
                raise ValueError("oops")

kind, run_dir, *paths = sys.argv[1:]
if kind == "asyncio":
    asyncio.run(in_a_loop(run_dir, paths))
else:
    in_threads(run_dir, paths)
"""


class Program:
    """A process that has linked itself with actors, and waits to be told how to end."""

    def __init__(self, tree: RunningTree, kind: str, *paths: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, kind, str(tree.run_dir), *paths],
            env=tree.env(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        self.wait_said("linked")

    @property
    def name(self) -> str:
        """What actors know it by."""
        return f"client:{self.process.pid}"

    def wait_said(self, word: str) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == f"{word}\n"

    def tell(self, how: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{how}\n")
        self.process.stdin.flush()


@contextmanager
def program(tree: RunningTree, kind: str, *paths: str) -> Iterator[Program]:
    """A linked process; what is left of it afterwards is killed."""
    running = Program(tree, kind, *paths)
    with running.process:
        try:
            yield running
        finally:
            running.process.kill()
