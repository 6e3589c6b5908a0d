"""Another actor like one there is, under the same supervisor, from a state of its past."""

from __future__ import annotations

import os
from collections.abc import Callable

import msgspec

from proto import control
from supervisor.core import notices as note
from supervisor.fleet.lives import Actor, BirthState
from supervisor.fleet.services import Services
from supervisor.gate.clients import Clients
from supervisor.gate.trees import Trees
from supervisor.gate.whom import CHARS_SHOWN, Whom, is_name
from supervisor.packages import Prepared


class Forks:
    """Starts them."""

    def __init__(self, services: Services, clients: Clients, whom: Whom, trees: Trees) -> None:
        self._s = services
        self._clients = clients
        self._whom = whom
        self._trees = trees

    def fork(self, client: bytes, order: control.Fork, bodies: list[bytes]) -> None:
        """Another actor like this one, under the same supervisor, from a state of its past."""
        actor = self._whom.actor(client, order, self._clients.refuse)
        if actor is None:
            return
        supervisor = os.path.dirname(actor.path)
        why = self._cannot_fork(actor, os.path.join(supervisor, order.name), order.name, bodies)
        if why is not None:
            self._clients.refuse(client, order.id, "unexpected", why)
            return
        origin = {"actor": actor.path, "id": actor.id, "seq": order.seq, "hash": order.hash.hex()}
        state = BirthState("value", bodies[0], resume=True, recovered="fork", origin=origin)
        spec = msgspec.structs.replace(actor.child_spec, id=order.name, actor=actor.spec)

        def start(request: int) -> note.StartChild:
            return note.StartChild(request, supervisor, spec=spec, name=order.name, args=state)

        def kept(path: str | None, why: str) -> None:
            self._trees.ask(client, order.id, start)

        self._keep_package(actor, kept)

    def _keep_package(self, actor: Actor, done: Callable[[str | None, str], None]) -> None:
        """What is in no tree file, or may soon be another file, the store keeps: for replays to find it."""

        def prepared(package: Prepared) -> None:
            if package.error is not None:
                done(None, package.error)  # starting says so too
            else:
                self._s.history.keep_package(package.file, package.digest, done)

        self._s.packages.resolve(actor.spec.package, prepared, actor.spec.options.counts_fuel)

    def _cannot_fork(self, actor: Actor, path: str, name: str, bodies: list[bytes]) -> str | None:
        if actor.parent is not None:
            return f"{actor.path} was spawned by {actor.parent.path}: only that can have another one"
        if not is_name(name):
            return f"expected a name for the last part of a path, got {name[:CHARS_SHOWN]!r}"
        if self._s.register.find(path) is not None:
            return f"there is an actor at {path} already"
        if self._s.history.identify(path).last_seq >= 0:
            return f"there is a history of {path} already: choose another name"
        return None if len(bodies) == 1 and bodies[0] else "expected one body, the state"
