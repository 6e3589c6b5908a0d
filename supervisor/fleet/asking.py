"""One question of a guest about its children, from its Ask to its one answer (lifecycle section 10)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proto import control, info
from supervisor.fleet.links import Pending
from supervisor.fleet.lives import Actor, Life, family_of
from supervisor.fleet.services import Services
from supervisor.sockets import send
from theater.errors import ActorError, NotAChild, from_wire


class Refusal(Exception):
    """An Ask is refused with this text; the guest sees it as its function's error."""


class Asking:
    """One question of a guest, to be answered exactly once."""

    __slots__ = ("_answered", "arguments", "bodies", "id", "life", "services")

    def __init__(self, services: Services, life: Life, ask: control.Ask, bodies: list[bytes]) -> None:
        self.services = services
        self.life = life
        self.id = ask.id
        self.arguments = ask.arguments
        self.bodies = bodies
        self._answered = False

    def answer(self, data: dict[str, Any] | None = None, *bodies: bytes) -> None:
        """Send the result."""
        self._send(control.Answered(self.id, data or {}), bodies)

    def refuse(self, text: str) -> None:
        """Send an error the guest sees with exactly this text."""
        self._send(control.Answered(self.id, {"error": text}), ())

    def refuse_with(self, error: ActorError) -> None:
        """Send an error by its kind: the worker may tell one from another."""
        self._send(control.Refused(self.id, error.kind, error.data), ())

    def _send(self, message: Any, bodies: tuple[bytes, ...]) -> None:
        if not self._answered and self.life.is_alive:
            self._answered = True
            sock = self.services.sockets.control
            send(sock, self.life.routing, control.TO_WORKER.encode(message), bodies)

    def body(self, name: str) -> bytes | None:
        """The body an argument names by its number; None if the argument is none."""
        number = self.arguments.get(name)
        return None if number is None else self.bodies[number]

    def child(self) -> Actor:
        """The asker's child that the argument ``id`` names.

        Raises:
            Refusal: the id is not a child of the asker; strangers, ids of nobody and nonsense get the same words (V1).
        """
        wanted = self.arguments.get("id")
        actor = self.services.register.by_id.get(wanted) if isinstance(wanted, str) else None
        if actor is None or actor.tree != family_of(self.life) or actor not in self.life.actor.children:
            raise Refusal(NotAChild(str(wanted)).text())
        return actor

    def put_to(self, child: Actor, question: Any, then: Callable[[Any, list[bytes]], None]) -> None:
        """Ask a child's worker; its refusal, or its end, is ours.

        Raises:
            Refusal: the child has no worker at the moment.
        """

        def answered(message: Any, bodies: list[bytes]) -> None:
            if isinstance(message, info.Info):
                then(message, bodies)
            else:
                self.refuse(from_wire(message.kind, message.data).text())

        if child.life is None or not child.life.is_alive:
            raise Refusal(f"{child.id} is not running at the moment")
        self.services.links.question(child.life, question, Pending(b"", 0, True, answered))
