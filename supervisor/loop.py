"""The root's one loop: file descriptors, ZeroMQ sockets, timers and signals over one epoll.

Nothing here knows what the callbacks do; nothing here may block but ``epoll_wait``. A ZeroMQ socket's descriptor is
edge-triggered and a send may eat the edge, so every pass asks each socket itself (``ZMQ_EVENTS``, below a
microsecond) before it sleeps: no edge can be lost. Work per pass is bounded: a socket hands over at most its burst.
"""

from __future__ import annotations

import heapq
import itertools
import select
import signal
import socket
import time
from collections.abc import Callable
from typing import Any, cast

import zmq

Callback = Callable[[], None]
FramesHandler = Callable[[list[Any]], None]
"""Receives the frames of one message: bytes, or zmq.Frame where the socket was added with ``copy=False``."""

EVENTS_PER_PASS_MAX = 256
NS_PER_S = 1_000_000_000
SLEEP_S_MAX = 3600.0
"""epoll counts milliseconds in 32 bits; waking once an hour for nothing costs nothing."""
SWEEP_FIRST = 1024
"""So many timers, and the cancelled ones among them are thrown out; again at twice what is left."""


class Timer:
    """One callback at one time; ``cancel`` makes it never happen."""

    __slots__ = ("at_ns", "callback")

    def __init__(self, at_ns: int, callback: Callback) -> None:
        self.at_ns = at_ns
        self.callback: Callback | None = callback

    def cancel(self) -> None:
        """Never call back. Cancelling twice, or after it fired, is fine."""
        self.callback = None


class _Reader:
    """A ZeroMQ socket with the handler of its messages and how many it may hand over in one pass."""

    __slots__ = ("burst", "copy", "handler", "socket")

    def __init__(self, sock: zmq.Socket[bytes], handler: FramesHandler, burst: int, copy: bool) -> None:
        self.socket = sock
        self.handler = handler
        self.burst = burst
        self.copy = copy

    def drain(self) -> bool:
        """Hand over up to ``burst`` messages; True if more may be waiting."""
        for _ in range(self.burst):
            try:
                frames = self.socket.recv_multipart(zmq.NOBLOCK, copy=self.copy)
            except zmq.Again:
                return False
            self.handler(frames)
        return True

    def waiting(self) -> bool:
        return bool(cast(int, self.socket.getsockopt(zmq.EVENTS)) & zmq.POLLIN)


class Loop:
    """Wait for descriptors, messages, times and signals, and call back, until ``stop`` is called."""

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self._callbacks: dict[int, Callback] = {}
        self._readers: list[_Reader] = []
        self._timers: list[tuple[int, int, Timer]] = []
        self._order = itertools.count()
        self._sweep_at = SWEEP_FIRST
        self._signals: dict[int, Callback] = {}
        self._old_handlers: dict[int, Any] = {}
        self._soon: list[Callback] = []
        self._stopped = False
        self._wake_in, self._wake_out = socket.socketpair()
        self._wake_in.setblocking(False)
        self._wake_out.setblocking(False)
        self._old_wakeup = signal.set_wakeup_fd(self._wake_out.fileno(), warn_on_full_buffer=False)
        self.add_reader(self._wake_in.fileno(), self._on_signal_bytes)

    @staticmethod
    def now_ns() -> int:
        """The clock of the timers (monotonic)."""
        return time.monotonic_ns()

    # -- what to wait for ----------------------------------------------------------------------------------------

    def add_reader(self, fd: int, callback: Callback) -> None:
        """Call back whenever the descriptor is readable (level-triggered)."""
        self._callbacks[fd] = callback
        self._epoll.register(fd, select.EPOLLIN)

    def remove_reader(self, fd: int) -> None:
        """Forget a descriptor; call before closing it."""
        if self._callbacks.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def add_socket(
        self, sock: zmq.Socket[bytes], handler: FramesHandler, burst: int = 64, copy: bool = True
    ) -> None:
        """Hand every message of a ZeroMQ socket to the handler. Sockets added first are drained first."""
        self._readers.append(_Reader(sock, handler, burst, copy))
        self._epoll.register(cast(int, sock.getsockopt(zmq.FD)), select.EPOLLIN | select.EPOLLET)

    def on_signal(self, number: int, callback: Callback) -> None:
        """Call back, in the loop, after the signal arrived."""
        self._signals[number] = callback
        self._old_handlers.setdefault(number, signal.signal(number, _ignore))

    def call_at(self, at_ns: int, callback: Callback) -> Timer:
        """Call back once the monotonic clock has reached ``at_ns``."""
        if len(self._timers) >= self._sweep_at:
            self._sweep()
        timer = Timer(at_ns, callback)
        heapq.heappush(self._timers, (at_ns, next(self._order), timer))
        return timer

    def call_later(self, delay_ms: float, callback: Callback) -> Timer:
        """Call back after ``delay_ms`` milliseconds."""
        return self.call_at(self.now_ns() + int(delay_ms * 1_000_000), callback)

    def call_soon(self, callback: Callback) -> None:
        """Call back in the next pass."""
        self._soon.append(callback)

    # -- running -----------------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until ``stop``."""
        while not self._stopped:
            self.run_once()

    def stop(self) -> None:
        """Leave ``run`` after the current pass."""
        self._stopped = True

    def run_once(self, timeout_s: float | None = None) -> None:
        """One pass: sleep until something is due (at most ``timeout_s``), then serve a bounded amount of it."""
        busy = bool(self._soon) or any(reader.waiting() for reader in self._readers)
        wait = 0.0 if busy else self._sleep_s(timeout_s)
        for fd, _ in self._epoll.poll(wait, EVENTS_PER_PASS_MAX):
            callback = self._callbacks.get(fd)
            if callback is not None:
                callback()
        for reader in self._readers:
            reader.drain()
        soon, self._soon = self._soon, []
        for callback in soon:
            callback()
        self._fire_timers()

    def close(self) -> None:
        """Give back descriptors and signal handlers. The loop cannot be used afterwards."""
        signal.set_wakeup_fd(self._old_wakeup)
        for number, handler in self._old_handlers.items():
            signal.signal(number, handler)
        self._epoll.close()
        self._wake_in.close()
        self._wake_out.close()

    def _sleep_s(self, limit_s: float | None) -> float | None:
        while self._timers and self._timers[0][2].callback is None:
            heapq.heappop(self._timers)
        if not self._timers:
            return limit_s
        due_s = min(max(0.0, (self._timers[0][0] - self.now_ns()) / NS_PER_S), SLEEP_S_MAX)
        return due_s if limit_s is None else min(due_s, limit_s)

    def _sweep(self) -> None:
        self._timers = [entry for entry in self._timers if entry[2].callback is not None]
        heapq.heapify(self._timers)
        self._sweep_at = max(SWEEP_FIRST, 2 * len(self._timers))

    def _fire_timers(self) -> None:
        now_ns = self.now_ns()
        while self._timers and self._timers[0][0] <= now_ns:
            timer = heapq.heappop(self._timers)[2]
            callback, timer.callback = timer.callback, None
            if callback is not None:
                callback()

    def _on_signal_bytes(self) -> None:
        try:
            numbers = self._wake_in.recv(4096)
        except BlockingIOError:
            return
        for number in numbers:
            callback = self._signals.get(number)
            if callback is not None:
                callback()


def _ignore(*_: object) -> None:
    """The Python-level handler: the wake-up descriptor has already told the loop."""
