"""The clients' door: questions and orders from handles and the command line, each answered exactly once.

Only processes of our own user get in (SO_PEERCRED); the run directory's mode keeps others out anyway. Nothing a client
says can end or delay anybody else: what is out of bounds is refused in words, what waits is bounded.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from proto import control, info
from proto.envelope import MessageClass, WireError, check_bodies, class_of
from supervisor.fleet.bonds import Bonds
from supervisor.fleet.deaths import Deaths
from supervisor.fleet.services import Services
from supervisor.fleet.subscriptions import Subscriptions
from supervisor.fleet.updates import Updates
from supervisor.gate.bonds import FRAMED, ClientBonds
from supervisor.gate.clients import Clients
from supervisor.gate.dead_letters import DeadLetters
from supervisor.gate.forks import Forks
from supervisor.gate.orders import Orders
from supervisor.gate.questions import Questions
from supervisor.gate.trees import Trees
from supervisor.gate.whom import Serve, Whom
from supervisor.refusals import Refusals


class Gate:
    """Serves clients."""

    def __init__(
        self,
        services: Services,
        deaths: Deaths,
        subscriptions: Subscriptions,
        updates: Updates,
        bonds: Bonds,
        refusals: Refusals,
        about: Callable[[], dict[str, Any]],
        stop_tree: Callable[[bool], None],
    ) -> None:
        self._refusals = refusals
        self._clients = Clients(services, refusals)
        whom = Whom(services, self._clients)
        trees = Trees(services, self._clients, whom, about, stop_tree)
        dead_letters = DeadLetters(services, self._clients, whom)
        self._bonds = ClientBonds(services, self._clients, bonds)
        self._table: dict[type, Serve] = {
            **Questions(services, self._clients, whom, subscriptions).table,
            **Orders(services, self._clients, whom, deaths, updates).table,
            **dead_letters.table,
            **trees.table,
            **self._bonds.table,
        }
        self._with_bodies: dict[type, Callable[[bytes, Any, list[bytes]], None]] = {
            control.Fork: Forks(services, self._clients, whom, trees).fork,
            control.KeepLetter: dead_letters.keep,
        }

    def on_frames(self, frames: list[Any]) -> None:
        """One message from the gate socket (zmq.Frame objects)."""
        client = frames[0].bytes
        header = frames[1].bytes if len(frames) > 1 else b""
        if not self._clients.admit(client, frames[-1]):
            return
        try:
            check_bodies(frames[2:])
            codec = info.QUESTIONS if class_of(header) is MessageClass.INFO else control.FROM_CLIENT
            message = codec.decode(header)
        except WireError as error:
            self._refusals.count("gate", error.reason, str(error))
            self._clients.refuse_info(client, 0, "serialization", str(error))
            return
        with_bodies = self._with_bodies.get(type(message))
        if with_bodies is not None:
            with_bodies(client, message, [frame.bytes for frame in frames[2:]])
        elif isinstance(message, FRAMED):
            self._bonds.serve(client, message, frames[-1])
        else:
            self._table[type(message)](client, message)

    def close(self) -> None:
        """Give back what clients are followed with."""
        self._bonds.close()
