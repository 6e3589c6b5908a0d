"""``theater:simple/message-server-host``: actors that write to each other (pack-abi 10.3).

Messages go straight to the other actor's worker. ``send`` and ``send-on-channel`` do not wait for the other side: what
turns out not to be delivered becomes a dead letter.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from proto import operation
from proto.envelope import Message
from theater import types
from theater.errors import ActorError, ChannelClosed, MailboxFull, NotFound
from theater.grants import MESSAGES
from theater.grants.message_server import GRANT
from theater.values import List, String, Value, bytes_of, unit
from worker.deadlines import Deadline
from worker.interfaces.context import Context
from worker.interfaces.registry import Callback, Function, Interface, Refusal, Variant
from worker.interfaces.sending import GIVEN, STAYS
from worker.letters import AGAIN, IF_REFUSED, NEVER, Letter, Make
from worker.mailbox import CLIENT, GUEST_FAILED, HANDLE_MESSAGE, HANDLE_SEND
from worker.peer import Peer

SLICE_MS: Final = 500
"""A message to a large group goes out in slices, so that not all of it is connected at once; it waits no longer."""


class Post:
    """What the functions keep: who we are, and the grant's options."""

    def __init__(self, context: Context) -> None:
        options = GRANT.held_by(context)
        self.context = context
        self.window: int = options["window"]
        self._timeout_ms: int = options["timeout_ms"]

    def deadline(self) -> Deadline:
        """How long whoever waits for an answer waits."""
        return Deadline(self._timeout_ms)

    def mail(self, kind: str, channel: str = "", deadline: Deadline | None = None) -> Make:
        """Write a piece of mail; with a deadline, one that is answered."""
        sender, incarnation = self.context.actor_id, self.context.incarnation

        def make(number: int, to: int) -> operation.Mail:
            timeout_ms = None if deadline is None else deadline.left_ms
            return operation.Mail(number, kind, sender, incarnation, to, channel, timeout_ms)  # type: ignore[arg-type]

        return make

    def post(
        self, peer: Peer, kind: str, function: str, body: bytes, deadline: Deadline, channel: str = ""
    ) -> None:
        """Send what nobody waits for; if it is not delivered, it is a dead letter.

        Raises:
            MailboxFull: there was no room; it is no dead letter.
            ActorError: it could not even be sent.
        """
        context, actor_id = self.context, peer.where.actor_id

        def over(letter: Letter) -> None:
            if letter.error is not None and letter.error.kind != GUEST_FAILED:
                context.undelivered(actor_id, function, letter.error.text(), body, channel)

        letter = Letter(self.mail(kind, channel), body, over, NEVER if channel else AGAIN)
        context.peers.post(peer, letter, self.window, deadline)

    def post_to_all(self, peers: Sequence[Peer], body: bytes) -> None:
        """Send to a group. Nobody in it keeps the others waiting: where there is no room, it is a dead letter."""
        patience = Deadline(SLICE_MS)
        for peer in peers:
            self.context.peers.pace(patience)
            try:
                self.post(peer, "send", HANDLE_SEND, body, Deadline(0))
            except MailboxFull as error:
                self.context.undelivered(peer.where.actor_id, HANDLE_SEND, error.text(), body)
            except ActorError:
                pass  # it is a dead letter already


def register(context: Context) -> Value:
    """From now on messages are taken."""
    if context.mailbox.is_open:
        raise Refusal("Already registered")
    context.mailbox.is_open = True
    return unit()


def send(context: Context, target: String, message: List) -> Value:
    """To one actor, or to all of a broadcast group."""
    post, body = context.service(Post), _octets(message)
    try:
        peers = context.peers.find(target.value, MESSAGES, post.deadline(), everyone=True)
    except (NotFound, ChannelClosed) as error:
        context.undelivered(target.value, HANDLE_SEND, error.text(), body)
        raise
    if len(peers) == 1:
        post.post(peers[0], "send", HANDLE_SEND, body, post.deadline())
    else:
        post.post_to_all(peers, body)
    return unit()


def request(context: Context, target: String, message: List) -> Value:
    """Wait for the answer."""
    post = context.service(Post)
    deadline = post.deadline()
    (peer,) = context.peers.find(target.value, MESSAGES, deadline)
    letter = Letter(post.mail("request", deadline=deadline), _octets(message), goes_again=IF_REFUSED)
    return bytes_of(context.peers.exchange(peer, letter, deadline))


def list_outstanding_requests(context: Context) -> Value:
    """Oldest first."""
    return List(types.STRING, tuple(map(String, context.mailbox.outstanding())))


def respond_to_request(context: Context, id: String, response: List) -> Value:
    """Answer a request that handle-request has not answered."""
    context.mailbox.respond(id.value, _octets(response))
    return unit()


def cancel_request(context: Context, id: String) -> Value:
    """Who asked is told ``cancelled``."""
    context.mailbox.cancel(id.value)
    return unit()


