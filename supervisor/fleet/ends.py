"""Whether an actor that has ended is over for good, or its supervisors are about to start it again.

Only the supervisors know: one in the middle of restarting a group (or being restarted itself) brings back actors that
nobody has asked for by name. So they are asked, with ``which_children``: a supervisor answers its mail in order, and
answers this only when it is done with what it was doing.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from supervisor.core import notices as note
from supervisor.core.ref import Ref
from supervisor.fleet.forest import MAIN
from supervisor.fleet.lives import Actor
from supervisor.fleet.services import Services

LOOK_AGAIN_MS = 500
"""While a restart waits (backoff): calls can end the waiting without any notice."""
STEPS_MAX = 64
"""Questions in a row before we wait a moment: supervisors may come and go while we ask."""

Over = Callable[[Actor], None]


class Ends:
    """Asks about each actor once at a time, and tells ``on_over`` when nothing will follow by itself."""

    def __init__(self, services: Services, on_over: Over) -> None:
        self._s = services
        self._on_over = on_over
        self._asked: set[str] = set()

    def look(self, actor: Actor) -> None:
        """Find out whether an actor is over; nothing is told if it lives, or comes back."""
        if actor.is_alive or actor.id in self._asked:
            return
        self._asked.add(actor.id)
        self._ask(actor, os.path.dirname(actor.path), actor.path, STEPS_MAX)

    def _ask(self, actor: Actor, supervisor: str, child: str, steps: int) -> None:
        """Ask a supervisor on the actor's path for its child on that path."""
        if steps <= 0:
            self._later(actor)
            return
        self._s.forest.ask(
            actor.tree,
            lambda request: note.WhichChildren(request, supervisor),
            lambda answer: self._answered(actor, supervisor, child, answer, steps - 1),
        )

    def _answered(self, actor: Actor, supervisor: str, child: str, answer: Any, steps: int) -> None:
        if actor.is_alive:
            self._asked.discard(actor.id)
        elif not isinstance(answer, list):
            self._without_supervisor(actor, supervisor, steps)
        elif any(entry["child"] == "restarting" and entry["id"] in (_name(child), "undefined") for entry in answer):
            self._later(actor)
        elif not any(isinstance(entry["child"], Ref) and entry["child"].path == child for entry in answer):
            self._over(actor)
        elif child == actor.path:
            self._later(actor)  # its start is under way
        else:
            self._ask(actor, child, _next_on(actor.path, child), steps)

    def _without_supervisor(self, actor: Actor, supervisor: str, steps: int) -> None:
        """That supervisor is not there: over with it, unless the one above brings it back."""
        if supervisor == MAIN or actor.tree != MAIN:
            self._over(actor)
        else:
            self._ask(actor, os.path.dirname(supervisor), supervisor, steps)

    def _over(self, actor: Actor) -> None:
        self._asked.discard(actor.id)
        self._on_over(actor)

    def _later(self, actor: Actor) -> None:
        self._asked.discard(actor.id)
        self._s.loop.call_later(LOOK_AGAIN_MS, lambda: self.look(actor))


def _name(path: str) -> str:
    return path.rsplit("/", 1)[-1]


def _next_on(path: str, supervisor: str) -> str:
    """The child of a supervisor that is on the way to a path."""
    return f"{supervisor}/{path[len(supervisor) + 1 :].split('/', 1)[0]}"
