"""theater:simple/message-server-host, function by function, without another worker."""

from __future__ import annotations

import re
from typing import Any

import pytest

from proto import operation
from tests.interfaces.calling import Host
from tests.interfaces.talkkit import IDENTITY, STRANGER, FakeWorker, mail, took
from tests.worker.enginekit import FakeContext
from theater import cgrf, types
from theater.errors import ChannelClosed, HandlerError, InternalError, MailboxFull, OperationTimeout
from theater.grants import MESSAGES
from theater.values import NO_BYTES, U32, UNIT, Bool, List, Option, Record, Result, String, Tuple, Value, bytes_of
from worker.channels import OPEN
from worker.mailbox import HANDLE_CLOSE, HANDLE_MESSAGE, HANDLE_OPEN, HANDLE_REQUEST, HANDLE_SEND


class Guest:
    """An actor's guest, calling its host."""

    def __init__(self, **options: Any) -> None:
        self.context = FakeContext()
        self.host = Host({MESSAGES: options}, self.context)
        self.peers = self.context.peers
        self.mailbox = self.context.mailbox

    def __call__(self, function: str, *arguments: Value) -> Result:
        answer = self.host.call(MESSAGES, function, *arguments)
        assert isinstance(answer, Result)
        return answer

    def ok(self, function: str, *arguments: Value) -> Value | None:
        answer = self(function, *arguments)
        assert answer.is_ok, answer
        return answer.value

    def err(self, function: str, *arguments: Value) -> str:
        answer = self(function, *arguments)
        assert not answer.is_ok
        assert isinstance(answer.value, String)
        return answer.value.value


@pytest.fixture
def guest() -> Guest:
    return Guest()


B, NAME = bytes_of(b"hi"), String("b")


def test_register_once(guest: Guest) -> None:
    """The second time is an error, with Theater's words."""
    assert guest.ok("register") == UNIT
    assert guest.mailbox.is_open
    assert guest.err("register") == "Already registered"


def test_send_is_a_piece_of_mail(guest: Guest) -> None:
    """From this life to that one, with the bytes as they are."""
    guest.peers.add("b")

    assert guest.ok("send", NAME, B) == UNIT
    assert guest.peers.posted == [("/b", operation.Mail(7, "send", guest.context.actor_id, 1, 2), b"hi")]
    assert (guest.peers.found, guest.context.letters) == ([("b", MESSAGES, True)], [])


def test_send_to_nobody(guest: Guest) -> None:
    """An error, and a dead letter."""
    assert guest.err("send", NAME, B) == "No such actor: b"
    assert guest.context.letters == [("b", HANDLE_SEND, "No such actor: b", b"hi", "")]


def test_what_is_not_delivered_is_a_dead_letter(guest: Guest) -> None:
    """With the receiver's id and the reason; what the guest was given, and failed in, is none."""
    guest.peers.add("b")
    guest.peers.refusal = ChannelClosed(None)
    assert guest.err("send", NAME, B) == "Operation channel closed"
    assert guest.context.letters == [("id-b", HANDLE_SEND, "Operation channel closed", b"hi", "")]

    guest.context.letters.clear()
    guest.peers.refusal = InternalError({"function": HANDLE_SEND, "message": "no"})
    guest("send", NAME, B)
    assert guest.context.letters == []


def test_request_returns_the_answer(guest: Guest) -> None:
    """As bytes; the time-out goes with it."""
    guest.peers.add("b")
    guest.peers.answer = b"there"

    assert guest.ok("request", NAME, B) == bytes_of(b"there")
    ((path, sent, body),) = guest.peers.exchanged
    assert (path, sent.kind, body) == ("/b", "request", b"hi")
    assert 29_000 < sent.timeout_ms <= 30_001


@pytest.mark.parametrize("error", [OperationTimeout(2.0), MailboxFull(100), ChannelClosed(None)], ids=lambda e: e.kind)
def test_request_fails_in_words(guest: Guest, error: Any) -> None:
    """Each error as its text; no dead letter: the guest knows."""
    guest.peers.add("b")
    guest.peers.answer = error

    assert guest.err("request", NAME, B) == error.text()
    assert guest.context.letters == []


def test_open_channel(guest: Guest) -> None:
    """The id is ours; the channel is there once the other side has said yes."""
    guest.peers.add("b")
    guest.peers.answer = b"\x01"
    id = guest.ok("open-channel", NAME, B)
    assert isinstance(id, String)
    assert re.fullmatch("ch_[0-9a-f]{16}", id.value)
    assert guest.peers.exchanged[0][1].channel == id.value

    assert guest.ok("send-on-channel", id, B) == UNIT
    assert guest.ok("close-channel", id) == UNIT
    kinds = [(sent.kind, sent.channel) for _, sent, _ in guest.peers.posted]
    assert kinds == [("channel", id.value), ("close", id.value)]
    assert guest.err("send-on-channel", id, B) == f"Handler error: there is no channel {id.value}"


