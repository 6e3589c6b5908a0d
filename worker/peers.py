"""The way to other actors: straight to their workers, one connection to each, in order (design D5).

The root is asked where an actor is, and whether this one may reach it; from then on its worker is talked to directly,
until the root says that this life of it has ended. Endpoints belong to one incarnation, so nothing sent to one life
ever reaches the next.

The guest thread sends and waits; the post thread takes what the root says, and now and then the answers nobody waits
for. Sockets are touched with the lock held only, and nobody waits holding it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import msgspec

from proto import control
from theater.cause import UPDATED
from theater.errors import (
    ActorError,
    ChannelClosed,
    HandlerError,
    MailboxFull,
    OperationTimeout,
    UnexpectedError,
    from_wire,
)
from worker.asks import SHUTTING_DOWN, RootRefusal
from worker.bell import Bell
from worker.connections import Connections
from worker.deadlines import Deadline
from worker.letters import Letter
from worker.peer import Peer, Where
from worker.targets import Ended, Targets

if TYPE_CHECKING:
    from worker.incarnation import Incarnation

LAST_WORDS_NS: Final = 3_000_000
"""How long an answer that was sent before a death may still be on its way through our own I/O thread."""
LOOK_FIRST_NS: Final = 20_000_000
LOOK_LAST_NS: Final = 250_000_000
"""Answers nobody waits for are looked for this often, ever less while none come."""
SETTLE_S: Final = 0.2
"""What becomes of letters under way is awaited this long when the actor stops in order."""
SELF_CALL: Final = "actor would wait for itself"

FIND: Final = "find-peer"


class Peers:
    """Everybody this actor talks to."""

    def __init__(self, inc: Incarnation, routing: bytes) -> None:
        self.lock = threading.Lock()
        self.bell = Bell()
        """Wakes the guest thread that waits for an answer."""
        self.on_end: list[Callable[[str, int], None]] = []
        """Told of each life that has ended, by id and incarnation. Post thread."""
        self._inc = inc
        self._asks = inc.asks
        self._own_id = inc.init.actor_id
        self.connections = Connections(inc.desk.context, routing, self.bell.fd)
        self._numbers = count(1)
        self._peers: dict[str, Peer] = {}
        """By id, the life of each that is talked to now."""
        self._all: set[Peer] = set()
        """These, and those of earlier lives whose end has not been told yet."""
        self._targets = Targets()
        self._ended = Ended()
        self._looks = False
        self._look_ns = LOOK_FIRST_NS
        self._is_closed = False
        self._asks.on_release.append(self.bell.ring)

    # -- whom --------------------------------------------------------------------------------------------------------

    def find(self, target: str, grant: str, deadline: Deadline, *, everyone: bool = False) -> list[Peer]:
        """Return the actor that a path, id or name means; with ``everyone``, all of a group that is spoken to as one.

        Raises:
            ActorError: there is none, it has no worker, or the grant does not reach it.
        """
        with self.lock:
            known = self._targets.known(grant, target)
            if known is not None:
                return [known]
        arguments = {"target": target, "grant": grant, "everyone": everyone}
        data, bodies = self._asks.ask(FIND, arguments, (), deadline.left_s)
        found = msgspec.msgpack.decode(bodies[0], type=list[Where]) if bodies else _places(data)
        with self.lock:
            peers = list(map(self._member, found)) if bodies else [self._meet(where) for where in found]
            if len(peers) == 1 and data["keeps"] and target in (found[0].actor_id, found[0].path):
                self._targets.keep(grant, target, peers[0])
        return peers

    def is_self(self, peer: Peer) -> bool:
        """Whether this is the actor itself."""
        return peer.where.actor_id == self._own_id

    def expect(self, where: Where) -> Peer:
        """Return the way back to an actor that has spoken to us; the root confirms it before anything is sent.

        ``where`` is what that actor says of itself. Any thread.

        Raises:
            HandlerError: it is another: that life is known to us, by another routing id.
        """
        with self.lock:
            known = self._peers.get(where.actor_id)
            if known is not None and known.is_good and known.where.incarnation == where.incarnation:
                if known.where.routing != where.routing:
                    raise HandlerError("the sender is not who it says it is")
                return known
            peer = self._new_peer(where)
            peer.is_moving = True
            self._ask_again(peer, is_first=True)
            return peer

    def watch(self, actor_id: str, incarnation: int) -> None:
        """Have ``on_end`` told when a life that has spoken to us ends, at once if it has already. Any thread."""

        def found(message: Any) -> None:
            where = _where(message)
            if isinstance(where, ActorError) or where.incarnation != incarnation:
                for hook in self.on_end:
                    hook(actor_id, incarnation)

        self._asks.begin(FIND, {"target": actor_id, "again": True}, found)

    # -- letters -----------------------------------------------------------------------------------------------------

    def exchange(self, peer: Peer, letter: Letter, deadline: Deadline) -> bytes:
        """Hand a letter in and wait for what comes back. Guest thread.

        Raises:
            ActorError: as the other worker said; ChannelClosed with the cause when that life ends first;
                OperationTimeout; what a stop of this actor gives.
        """
        if self.is_self(peer):
            raise UnexpectedError(SELF_CALL)
        self._await_connection(peer, deadline)
        with self.lock:
            peer.hand_in(letter)
        try:
            self._wait((peer,), peer.poll, lambda: letter.is_over, deadline)
        except ActorError:
            with self.lock:
                if not letter.is_over:
                    if not self._is_closed:
                        peer.withdraw(letter)
                    raise
        if isinstance(letter.error, OperationTimeout):
            raise OperationTimeout(deadline.seconds)  # who carries it out was told what was left of that
        if letter.error is not None:
            raise letter.error
        return letter.response or b""

    def post(self, peer: Peer, letter: Letter, window: int, deadline: Deadline) -> None:
        """Hand a letter in; wait only while ``window`` are under way to that actor. Guest thread.

        Raises:
            MailboxFull: there is no room in time.
            ChannelClosed: that life has ended.
        """
        with self.lock:
            peer.read()
            self._settle(peer)
            has_room = peer.load < window
        if not has_room:
            self._await_room(peer, window, deadline)
        self._await_connection(peer, deadline)
        with self.lock:
            peer.hand_in(letter)
            refused = letter.error
            self._look_later()
        if refused is not None:
            raise refused

    def _await_room(self, peer: Peer, window: int, deadline: Deadline) -> None:
        if self.is_self(peer):
            raise MailboxFull(window)  # it is the one who would have to read
        try:
            self._wait((peer,), peer.poll, lambda: peer.load < window, deadline)
        except OperationTimeout:
            raise MailboxFull(window) from None

    def pace(self, patience: Deadline) -> None:
        """Before each of many letters to many actors: so many connections are in use that one may become free.

        Whatever comes of it, the letter may be sent; the patience is for all of them together. Guest thread.
        """
        if patience.left_s > 0:
            try:
                self._await_any(self.connections.kept, patience)
            except ActorError:
                pass

    def _await_connection(self, peer: Peer, deadline: Deadline) -> None:
        """Wait until there may be one to that actor; if there is none in time, the letter will say so."""
        if not peer.is_connected:
            try:
                self._await_any(self.connections.most, deadline)
            except ActorError:
                pass

    def _await_any(self, limit: int, deadline: Deadline) -> None:
        with self.lock:
            if self.connections.has_room(limit):
                return
            connected = list(self.connections)
            poller = self.connections.poller(connected)
        self._wait(connected, poller.poll, lambda: self.connections.has_room(limit), deadline)

    def _wait(
        self, peers: Sequence[Peer], poll: Callable[[float], object], is_done: Callable[[], bool], deadline: Deadline
    ) -> None:
        while True:
            with self.lock:
                if self._is_closed:
                    raise RootRefusal(SHUTTING_DOWN)
                for peer in peers:
                    peer.read()
                    self._settle(peer)
                if is_done():
                    return
            if self._asks.is_released:
                raise RootRefusal(SHUTTING_DOWN)
            if deadline.left_s <= 0:
                raise OperationTimeout(deadline.seconds)
            poll(deadline.left_ms)
            self.bell.silence()

    # -- what the root says ------------------------------------------------------------------------------------------

    def ended(self, message: control.PeerEnded) -> None:
        """A life has ended. Post thread."""
        life = (message.actor_id, message.incarnation)
        with self.lock:
            self._ended.keep(life, message.cause)
            peer = next((each for each in self._all if each.life == life), None)
            if peer is not None:
                self._hears_of_end(peer, message)
        for hook in self.on_end:
            hook(*life)

    def moved(self, message: control.PeerMoved) -> None:
        """Another life has taken over from one: letters go there, and conversations with the old one are over.

        Post thread. What it has answered may still come: its end is told later.
        """
        life = (message.actor_id, message.incarnation)
        with self.lock:
            peer = next((each for each in self._all if each.life == life), None)
            if peer is not None and peer.is_good:
                peer.is_moving = True
                peer.read()
                self._settle(peer)
        for hook in self.on_end:
            hook(*life)
        self.bell.ring()

    def _hears_of_end(self, peer: Peer, message: control.PeerEnded) -> None:
        if message.cause.get("kind") == UPDATED:
            peer.is_moving = True
        else:
            peer.cause = message.cause
            self._forget(peer)
        self._inc.alarms.at(time.monotonic_ns() + LAST_WORDS_NS, lambda: self._bury(peer, message))

    def _bury(self, peer: Peer, message: control.PeerEnded) -> None:
        """What that life said last has come by now."""
        with self.lock:
            if self._is_closed or peer.is_over or peer.where.incarnation != message.incarnation:
                return
            peer.read()
            if message.cause.get("kind") == UPDATED:
                peer.move()
                self._settle(peer)
            else:
                self._fail(peer, ChannelClosed(message.cause))
        self.bell.ring()

    def _settle(self, peer: Peer) -> None:
        """Ask where an actor is now that has moved, once its last worker has answered everything."""
        if peer.is_moving and not peer.unanswered and not peer.is_asking and not peer.is_over:
            self._ask_again(peer)

    def _ask_again(self, peer: Peer, is_first: bool = False) -> None:
        peer.is_asking = True
        arguments = {"target": peer.where.actor_id, "again": True}
        self._asks.begin(FIND, arguments, lambda message: self._found_again(peer, message, is_first))

    def _found_again(self, peer: Peer, message: Any, is_first: bool) -> None:
        """The root's answer. Post thread."""
        where = _where(message)
        with self.lock:
            peer.is_asking = False
            if self._is_closed or peer.is_over:
                return
            if isinstance(where, ActorError):
                self._fail(peer, where)
            elif is_first and (where.incarnation, where.routing) != (peer.where.incarnation, peer.where.routing):
                self._fail(peer, ChannelClosed(self._ended.cause(peer.life)))
            elif where.incarnation == peer.where.incarnation and not is_first:
                peer.go_on()  # the update came to nothing
            else:
                peer.connect(where)
            self._look_later()
        if peer.is_over and is_first:
            for hook in self.on_end:
                hook(*peer.life)
        self.bell.ring()

    # -- answers nobody waits for ------------------------------------------------------------------------------------

    def _look_later(self) -> None:
        if not self._looks:
            self._looks = True
            self._look_ns = LOOK_FIRST_NS
            self._inc.alarms.at(time.monotonic_ns() + self._look_ns, self._look)

    def _look(self) -> None:
        """Post thread."""
        under_way = True
        if self.lock.acquire(blocking=False):
            try:
                if self._is_closed:
                    return
                for peer in list(self._all):
                    peer.read()
                    self._settle(peer)
                self.connections.trim()
                under_way = any(peer.load for peer in self._all)
                self._looks = under_way
            finally:
                self.lock.release()
            self.bell.ring()  # an answer that is waited for may have been among them: its descriptor is silent now
        if under_way:
            self._look_ns = min(2 * self._look_ns, LOOK_LAST_NS)
            self._inc.alarms.at(time.monotonic_ns() + self._look_ns, self._look)

    # -- connections -------------------------------------------------------------------------------------------------

    def _meet(self, where: Where) -> Peer:
        cause = self._ended.cause((where.actor_id, where.incarnation))
        if cause is not None:
            raise ChannelClosed(cause)
        peer = self._peers.get(where.actor_id)
        if peer is not None and peer.is_good:
            if peer.where.incarnation != where.incarnation and not peer.is_moving:
                peer.is_moving = True  # updated: its last worker still answers what was sent to it
                self._settle(peer)
            return peer
        return self._new_peer(where)

    def _member(self, where: Where) -> Peer:
        """One of a group: if it has no life at present, so that letters to it fail, and no others."""
        cause = self._ended.cause((where.actor_id, where.incarnation))
        if where.endpoint and cause is None:
            return self._meet(where)
        gone = Peer(self.connections, self._numbers, where)
        gone.cause, gone.is_over = cause, True
        return gone

    def _new_peer(self, where: Where) -> Peer:
        if self._is_closed:
            raise RootRefusal(SHUTTING_DOWN)
        peer = Peer(self.connections, self._numbers, where)
        self._peers[where.actor_id] = peer
        self._all.add(peer)
        return peer

    def _fail(self, peer: Peer, error: ActorError) -> None:
        self._forget(peer)
        self._all.discard(peer)
        peer.fail(error)

    def _forget(self, peer: Peer) -> None:
        """No new letter goes there."""
        self._targets.forget(peer)
        if self._peers.get(peer.where.actor_id) is peer:
            del self._peers[peer.where.actor_id]

    # -- the end -----------------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Wait a moment for what becomes of letters under way. Guest thread, outside the guest."""
        give_up_at = time.monotonic() + SETTLE_S
        while (left := give_up_at - time.monotonic()) > 0:
            with self.lock:
                if self._is_closed:
                    return
                for peer in self._all:
                    peer.read()
                busy = [peer for peer in self.connections if peer.unanswered]
                poller = self.connections.poller(busy)
            if not busy:
                return
            poller.poll(left * 1000)
            self.bell.silence()

    def close(self, linger_ms: int) -> bool:
        """Close every connection; False if the guest thread is at them. Post thread."""
        if not self.lock.acquire(timeout=linger_ms / 1000):
            return False
        try:
            self._is_closed = True
            self.connections.close()
            for peer in self._all:
                peer.close(linger_ms)
        finally:
            self.lock.release()
        self.bell.ring()
        return True




def _where(message: Any) -> Where | ActorError:
    if isinstance(message, control.Refused):
        return from_wire(message.kind, message.data)
    if "error" in message.data:
        return RootRefusal(message.data["error"])
    return _places(message.data)[0]


def _places(data: dict[str, Any]) -> list[Where]:
    return msgspec.convert(data["peers"], list[Where])
