"""The clients' door: questions and orders from handles and the command line, each answered exactly once.

What the root knows it answers itself; the rest it forwards to the worker and passes the answer's bodies through
undecoded. Only processes of our own user get in (SO_PEERCRED); the run directory's mode keeps others out anyway.
Nothing a client says can end or delay anybody else: what is out of bounds is refused in words, what waits is bounded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from typing import Any, Final

import msgspec

from proto import control, info
from proto.envelope import MessageClass, WireError, check_bodies, class_of
from supervisor.core import notices as note
from supervisor.declared import declared
from supervisor.fleet.clients import Clients, Refuse, plain
from supervisor.fleet.deaths import Deaths
from supervisor.fleet.forest import MAIN
from supervisor.fleet.links import Pending
from supervisor.fleet.lives import Actor, BirthState, Life
from supervisor.fleet.restarts import restart
from supervisor.fleet.services import Services
from supervisor.fleet.shares import children_used
from supervisor.fleet.subscriptions import Subscriptions
from supervisor.fleet.updates import Updates
from supervisor.fleet.view import FAMILY_LEVELS_MAX, actor_status, tree_view
from supervisor.packages import Prepared
from supervisor.refusals import Refusals
from supervisor.sockets import send
from theater.config.limits import NAME_BYTES_MAX

WAITING_MAX: Final = 1000
"""Per incarnation: questions that wait for its worker to say hello, and clients that wait for its end."""
WATCHERS_SWEEP: Final = 256
"""So many watchers of one incarnation, and again at each doubling: those that left without a word are forgotten."""
DEADLINE_MS_MAX: Final = 7 * 24 * 3600 * 1000
"""A stop a client asks for takes at most a week: no timer anywhere is asked for more than it can hold."""
SEQ_MAX: Final = 2**62
POLICIES: Final = ("drop", "disconnect")
PAUSE_MODES: Final = ("after_call", "if_idle")
_NOT_IN_NAMES: Final = re.compile(r"[/\x00-\x1f\x7f-\x9f]")
NAME_CHARS_SHOWN: Final = 200
"""Of a wrong name, in the answer to it."""

Serve = Callable[[bytes, Any], None]


class Gate:
    """Serves clients."""

    def __init__(
        self,
        services: Services,
        deaths: Deaths,
        subscriptions: Subscriptions,
        updates: Updates,
        refusals: Refusals,
        about: Callable[[], dict[str, Any]],
        stop_tree: Callable[[bool], None],
    ) -> None:
        self._s = services
        self._deaths = deaths
        self._subscriptions = subscriptions
        self._updates = updates
        self._refusals = refusals
        self._about = about
        self._stop_tree = stop_tree
        self._clients = Clients(services, refusals)
        self._table: dict[type, Serve] = {
            info.Resolve: self._resolve,
            info.GetStatus: self._status,
            info.GetState: self._state,
            info.GetChain: self._chain,
            info.GetMetrics: self._metrics,
            info.GetExportHashes: self._forward_info,
            info.GetInterface: self._forward_info,
            info.SaveChain: self._save,
            info.Flush: self._flush,
            info.GetTree: self._tree,
            info.Explain: self._explain,
            info.WhichChildren: self._which,
            info.CountChildren: self._count,
            info.GetChildspec: self._childspec,
            info.Whereis: self._whereis,
            info.Subscribe: self._subscribe,
            info.Unsubscribe: self._unsubscribe,
            info.Received: self._received,
            control.Pause: self._pause,
            control.Resume: self._resume,
            control.Shutdown: self._shutdown,
            control.Terminate: self._terminate,
            control.StartChild: self._start_child,
            control.TerminateChild: self._terminate_child,
            control.RestartChild: self._restart_child,
            control.DeleteChild: self._delete_child,
            control.Restart: self._restart,
            control.Update: self._update,
            control.DropDeadLetter: self._drop_dead_letter,
            control.StopTree: self._stop,
        }

    # -- receiving ---------------------------------------------------------------------------------------------------

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
        if isinstance(message, control.Fork):
            self._fork(client, message, [frame.bytes for frame in frames[2:]])
        else:
            self._table[type(message)](client, message)

    # -- whom it is about --------------------------------------------------------------------------------------------

    def _actor(self, client: bytes, message: Any, refuse: Refuse) -> Actor | None:
        actor = self._s.register.find(message.target)
        if actor is None:
            refuse(client, message.id, "not_found", message.target[:NAME_CHARS_SHOWN])
        return actor

    def _worker(self, client: bytes, message: Any, refuse: Refuse, again: Serve) -> Life | None:
        """The life that can be asked. None if the client was refused, or waits for its hello: then ``again`` is due."""
        actor = self._actor(client, message, refuse)
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

    # -- questions about actors -------------------------------------------------------------------------------------

    def _resolve(self, client: bytes, question: info.Resolve) -> None:
        life = self._worker(client, question, self._clients.refuse_info, self._resolve)
        if life is not None:
            self._give_endpoint(client, question, life)

    def _give_endpoint(self, client: bytes, question: info.Resolve, life: Life) -> None:
        actor = life.actor
        if question.watch:
            self._watch(life, client)
        deadline = actor.spec.options.call_deadline_ms
        endpoint = info.Endpoint(question.id, actor.id, actor.path, life.number, life.endpoint, deadline, life.package)
        self._clients.tell(client, info.ANSWERS.encode(endpoint))

    def _watch(self, life: Life, client: bytes) -> None:
        """Remember whom to tell of the end. A command line that asked once and left is not remembered for ever."""
        count = len(life.watchers)
        if count >= WATCHERS_SWEEP and count & (count - 1) == 0:
            nothing = info.ANSWERS.encode(info.Info(0))  # an answer nobody has asked for: ignored
            life.watchers = {each for each in life.watchers if self._clients.tell(each, nothing)}
        life.watchers.add(client)

    def _status(self, client: bytes, question: info.GetStatus) -> None:
        actor = self._actor(client, question, self._clients.refuse_info)
        if actor is None:
            return
        life = actor.life
        if life is None or not life.is_alive or not life.init_sent:
            self._clients.inform(client, question.id, actor_status(actor, self._s.loop.now_ns()))
        else:
            self._s.links.question(life, question, Pending(client, question.id, True))

    def _state(self, client: bytes, question: info.GetState) -> None:
        actor = self._s.register.find(question.target)
        if actor is not None and not actor.is_alive and actor.last_state is not None:
            self._clients.inform(client, question.id, {"present": True}, actor.last_state)
        else:
            self._forward_info(client, question)

    def _chain(self, client: bytes, question: info.GetChain) -> None:
        actor = self._actor(client, question, self._clients.refuse_info)
        if actor is None:
            return
        if actor.is_alive and actor.life is not None and actor.life.init_sent:
            self._forward_info(client, question)
        elif self._clients.may_owe(client, question.id, self._clients.refuse_info):
            since, limit = _bounded(question.since), _bounded(question.limit)
            self._s.history.read(actor, since, limit, lambda data, body: self._read(client, question.id, data, body))

    def _read(self, client: bytes, asked: int, data: dict[str, Any], body: bytes) -> None:
        self._clients.paid()
        self._clients.inform(client, asked, data, body)

    def _flush(self, client: bytes, question: info.Flush) -> None:
        """Answered when the store holds what the worker had recorded when it was asked."""
        actor = self._actor(client, question, self._clients.refuse_info)
        if actor is None or not self._clients.may_owe(client, question.id, self._clients.refuse_info):
            return
        life = actor.life

        def stored() -> None:
            self._clients.paid()
            self._clients.inform(client, question.id, {"last_seq": actor.last_seq})

        def flushed(message: Any, bodies: list[bytes]) -> None:
            last = message.data.get("last_seq", -1) if isinstance(message, info.Info) else actor.last_seq
            self._s.history.when_stored(actor, last, stored)

        if life is not None and life.is_alive and life.init_sent:
            self._s.links.question(life, question, Pending(client, question.id, True, flushed))
        else:
            self._s.history.when_stored(actor, actor.last_seq, stored)

    def _forward_info(self, client: bytes, question: Any) -> None:
        life = self._worker(client, question, self._clients.refuse_info, self._forward_info)
        if life is not None:
            self._s.links.question(life, question, Pending(client, question.id, True))

    def _metrics(self, client: bytes, question: info.GetMetrics) -> None:
        """Passed on; what the worker cannot know of its limits, the children, is added."""
        life = self._worker(client, question, self._clients.refuse_info, self._metrics)
        if life is None:
            return
        asked = Pending(client, question.id, True)

        def told(message: Any, bodies: list[bytes]) -> None:
            if isinstance(message, info.Info):
                message.data["limits"] = {**message.data.get("limits", {}), **children_used(life)}
            self._s.links.answer(asked, message, bodies)

        is_limited = life.actor.spec.options.children_max is not None
        self._s.links.question(life, question, Pending(client, question.id, True, told) if is_limited else asked)

    def _save(self, client: bytes, question: info.SaveChain) -> None:
        if question.path is not None and "\0" in question.path:
            self._clients.refuse_info(client, question.id, "unexpected", "a path cannot hold a null character")
        else:
            self._forward_info(client, question)

    # -- questions about the tree ------------------------------------------------------------------------------------

    def _tree(self, client: bytes, question: info.GetTree) -> None:
        view = tree_view(self._s, question.target)
        if view is None:
            self._clients.refuse_info(client, question.id, "not_found", question.target)
        else:
            self._clients.inform(client, question.id, {**self._about(), "root": view})

    def _explain(self, client: bytes, question: info.Explain) -> None:
        """What an actor may do, and what those above it may who have spawned it, the nearest first."""
        actor = self._actor(client, question, self._clients.refuse_info)
        if actor is None:
            return
        above: list[dict[str, Any]] = []
        parent = actor.parent
        while parent is not None and len(above) < FAMILY_LEVELS_MAX:
            above.append(declared(parent.spec, parent.path))
            parent = parent.parent
        self._clients.inform(client, question.id, {**declared(actor.spec, actor.path), "above": above})

    def _which(self, client: bytes, question: info.WhichChildren) -> None:
        self._ask_info(client, question, lambda request: note.WhichChildren(request, question.target), "children")

    def _count(self, client: bytes, question: info.CountChildren) -> None:
        self._ask_info(client, question, lambda request: note.CountChildren(request, question.target), "counts")

    def _childspec(self, client: bytes, question: info.GetChildspec) -> None:
        self._ask_info(
            client, question, lambda request: note.GetChildspec(request, question.target, question.child), "spec"
        )

    def _whereis(self, client: bytes, question: info.Whereis) -> None:
        entry = self._s.names.entry(question.name)
        if entry is None:
            self._clients.refuse_info(client, question.id, "not_found", question.name[:NAME_CHARS_SHOWN])
        else:
            members = [[actor.id, actor.path] for actor in entry.members]
            self._clients.inform(client, question.id, {"mode": entry.mode, "members": members})

    def _ask_info(self, client: bytes, question: Any, make: Callable[[int], Any], name: str) -> None:
        """Put a question to a supervisor of the main tree; its answer is the Info ``name``."""

        def answer(value: Any) -> None:
            self._clients.paid()
            if isinstance(value, dict) and "exit" in value:
                self._clients.refuse_info(client, question.id, "not_found", question.target[:NAME_CHARS_SHOWN])
            else:
                self._clients.inform(client, question.id, {name: plain(value)})

        if self._clients.may_owe(client, question.id, self._clients.refuse_info):
            self._s.forest.ask(MAIN, make, answer)

    def _subscribe(self, client: bytes, question: info.Subscribe) -> None:
        if question.policy not in POLICIES:
            self._clients.refuse_info(client, question.id, "unexpected", _neither("policy", POLICIES, question.policy))
            return
        actor = self._actor(client, question, self._clients.refuse_info)
        if actor is not None:
            number = self._subscriptions.add(client, actor, question)
            self._clients.inform(client, question.id, {"subscription": number})
            self._subscriptions.begin(number)

    def _unsubscribe(self, client: bytes, question: info.Unsubscribe) -> None:
        self._subscriptions.remove(client, question.subscription)
        self._clients.inform(client, question.id, {})

    def _received(self, client: bytes, message: info.Received) -> None:
        self._subscriptions.credit(client, message.subscription, message.count)

    # -- orders to actors --------------------------------------------------------------------------------------------

    def _pause(self, client: bytes, order: control.Pause) -> None:
        if order.mode in PAUSE_MODES:
            self._switch(client, order, self._pause, pauses=True)
        else:
            self._clients.refuse(client, order.id, "unexpected", _neither("mode", PAUSE_MODES, order.mode))

    def _resume(self, client: bytes, order: control.Resume) -> None:
        self._switch(client, order, self._resume, pauses=False)

    def _switch(self, client: bytes, order: Any, again: Serve, pauses: bool) -> None:
        """Pass a Pause or Resume on, and remember what came of it for ``status``."""
        life = self._worker(client, order, self._clients.refuse, again)
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
        actor = self._actor(client, order, self._clients.refuse)
        if actor is None:
            return
        life = actor.life
        if life is not None and life.is_alive:
            if len(life.stop_waiters) >= WAITING_MAX:
                self._clients.refuse(client, order.id, "unexpected", f"{WAITING_MAX} clients wait for its end already")
                return
            life.stop_waiters.append((client, order.id))
            how(life)
            return
        report = control.Report(order.id, actor.cause.plain() if actor.cause else {"kind": "stopped"}, False, None, 0.0)
        self._clients.tell(client, control.TO_CLIENT.encode(report))

    # -- orders to the tree ------------------------------------------------------------------------------------------

    def _ask(self, client: bytes, asked: int, make: Callable[[int], Any]) -> None:
        """Put an order to a supervisor of the main tree; OTP's answer is the Outcome."""

        def answer(value: Any) -> None:
            self._clients.paid()
            self._clients.outcome(client, asked, value)

        if self._clients.may_owe(client, asked, self._clients.refuse):
            self._s.forest.ask(MAIN, make, answer)

    def _start_child(self, client: bytes, order: control.StartChild) -> None:
        if not is_name(order.name):
            self._clients.outcome(client, order.id, {"error": {"invalid_child_name": order.name[:NAME_CHARS_SHOWN]}})
            return
        state = BirthState("plain", order.state) if order.has_state else None
        self._ask(client, order.id, lambda request: note.StartChild(request, order.target, name=order.name, args=state))

    def _fork(self, client: bytes, order: control.Fork, bodies: list[bytes]) -> None:
        """Another actor like this one, under the same supervisor, from a state of its past."""
        actor = self._actor(client, order, self._clients.refuse)
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
            self._ask(client, order.id, start)

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
            return f"expected a name for the last part of a path, got {name[:NAME_CHARS_SHOWN]!r}"
        if self._s.register.find(path) is not None:
            return f"there is an actor at {path} already"
        if self._s.history.identify(path).last_seq >= 0:
            return f"there is a history of {path} already: choose another name"
        return None if len(bodies) == 1 and bodies[0] else "expected one body, the state"

    def _terminate_child(self, client: bytes, order: control.TerminateChild) -> None:
        self._ask(client, order.id, lambda request: note.TerminateChild(request, order.target, order.child))

    def _restart_child(self, client: bytes, order: control.RestartChild) -> None:
        self._ask(client, order.id, lambda request: note.RestartChild(request, order.target, order.child))

    def _delete_child(self, client: bytes, order: control.DeleteChild) -> None:
        self._ask(client, order.id, lambda request: note.DeleteChild(request, order.target, order.child))

    def _restart(self, client: bytes, order: control.Restart) -> None:
        """Stop in order and start again: free of the restart intensity."""
        actor = self._actor(client, order, self._clients.refuse)
        if actor is None or not self._clients.may_owe(client, order.id, self._clients.refuse):
            return

        def done(result: Any) -> None:
            self._clients.paid()
            self._clients.outcome(client, order.id, result)

        restart(self._s, actor, done)

    def _drop_dead_letter(self, client: bytes, order: control.DropDeadLetter) -> None:
        if order.undelivered:
            self._drop_undelivered(client, order)
            return
        actor = self._actor(client, order, self._clients.refuse)
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

    def _drop_undelivered(self, client: bytes, order: control.DropDeadLetter) -> None:
        if self._s.history.drop_undelivered(_bounded(order.seq) or 0):
            self._clients.tell(client, control.TO_CLIENT.encode(control.Done(order.id)))
        else:
            self._clients.refuse(client, order.id, "not_found", f"dead letter m{order.seq}")

    def _update(self, client: bytes, order: control.Update) -> None:
        """Hot update: another package, with the state and the callers of the present one."""
        actor = self._actor(client, order, self._clients.refuse)
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

    def _stop(self, client: bytes, order: control.StopTree) -> None:
        self._clients.tell(client, control.TO_CLIENT.encode(control.Done(order.id)))
        self._stop_tree(order.force)


def is_name(text: str) -> bool:
    """Whether a text can be the last part of an actor's path; the same rule as for ids in a tree file."""
    if text in ("", ".", "..") or _NOT_IN_NAMES.search(text):
        return False
    return len(text.encode()) <= NAME_BYTES_MAX


def _neither(what: str, words: tuple[str, ...], got: str) -> str:
    return f"expected {what} {' or '.join(words)}, got {got[:NAME_CHARS_SHOWN]!r}"


def _bounded(number: int | None) -> int | None:
    """A number of events as the store can hold it."""
    return None if number is None else max(0, min(number, SEQ_MAX))
