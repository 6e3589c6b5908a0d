"""Questions of the guest to the root: supervision functions (lifecycle section 10). Only the guest thread waits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from queue import SimpleQueue
from threading import Event
from typing import Any, Final

from proto import control
from theater.errors import ActorError, from_wire

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
        self._number = 0
        self._waiting: dict[int, SimpleQueue[tuple[Any, list[bytes]]]] = {}
        self.released = Event()
        """A stop is pending: the guest gets no more answers, so that it can return (L5.3)."""

    @property
    def is_released(self) -> bool:
        """A stop is pending."""
        return self.released.is_set()

    def ask(self, function: str, arguments: dict[str, Any], bodies: Sequence[bytes]) -> Outcome:
        """Ask and wait. An error of the root, and a stop that arrives meanwhile, are raised as ActorError."""
        if self.is_released:
            raise RootRefusal(SHUTTING_DOWN)
        return self.insist(function, arguments, bodies)

    def insist(self, function: str, arguments: dict[str, Any], bodies: Sequence[bytes]) -> Outcome:
        """Ask even though a stop is pending: for what leaving itself needs."""
        self._number += 1
        number = self._number
        answer: SimpleQueue[tuple[Any, list[bytes]]] = SimpleQueue()
        self._waiting[number] = answer
        try:
            self._say(control.Ask(number, function, arguments), bodies)
            message, parts = answer.get()
        finally:
            del self._waiting[number]
        if isinstance(message, control.Refused):
            raise from_wire(message.kind, message.data)
        if "error" in message.data:
            raise RootRefusal(message.data["error"])
        return message.data, parts

    def answer(self, message: control.Answered | control.Refused, bodies: list[bytes]) -> bool:
        """Deliver the root's answer; False if nobody waits for it (any more). Post thread."""
        waiting = self._waiting.get(message.id)
        if waiting is None:
            return False
        waiting.put((message, bodies))
        return True

    def release(self) -> None:
        """Fail what is under way and what the guest may still ask with ``shutting-down``. Any thread."""
        self.released.set()
        self.abandon()

    def abandon(self) -> None:
        """Fail what is under way: no answer will come."""
        for number, waiting in list(self._waiting.items()):
            waiting.put((control.Answered(number, {"error": SHUTTING_DOWN}), []))
