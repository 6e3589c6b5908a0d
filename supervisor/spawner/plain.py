"""Spawn workers as plain interpreters (``--spawner exec``): slower and heavier, but no fork of a loaded process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import IO, Any

import msgspec

from supervisor.loop import Loop
from supervisor.spawner import Answer

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class ExecSpawner:
    """Spawner that starts ``python -m worker``; see ``supervisor.spawner.Spawner``."""

    spares = 0  # a whole interpreter each: too heavy to keep for nothing

    def __init__(self, loop: Loop, lifeline: int) -> None:
        self._loop = loop
        self._lifeline = lifeline

    def preload(self, artefact: str) -> None:
        """Nothing to prepare: every interpreter maps its own artefact."""

    def learn(self, metadata: bytes) -> None:
        """Nothing to prepare here either."""

    def spawn(self, boot: dict[str, Any], stderr: str, answer: Answer) -> None:
        """Start one interpreter; the boot record goes through a pipe on its standard input."""
        self._loop.call_soon(lambda: answer(self._start(boot, stderr)))

    def close(self) -> None:
        """Nothing to give back."""

    def _start(self, boot: dict[str, Any], stderr: str) -> int | str:
        try:
            read, write = os.pipe()
            with open(read, "rb") as stdin, open(write, "wb") as pipe, open(stderr, "ab") as log:
                pipe.write(msgspec.msgpack.encode(boot))  # far below the pipe's 64 KiB
                process = self._popen(stdin, log)
        except OSError as error:
            return f"cannot start an interpreter: {error}"
        process.returncode = 0  # the root reaps by pidfd; Popen must never wait for this pid
        return process.pid

    def _popen(self, stdin: IO[bytes], log: IO[bytes]) -> subprocess.Popen[bytes]:
        # A terminal's Ctrl-C must not end an interpreter that is still booting: the signals wait until it ignores them.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, STOP_SIGNALS)
        try:
            return subprocess.Popen(
                [sys.executable, "-m", "worker"],
                pass_fds=(self._lifeline,),
                stdin=stdin,
                stdout=log,
                stderr=log,
                env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            )
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
