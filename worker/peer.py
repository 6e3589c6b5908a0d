"""One other actor, as a worker reaches it: a socket to its present worker, and the letters under way there.

Letters arrive in the order they were handed in. Those that were refused because the actor has moved to another worker
(an update) are held, and sent there before any later one. Nothing else is ever sent twice.
"""

from __future__ import annotations

import select
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import zmq

from proto import operation
from proto.envelope import WireError
from theater.errors import ActorError, ChannelClosed, Moved, from_wire
from worker.letters import Letter
from worker.quick import EVENTS, HAS_MORE, MORE_FOLLOWS, NO_WAIT, READABLE, zmq_get, zmq_receive, zmq_send

RECONNECT_MS: Final = 5


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

    def __init__(self, context: Any, identities: Iterator[bytes], numbers: Iterator[int], bell: int) -> None:
        self._context = context
        self._identities = identities
        self._numbers = numbers
        self._bell = bell
        self._socket: Any = None
        self._poller = select.poll()
        self.where: Where
        self.unanswered: dict[int, Letter] = {}
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

    def connect(self, where: Where) -> None:
        """Talk to this incarnation from now on; what was held goes there first."""
        self._hang_up(0)
        self.where = where
        sock = self._context.socket(zmq.DEALER)
        for option, value in ((zmq.LINGER, 0), (zmq.SNDHWM, 0), (zmq.RCVHWM, 0), (zmq.RECONNECT_IVL, RECONNECT_MS)):
            sock.setsockopt(option, value)
        sock.setsockopt(zmq.ROUTING_ID, next(self._identities))
        sock.connect(where.endpoint)
        self._socket = sock
        self._poller = select.poll()
        self._poller.register(sock.getsockopt(zmq.FD), select.POLLIN)
        self._poller.register(self._bell, select.POLLIN)
        self.go_on()

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
            zmq_send(self._socket, operation.REQUESTS.encode(operation.Cancel(next(self._numbers), number)), NO_WAIT)

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
            if letter is not None:
                self._answered(letter, answer, frames)

    def move(self) -> None:
        """The actor has moved: whatever its last worker has not answered was not executed."""
        self.is_moving = True
        left = list(self.unanswered.values())
        self.unanswered.clear()
        for letter in left:
            if not letter.goes_again:
                letter.end(error=Moved())
        self.held += [letter for letter in left if letter.goes_again]

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
        number = next(self._numbers)
        self.unanswered[number] = letter
        header = operation.REQUESTS.encode(letter.make(number, self.where.incarnation))
        zmq_send(self._socket, header, MORE_FOLLOWS)
        zmq_send(self._socket, letter.body, NO_WAIT)

    def _answered(self, letter: Letter, answer: Any, frames: list[bytes]) -> None:
        if isinstance(answer, operation.Returned):
            letter.end(frames[1] if len(frames) > 1 else None)
        elif answer.kind == Moved.kind and letter.goes_again:
            self.is_moving = True
            self.held.append(letter)
        else:
            letter.end(error=from_wire(answer.kind, answer.data))

    def _hang_up(self, linger_ms: int) -> None:
        if self._socket is not None:
            self._socket.close(linger_ms)
            self._socket = None
