"""Orders to one actor: pause, resume, end, restart, update."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from proto import control
from supervisor.fleet.deaths import Deaths
from supervisor.fleet.links import Pending
from supervisor.fleet.lives import Life
from supervisor.fleet.restarts import restart
from supervisor.fleet.services import Services
from supervisor.fleet.updates import Updates
from supervisor.gate.clients import Clients
from supervisor.gate.whom import DEADLINE_MS_MAX, Serve, Whom, neither

PAUSE_MODES: Final = ("after_call", "if_idle")


class Orders:
    """Carries them out, and tells the client what came of it."""

    def __init__(self, services: Services, clients: Clients, whom: Whom, deaths: Deaths, updates: Updates) -> None:
        self._s = services
        self._clients = clients
        self._whom = whom
        self._deaths = deaths
        self._updates = updates
        self.table: Mapping[type, Serve] = {
            control.Pause: self._pause,
            control.Resume: self._resume,
            control.Shutdown: self._shutdown,
            control.Terminate: self._terminate,
            control.Restart: self._restart,
            control.Update: self._update,
        }

    def _pause(self, client: bytes, order: control.Pause) -> None:
        if order.mode in PAUSE_MODES:
            self._switch(client, order, self._pause, pauses=True)
        else:
            self._clients.refuse(client, order.id, "unexpected", neither("mode", PAUSE_MODES, order.mode))

    def _resume(self, client: bytes, order: control.Resume) -> None:
        self._switch(client, order, self._resume, pauses=False)

    def _switch(self, client: bytes, order: Any, again: Serve, pauses: bool) -> None:
        """Pass a Pause or Resume on, and remember what came of it for ``status``."""
        life = self._whom.worker(client, order, self._clients.refuse, again)
        if life is None:
            return

        def answered(message: Any, bodies: list[bytes]) -> None:
            if isinstance(message, control.Done):
                life.paused = pauses
            self._s.links.answer(Pending(client, order.id, False), message, bodies)

        self._s.links.question(life, order, Pending(client, order.id, False, answered))

    def _shutdown(self, client: bytes, order: control.Shutdown) -> None:
        self._end(client, order, lambda life: self._gracefully(life, order))

    def _gracefully(self, life: Life, order: control.Shutdown) -> None:
        deadline_ms = life.actor.spec.options.shutdown_ms
        if order.deadline_ms is not None:
            deadline_ms = max(0, min(order.deadline_ms, DEADLINE_MS_MAX))
        self._deaths.stop_with_deadline(life, "client", deadline_ms)

    def _terminate(self, client: bytes, order: control.Terminate) -> None:
        self._end(client, order, lambda life: self._deaths.kill(life, "client"))

    def _end(self, client: bytes, order: Any, how: Callable[[Life], None]) -> None:
        """End the actor's present incarnation; its Report is sent when it is reaped (at once if it already was)."""
        actor = self._whom.actor(client, order, self._clients.refuse)
        if actor is None:
            return
        life = actor.life
        if life is not None and life.is_alive:
            if self._whom.may_wait_for_end(client, order, life):
                life.stop_waiters.append((client, order.id))
                how(life)
            return
        report = control.Report(order.id, actor.cause.plain() if actor.cause else {"kind": "stopped"}, False, None, 0.0)
        self._clients.tell(client, control.TO_CLIENT.encode(report))

    def _restart(self, client: bytes, order: control.Restart) -> None:
        """Stop in order and start again: free of the restart intensity."""
        actor = self._whom.actor(client, order, self._clients.refuse)
        if actor is None or not self._clients.may_owe(client, order.id, self._clients.refuse):
            return

        def done(result: Any) -> None:
            self._clients.paid()
            self._clients.outcome(client, order.id, result)

        restart(self._s, actor, done)

    def _update(self, client: bytes, order: control.Update) -> None:
        """Hot update: another package, with the state and the callers of the present one."""
        actor = self._whom.actor(client, order, self._clients.refuse)
        if actor is None or not self._clients.may_owe(client, order.id, self._clients.refuse):
            return

        def done(result: dict[str, Any] | None, why: str) -> None:
            self._clients.paid()
            if result is None:
                self._clients.refuse(client, order.id, "update_package", why)
            else:
                self._clients.outcome(client, order.id, result)

        if order.package.startswith("/") and "\0" not in order.package:
            timeout_ms = None if order.timeout_ms is None else max(1, min(order.timeout_ms, DEADLINE_MS_MAX))
            self._updates.begin(actor, order.package, timeout_ms, done)
        else:
            done(None, "expected the absolute path of a package")
