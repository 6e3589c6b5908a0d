"""Whom a question or order is about, and the bounds of what clients may ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from supervisor.fleet.lives import Actor, Life
from supervisor.fleet.services import Services
from supervisor.gate.clients import Clients, Refuse
from theater.config.limits import NAME_BYTES_MAX
from theater.patterns.actors import is_id, is_plain

WAITING_MAX: Final = 1000
"""Per incarnation: questions that wait for its worker to say hello, and clients that wait for its end."""
DEADLINE_MS_MAX: Final = 7 * 24 * 3600 * 1000
"""A stop a client asks for takes at most a week: no timer anywhere is asked for more than it can hold."""
SEQ_MAX: Final = 2**62
CHARS_SHOWN: Final = 200
"""Of what a client said wrongly, in the answer to it."""

Serve = Callable[[bytes, Any], None]
"""Serves one kind of message: from that client, this message."""


class Whom:
    """Finds the actor or the worker a message names, or refuses the client."""

    def __init__(self, services: Services, clients: Clients) -> None:
        self._s = services
        self._clients = clients

    def actor(self, client: bytes, message: Any, refuse: Refuse) -> Actor | None:
        """The actor; None if the client was refused."""
        actor = self._s.register.find(message.target)
        if actor is None:
            refuse(client, message.id, "not_found", message.target[:CHARS_SHOWN])
        return actor

    def worker(self, client: bytes, message: Any, refuse: Refuse, again: Serve) -> Life | None:
        """The life that can be asked. None if the client was refused, or waits for its hello: then ``again`` is due."""
        actor = self.actor(client, message, refuse)
        if actor is None:
            return None
        life = actor.life
        if life is None or not life.is_alive:
            refuse(client, message.id, "channel_closed", actor.cause.plain() if actor.cause else None)
        elif life.init_sent and not (actor.update is not None and actor.update.is_handing):
            return life
        elif len(life.resolvers) < WAITING_MAX:
            life.resolvers.append(lambda: again(client, message))
        else:
            refuse(client, message.id, "unexpected", f"{WAITING_MAX} questions wait for the worker already")
        return None

    def may_wait_for_end(self, client: bytes, message: Any, life: Life) -> bool:
        """Whether one more client may wait for this life's end; it is refused if not."""
        if len(life.stop_waiters) < WAITING_MAX:
            return True
        self._clients.refuse(client, message.id, "unexpected", f"{WAITING_MAX} clients wait for its end already")
        return False


def is_name(text: str) -> bool:
    """Whether a text can be the last part of an actor's path; the same rule as for ids in a tree file."""
    if text in ("", ".", "..") or "/" in text or not is_plain(text) or is_id(text):
        return False
    return len(text.encode()) <= NAME_BYTES_MAX


def bounded(number: int | None) -> int | None:
    """A number of events as the store can hold it."""
    return None if number is None else max(0, min(number, SEQ_MAX))


def neither(what: str, words: tuple[str, ...], got: str) -> str:
    """What to say of a word that is none of those expected."""
    return f"expected {what} {' or '.join(words)}, got {got[:CHARS_SHOWN]!r}"
