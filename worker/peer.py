"""One other actor, as a worker reaches it: the way to its present worker, and the letters under way there.

Letters arrive in the order they were handed in. Those that were refused because the actor has moved to another worker
(an update) are held, and sent there before any later one. Nothing else is ever sent twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
import zmq

from proto import operation
from proto.envelope import WireError
from theater.cause import UPDATED
from theater.errors import ActorError, ChannelClosed, Moved, from_wire
from worker.connections import Connections
from worker.letters import AGAIN, NEVER, Letter
from worker.quick import EVENTS, HAS_MORE, MORE_FOLLOWS, NO_WAIT, READABLE, zmq_get, zmq_receive, zmq_send


class Where(msgspec.Struct, frozen=True):
    """Where an actor is at present (the answer to ``find-peer``)."""

    actor_id: str
    path: str
    incarnation: int
    endpoint: str
    routing: bytes
    package: str


class Peer:
    """Only with the lock of ``Peers`` held, but for ``poll``."""

    def __init__(self, connections: Connections, numbers: Iterator[int], where: Where) -> None:
        self._connections = connections
        self._numbers = numbers
        self._socket: Any = None
        """None while nothing is sent: it is opened on demand."""
        self._poller = connections.poller(())
        self.fd: int | None = None
        self.where = where
        self.unanswered: dict[int, Letter] = {}
        self._withdrawn: set[int] = set()
        """Numbers of the Cancels that are not answered."""
        self.held: list[Letter] = []
        """To be sent once it is known where the actor is now."""
        self.is_moving = False
        self.is_asking = False
        """The root was asked where it is now."""
        self.cause: dict[str, Any] | None = None
        """This life has ended; what it said last may still come."""
        self.is_over = False

    @property
    def load(self) -> int:
        """Letters under way."""
        return len(self.unanswered) + len(self.held)

    @property
    def life(self) -> tuple[str, int]:
        """Whose letters these are: id and incarnation."""
        return (self.where.actor_id, self.where.incarnation)

    @property
    def is_good(self) -> bool:
        """New letters may go there."""
        return not self.is_over and self.cause is None

    @property
    def is_idle(self) -> bool:
        """Whether all that was sent has been answered: its connection may be closed, and nothing is lost."""
        return not self.unanswered and not self._withdrawn

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection."""
        return self._socket is not None

    def connect(self, where: Where) -> None:
        """Talk to this incarnation from now on; what was held goes there first."""
        self._hang_up(0)
        self.where = where
        for letter in self._pick_held(NEVER):
            letter.end(error=_updated())
        self.go_on()

    def rest(self) -> None:
        """Close the connection until it is needed again."""
        self._hang_up(0)

    def go_on(self) -> None:
        """It is known where the actor is: send what was held."""
        self.is_moving = False
        held, self.held = sorted(self.held, key=lambda letter: letter.order), []
        for letter in held:
            self._send(letter)

    def hand_in(self, letter: Letter) -> None:
        """Send a letter, behind those handed in before."""
        letter.order = next(self._numbers)
        if self.is_over or self.cause is not None:
            letter.end(error=ChannelClosed(self.cause))
        elif self.is_moving:
            self.held.append(letter)
        else:
            self._send(letter)

    def withdraw(self, letter: Letter) -> None:
        """Its sender waits no more: take it back, if it has not begun."""
        if letter in self.held:
            self.held.remove(letter)
        number = next((number for number, each in self.unanswered.items() if each is letter), None)
        if number is not None:
            del self.unanswered[number]
            cancel = operation.Cancel(next(self._numbers), number)
            self._withdrawn.add(cancel.id)
            zmq_send(self._socket, operation.REQUESTS.encode(cancel), NO_WAIT)

    def read(self) -> None:
        """Take every answer that is there."""
        sock = self._socket
        while sock is not None and zmq_get(sock, EVENTS) & READABLE:
            frames: list[bytes] = [zmq_receive(sock, NO_WAIT)]
            while zmq_get(sock, HAS_MORE):
                frames.append(zmq_receive(sock, NO_WAIT))
            try:
                answer = operation.ANSWERS.decode(frames[0])
            except WireError:
                continue
            letter = self.unanswered.pop(answer.id, None)
            if letter is None:
                self._withdrawn.discard(answer.id)
            else:
                self._answered(letter, answer, frames)

    def move(self) -> None:
        """The actor has moved, and its last worker is gone: whatever that has not answered was not executed.

        But a request may have been, without an answer: that is for whoever has sent it to decide.
        """
        self.is_moving = True
        left = list(self.unanswered.values())
        self.unanswered.clear()
        for letter in left:
            if letter.goes_again == AGAIN:
                self.held.append(letter)
            else:
                letter.end(error=_updated())

    def fail(self, error: ActorError) -> None:
        """Nothing more comes from there."""
        self.is_over = True
        letters = [*self.unanswered.values(), *self.held]
        self.unanswered.clear()
        self.held.clear()
        self._hang_up(0)
        for letter in letters:
            letter.end(error=error)

    def poll(self, milliseconds: float | None) -> None:
        """Wait for an answer, or the bell."""
        self._poller.poll(milliseconds)

    def close(self, linger_ms: int) -> None:
        """Close; what was sent may take this long to leave."""
        self._hang_up(linger_ms if self.unanswered else 0)

    def _send(self, letter: Letter) -> None:
        try:
            self._open()
        except ActorError as error:
            letter.end(error=error)
            return
        number = next(self._numbers)
        self.unanswered[number] = letter
        header = operation.REQUESTS.encode(letter.make(number, self.where.incarnation))
        zmq_send(self._socket, header, MORE_FOLLOWS)
        zmq_send(self._socket, letter.body, NO_WAIT)

    def _open(self) -> None:
        if self._socket is not None:
            self._connections.used(self)
            return
        self._socket = self._connections.open(self, self.where.endpoint)
        self.fd = self._socket.getsockopt(zmq.FD)
        self._poller = self._connections.poller((self,))

    def _answered(self, letter: Letter, answer: Any, frames: list[bytes]) -> None:
        if isinstance(answer, operation.Returned):
            letter.end(frames[1] if len(frames) > 1 else None)
        elif answer.kind == Moved.kind:
            self.is_moving = True
            self.held.append(letter)
        else:
            letter.end(error=from_wire(answer.kind, answer.data))

    def _pick_held(self, goes_again: str) -> list[Letter]:
        found = [letter for letter in self.held if letter.goes_again == goes_again]
        self.held = [letter for letter in self.held if letter.goes_again != goes_again]
        return found

    def _hang_up(self, linger_ms: int) -> None:
        if self._socket is not None:
            self._socket.close(linger_ms)
            self._socket = self.fd = None
            self._withdrawn.clear()
            self._poller = self._connections.poller(())
            self._connections.closed(self)


def _updated() -> ChannelClosed:
    return ChannelClosed({"kind": UPDATED})