@pytest.mark.parametrize(
    ("answer", "text"),
    [(b"\x00", "b has refused the channel"), (OperationTimeout(30.0), "Operation timed out after 30 s")],
    ids=["refused", "late"],
)
def test_open_channel_in_vain(guest: Guest, answer: Any, text: str) -> None:
    """No channel is left."""
    guest.peers.add("b")
    guest.peers.answer = answer
    assert guest.err("open-channel", NAME, B) == text

    id = String(guest.peers.exchanged[0][1].channel)
    assert guest.err("send-on-channel", id, B) == f"Handler error: there is no channel {id.value}"


def test_closing_the_channel_of_one_that_is_gone_is_fine(guest: Guest) -> None:
    """It is closed in any case."""
    guest.peers.add("b")
    guest.peers.answer = b"\x01"
    id = guest.ok("open-channel", NAME, B)
    guest.peers.refusal = ChannelClosed(None)
    assert isinstance(id, String)

    assert guest.ok("close-channel", id) == UNIT


@pytest.mark.parametrize("id", ["", "ch_0123456789abcdef", "x" * 5000])
def test_ids_that_are_none(guest: Guest, id: str) -> None:
    """Of a channel or a request: refused in words, whatever they are."""
    functions = {"send-on-channel": (B,), "close-channel": (), "respond-to-request": (B,), "cancel-request": ()}
    for function, more in functions.items():
        assert id[:100] in guest.err(function, String(id), *more)


def test_nothing_is_outstanding_at_first(guest: Guest) -> None:
    """The list is bare, not a result."""
    assert guest.host.call(MESSAGES, "list-outstanding-requests") == List(types.STRING, ())


# -- the mailbox: what comes -------------------------------------------------------------------------------------------


@pytest.fixture
def worker() -> FakeWorker:
    return FakeWorker({MESSAGES: {"channels_max": 2, "requests_max": 1}})


def params(call: Any) -> tuple[Value, ...]:
    value = cgrf.decode(call.payload)
    assert isinstance(value, Tuple)
    return value.items


def test_mail_becomes_operations(worker: FakeWorker) -> None:
    """With the parameters of pack-abi 9.7."""
    mailbox = worker.mailbox()
    mailbox.is_open = True
    send = took(mailbox, "send")
    assert (send.function, params(send), send.waiter.is_void) == (HANDLE_SEND, (bytes_of(b"x"),), True)

    request = took(mailbox, "request", timeout_ms=500)
    id, body = params(request)
    assert (request.function, body, request.timeout_ms) == (HANDLE_REQUEST, bytes_of(b"x"), 500)
    assert isinstance(id, String)
    assert re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", id.value)

    offer = took(mailbox, "open", channel="ch_1")
    assert (offer.function, params(offer)) == (HANDLE_OPEN, (String("ch_1"), bytes_of(b"x")))
    assert offer.waiter.delivery.returned(cgrf.encode(Tuple((Bool(True),)))) == b"\x01"
    said = took(mailbox, "channel", channel="ch_1")
    assert (said.function, params(said)) == (HANDLE_MESSAGE, (String("ch_1"), bytes_of(b"x")))
    closed = took(mailbox, "close", channel="ch_1")
    assert (closed.function, params(closed)) == (HANDLE_CLOSE, (String("ch_1"),))
    assert worker.refused == []


def test_mail_for_another_life_is_refused(worker: FakeWorker) -> None:
    """It cannot come, as endpoints belong to one life; should it, nobody handles it."""
    mailbox = worker.mailbox()
    mailbox.is_open = True

    assert mailbox.take(IDENTITY, mail("send", to=1), [b"x"]) is None
    assert worker.refused[0][1:] == ("handler", ("the message is for another incarnation",))


def test_mail_before_register_is_refused(worker: FakeWorker) -> None:
    """In every kind."""
    mailbox = worker.mailbox()
    for kind in ("send", "request", "open", "channel", "close"):
        assert mailbox.take(IDENTITY, mail(kind), [b"x"]) is None
    assert {each[2] for each in worker.refused} == {("the actor takes no messages: it has not registered",)}


@pytest.mark.parametrize("registers", [True, False])
def test_mail_during_the_start_waits_for_its_end(registers: bool) -> None:
    """Then it is known whether the guest has registered."""
    from worker.mailbox import NOT_REGISTERED, Mailbox

    mailbox = Mailbox(FakeWorker())  # type: ignore[arg-type]
    call = took(mailbox, "send")
    mailbox.is_open = registers
    mailbox.started()

    assert call.refusal == (None if registers else NOT_REGISTERED)


def test_a_strangers_mail_on_a_channel_is_refused(worker: FakeWorker) -> None:
    """Another worker that knows the id neither says anything on it nor closes it."""
    mailbox = worker.mailbox()
    mailbox.is_open = True
    took(mailbox, "open", channel="ch_1").waiter.delivery.returned(cgrf.encode(Bool(True)))
    for kind in ("channel", "close"):
        assert mailbox.take(STRANGER, mail(kind, channel="ch_1"), [b"x"]) is None
        assert mailbox.take(IDENTITY, mail(kind, channel="ch_2"), [b"x"]) is None

    assert {each[2] for each in worker.refused} == {("not a participant of this channel",)}
    assert mailbox.channels.open("ch_1").state == OPEN


