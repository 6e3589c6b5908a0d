"""Guests' manifests: given to a process that reads them (supervisor.fleet.declaring), one at a time.

The process is started when the first guest spawns, and stays. If it ends, whatever the reason, the wish it was at is
refused, and the next one gets another process.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable

import msgspec

from supervisor.fleet.declaring import Declared, Wish, receive, send
from supervisor.loop import Loop
from supervisor.spawner.children import reap, send_signal

Done = Callable[[Declared], None]

_NOT_READ = "Start failed at manifest: it could not be read in time"


class Declarations:
    """What guests wish to spawn, in the order it came. Nothing here waits."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._waiting: deque[tuple[Wish, Done]] = deque()
        self._current: Done | None = None
        self._reader: _Reader | None = None

    def ask(self, wish: Wish, done: Done) -> None:
        """Have a manifest read; ``done`` is called later, from the loop."""
        self._waiting.append((wish, done))
        self._loop.call_soon(self._next)

    def close(self) -> None:
        """End the process. Nobody is called any more."""
        self._waiting.clear()
        self._current = None
        if self._reader is not None:
            self._reader.close()

    def _next(self) -> None:
        if self._current is not None or not self._waiting:
            return
        wish, self._current = self._waiting.popleft()
        try:
            self._reader = self._reader or _Reader(self._loop, self._answered, self._ended)
            self._reader.ask(wish)
        except OSError as error:
            self._done(Declared(refusal=f"Start failed at manifest: cannot have it read: {error}"))

    def _answered(self, answer: Declared) -> None:
        self._done(answer)

    def _ended(self) -> None:
        self._reader = None
        self._done(Declared(refusal=_NOT_READ, why="the process that reads manifests has ended"))

    def _done(self, answer: Declared) -> None:
        done, self._current = self._current, None
        if done is not None:
            done(answer)
        self._loop.call_soon(self._next)


class _Reader:
    """One life of the process."""

    def __init__(self, loop: Loop, answered: Done, ended: Callable[[], None]) -> None:
        self._loop = loop
        self._answered = answered
        self._ended = ended
        self._sock, theirs = socket.socketpair()
        try:
            with theirs:
                process = subprocess.Popen(
                    [sys.executable, "-P", "-m", "supervisor.fleet.declaring", str(theirs.fileno())],
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.DEVNULL,
                    pass_fds=[theirs.fileno()],
                    env=os.environ | {"PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
                )
        except OSError:
            self._sock.close()
            raise
        process.returncode = 0  # reaped by pidfd
        self._pidfd = os.pidfd_open(process.pid)
        loop.add_reader(self._sock.fileno(), self._read)
        loop.add_reader(self._pidfd, self._over)

    def ask(self, wish: Wish) -> None:
        """Pass a wish on. A process that has just ended is noticed by its pidfd."""
        try:
            send(self._sock, wish)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def close(self) -> None:
        """End the process and forget it; nobody is told."""
        send_signal(self._pidfd, signal.SIGKILL)
        try:
            os.waitid(os.P_PIDFD, self._pidfd, os.WEXITED)
        except ChildProcessError:
            pass
        self._release()

    def _read(self) -> None:
        try:
            data = receive(self._sock)
            answer = None if data is None else msgspec.msgpack.decode(data, type=Declared)
        except (OSError, msgspec.MsgspecError):
            answer = None
        if answer is None:
            self._loop.remove_reader(self._sock.fileno())
            send_signal(self._pidfd, signal.SIGKILL)
        else:
            self._answered(answer)

    def _over(self) -> None:
        try:
            if reap(self._pidfd) is None:
                return
        except ChildProcessError:
            pass  # as PID 1 somebody may reap before us
        self._release()
        self._ended()

    def _release(self) -> None:
        for fd in (self._sock.fileno(), self._pidfd):
            self._loop.remove_reader(fd)
        self._sock.close()
        os.close(self._pidfd)
