"""Waits of the guest thread: every one has an end, and a stop of the actor ends it early."""

from __future__ import annotations

import select
import time
from collections.abc import Callable
from typing import Final, TypeVar

from worker.asks import SHUTTING_DOWN
from worker.interfaces.context import Context
from worker.interfaces.registry import Refusal

READ: Final = select.POLLIN
WRITE: Final = select.POLLOUT

T = TypeVar("T")


class TimedOut(Refusal):
    """The time for it is over."""


class Stopped(Refusal):
    """The actor is to stop: the guest gets no more answers, so that it can return (L5.3)."""

    def __init__(self) -> None:
        super().__init__(SHUTTING_DOWN)


class NotNow(Exception):
    """Nothing can be read or written at the moment: wait for these events, and try again."""

    def __init__(self, events: int) -> None:
        super().__init__(events)
        self.events = events


class Deadline:
    """When a wait is over at the latest, and what is said then."""

    __slots__ = ("_at_ns", "what")

    def __init__(self, after_ms: int, what: str) -> None:
        self._at_ns = time.monotonic_ns() + after_ms * 1_000_000
        self.what = f"{what}: timed out after {after_ms} ms"

    def left_ms(self) -> int:
        """Milliseconds from now; 0 when it has passed."""
        return max(0, -(-(self._at_ns - time.monotonic_ns()) // 1_000_000))


class Waits:
    """Waits for descriptors on behalf of the guest."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def until(self, fd: int, events: int, deadline: Deadline) -> None:
        """Return when one of these events is there.

        Raises:
            TimedOut: the deadline has passed.
            Stopped: the actor is to stop.
        """
        poll = select.poll()
        poll.register(fd, events)
        poll.register(self._context.stop_fd, READ)
        while not self._context.is_stopping:
            left_ms = deadline.left_ms()
            ready = poll.poll(left_ms)
            if any(found == fd for found, _ in ready):
                return
            if not ready and not left_ms:
                raise TimedOut(deadline.what)
        raise Stopped

    def done(self, attempt: Callable[[], T], fd: int, deadline: Deadline) -> T:
        """What ``attempt`` returns once it does not say NotNow any more."""
        while True:
            try:
                return attempt()
            except NotNow as later:
                self.until(fd, later.events, deadline)
