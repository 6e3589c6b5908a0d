"""Programs that run for an actor: started without a shell, never longer than the actor, waited for with bounds.

They run below a guard process (worker.interfaces.guard), which sees to it that nothing of them outlives the worker,
however that ends. Each runs in a session of its own, so that it can be killed together with what it has started; what
has left its session is found as soon as no program of the actor runs any more.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from worker.asks import SHUTTING_DOWN
from worker.interfaces import guard
from worker.interfaces.children import children, clear
from worker.interfaces.registry import Refusal

CHUNK: Final = 1 << 16
"""What a pipe holds."""
CLOSE_S: Final = 2.0
"""Time to kill everything at an orderly end. The guard goes on without us."""


class Guard:
    """The process above an actor's programs, as the worker sees it."""

    def __init__(self) -> None:
        self._others = children()
        """Children of the worker that are none of the guard's: not ours to kill."""
        self._pid, self._lifeline = guard.fork()

    @property
    def is_there(self) -> bool:
        """It never speaks first: what can be read is its end."""
        return not _readable(self._lifeline.fileno())

    def order(self, *order: Any, fds: Sequence[int] = ()) -> tuple[Any, list[int]]:
        """Have it do something; return its answer. Raises guard.Gone."""
        guard.send(self._lifeline, order, fds)
        return guard.receive(self._lifeline)

    def sweep(self) -> None:
        """Have it end what programs have left behind."""
        try:
            self.order("sweep")
        except guard.Gone:
            pass  # then ``close`` does

    def close(self) -> None:
        """Have everything killed, and wait for the guard's own end."""
        self._lifeline.close()
        pidfd = os.pidfd_open(self._pid)
        _readable(pidfd, CLOSE_S)
        os.close(pidfd)
        if os.waitpid(self._pid, os.WNOHANG)[1]:
            clear(time.monotonic() + CLOSE_S, self._others)  # it was killed: what was below it has fallen to us


class Program:
    """One program that was started."""

    def __init__(
        self, guard_: Guard, path: str, arguments: Sequence[str], *, environment: Mapping[str, str], directory: str
    ) -> None:
        """Start it.

        Raises:
            Refusal: it cannot be started.
            guard.Gone: nor can any other, below this guard.
        """
        self.path = path
        self._guard = guard_
        pipes = [os.pipe() for _ in range(3)]
        its = [pipes[0][0], pipes[1][1], pipes[2][1]]
        self._pipes: list[int | None] = [pipes[0][1], pipes[1][0], pipes[2][0]]
        try:
            order = ("start", path, list(arguments), dict(environment), directory)
            self.pid, fds = guard_.order(*order, fds=its)
            if not fds:
                raise Refusal(f"{path}: {self.pid}")
        except BaseException:
            self._close_all()
            raise
        finally:
            for fd in its:
                os.close(fd)
        [self._pidfd] = fds
        for pipe in self._pipes:
            assert pipe is not None
            os.set_blocking(pipe, False)

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
                taken += os.write(stdin, data[taken : taken + CHUNK])
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
                data = os.read(pipe, min(CHUNK, most - len(found)))
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
        for fd in (self._pidfd, stop_fd, *(pipe for pipe in self._pipes[1:] if pipe is not None)):
            poller.register(fd, select.POLLIN)
        if has_input and self._pipes[0] is not None:
            poller.register(self._pipes[0], select.POLLOUT)
        poller.poll(min(max(0, -(-(until_ns - time.monotonic_ns()) // 1_000_000)), 1 << 30))

    def end(self) -> int:
        """Kill it, with everything in its session's group, and return its exit code: -9 if this is what ended it."""
        self.let_go()
        try:
            code, _ = self._guard.order("end", self.pid)
        except guard.Gone:
            return -signal.SIGKILL
        assert isinstance(code, int)
        return code

    def let_go(self) -> None:
        """Close what is held of it."""
        self._close_all()
        os.close(self._pidfd)

    def _close_all(self) -> None:
        for number in range(3):
            self._close(number)

    def _close(self, number: int) -> None:
        pipe, self._pipes[number] = self._pipes[number], None
        if pipe is not None:
            os.close(pipe)


def _readable(fd: int, timeout_s: float = 0) -> bool:
    poller = select.poll()
    poller.register(fd, select.POLLIN)
    return bool(poller.poll(timeout_s * 1000))
