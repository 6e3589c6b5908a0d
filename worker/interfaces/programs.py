"""Programs that run for an actor: started without a shell, never longer than the actor, waited for with bounds.

Each runs in a session of its own, so that it can be killed together with what it has started. The kernel kills it when
the worker dies, however that happens (PR_SET_PDEATHSIG); what has left its session is found at an orderly end, because
such orphans become the worker's children (PR_SET_CHILD_SUBREAPER). Not reached is what a program has started itself if
the worker is killed: the kernel tells children of a death, not grandchildren.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from worker.asks import SHUTTING_DOWN
from worker.interfaces.registry import Refusal

PR_SET_PDEATHSIG: Final = 1
PR_SET_CHILD_SUBREAPER: Final = 36
CHUNK: Final = 1 << 16
"""What a pipe holds."""
SWEEP_S: Final = 2.0
"""Time to end what a program has left behind."""
IGNORED_BY_WORKERS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTTIN, signal.SIGTTOU)


class Program:
    """One program that was started."""

    def __init__(
        self, path: str, arguments: Sequence[str], *, environment: Mapping[str, str], directory: str
    ) -> None:
        """Start it. Raises OSError, ValueError or subprocess.SubprocessError."""
        import subprocess

        libc, worker = ctypes.CDLL(None, use_errno=True), os.getpid()
        libc.prctl(PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(1), 0, 0, 0)

        def die_with_the_worker() -> None:
            libc.prctl(PR_SET_PDEATHSIG, ctypes.c_ulong(signal.SIGKILL), 0, 0, 0)
            if os.getppid() != worker:
                os._exit(1)  # it died before we asked
            for number in IGNORED_BY_WORKERS:
                signal.signal(number, signal.SIG_DFL)

        self.path = path
        self._popen = subprocess.Popen(
            [path, *arguments],
            executable=path,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=directory,
            env=dict(environment),
            bufsize=0,
            start_new_session=True,
            preexec_fn=die_with_the_worker,  # uses nothing that another thread may have locked at the fork
        )
        self.pid = self._popen.pid
        self._pidfd = os.pidfd_open(self.pid)
        self._pipes: list[Any] = [self._popen.stdin, self._popen.stdout, self._popen.stderr]
        for pipe in self._pipes:
            os.set_blocking(pipe.fileno(), False)

    @property
    def has_ended(self) -> bool:
        """It has ended; nobody has asked for its exit code yet."""
        return bool(_readable(self._pidfd))

    def feed(self, data: bytes) -> int:
        """Give it some of this as standard input; return how much it took. Raises BrokenPipeError if it takes none."""
        stdin = self._pipes[0]
        if stdin is None:
            raise BrokenPipeError
        taken = 0
        while taken < len(data):
            try:
                taken += os.write(stdin.fileno(), data[taken : taken + CHUNK])
            except BlockingIOError:
                break
            except BrokenPipeError:
                self.close_input()
                raise
        return taken

    def close_input(self) -> None:
        """Let it find the end of its standard input."""
        self._close(0)

    def take(self, number: int, most: int) -> bytes:
        """What there is of its standard output (1) or error (2), up to this many bytes."""
        found = bytearray()
        pipe = self._pipes[number]
        while pipe is not None and len(found) < most:
            try:
                data = os.read(pipe.fileno(), min(CHUNK, most - len(found)))
            except BlockingIOError:
                break
            if not data:
                self._close(number)
                break
            found += data
        return bytes(found)

    def run(self, data: bytes, *, timeout_ms: int, output_max: int, stop_fd: int) -> tuple[bytes, bytes]:
        """Feed it, take its two outputs, and return them when it has ended. It does not outlive a refusal."""
        outputs = [bytearray(), bytearray()]
        until_ns = time.monotonic_ns() + timeout_ms * 1_000_000
        left = memoryview(data)
        while True:
            if left or not data:
                left = self._feed_some(left)
            ended = self.has_ended  # asked first: what it wrote before its end is there
            for number, output in enumerate(outputs, 1):
                output += self.take(number, output_max + 1 - len(output))
                if len(output) > output_max:
                    raise Refusal(f"{self.path}: more than {output_max} bytes of output")
            if ended:
                return bytes(outputs[0]), bytes(outputs[1])
            if _readable(stop_fd):
                raise Refusal(SHUTTING_DOWN)
            if time.monotonic_ns() >= until_ns:
                raise Refusal(f"{self.path}: still running after {timeout_ms} ms")
            self._wait(bool(left), stop_fd, until_ns)

    def _feed_some(self, left: memoryview) -> memoryview:
        if self._pipes[0] is None:
            return left[:0]
        try:
            left = left[self.feed(bytes(left)) :]
        except BrokenPipeError:
            return left[:0]  # it reads no more: its choice
        if not left:
            self.close_input()
        return left

    def _wait(self, has_input: bool, stop_fd: int, until_ns: int) -> None:
        """Until something can be done."""
        poller = select.poll()
        for fd in (self._pidfd, stop_fd, *(pipe.fileno() for pipe in self._pipes[1:] if pipe is not None)):
            poller.register(fd, select.POLLIN)
        if has_input and self._pipes[0] is not None:
            poller.register(self._pipes[0].fileno(), select.POLLOUT)
        poller.poll(min(max(0, -(-(until_ns - time.monotonic_ns()) // 1_000_000)), 1 << 30))

    def end(self) -> int:
        """Kill it, with everything in its session's group, and return its exit code: -9 if this is what ended it.

        It is reaped last: until then nobody else can have its number.
        """
        for number in range(3):
            self._close(number)
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            pass  # only a zombie is left of it
        code = self._popen.wait()
        os.close(self._pidfd)
        return code

    def _close(self, number: int) -> None:
        if self._pipes[number] is not None:
            self._pipes[number].close()
            self._pipes[number] = None


def children() -> set[int]:
    """Pids of this process's children, ended ones that were not waited for included."""
    found: set[int] = set()
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/children", encoding="ascii") as listed:
                found.update(map(int, listed.read().split()))
        except FileNotFoundError:
            continue  # the thread has ended meanwhile, or the kernel does not tell
    return found


def sweep(others: set[int]) -> None:
    """End what programs have left behind: every child of this process but those, and what becomes its child by that."""
    until_s = time.monotonic() + SWEEP_S
    while (left := children() - others) and time.monotonic() < until_s:
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, os.WNOHANG)
            except (ProcessLookupError, PermissionError, ChildProcessError):
                pass
        select.select([], [], [], 0.001)


def _readable(fd: int) -> bool:
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(0))
