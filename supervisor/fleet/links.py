"""The control connection of every worker: what it says of its life, its answers, its guest's questions.

Frames that are not ours, not of our version, too large or from nobody we know are counted, logged once in a while
and otherwise ignored; a routing id belongs to one incarnation, so nothing said by an earlier life is taken for a
later one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from proto import control, info
from proto.envelope import MessageClass, WireError, check_bodies, class_of
from supervisor.fleet.births import Births
from supervisor.fleet.callbacks import give
from supervisor.fleet.lives import Life
from supervisor.fleet.services import Services
from supervisor.refusals import Refusals
from supervisor.sockets import credentials, send

PENDING_MAX = 1000

REFUSED = info.Refused | control.Refused
ANSWERS = info.Info | control.Done | control.HandedOver | REFUSED
"""All a worker can answer to a question or an order."""

AskHandler = Callable[[Life, control.Ask, list[bytes]], None]
Done = Callable[[Any, list[bytes]], None]


class Pending:
    """Somebody who waits for a worker's answer: a client (``callback`` None) or a part of the root."""

    __slots__ = ("asked", "callback", "client", "is_info")

    def __init__(self, client: bytes, asked: int, is_info: bool, callback: Done | None = None) -> None:
        self.client = client
        self.asked = asked
        self.is_info = is_info
        self.callback = callback


class Links:
    """Receives from workers and sends them questions and orders."""

    def __init__(self, services: Services, births: Births, refusals: Refusals, ask: AskHandler) -> None:
        self._s = services
        self._births = births
        self._refusals = refusals
        self._ask = ask
        self._learnt: set[str] = set()
        """Digests of packages whose metadata the spawner was given."""
        self._table: dict[type, Callable[[Life, Any], None]] = {
            control.Step: lambda life, message: births.on_step(life, message.step),
            control.Ready: self._on_ready,
            control.StartFailed: births.on_start_failed,
            control.Goodbye: lambda life, message: None,
            control.Pong: self._on_pong,
        }

    # -- receiving ------------------------------------------------------------------------------------------------

    def on_frames(self, frames: list[Any]) -> None:
        """One message from the control socket (zmq.Frame objects)."""
        routing, header = frames[0].bytes, frames[1].bytes if len(frames) > 1 else b""
        bodies = [frame.bytes for frame in frames[2:]]
        life = self._s.register.by_routing.get(routing)
        try:
            check_bodies(bodies)
            if class_of(header) is MessageClass.INFO:
                message = info.ANSWERS.decode(header)
            else:
                message = control.FROM_WORKER.decode(header)
        except WireError as error:
            self._refusals.count("control", error.reason, str(error))
            return
        if life is None and isinstance(message, control.Hello) and self._is_spare(routing, message, frames[1]):
            return
        if life is None or not life.is_alive:
            self._refusals.count("control", "stranger", "message of an incarnation that is not alive")
            return
        if isinstance(message, control.Hello):
            why = self._births.on_hello(life, message, credentials(frames[1]))
            if why is not None:
                self._refusals.count("control", "hello", f"{life.actor.path}: {why}")
            return
        if not life.init_sent:
            self._refusals.count("control", "hello", f"{life.actor.path}: {type(message).__name__} before hello")
            return
        self._dispatch(life, message, bodies)

    def _is_spare(self, routing: bytes, hello: control.Hello, frame: Any) -> bool:
        return self._births.spares.on_hello(routing, hello, credentials(frame))

    def _dispatch(self, life: Life, message: Any, bodies: list[bytes]) -> None:
        handler = self._table.get(type(message))
        if handler is not None:
            handler(life, message)
        elif isinstance(message, control.Ask) and life.is_trial:
            refused = control.Refused(message.id, "unexpected", ("the package has not taken over yet",))
            send(self._s.sockets.control, life.routing, control.TO_WORKER.encode(refused))
        elif isinstance(message, control.Ask):
            self._ask(life, message, bodies)
        elif isinstance(message, control.Undelivered):
            self._s.history.undelivered(life.actor, message, bodies[0] if bodies else b"")
        elif isinstance(message, control.Forward):
            give(self._s, life, control.TO_WORKER.encode(control.Notify(message.function)), bodies)
        else:
            self._on_answer(life, message, bodies)

    def _on_ready(self, life: Life, message: control.Ready) -> None:
        self._births.on_ready(life, message)
        if life.update is None:
            self._learn(life)

    def _learn(self, life: Life) -> None:
        """Tell the spawner what a package says of itself, so that the next start of it need not decode that again."""
        if life.package in self._learnt or not self._s.spawner.spares:
            return
        self._learnt.add(life.package)

        def answered(message: Any, bodies: list[bytes]) -> None:
            if isinstance(message, info.Info) and bodies:
                self._s.spawner.learn(bodies[0])

        self.question(life, info.GetInterface(0, ""), Pending(b"", 0, True, answered))

    def _on_answer(self, life: Life, message: Any, bodies: list[bytes]) -> None:
        """Pass a worker's answer on to whoever asked, with the asker's own id."""
        if not isinstance(message, ANSWERS):
            self._refusals.count("control", "unasked", f"{life.actor.path}: {type(message).__name__}")
            return
        pending = life.pending.pop(message.id, None)
        if pending is None:
            return
        if isinstance(message, info.Info | info.Refused) is not pending.is_info and not isinstance(message, REFUSED):
            message, bodies = control.Refused(message.id, "unexpected", ("the worker's answer does not fit",)), []
        if pending.callback is not None:
            pending.callback(message, bodies)
        else:
            self.answer(pending, message, bodies)

    def answer(self, pending: Pending, message: Any, bodies: list[bytes]) -> None:
        """Send a client the answer to what it asked, in the class it asked in."""
        if pending.is_info:
            if isinstance(message, control.Refused):
                message = info.Refused(pending.asked, message.kind, message.data)
            header = info.ANSWERS.encode(msgspec.structs.replace(message, id=pending.asked))
        else:
            if isinstance(message, info.Refused):
                message = control.Refused(pending.asked, message.kind, message.data)
            header = control.TO_CLIENT.encode(msgspec.structs.replace(message, id=pending.asked))
        send(self._s.sockets.gate, pending.client, header, bodies)

    def _on_pong(self, life: Life, message: control.Pong) -> None:
        life.heartbeats_missed = 0

    # -- sending -----------------------------------------------------------------------------------------------------

    def question(self, life: Life, question: Any, pending: Pending) -> None:
        """Put a question or order to a worker; ``pending`` gets exactly one answer."""
        ours = self._s.next_id()
        codec = info.QUESTIONS if pending.is_info else control.TO_WORKER
        message = msgspec.structs.replace(question, id=ours, target="")
        if len(life.pending) >= PENDING_MAX:
            self.give_up(pending, control.Refused(ours, "unexpected", ("too many questions under way",)))
            return
        life.pending[ours] = pending
        if not send(self._s.sockets.control, life.routing, codec.encode(message)):
            # Not said hello yet, or gone: before hello there is nothing to ask; the end is told by its pidfd.
            del life.pending[ours]
            self.give_up(pending, control.Refused(ours, "unexpected", ("the worker is not ready to answer yet",)))

    def give_up(self, pending: Pending, refused: control.Refused) -> None:
        """Tell whoever waits that there will be no answer, and why."""
        if pending.callback is not None:
            pending.callback(refused, [])
        else:
            self.answer(pending, refused, [])
