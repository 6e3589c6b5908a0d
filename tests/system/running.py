"""A running tree for tests: the real ``python -m supervisor start`` in a directory of its own."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import psutil

import theater
from theater.client import Client
from theater.errors import ActorError

ROOT = Path(__file__).resolve().parents[2]
DEADLINE_S = 20.0
PAUSE_S = 0.002

T = TypeVar("T")
Start = Callable[..., "RunningTree"]
"""The fixture ``start``."""


def until(fact: Callable[[], T], what: str, deadline_s: float = DEADLINE_S) -> T:
    """Return the first true value of ``fact``; fail, saying what was waited for, when the deadline has passed."""
    deadline = time.monotonic() + deadline_s
    while not (value := fact()):
        assert time.monotonic() < deadline, f"waited {deadline_s} s for {what}"
        select.select([], [], [], PAUSE_S)
    return value


def is_running(pid: int) -> bool:
    """Whether a process exists and is not a zombie."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def wait_gone(processes: list[psutil.Process]) -> None:
    """Wait until these very processes are gone, whoever has their pids by then; name those that are not."""

    def left() -> list[psutil.Process]:
        return [each for each in processes if each.is_running() and is_running(each.pid)]

    deadline = time.monotonic() + DEADLINE_S
    while still := left():
        assert time.monotonic() < deadline, f"still there after {DEADLINE_S} s: {[str(each) for each in still]}"
        select.select([], [], [], PAUSE_S)


class RunningTree:
    """One supervisor process, its client and its files."""

    def __init__(self, home: Path, tree: str, *options: str, wait: bool = True, **popen: Any) -> None:
        self.home = home
        self.tree_file = home / "tree.yaml"
        self.tree_file.write_text(tree, encoding="utf-8")
        self.run_dir = home / "r"
        self.store_dir = home / "store"
        self.said = home / "said"
        self.options = options
        self._client: Client | None = None
        self.process = self.start(**popen)
        if wait:
            self.wait_up()

    def start(self, **popen: Any) -> subprocess.Popen[bytes]:
        """Start the supervisor (again, on the same store)."""
        command = [
            *(sys.executable, "-m", "supervisor", "start", str(self.tree_file)),
            *("--run-dir", str(self.run_dir), "--store", str(self.store_dir)),
            *("--ready-file", str(self.home / "ready"), *self.options),
        ]
        (self.home / "ready").unlink(missing_ok=True)
        with self.said.open("ab") as said:
            self.process = subprocess.Popen(
                command, cwd=self.home, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=self.env(), **popen
            )
        return self.process

    def env(self) -> dict[str, str]:
        return os.environ | {"PYTHONPATH": str(ROOT), "THEATER_RUN_DIR": str(self.run_dir)}

    def wait_up(self) -> None:
        """Wait until the tree is up; fail with what the supervisor said if it ends first."""

        def up_or_over() -> bool:
            assert self.process.poll() is None, f"ended with {self.process.returncode}:\n{self.said.read_text()}"
            return (self.home / "ready").exists()

        until(up_or_over, "the tree to come up", 60.0)

    @property
    def client(self) -> Client:
        """A client of the supervisor that runs now."""
        if self._client is None:
            self._client = theater.connect(self.run_dir, timeout=DEADLINE_S)
        return self._client

    def actor(self, path: str) -> Any:
        return self.client.actor(path)

    def pid(self, path: str) -> int:
        """Pid of the actor's present worker."""
        return int(until(lambda: self.status(path).pid, f"a process of {path}"))

    def status(self, path: str) -> Any:
        return self.actor(path).get_status()

    def wait_incarnation(self, path: str, number: int) -> Any:
        """Wait until the actor runs as that incarnation or a later one."""

        def there() -> Any:
            try:
                status = self.status(path)
            except ActorError:
                return None
            return status if status.incarnation >= number and status.state in ("idle", "running") else None

        return until(there, f"incarnation {number} of {path}")

    def kill(self, path: str) -> None:
        """SIGKILL the actor's worker and wait for the next one."""
        before = self.status(path)
        os.kill(before.pid, signal.SIGKILL)
        self.wait_incarnation(path, before.incarnation + 1)

    def log_lines(self, *events: str) -> list[dict[str, Any]]:
        """The supervisor's log, or its lines of these events; a line that is just being written is none yet."""
        whole, _, _ = (self.store_dir / "logs.jsonl").read_bytes().rpartition(b"\n")
        lines = [json.loads(line) for line in whole.splitlines()]
        return [line for line in lines if not events or line["event"] in events]

    def ended(self) -> list[str]:
        """Paths of the actors whose ends are in the log, in order."""
        return [line["actor"] for line in self.log_lines("ended")]

    def cli(self, *arguments: str, check: int | None = 0, deadline_s: float = 60.0) -> str:
        """Run one command line verb; return what it printed on standard output."""
        done = subprocess.run(
            [sys.executable, "-m", "supervisor", *arguments],
            cwd=self.home,
            env=self.env(),
            capture_output=True,
            text=True,
            timeout=deadline_s,
        )
        assert check is None or done.returncode == check, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def workers(self) -> list[int]:
        """Pids of every process below the supervisor."""
        return [child.pid for child in self.processes()]

    def processes(self) -> list[psutil.Process]:
        """Every process below the supervisor."""
        try:
            return list(psutil.Process(self.process.pid).children(recursive=True))
        except psutil.NoSuchProcess:
            return []

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Stop the tree in order and return the supervisor's exit code."""
        self.drop_client()
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(DEADLINE_S)

    def drop_client(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def clean_up(self) -> None:
        """End whatever is left, whatever the test did."""
        self.drop_client()
        left = self.workers()
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(DEADLINE_S)
        for pid in left:
            try:
                psutil.Process(pid).wait(DEADLINE_S)
            except psutil.NoSuchProcess:
                pass


@contextmanager
def running_tree(home: Path, tree: str, *options: str, **popen: Any) -> Iterator[RunningTree]:
    """A tree that is up, and is stopped in order afterwards; if the test fails or it does not stop, it is killed."""
    running = RunningTree(home, tree, *options, wait=False, **popen)
    try:
        running.wait_up()
        yield running
        running.stop()
    finally:
        running.clean_up()