def test_a_channels_id_is_offered_once(worker: FakeWorker) -> None:
    """Whoever offers it again is refused, and so is one channel too many."""
    mailbox = worker.mailbox()
    mailbox.is_open = True
    took(mailbox, "open", channel="ch_1")
    assert mailbox.take(STRANGER, mail("open", channel="ch_1"), [b""]) is None
    took(mailbox, "open", channel="ch_2")
    assert mailbox.take(IDENTITY, mail("open", channel="ch_3"), [b""]) is None

    assert [each[1] for each in worker.refused] == ["handler", "mailbox_full"]


RESPONSES: list[tuple[Value, bytes]] = [
    (Tuple((Bool(True),)), b"\x01"),
    (Bool(True), b"\x01"),
    (Tuple((Record("accept", (("accepted", Bool(True)),)),)), b"\x01"),
    (Tuple((Bool(True), String("why"))), b"\x01"),
    (Tuple((Tuple((Bool(True), String("why"))),)), b"\x01"),
    (Tuple((Record("accept", (("accepted", Bool(False)),)),)), b"\x00"),
    (Tuple((Bool(False),)), b"\x00"),
    (UNIT, b"\x00"),
    (String("yes"), b"\x00"),
]


@pytest.mark.parametrize(("response", "answer"), RESPONSES, ids=str)
def test_what_counts_as_accepted(worker: FakeWorker, response: Value, answer: bytes) -> None:
    """A record with accepted, or a tuple that begins with a bool (pack-abi 9.7)."""
    mailbox = worker.mailbox()
    mailbox.is_open = True
    offer = took(mailbox, "open", channel="ch_1")

    assert offer.waiter.delivery.returned(cgrf.encode(response)) == answer


ANSWERS: list[tuple[Value, bytes]] = [
    (Tuple((Option(types.BYTES, bytes_of(b"yes")),)), b"yes"),
    (Option(types.BYTES, bytes_of(b"yes")), b"yes"),
    (Tuple((bytes_of(b"yes"),)), b"yes"),
    (Tuple((NO_BYTES,)), b""),
    (UNIT, b""),
    (U32(5), b""),
]


@pytest.mark.parametrize(("response", "answer"), ANSWERS, ids=str)
def test_what_counts_as_an_answer(worker: FakeWorker, response: Value, answer: bytes) -> None:
    """Of an actor that cannot answer later: none, and what cannot be read, is empty (pack-abi 9.7)."""
    mailbox = worker.mailbox()
    mailbox.is_open = True

    assert took(mailbox, "request").waiter.delivery.returned(cgrf.encode(response)) == answer


def test_none_leaves_a_request_outstanding(worker: FakeWorker) -> None:
    """If the actor imports what it needs to answer later, and as many as the grant allows."""
    mailbox = worker.mailbox()
    mailbox.begin(can_answer_later=True, is_registered=True)
    first, second = took(mailbox, "request"), took(mailbox, "request", number=2)
    none = cgrf.encode(Tuple((NO_BYTES,)))
    assert first.waiter.delivery.returned(none) is None
    with pytest.raises(HandlerError, match="1 requests are outstanding already"):
        second.waiter.delivery.returned(none)

    (id,) = mailbox.outstanding()
    mailbox.respond(id, b"now")
    (reply,) = worker.replies
    assert (reply.waiter.identity, reply.waiter.id, reply.response) == (IDENTITY, 1, b"now")
    assert mailbox.outstanding() == []


def test_a_request_that_nobody_waits_for_is_forgotten(worker: FakeWorker) -> None:
    """Its sender has taken it back."""
    mailbox = worker.mailbox()
    mailbox.begin(can_answer_later=True, is_registered=True)
    assert took(mailbox, "request").waiter.delivery.returned(cgrf.encode(NO_BYTES)) is None
    mailbox.forget((STRANGER, 1))
    assert len(mailbox.outstanding()) == 1
    mailbox.forget((IDENTITY, 1))

    assert mailbox.outstanding() == []


def test_an_answer_inside_is_the_only_one(worker: FakeWorker) -> None:
    """Whatever handle-request does afterwards."""
    mailbox = worker.mailbox()
    mailbox.begin(can_answer_later=True, is_registered=True)
    worker.machine.running = call = took(mailbox, "request")
    (id,) = mailbox.outstanding()
    mailbox.respond(id, b"now")

    assert mailbox.outstanding() == []
    assert call.waiter.delivery.returned(cgrf.encode(bytes_of(b"later"))) is None
    assert call.waiter.delivery.failed() is False


def test_the_end_of_the_other_side_closes_its_channels(worker: FakeWorker) -> None:
    """The guest is told of those that were open, once."""
    mailbox = worker.mailbox()
    mailbox.is_open = True
    took(mailbox, "open", channel="ch_1").waiter.delivery.returned(cgrf.encode(Bool(True)))
    took(mailbox, "open", channel="ch_2")
    for _ in range(2):
        worker.peers.on_end[0]("id-other", 5)

    assert [(each.function, params(each)) for each in worker.told] == [(HANDLE_CLOSE, (String("ch_1"),))]
    assert mailbox.channels.drop("ch_2") is None
