"""Packages and their compiled artefacts: ask a throwaway process to prepare what is not known yet.

Compiling never happens in the root nor in the template process (wasmtime's threads would poison its forks). The
helper, ``python -m worker.prepare``, digests each file, compiles it into the artefact cache and prints one JSON line
per file. A file known by size and modification time is not prepared again, so a restart costs one stat.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from supervisor.loop import Loop
from supervisor.spawner.children import reap, send_signal

PREPARE_MS_MAX = 600_000
OUTPUT_BYTES_MAX = 64 * 1024 * 1024
FILES_PER_RUN_MAX = 256
"""A command line has its limits."""
KNOWN_MAX = 4096
"""Packages remembered; a guest may hand over new ones for ever."""


class Prepared(msgspec.Struct, frozen=True, kw_only=True):
    """A package ready to be started, or why it is not (``error``)."""

    file: str
    digest: str = ""
    artefact: str = ""
    counts_fuel: bool = False
    """The artefact is for actors with limits of fuel."""
    error: str | None = None


Stamp = tuple[int, int, int, int]
Done = Callable[[Prepared], None]
Wanted = tuple[str, bool]
"""A file, and whether its actors have limits of fuel: that is another artefact."""


class Packages:
    """What is known of package files, and the helper process that finds out the rest."""

    def __init__(self, loop: Loop, cache_dir: str) -> None:
        self._loop = loop
        self._cache_dir = cache_dir
        self._known: dict[Wanted, tuple[Stamp, Prepared]] = {}
        self._wanted: dict[Wanted, list[Done]] = {}
        self._run: _Run | None = None
        self.on_compiling: Callable[[str], None] = lambda file: None
        """Told of each file that is not in the cache, when its compilation begins."""

    def resolve(self, file: str, done: Done, counts_fuel: bool = False) -> None:
        """Call ``done`` with the prepared package: at once if it is known, else when the helper has answered.

        ``counts_fuel``: for an actor with limits of fuel (``ActorOptions.counts_fuel``).
        """
        wanted = file, counts_fuel
        known = self._known.get(wanted)
        if known is not None and known[0] == _stamp(file) and os.path.exists(known[1].artefact):
            done(known[1])
            return
        self._wanted.setdefault(wanted, []).append(done)
        self._loop.call_soon(self._start)

    def close(self) -> None:
        """End the helper if it runs. Nobody is called any more."""
        self._wanted.clear()
        if self._run is not None:
            self._run.close()
            self._run = None

    def _start(self) -> None:
        if self._run is not None or not self._wanted:
            return
        files = {wanted: self._wanted.pop(wanted) for wanted in list(self._wanted)[:FILES_PER_RUN_MAX]}
        try:
            self._run = _Run(self._loop, self._cache_dir, files, self._finished, self._began)
        except OSError as error:
            text = f"cannot start the compiler process: {error}"
            self._finished([(None, _failed(wanted, text), waiting) for wanted, waiting in files.items()])

    def _finished(self, results: list[tuple[Stamp | None, Prepared, list[Done]]]) -> None:
        self._run = None
        for stamp, prepared, waiting in results:
            if prepared.error is None and stamp is not None:
                self._remember(stamp, prepared)
            for done in waiting:
                done(prepared)
        if self._wanted:
            self._loop.call_soon(self._start)

    def _began(self, file: str) -> None:
        self.on_compiling(file)

    def _remember(self, stamp: Stamp, prepared: Prepared) -> None:
        self._known[prepared.file, prepared.counts_fuel] = (stamp, prepared)
        while len(self._known) > KNOWN_MAX:
            del self._known[next(iter(self._known))]


class _Run:
    """One life of the helper process."""

    def __init__(
        self,
        loop: Loop,
        cache_dir: str,
        files: dict[Wanted, list[Done]],
        finished: Callable[[list[tuple[Stamp | None, Prepared, list[Done]]]], None],
        began: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self._files = files
        self._finished = finished
        self._began = began
        self._output = bytearray()
        self._looked_at = 0
        """So much of it was searched for compilations that have begun."""
        self._stamps = {wanted: _stamp(wanted[0]) for wanted in files}
        plain = [file for file, counts_fuel in files if not counts_fuel]
        fuelled = [f"--fuel={file}" for file, counts_fuel in files if counts_fuel]
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "worker.prepare", "--cache", cache_dir, *fuelled, *plain],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
        )
        self._process.returncode = 0  # reaped by pidfd below
        self._pidfd = os.pidfd_open(self._process.pid)
        assert self._process.stdout is not None
        self._stdout = self._process.stdout
        os.set_blocking(self._stdout.fileno(), False)
        loop.add_reader(self._stdout.fileno(), self._read)
        loop.add_reader(self._pidfd, self._ended)
        self._timer = loop.call_later(PREPARE_MS_MAX, self.kill)

    def kill(self) -> None:
        """End the process; what it has answered so far counts."""
        send_signal(self._pidfd, signal.SIGKILL)

    def close(self) -> None:
        """End the process and forget it; nobody is told."""
        self.kill()
        _wait(self._pidfd)
        self._release()

    def _read(self) -> None:
        try:
            data = os.read(self._stdout.fileno(), 1 << 20)
        except BlockingIOError:
            return
        if not data:
            self._loop.remove_reader(self._stdout.fileno())
        self._output += data
        if len(self._output) > OUTPUT_BYTES_MAX:
            self.kill()
        end = self._output.rfind(b"\n") + 1
        for answer in _lines(bytes(self._output[self._looked_at : end])):
            if answer.get("compiling") and any(answer.get("file") == file for file, _ in self._files):
                self._began(answer["file"])
        self._looked_at = end

    def _ended(self) -> None:
        status = _status(self._pidfd)
        if status is None:
            return
        self._drain()
        self._release()
        answers = _parse(bytes(self._output))
        missing = f"the compiler process {status} before it had answered"
        self._finished(
            [
                (self._stamps[wanted], answers.get(wanted) or _failed(wanted, missing), waiting)
                for wanted, waiting in self._files.items()
            ]
        )

    def _release(self) -> None:
        self._timer.cancel()
        for fd in (self._stdout.fileno(), self._pidfd):
            self._loop.remove_reader(fd)
        self._stdout.close()
        os.close(self._pidfd)

    def _drain(self) -> None:
        try:
            while data := os.read(self._stdout.fileno(), 1 << 20):
                self._output += data
        except BlockingIOError:
            pass


def _status(pidfd: int) -> str | None:
    """How the process ended, in words; None while it runs."""
    try:
        status = reap(pidfd)
    except ChildProcessError:
        return "has gone"  # as PID 1 somebody may reap before us
    if status is None:
        return None
    return f"ended by signal {status.signal}" if status.signal is not None else f"ended with code {status.exit_code}"


def _wait(pidfd: int) -> None:
    try:
        os.waitid(os.P_PIDFD, pidfd, os.WEXITED)
    except ChildProcessError:
        pass


def _failed(wanted: Wanted, error: str) -> Prepared:
    return Prepared(file=wanted[0], counts_fuel=wanted[1], error=error)


def _parse(output: bytes) -> dict[Wanted, Prepared]:
    answers: dict[Wanted, Prepared] = {}
    for said in _lines(output):
        try:
            if not said.get("compiling"):
                answer = msgspec.convert(said, Prepared)
                answers[answer.file, answer.counts_fuel] = answer
        except msgspec.MsgspecError:
            continue  # a line that is not an answer leaves its file without one
    return answers


def _lines(output: bytes) -> Iterator[dict[str, Any]]:
    for line in output.splitlines():
        try:
            said = msgspec.json.decode(line)
        except msgspec.MsgspecError:
            continue
        if isinstance(said, dict):
            yield said


def _stamp(file: str) -> Stamp | None:
    try:
        stat = os.stat(file)
    except OSError:
        return None
    return (stat.st_dev, stat.st_ino, stat.st_mtime_ns, stat.st_size)