def open_channel(context: Context, target: String, initial: List) -> Value:
    """Wait for the other side to accept."""
    post, channels = context.service(Post), context.mailbox.channels
    deadline = post.deadline()
    (peer,) = context.peers.find(target.value, MESSAGES, deadline)
    channel = channels.opening(peer)
    write = post.mail("open", channel.id, deadline)

    def offer(number: int, to: int) -> Message:
        channels.meant_for(channel, peer)
        return write(number, to)

    letter = Letter(offer, _octets(initial), goes_again=IF_REFUSED)
    try:
        is_accepted = context.peers.exchange(peer, letter, deadline) == b"\x01"
    except ActorError:
        channels.drop(channel.id)
        raise
    if not is_accepted:
        channels.drop(channel.id)
        raise Refusal(f"{target.value[:100]} has refused the channel")
    if not channels.accepted(channel):
        raise ChannelClosed()
    return String(channel.id)


def send_on_channel(context: Context, id: String, message: List) -> Value:
    """To the other side of the channel."""
    channel = context.mailbox.channels.open(id.value)
    assert channel.peer is not None
    post = context.service(Post)
    post.post(channel.peer, "channel", HANDLE_MESSAGE, _octets(message), post.deadline(), channel.id)
    return unit()


def close_channel(context: Context, id: String) -> Value:
    """The other side is told, after what was sent to it before."""
    channels, post = context.mailbox.channels, context.service(Post)
    channel = channels.open(id.value)
    channels.drop(channel.id)
    assert channel.peer is not None
    try:
        letter = Letter(post.mail("close", channel.id), b"", goes_again=NEVER)
        context.peers.post(channel.peer, letter, post.window + 1, post.deadline())
    except ChannelClosed:
        pass  # the other side has ended, and the channel with it
    return unit()


def _octets(value: List) -> bytes:
    return value.items if isinstance(value.items, bytes) else b""


_ID = "func(request-id: string) -> result<_, string>"

INTERFACE: Final = Interface(
    MESSAGES,
    "Messages, requests and channels between actors, straight from worker to worker and in order. An actor is named by "
    "its id, its path in the tree (/fleet/planner) or a name it has registered. Nothing is ever delivered twice, or to "
    "a later incarnation than the one it was sent to; what cannot be delivered is a dead letter (`theater "
    "dead-letters`).",
    (
        Function(
            "register",
            "Take messages from now on; before, senders are refused. An incarnation that begins from a state instead "
            "of `init` is registered from the start.",
            (Variant("func() -> result<_, string>", register),),
            sends=STAYS,
        ),
        Function(
            "send",
            "Send a message, without waiting for it to be handled; to all members, if the name is that of a broadcast "
            "group. While `window` messages to the same actor are unhandled it waits for one of them, and answers an "
            "error after `timeout`; it waits for no member of a group: what one has no room for is a dead letter.",
            (Variant("func(actor-id: string, msg: list<u8>) -> result<_, string>", send),),
            sends=GIVEN,
        ),
        Function(
            "request",
            "Send a request and wait for its answer, at most `timeout`. To oneself it is refused.",
            (Variant("func(actor-id: string, msg: list<u8>) -> result<list<u8>, string>", request),),
            sends=GIVEN,
        ),
        Function(
            "list-outstanding-requests",
            "Ids of the requests that this actor has not answered yet, the one it is in included.",
            (Variant("func() -> list<string>", list_outstanding_requests),),
            sends=STAYS,
        ),
        Function(
            "respond-to-request",
            "Answer a request, in handle-request or later. An actor that imports this function may return none from "
            "handle-request, which leaves the request outstanding; for others none is an empty answer.",
            (Variant("func(request-id: string, response: list<u8>) -> result<_, string>", respond_to_request),),
            sends=GIVEN,
        ),
        Function(
            "cancel-request",
            "Give a request no answer; who waits for it gets an error.",
            (Variant(_ID, cancel_request),),
            sends=STAYS,
        ),
        Function(
            "open-channel",
            "Offer another actor a channel and wait for it to accept; returns the channel's id.",
            (Variant("func(actor-id: string, initial-msg: list<u8>) -> result<string, string>", open_channel),),
            sends=GIVEN,
        ),
        Function(
            "send-on-channel",
            "Send a message on an open channel, as `send` does. Only its two participants can.",
            (Variant("func(channel-id: string, msg: list<u8>) -> result<_, string>", send_on_channel),),
            sends=GIVEN,
        ),
        Function(
            "close-channel",
            "End a channel. The other side is told by handle-channel-close, also when this actor ends.",
            (Variant("func(channel-id: string) -> result<_, string>", close_channel),),
            sends=STAYS,
        ),
    ),
    callbacks=(
        Callback(f"{CLIENT}.handle-send", "func(msg: list<u8>)", "A message has come."),
        Callback(
            f"{CLIENT}.handle-request",
            "func(request-id: string, msg: list<u8>) -> tuple<option<list<u8>>>",
            "A request has come; the answer, or none.",
        ),
        Callback(
            f"{CLIENT}.handle-channel-open",
            "func(channel-id: string, initial: list<u8>) -> tuple<record channel-accept {accepted: bool}>",
            "A channel is offered; whether it is accepted.",
        ),
        Callback(
            f"{CLIENT}.handle-channel-message",
            "func(channel-id: string, msg: list<u8>)",
            "A message has come on a channel.",
        ),
        Callback(
            f"{CLIENT}.handle-channel-close",
            "func(channel-id: string)",
            "The other side has closed a channel, or ended.",
        ),
    ),
)

INTERFACES: Final = (INTERFACE,)
