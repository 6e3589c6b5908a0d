"""What the root orders: most of it is a notice to the machine, the rest is somebody else's to hear."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

import msgspec

from proto import control
from worker import child_events
from worker import machine_actions as act
from worker import machine_notices as n
from worker.control_line import ControlLine
from worker.incarnation import Incarnation

UPDATE_PACKAGE: Final = "update-package"
UPDATES_FROM: Final = 1 << 40
"""Numbers of our own questions, above those of the guest."""


class Orderer(msgspec.Struct, frozen=True, gc=False):
    """Who is owed the answer to a control order: the root, under this number."""

    id: int


_NOTICES: Final[dict[type, Callable[[Any], Any]]] = {
    control.Pause: lambda message: n.Pause(Orderer(message.id), if_idle=message.mode == "if_idle"),
    control.Resume: lambda message: n.Resume(Orderer(message.id)),
    control.Shutdown: lambda message: n.Shutdown(Orderer(message.id), message.deadline_ms, message.by),
    control.HandOver: lambda message: n.HandOver(Orderer(message.id)),
    control.TakeBack: lambda message: n.TakeBack(Orderer(message.id)),
    control.Retire: lambda message: n.Retire(Orderer(message.id)),
}
"""Orders that the machine hears."""


class Orders:
    """Post thread only."""

    def __init__(
        self,
        inc: Incarnation,
        line: ControlLine,
        feed: Callable[[Any], None],
        perform: Callable[[act.Action], None],
    ) -> None:
        self._inc = inc
        self._line = line
        self._feed = feed
        self._perform = perform
        self._updates: dict[int, Any] = {}
        """Who asked for an update, by the number of our question to the root."""
        self._others: dict[type, Callable[[Any, list[bytes]], None]] = {
            control.Ping: lambda message, bodies: line.send(control.Pong(message.id)),
            control.Notify: self._notify,
            control.ChildEvents: self._child_events,
            control.Answered: self._answered,
            control.Refused: self._answered,
            control.Init: self._second_init,
            control.TakeAgain: self._take_again,
            control.Expect: self._expect,
            control.PeerEnded: self._peer_ended,
            control.PeerMoved: self._peer_moved,
            control.TakenOver: self._taken_over,
        }

    def take(self, message: Any, bodies: list[bytes]) -> None:
        """Do what the root says."""
        notice = _NOTICES.get(type(message))
        if notice is None:
            self._others[type(message)](message, bodies)
            return
        if isinstance(message, control.TakeBack):
            self._inc.take_back_services()
        self._feed(notice(message))
        if isinstance(message, control.TakeBack) and self._inc.server is not None:
            self._inc.server.resume()

    def ask_update(self, action: act.AskUpdate) -> None:
        """Ask the root for an update of the actor's package; its answer goes to who wants it."""
        number = UPDATES_FROM + len(self._updates)
        while number in self._updates:
            number += 1
        self._updates[number] = action.waiter
        self._line.send(control.Ask(number, UPDATE_PACKAGE, {"package": action.package}))

    def _answered(self, message: Any, bodies: list[bytes]) -> None:
        waiter = self._updates.pop(message.id, None)
        if waiter is None:
            self._inc.asks.answer(message, bodies)
        elif isinstance(message, control.Refused):
            self._perform(act.Refuse(waiter, message.kind, message.data))
        else:
            self._perform(act.Answer(waiter))

    def _notify(self, message: control.Notify, bodies: list[bytes]) -> None:
        payload = bodies[0] if bodies else b""
        key = None if message.key is None else (message.function, message.key)
        self._feed(n.HostCall(function=message.function, payload=payload, key=key, received_ns=time.monotonic_ns()))

    def _child_events(self, message: control.ChildEvents, bodies: list[bytes]) -> None:
        for notice in child_events.notices(message, bodies, self._inc.logs):
            self._feed(notice)

    def _take_again(self, message: control.TakeAgain, bodies: list[bytes]) -> None:
        self._inc.init.set_aside.pop(message.digest, None)

    def _expect(self, message: control.Expect, bodies: list[bytes]) -> None:
        from worker.context import HostContext
        from worker.tcp.service import expect

        self._line.send(expect(HostContext(self._inc), message))

    def _peer_ended(self, message: control.PeerEnded, bodies: list[bytes]) -> None:
        if self._inc.peers is not None:
            self._inc.peers.ended(message)

    def _peer_moved(self, message: control.PeerMoved, bodies: list[bytes]) -> None:
        if self._inc.peers is not None:
            self._inc.peers.moved(message)

    def _taken_over(self, message: control.TakenOver, bodies: list[bytes]) -> None:
        if self._inc.mailbox is not None:
            for refusal in self._inc.mailbox.taken_over():
                self._perform(refusal)

    def _second_init(self, message: control.Init, bodies: list[bytes]) -> None:
        self._inc.logs.warn("init", "a second Init was ignored")
