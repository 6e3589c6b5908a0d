"""The clients' door: questions and orders from handles and the command line, each answered exactly once.

What the root knows it answers itself; the rest it forwards to the worker and passes the answer's bodies through
undecoded. Only processes of our own user get in (SO_PEERCRED); the run directory's mode keeps others out anyway.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from proto import control, info
from proto.envelope import MessageClass, WireError, check_bodies, class_of
from supervisor.core import notices as note
from supervisor.fleet.deaths import Deaths
from supervisor.fleet.forest import MAIN
from supervisor.fleet.links import Pending
from supervisor.fleet.lives import Actor, BirthState, Life
from supervisor.fleet.restarts import restart
from supervisor.fleet.services import Services
from supervisor.fleet.subscriptions import Subscriptions
from supervisor.fleet.view import actor_status, tree_view
from supervisor.refusals import Refusals
from supervisor.sockets import credentials, send

KNOWN_CLIENTS_MAX = 4096


class Gate:
    """Serves clients."""

    def __init__(
        self,
        services: Services,
        deaths: Deaths,
        subscriptions: Subscriptions,
        refusals: Refusals,
        about: Callable[[], dict[str, Any]],
        stop_tree: Callable[[bool], None],
    ) -> None:
        self._s = services
        self._deaths = deaths
        self._subscriptions = subscriptions
        self._refusals = refusals
        self._about = about
        self._stop_tree = stop_tree
        self._clients: dict[bytes, None] = {}
        self._table: dict[type, Callable[[bytes, Any], None]] = {
            info.Resolve: self._resolve,
            info.GetStatus: self._status,
            info.GetState: self._state,
            info.GetChain: self._chain,
            info.GetMetrics: self._forward_info,
            info.GetExportHashes: self._forward_info,
            info.GetInterface: self._forward_info,
            info.SaveChain: self._forward_info,
            info.Flush: self._flush,
            info.GetTree: self._tree,
            info.WhichChildren: self._which,
            info.CountChildren: self._count,
            info.GetChildspec: self._childspec,
            info.Subscribe: self._subscribe,
            info.Unsubscribe: self._unsubscribe,
            info.Received: self._received,
            control.Pause: lambda client, order: self._forward_control(client, order, pauses=True),
            control.Resume: lambda client, order: self._forward_control(client, order, pauses=False),
            control.Shutdown: self._shutdown,
            control.Terminate: self._terminate,
            control.StartChild: self._start_child,
            control.TerminateChild: self._terminate_child,
            control.RestartChild: self._restart_child,
            control.DeleteChild: self._delete_child,
            control.Restart: self._restart,
            control.StopTree: self._stop,
        }

    # -- receiving ---------------------------------------------------------------------------------------------------

    def on_frames(self, frames: list[Any]) -> None:
        """One message from the gate socket (zmq.Frame objects)."""
        client = frames[0].bytes
        header = frames[1].bytes if len(frames) > 1 else b""
        if client not in self._clients and not self._admit(client, frames[-1]):
            return
        try:
            check_bodies(frames[2:])
            codec = info.QUESTIONS if class_of(header) is MessageClass.INFO else control.FROM_CLIENT
            message = codec.decode(header)
        except WireError as error:
            self._refusals.count("gate", error.reason, str(error))
            refused = info.Refused(0, "serialization", (str(error),))
            send(self._s.sockets.gate, client, info.ANSWERS.encode(refused))
            return
        self._table[type(message)](client, message)

    def _admit(self, client: bytes, frame: Any) -> bool:
        peer = credentials(frame)
        if peer is not None and peer[1] not in (os.getuid(), 0):
            self._refusals.count("gate", "credentials", f"process {peer[0]} of user {peer[1]}")
            return False
        self._clients[client] = None
        while len(self._clients) > KNOWN_CLIENTS_MAX:
            del self._clients[next(iter(self._clients))]
        return True

    # -- answering ---------------------------------------------------------------------------------------------------

    def _inform(self, client: bytes, asked: int, data: dict[str, Any], *bodies: bytes) -> None:
        send(self._s.sockets.gate, client, info.ANSWERS.encode(info.Info(asked, data)), bodies)

    def _refuse_info(self, client: bytes, asked: int, kind: str, *data: Any) -> None:
        send(self._s.sockets.gate, client, info.ANSWERS.encode(info.Refused(asked, kind, data)))

    def _refuse(self, client: bytes, asked: int, kind: str, *data: Any) -> None:
        send(self._s.sockets.gate, client, control.TO_CLIENT.encode(control.Refused(asked, kind, data)))

    def _actor(self, client: bytes, message: Any, refuse: Callable[..., None]) -> Actor | None:
        actor = self._s.register.find(message.target)
        if actor is None:
            refuse(client, message.id, "not_found", message.target)
        return actor

    def _closed(self, client: bytes, asked: int, actor: Actor, refuse: Callable[..., None]) -> None:
        refuse(client, asked, "channel_closed", actor.cause.plain() if actor.cause else None)

    # -- questions about actors -------------------------------------------------------------------------------------

    def _resolve(self, client: bytes, question: info.Resolve) -> None:
        actor = self._actor(client, question, self._refuse_info)
        if actor is None:
            return
        life = actor.life
        if life is None or not life.is_alive:
            self._closed(client, question.id, actor, self._refuse_info)
        elif life.init_sent:
            self._give_endpoint(client, question, life)
        else:
            life.resolvers.append(lambda: self._resolve(client, question))

    def _give_endpoint(self, client: bytes, question: info.Resolve, life: Life) -> None:
        actor = life.actor
        if question.watch:
            life.watchers.add(client)
        deadline = actor.spec.options.call_deadline_ms
        endpoint = info.Endpoint(
            question.id, actor.id, actor.path, life.number, life.endpoint, deadline, life.package
        )
        send(self._s.sockets.gate, client, info.ANSWERS.encode(endpoint))

    def _status(self, client: bytes, question: info.GetStatus) -> None:
        actor = self._actor(client, question, self._refuse_info)
        if actor is None:
            return
        life = actor.life
        if life is None or not life.is_alive or not life.init_sent:
            self._inform(client, question.id, actor_status(actor, self._s.loop.now_ns()))
        else:
            self._s.links.question(life, question, Pending(client, question.id, True))

    def _state(self, client: bytes, question: info.GetState) -> None:
        actor = self._actor(client, question, self._refuse_info)
        if actor is None:
            return
        if actor.is_alive:
            self._forward_info(client, question)
        elif actor.last_state is not None:
            self._inform(client, question.id, {"present": True}, actor.last_state)
        else:
            self._closed(client, question.id, actor, self._refuse_info)

    def _chain(self, client: bytes, question: info.GetChain) -> None:
        actor = self._actor(client, question, self._refuse_info)
        if actor is None:
            return
        if actor.is_alive and actor.life is not None and actor.life.init_sent:
            self._forward_info(client, question)
            return
        self._s.history.read(
            actor,
            question.since,
            question.limit,
            lambda data, body: self._inform(client, question.id, data, body),
        )

    def _flush(self, client: bytes, question: info.Flush) -> None:
        """Answered when the store holds what the worker had recorded when it was asked."""
        actor = self._actor(client, question, self._refuse_info)
        if actor is None:
            return
        life = actor.life

        def stored() -> None:
            self._inform(client, question.id, {"last_seq": actor.last_seq})

        def flushed(message: Any, bodies: list[bytes]) -> None:
            last = message.data.get("last_seq", -1) if isinstance(message, info.Info) else actor.last_seq
            self._s.history.when_stored(actor, last, stored)

        if life is not None and life.is_alive and life.init_sent:
            self._s.links.question(life, question, Pending(client, question.id, True, flushed))
        else:
            self._s.history.when_stored(actor, actor.last_seq, stored)

    def _forward_info(self, client: bytes, question: Any) -> None:
        actor = self._actor(client, question, self._refuse_info)
        if actor is None:
            return
        if actor.life is None or not actor.life.is_alive:
            self._closed(client, question.id, actor, self._refuse_info)
        else:
            self._s.links.question(actor.life, question, Pending(client, question.id, True))

    # -- questions about the tree ------------------------------------------------------------------------------------

    def _tree(self, client: bytes, question: info.GetTree) -> None:
        view = tree_view(self._s, question.target)
        if view is None:
            self._refuse_info(client, question.id, "not_found", question.target)
        else:
            self._inform(client, question.id, {**self._about(), "root": view})

    def _which(self, client: bytes, question: info.WhichChildren) -> None:
        self._ask(client, question.id, lambda request: note.WhichChildren(request, question.target), "children")

    def _count(self, client: bytes, question: info.CountChildren) -> None:
        self._ask(client, question.id, lambda request: note.CountChildren(request, question.target), "counts")

    def _childspec(self, client: bytes, question: info.GetChildspec) -> None:
        self._ask(
            client, question.id, lambda request: note.GetChildspec(request, question.target, question.child), "spec"
        )

    def _subscribe(self, client: bytes, question: info.Subscribe) -> None:
        actor = self._actor(client, question, self._refuse_info)
        if actor is not None:
            number = self._subscriptions.add(client, actor, question)
            self._inform(client, question.id, {"subscription": number})
            self._subscriptions.begin(number)

    def _unsubscribe(self, client: bytes, question: info.Unsubscribe) -> None:
        self._subscriptions.remove(client, question.subscription)
        self._inform(client, question.id, {})

    def _received(self, client: bytes, message: info.Received) -> None:
        self._subscriptions.credit(client, message.subscription, message.count)

    # -- orders to actors --------------------------------------------------------------------------------------------

    def _forward_control(self, client: bytes, order: Any, pauses: bool) -> None:
        """Pass a Pause or Resume on, and remember what came of it for ``status``."""
        actor = self._actor(client, order, self._refuse)
        if actor is None:
            return
        life = actor.life
        if life is None or not life.is_alive:
            self._closed(client, order.id, actor, self._refuse)
            return

        def answered(message: Any, bodies: list[bytes]) -> None:
            if isinstance(message, control.Done):
                life.paused = pauses
            self._s.links.answer(Pending(client, order.id, False), message, bodies)

        self._s.links.question(life, order, Pending(client, order.id, False, answered))

    def _shutdown(self, client: bytes, order: control.Shutdown) -> None:
        self._end(client, order, lambda life: self._gracefully(life, order))

    def _gracefully(self, life: Life, order: control.Shutdown) -> None:
        deadline_ms = order.deadline_ms if order.deadline_ms is not None else life.actor.spec.options.shutdown_ms
        self._deaths.stop_with_deadline(life, "client", deadline_ms)

    def _terminate(self, client: bytes, order: control.Terminate) -> None:
        self._end(client, order, lambda life: self._deaths.kill(life, "client"))

    def _end(self, client: bytes, order: Any, how: Callable[[Life], None]) -> None:
        """End the actor's present incarnation; its Report is sent when it is reaped (at once if it already was)."""
        actor = self._actor(client, order, self._refuse)
        if actor is None:
            return
        life = actor.life
        if life is not None and life.is_alive:
            life.stop_waiters.append((client, order.id))
            how(life)
            return
        report = control.Report(order.id, actor.cause.plain() if actor.cause else {"kind": "stopped"}, False, None, 0.0)
        send(self._s.sockets.gate, client, control.TO_CLIENT.encode(report))

    # -- orders to the tree ------------------------------------------------------------------------------------------

    def _ask(self, client: bytes, asked: int, make: Callable[[int], Any], as_info: str | None = None) -> None:
        """Put an API call to the main tree and send its answer: as info of that name, else as an Outcome."""

        def answer(value: Any) -> None:
            plain = _plain(value)
            if as_info is None:
                send(self._s.sockets.gate, client, control.TO_CLIENT.encode(control.Outcome(asked, plain)))
            elif isinstance(plain, dict) and "exit" in plain:
                self._refuse_info(client, asked, "not_found", "supervisor")
            else:
                self._inform(client, asked, {as_info: plain})

        self._s.forest.ask(MAIN, make, answer)

    def _start_child(self, client: bytes, order: control.StartChild) -> None:
        state = BirthState("plain", order.state) if order.has_state else None
        self._ask(
            client, order.id, lambda request: note.StartChild(request, order.target, name=order.name, args=state)
        )

    def _terminate_child(self, client: bytes, order: control.TerminateChild) -> None:
        self._ask(client, order.id, lambda request: note.TerminateChild(request, order.target, order.child))

    def _restart_child(self, client: bytes, order: control.RestartChild) -> None:
        self._ask(client, order.id, lambda request: note.RestartChild(request, order.target, order.child))

    def _delete_child(self, client: bytes, order: control.DeleteChild) -> None:
        self._ask(client, order.id, lambda request: note.DeleteChild(request, order.target, order.child))

    def _restart(self, client: bytes, order: control.Restart) -> None:
        """Stop in order and start again: free of the restart intensity."""
        actor = self._actor(client, order, self._refuse)
        if actor is None:
            return

        def done(result: Any) -> None:
            send(self._s.sockets.gate, client, control.TO_CLIENT.encode(control.Outcome(order.id, _plain(result))))

        restart(self._s, actor, done)

    def _stop(self, client: bytes, order: control.StopTree) -> None:
        send(self._s.sockets.gate, client, control.TO_CLIENT.encode(control.Done(order.id)))
        self._stop_tree(order.force)


def _plain(value: Any) -> Any:
    """A core answer as wire data: process references become their text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, str | int | float | bool | bytes):
        return value
    return str(value)
