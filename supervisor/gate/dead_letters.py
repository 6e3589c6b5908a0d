"""Orders about dead letters: operations that were set aside, and messages that were not delivered."""

from __future__ import annotations

from collections.abc import Mapping

from proto import control
from supervisor.fleet.services import Services
from supervisor.gate.clients import Clients
from supervisor.gate.whom import Serve, Whom, bounded
from supervisor.sockets import send


class DeadLetters:
    """Drops them; one that is dropped is taken again when it comes again."""

    def __init__(self, services: Services, clients: Clients, whom: Whom) -> None:
        self._s = services
        self._clients = clients
        self._whom = whom
        self.table: Mapping[type, Serve] = {control.DropDeadLetter: self._drop_dead_letter}

    def _drop_dead_letter(self, client: bytes, order: control.DropDeadLetter) -> None:
        if order.undelivered:
            self._drop_undelivered(client, order)
            return
        actor = self._whom.actor(client, order, self._clients.refuse)
        if actor is None:
            return
        known = self._s.history.dead_letters(actor) | actor.set_aside
        digest = next((digest for digest, seq in known.items() if seq == order.seq), None)
        if digest is None:
            self._clients.refuse(client, order.id, "not_found", f"dead letter {order.seq} of {actor.path}")
            return
        actor.set_aside.pop(digest, None)
        self._s.history.drop_dead_letter(actor, digest)
        if actor.life is not None and actor.life.init_sent:
            again = control.TO_WORKER.encode(control.TakeAgain(digest))
            send(self._s.sockets.control, actor.life.routing, again)
        self._clients.tell(client, control.TO_CLIENT.encode(control.Done(order.id)))

    def keep(self, client: bytes, order: control.KeepLetter, bodies: list[bytes]) -> None:
        """A message that a client has taken out, and could not deliver."""
        if len(bodies) != 1:
            self._clients.refuse(client, order.id, "unexpected", "expected one body, the message")
            return
        self._s.history.keep_letter(order, bodies[0])
        self._clients.tell(client, control.TO_CLIENT.encode(control.Done(order.id)))

    def _drop_undelivered(self, client: bytes, order: control.DropDeadLetter) -> None:
        if self._s.history.drop_undelivered(bounded(order.seq) or 0):
            self._clients.tell(client, control.TO_CLIENT.encode(control.Done(order.id)))
        else:
            self._clients.refuse(client, order.id, "not_found", f"dead letter m{order.seq}")
