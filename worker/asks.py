"""Questions of the guest to the root: supervision functions (lifecycle section 10). Only the guest thread waits."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from itertools import count
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any, Final

from proto import control
from theater.errors import ActorError, OperationTimeout, from_wire

SHUTTING_DOWN: Final = "shutting-down"

Say = Callable[[Any, Sequence[bytes]], None]
Outcome = tuple[dict[str, Any], list[bytes]]
"""What the root answered: data and bodies."""


class RootRefusal(ActorError):
    """The root answered a supervision function with an error, in words meant for the guest."""

    kind = "handler"
    fields = ("reason",)

    def text(self) -> str:
        return str(self.data[0])


class Asks:
    """At most one question is under way: the guest that asks it waits."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._numbers = count(1)
        self._begun: dict[int, Callable[[Any], None]] = {}
        """Questions of the worker itself, which nobody waits for."""
        self.on_release: list[Callable[[], None]] = []
        """Rung when a stop is pending, for those who wait for something else."""
        self._waiting: dict[int, SimpleQueue[tuple[Any, list[bytes]]]] = {}
        self.released = Event()
        """A stop is pending: the guest gets no more answers, so that it can return (L5.3)."""
        self._stop_fd: int | None = None

    @property
    def is_released(self) -> bool:
        """A stop is pending."""
        return self.released.is_set()

    def ask(
        self, function: str, arguments: dict[str, Any], bodies: Sequence[bytes], timeout_s: float | None = None
    ) -> Outcome:
        """Ask and wait. An error of the root, and a stop that arrives meanwhile, are raised as ActorError."""
        if self.is_released:
            raise RootRefusal(SHUTTING_DOWN)
        return self.insist(function, arguments, bodies, timeout_s)

    def begin(self, function: str, arguments: dict[str, Any], then: Callable[[Any], None]) -> None:
        """Ask and go on: ``then`` is called by the post thread with Answered or Refused. Any thread."""
        number = next(self._numbers)
        self._begun[number] = then
        self._say(control.Ask(number, function, arguments), ())

    def insist(
        self, function: str, arguments: dict[str, Any], bodies: Sequence[bytes], timeout_s: float | None = None
    ) -> Outcome:
        """Ask even though a stop is pending: for what leaving itself needs."""
        number = next(self._numbers)
        answer: SimpleQueue[tuple[Any, list[bytes]]] = SimpleQueue()
        self._waiting[number] = answer
        try:
            self._say(control.Ask(number, function, arguments), bodies)
            message, parts = answer.get(timeout=timeout_s)
        except Empty:
            raise OperationTimeout(timeout_s) from None
        finally:
            del self._waiting[number]
        if isinstance(message, control.Refused):
            raise from_wire(message.kind, message.data)
        if "error" in message.data:
            raise RootRefusal(message.data["error"])
        return message.data, parts

    def answer(self, message: control.Answered | control.Refused, bodies: list[bytes]) -> bool:
        """Deliver the root's answer; False if nobody waits for it (any more). Post thread."""
        begun = self._begun.pop(message.id, None)
        if begun is not None:
            begun(message)
            return True
        waiting = self._waiting.get(message.id)
        if waiting is None:
            return False
        waiting.put((message, bodies))
        return True

    def release(self) -> None:
        """Fail what is under way and what the guest may still ask with ``shutting-down``. Any thread."""
        self.released.set()
        if self._stop_fd is not None:
            os.eventfd_write(self._stop_fd, 1)
        self.abandon()
        for ring in self.on_release:
            ring()

    @property
    def stop_fd(self) -> int:
        """A descriptor that is readable from ``release`` on, for host calls that wait for something else. Guest thread.

        Either this sees that it is released already, or ``release`` sees the descriptor: so it is made first.
        """
        if self._stop_fd is None:
            self._stop_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            if self.is_released:
                os.eventfd_write(self._stop_fd, 1)
        return self._stop_fd

    def close(self) -> None:
        """Give the descriptor back; nobody may ask any more."""
        fd, self._stop_fd = self._stop_fd, None
        if fd is not None:
            os.close(fd)

    def abandon(self) -> None:
        """Fail what is under way: no answer will come."""
        for number, waiting in list(self._waiting.items()):
            waiting.put((control.Answered(number, {"error": SHUTTING_DOWN}), []))
