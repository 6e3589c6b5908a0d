"""What other actors send to this one: it becomes operations of the guest, in the order it came (pack-abi 9.7, 10.3).

Nothing is taken before the guest has registered. A request is answered with what handle-request returns; one that
returns ``none`` is left outstanding, if the guest imports what it needs to answer later. Everything waits in the queue
of operations and is bounded with it.
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from proto import control, operation
from theater import cgrf, types
from theater.cause import UPDATED
from theater.errors import ActorError, ChannelClosed, HandlerError, InternalError, from_wire
from theater.values import Bool, List, Option, Record, String, Tuple, Value
from worker.channels import OPEN, Channel, Channels
from worker.desk import Caller
from worker.machine_actions import Action, Answer, Refuse
from worker.machine_notices import Call, HostCall
from worker.peer import Where

if TYPE_CHECKING:
    from worker.incarnation import Incarnation

CLIENT: Final = "theater:simple/message-server-client"
HANDLE_SEND: Final = f"{CLIENT}.handle-send"
HANDLE_REQUEST: Final = f"{CLIENT}.handle-request"
HANDLE_OPEN: Final = f"{CLIENT}.handle-channel-open"
HANDLE_MESSAGE: Final = f"{CLIENT}.handle-channel-message"
HANDLE_CLOSE: Final = f"{CLIENT}.handle-channel-close"
POSTED: Final = {"send": HANDLE_SEND, "channel": HANDLE_MESSAGE}
"""Mail nobody waits for, and the function that is to have it."""
GUEST_FAILED: Final = InternalError.kind
"""The guest was given the message, and failed in it: that is its own affair, and in its chain."""

ROUTING_BYTES: Final = 16
NOT_REGISTERED: Final = ("handler", ("the actor takes no messages: it has not registered",))
OTHER_LIFE: Final = "the message is for another incarnation"
NOT_YOURS: Final = "not a participant of this channel"


class Received(msgspec.Struct, frozen=True):
    """A message nobody waits for, as it came."""

    sender: str
    function: str
    channel: str
    body: bytes


class Request:
    """One request, from its arrival to its one answer."""

    __slots__ = ("id", "is_answered", "key", "life", "mailbox")

    def __init__(self, mailbox: Mailbox, key: tuple[bytes, int], life: tuple[str, int]) -> None:
        self.mailbox = mailbox
        self.life = life
        """Whose it is: id and incarnation."""
        self.id = str(uuid.uuid4())
        self.key = key
        self.is_answered = False

    def returned(self, response: bytes | None) -> bytes | None:
        """What goes back now that handle-request has returned; None: nothing (yet).

        Raises:
            HandlerError: it was to be answered later, and too many are already.
        """
        if self.is_answered:
            return None
        answer, is_none = _answer_in(response)
        if is_none and self.mailbox.defer(self):
            return None
        self.is_answered = True
        return answer

    def failed(self) -> bool:
        """It was refused, or the guest failed in it; whether that is still to be told."""
        is_news = not self.is_answered
        self.is_answered = True
        return is_news


class Offer:
    """A channel that is being offered to the guest."""

    __slots__ = ("channel", "mailbox")

    def __init__(self, mailbox: Mailbox, channel: Channel) -> None:
        self.mailbox = mailbox
        self.channel = channel

    def returned(self, response: bytes | None) -> bytes | None:
        """Whether the guest has accepted, as a byte."""
        if _is_accepted(response) and self.mailbox.accepted(self.channel):
            return b"\x01"
        self.failed()
        return b"\x00"

    def failed(self) -> bool:
        """The guest has not even answered."""
        self.mailbox.channels.drop(self.channel.id)
        return True


class Mailbox:
    """Reads mail at the desk, by whoever holds it; answers deferred requests for the guest."""

    def __init__(self, inc: Incarnation) -> None:
        from theater.grants.message_server import GRANT  # here already if the guest imports what it stands for

        options = GRANT.of(inc.init.grants.get(GRANT.name, {}))
        self._inc = inc
        self.is_open = False
        """The guest has registered."""
        self.can_answer_later = False
        """The guest imports respond-to-request."""
        self.channels = Channels(options["channels_max"], self._tell_closed)
        self._early: list[Call] | None = []
        """What has come before the start was complete: it is known then whether the guest has registered."""
        self._requests_max: int = options["requests_max"]
        self._deferred: dict[str, Request] = {}
        self._askers: set[tuple[str, int]] = set()
        """Lives whose end we are told of: they have left requests with us."""
        self._kinds: dict[str, Callable[[Caller, operation.Mail, bytes], Call]] = {
            "send": self._sent,
            "request": self._requested,
            "open": self._offered,
            "channel": self._said,
            "close": self._closed,
        }
        inc.desk.mail, inc.desk.forget, inc.desk.unheard = self.take, self.forget, self.unheard
        assert inc.peers is not None
        inc.peers.on_end += (self.channels.ended, self._asker_ended)

    def begin(self, *, can_answer_later: bool, is_registered: bool) -> None:
        """The guest is loaded. One that goes on from a state has registered in an earlier life, as far as it knows."""
        self.can_answer_later = can_answer_later
        self.is_open = self.is_open or is_registered

    def started(self) -> None:
        """``init`` is over. Guest thread, away from the desk."""
        with self._inc.desk.lock:
            early, self._early = self._early, None
            if not self.is_open:
                for call in early or ():
                    call.refusal = NOT_REGISTERED

    # -- what comes --------------------------------------------------------------------------------------------------

    def take(self, identity: bytes, mail: operation.Mail, bodies: list[bytes]) -> Call | None:
        """Make an operation of a piece of mail; None if it was answered at once. Only with the desk's lock held."""
        body = bodies[0] if bodies else b""
        function = POSTED.get(mail.kind)
        letter = None if function is None else Received(mail.sender, function, mail.channel, body)
        caller = Caller(identity, mail.id, is_void=True, letter=letter)
        desk = self._inc.desk
        if mail.to != self._inc.init.incarnation:
            desk.refuse(caller, HandlerError.kind, (OTHER_LIFE,))
            return None
        if not self.is_open and self._early is None:
            desk.refuse(caller, *NOT_REGISTERED)
            return None
        try:
            call = self._kinds[mail.kind](caller, mail, body)
        except ActorError as error:
            desk.refuse(caller, error.kind, error.data)
            return None
        if self._early is not None:
            self._early.append(call)
        return call

    def unheard(self, letter: Received, kind: str, data: tuple[Any, ...]) -> None:
        """A message is not handled, and its sender, who would see to it, is gone: a dead letter."""
        if kind != GUEST_FAILED:
            reason = f"{from_wire(kind, data).text()} (and the sender has ended)"
            told = control.Undelivered("", letter.function, reason, letter.channel, letter.sender)
            self._inc.say(told, [letter.body])

    def forget(self, key: tuple[bytes, int]) -> None:
        """Who asked this waits no more. Only with the desk's lock held."""
        for request in list(self._deferred.values()):
            if request.key == key:
                request.is_answered = True
                self._deferred.pop(request.id, None)

    def _sent(self, caller: Caller, mail: operation.Mail, body: bytes) -> Call:
        return _call(HANDLE_SEND, caller, mail, _bytes(body))

    def _requested(self, caller: Caller, mail: operation.Mail, body: bytes) -> Call:
        request = Request(self, (caller.identity, caller.id), (mail.sender, mail.incarnation))
        answered = Caller(caller.identity, caller.id, delivery=request)
        return _call(HANDLE_REQUEST, answered, mail, String(request.id), _bytes(body))

    def _offered(self, caller: Caller, mail: operation.Mail, body: bytes) -> Call:
        routing = caller.identity[:ROUTING_BYTES]
        channel = self.channels.offered(mail.channel, mail.sender, mail.incarnation, routing)
        answered = Caller(caller.identity, caller.id, delivery=Offer(self, channel))
        return _call(HANDLE_OPEN, answered, mail, String(channel.id), _bytes(body))

    def _said(self, caller: Caller, mail: operation.Mail, body: bytes) -> Call:
        self._check_participant(caller, mail)
        return _call(HANDLE_MESSAGE, caller, mail, String(mail.channel), _bytes(body))

    def _closed(self, caller: Caller, mail: operation.Mail, body: bytes) -> Call:
        self._check_participant(caller, mail)
        self.channels.drop(mail.channel)
        return _call(HANDLE_CLOSE, caller, mail, String(mail.channel))

    def _check_participant(self, caller: Caller, mail: operation.Mail) -> None:
        """A stranger's channel and one that is not there are refused alike."""
        if self.channels.of_sender(mail.channel, caller.identity[:ROUTING_BYTES]) is None:
            raise HandlerError(NOT_YOURS)

    def accepted(self, channel: Channel) -> bool:
        """The guest has accepted: look for the way back; False if the offer was not from whom it said. Guest thread."""
        peers = self._inc.peers
        assert peers is not None
        try:
            channel.peer = peers.expect(Where(channel.actor_id, "", channel.incarnation, "", channel.routing, ""))
        except ActorError:
            return False
        channel.state = OPEN
        return True

    def _tell_closed(self, id: str) -> None:
        self._inc.tell(HostCall(function=HANDLE_CLOSE, payload=cgrf.encode(Tuple((String(id),)))))

    # -- requests that are answered later ----------------------------------------------------------------------------

    def defer(self, request: Request) -> bool:
        """Leave a request outstanding that handle-request has not answered; False if the guest cannot answer later.

        Raises:
            HandlerError: as many are as the grant allows.
        """
        if not self.can_answer_later:
            return False
        if len(self._deferred) >= self._requests_max:
            request.is_answered = True
            raise HandlerError(f"{self._requests_max} requests are outstanding already")
        self._deferred[request.id] = request
        if request.life not in self._askers:
            self._askers.add(request.life)
            assert self._inc.peers is not None
            self._inc.peers.watch(*request.life)
        return True

    def _asker_ended(self, actor_id: str, incarnation: int) -> None:
        """Nobody waits for its requests any more."""
        life = (actor_id, incarnation)
        self._askers.discard(life)
        for request in list(self._deferred.values()):
            if request.life == life:
                request.is_answered = True
                self._deferred.pop(request.id, None)

    def outstanding(self) -> list[str]:
        """Requests the guest may answer, oldest first; the one it is in comes last. Guest thread."""
        present = self._present()
        return [*self._deferred.copy(), *([present.id] if present is not None else [])]

    def respond(self, id: str, response: bytes) -> None:
        """Answer a request. Guest thread.

        Raises:
            HandlerError: there is no such request, or it has its answer.
        """
        self._reply(Answer(self._take(id), response))

    def cancel(self, id: str) -> None:
        """Let a request go unanswered: who asked is told at once. Guest thread."""
        self._reply(Refuse(self._take(id), "cancelled"))

    def taken_over(self) -> list[Refuse]:
        """Another package goes on with this actor, and knows nothing of what is outstanding: who asked is told."""
        left = []
        for id in list(self._deferred):
            request = self._deferred.pop(id, None)
            if request is not None and not request.is_answered:
                request.is_answered = True
                left.append(Refuse(Caller(*request.key), ChannelClosed.kind, ({"kind": UPDATED},)))
        return left

    def _take(self, id: str) -> Caller:
        request = self._deferred.pop(id, None)
        if request is None:
            present = self._present()
            request = present if present is not None and present.id == id else None
        if request is None or request.is_answered:
            raise HandlerError(f"there is no outstanding request {id[:100]}")
        request.is_answered = True
        return Caller(*request.key)

    def _present(self) -> Request | None:
        """The request the guest is in, if it has no answer yet."""
        running = self._inc.machine.running
        delivery = getattr(getattr(running, "waiter", None), "delivery", None)
        return delivery if isinstance(delivery, Request) and not delivery.is_answered else None

    def _reply(self, action: Action) -> None:
        """Leave it for whoever holds the desk next, as an answer of ours is left."""
        inc = self._inc
        if inc.holding is not None and inc.holding.hold(inc.recorder.seq, action):
            inc.post_bell.ring()
        else:
            inc.replies.append(action)
            inc.guest_bell.ring()


