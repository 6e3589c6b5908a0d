"""Workers forked ahead of need: a start takes one that has said hello already, and pays for no fork.

A worker learns what it is only from Init, so any worker can become any actor. After a start there is time to make the
next spare, and a restart, which is when it matters, finds it ready.
"""

from __future__ import annotations

import os
import secrets
import signal
from collections import deque
from typing import Any

from proto import control
from supervisor.fleet.services import Services
from supervisor.loop import Timer
from supervisor.spawner.children import reap, send_signal

ROUTING_BYTES = 16
TOKEN_BYTES = 16
REFILL_MS = 25
BURST_MS = 50
"""Starts closer together than this are a burst."""
FAILURES_MAX = 3
"""Spares that came to nothing, in a row, before no more are made."""


class Spare:
    """A worker process that is nobody yet, from the request to fork it until somebody takes it."""

    __slots__ = ("hello", "peer", "pid", "pidfd", "routing", "token")

    def __init__(self) -> None:
        self.routing = secrets.token_bytes(ROUTING_BYTES)
        self.token = secrets.token_bytes(TOKEN_BYTES)
        self.pid = 0
        self.pidfd = -1
        self.hello: control.Hello | None = None
        self.peer: tuple[int, int] | None = None


class Spares:
    """Keeps as many spares as the spawner is good for."""

    def __init__(self, services: Services) -> None:
        self._s = services
        self._free: deque[Spare] = deque()
        self._by_routing: dict[bytes, Spare] = {}
        self._failures = 0
        self._refill: Timer | None = None
        self._taken_ns = 0
        self._in_burst = False

    def boot(self, routing: bytes, token: bytes, rehearses: bool = False) -> dict[str, Any]:
        """What a new worker must know to say hello (worker.process)."""
        sockets = self._s.sockets
        return {
            "routing": routing,
            "token": token,
            "control": sockets.endpoint("control"),
            "stream": sockets.endpoint("stream"),
            "endpoint": sockets.endpoint(endpoint_name(routing)),
            "lifeline": self._s.lifeline,
            "supervisor_pid": os.getpid(),
            "rehearses": rehearses,
        }

    def refill(self) -> None:
        """Have the missing spares forked; nobody waits for them.

        While starts follow each other, at once, beside the one that loads. After a single start later, so as not to
        take the processor from it, and with a rehearsal of what a start does.
        """
        if self._refill is not None:
            self._refill.cancel()
        if self._in_burst:
            self._fork_missing(rehearses=False)
        else:
            self._refill = self._s.loop.call_later(REFILL_MS, lambda: self._fork_missing(rehearses=True))

    def take(self) -> Spare | None:
        """Give away a spare that has said hello; None if there is none.

        One that is still on its way would be slower than a fork that skips the rehearsal.
        """
        now_ns = self._s.loop.now_ns()
        self._in_burst = now_ns - self._taken_ns < BURST_MS * 1_000_000
        self._taken_ns = now_ns
        spare = next((each for each in self._free if each.hello is not None and each.pid), None)
        if spare is None:
            return None
        self._free.remove(spare)
        del self._by_routing[spare.routing]
        self._unwatch(spare)
        return spare

    def on_hello(self, routing: bytes, hello: control.Hello, peer: tuple[int, int] | None) -> bool:
        """A worker nobody has a life for says hello; whether it is one of ours. Who it is, is checked when taken."""
        spare = self._by_routing.get(routing)
        if spare is None:
            return False
        spare.hello, spare.peer = hello, peer
        self._failures = 0
        return True

    def close(self) -> None:
        """End and reap every spare."""
        for spare in self._free:
            if spare.pidfd >= 0:
                send_signal(spare.pidfd, signal.SIGKILL)
                os.waitid(os.P_PIDFD, spare.pidfd, os.WEXITED)
                self._unwatch(spare)
        self._free.clear()
        self._by_routing.clear()
        self._failures = FAILURES_MAX

    # -- their own life ---------------------------------------------------------------------------------------------

    def _fork_missing(self, rehearses: bool) -> None:
        while len(self._free) < self._s.spawner.spares and self._failures < FAILURES_MAX:
            spare = Spare()
            self._free.append(spare)
            self._by_routing[spare.routing] = spare
            self._request(spare, rehearses)

    def _request(self, spare: Spare, rehearses: bool) -> None:
        stderr = self._s.dirs.stderr_of(spare.routing)
        boot = self.boot(spare.routing, spare.token, rehearses)
        self._s.spawner.spawn(boot, stderr, lambda answer: self._spawned(spare, answer))

    def _spawned(self, spare: Spare, answer: int | str) -> None:
        if isinstance(answer, str):
            self._lose(spare)
        else:
            spare.pid = answer
            spare.pidfd = os.pidfd_open(answer)
            self._s.register.pids.add(answer)
            self._s.loop.add_reader(spare.pidfd, lambda: self._on_exit(spare))

    def _on_exit(self, spare: Spare) -> None:
        if reap(spare.pidfd) is None:
            return
        self._s.register.pids.discard(spare.pid)
        self._unwatch(spare)
        self._lose(spare)

    def _lose(self, spare: Spare) -> None:
        """It ended before anybody wanted it. The next start makes another."""
        self._failures += 1
        if spare in self._free:
            self._free.remove(spare)
        self._by_routing.pop(spare.routing, None)
        for path in (
            self._s.dirs.stderr_of(spare.routing),
            os.path.join(self._s.dirs.run, endpoint_name(spare.routing)),
        ):
            try:
                os.unlink(path)
            except OSError:
                pass

    def _unwatch(self, spare: Spare) -> None:
        if spare.pidfd >= 0:
            self._s.loop.remove_reader(spare.pidfd)
            os.close(spare.pidfd)
            spare.pidfd = -1


def endpoint_name(routing: bytes) -> str:
    """Where a worker's operation socket is, inside the run directory."""
    return os.path.join("w", routing.hex()[:16])