def _call(function: str, caller: Caller, mail: operation.Mail, *params: Value) -> Call:
    now = time.monotonic_ns()
    timeout = mail.timeout_ms
    return Call(
        function=function,
        payload=cgrf.encode(Tuple(params)),
        waiter=caller,
        key=(caller.identity, caller.id),
        received_ns=now,
        expires_ns=None if timeout is None else now + timeout * 1_000_000,
        timeout_ms=timeout,
    )


def _bytes(data: bytes) -> Value:
    return List(types.U8, data)


def _answer_in(response: bytes | None) -> tuple[bytes, bool]:
    """The bytes handle-request gave, and whether it gave none on purpose; what is unreadable is empty."""
    match _first(response):
        case Option(value=None):
            return b"", True
        case Option(value=List(element=types.U8, items=bytes(data))) | List(element=types.U8, items=bytes(data)):
            return data, False
        case _:
            return b"", False


def _is_accepted(response: bytes | None) -> bool:
    """A record with ``accepted``, or a tuple that begins with a bool; anything else is a no."""
    match _first(response):
        case Bool(value=accepted):
            return accepted
        case Tuple(items=(Bool(value=accepted), *_)):
            return accepted
        case Record() as record if any(name == "accepted" for name, _ in record.fields):
            return record["accepted"] == Bool(True)
        case _:
            return False


def _first(response: bytes | None) -> Value | None:
    """The answer in a response: it usually comes in a 1-tuple (pack-abi 9.3)."""
    try:
        value = cgrf.decode(response or b"")
    except ValueError:
        return None
    return value.items[0] if isinstance(value, Tuple) and len(value.items) == 1 else value
