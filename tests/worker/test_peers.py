"""The way to other actors, over real sockets: order, one life only, updates, ends, time-outs, stops."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import zmq

from proto import control, operation
from tests.system.running import until
from theater.errors import (
    ActorError,
    ChannelClosed,
    HandlerError,
    LimitExceeded,
    MailboxFull,
    NotFound,
    OperationTimeout,
    UnexpectedError,
)
from worker.alarms import Alarms
from worker.asks import Asks
from worker.deadlines import Deadline
from worker.letters import AGAIN, IF_REFUSED, NEVER, Letter
from worker.peer import Where
from worker.peers import Peers

GRANT = "theater:simple/message-server-host"
UPDATED = {"kind": "updated"}
KILLED = {"kind": "killed", "by": "test"}


class Other:
    """One life of another actor: its worker's operation socket."""

    def __init__(self, world: World, actor_id: str, incarnation: int) -> None:
        self.life = (actor_id, incarnation)
        self.endpoint = f"ipc://{world.directory}/{actor_id}-{incarnation}"
        self.socket = world.context.socket(zmq.ROUTER)
        self.socket.bind(self.endpoint)
        self.where = {
            "actor_id": actor_id,
            "path": f"/{actor_id}",
            "incarnation": incarnation,
            "endpoint": self.endpoint,
            "routing": bytes([incarnation]) * 16,
            "package": "p",
        }

    def take(self) -> tuple[bytes, Any, bytes]:
        """The next request: who sent it, what it is, its body."""
        assert self.socket.poll(5000), f"nothing came to {self.life}"
        identity, header, *bodies = self.socket.recv_multipart()
        return identity, operation.REQUESTS.decode(header), bodies[0] if bodies else b""

    def bodies(self, count: int) -> list[bytes]:
        """So many requests, answered as they come."""
        found = []
        for _ in range(count):
            identity, request, body = self.take()
            self.answer(identity, operation.Returned(request.id))
            found.append(body)
        return found

    def answer(self, identity: bytes, answer: Any, *bodies: bytes) -> None:
        self.socket.send_multipart([identity, operation.ANSWERS.encode(answer), *bodies])

    def is_silent(self) -> bool:
        return not self.socket.poll(30)


class World:
    """A root that knows where everybody is, the post thread's part, and one actor's peers."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.context: zmq.Context[Any] = zmq.Context()
        self.present: dict[str, Any] = {}
        self.group: list[str] = []
        """Whom the name ``group`` means."""
        self.asked: list[dict[str, Any]] = []
        self.holds_answers = False
        self.held: list[control.Ask] = []
        self.asks = Asks(self._said)
        self.alarms = Alarms(lambda: None)
        inc: Any = SimpleNamespace(
            asks=self.asks,
            alarms=self.alarms,
            init=SimpleNamespace(actor_id="own"),
            desk=SimpleNamespace(context=self.context),
        )
        self.peers = Peers(inc, b"o" * 16)

    def other(self, actor_id: str = "b", incarnation: int = 1) -> Other:
        """Another actor's present life."""
        other = self.present[actor_id] = Other(self, actor_id, incarnation)
        return other

    def find(self, target: str = "b") -> Any:
        (peer,) = self.peers.find(target, GRANT, Deadline(1000))
        return peer

    def post(self, *bodies: bytes, window: int = 100, then: Any = None) -> list[Letter]:
        """Post letters to b."""
        letters = [letter(body, then) for body in bodies]
        for each in letters:
            self.peers.post(self.find(), each, window, Deadline(100))
        return letters

    def ended(self, other: Other, cause: dict[str, Any]) -> None:
        """The root says that a life has ended."""
        self.peers.ended(control.PeerEnded(*other.life, cause))

    def ring(self) -> None:
        """Whatever is due by now."""
        self.alarms.ring(time.monotonic_ns())

    def until(self, fact: Callable[[], object], what: str) -> None:
        """Wait for a fact, as the post thread would: ringing alarms."""

        def look() -> object:
            self.ring()
            return fact()

        until(look, what, 5)

    def release(self) -> None:
        """Give the answers that were held."""
        self.holds_answers = False
        held, self.held = self.held, []
        for ask in held:
            self._answer(ask)

    def close(self) -> None:
        self.peers.close(0)
        self.context.destroy(linger=0)

    def _said(self, ask: Any, bodies: Any) -> None:
        self.asked.append(ask.arguments)
        if self.holds_answers:
            self.held.append(ask)
        else:
            threading.Thread(target=self._answer, args=(ask,)).start()  # the post thread is another one

    def _answer(self, ask: control.Ask) -> None:
        if ask.arguments["target"] == "group":
            found = [self.present[each].where for each in self.group]
            told = msgspec.msgpack.encode(found)
            self.asks.answer(control.Answered(ask.id, {"peers": [], "keeps": False}), [told])
            return
        other = self.present.get(ask.arguments["target"].lstrip("/"))
        if other is None:
            self.asks.answer(control.Refused(ask.id, "not_found", (ask.arguments["target"],)), [])
        else:
            self.asks.answer(control.Answered(ask.id, {"peers": [other.where], "keeps": True}), [])


def letter(body: bytes, then: Any = None, goes_again: str = AGAIN) -> Letter:
    return Letter(lambda number, to: operation.Mail(number, "send", "own", 1, to), body, then, goes_again)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    world = World(tmp_path)
    yield world
    world.close()


def test_letters_come_in_order_over_one_connection(world: World) -> None:
    """The root is asked once; the sender's name begins with its routing id."""
    b = world.other()
    letters = world.post(*(str(number).encode() for number in range(50)))
    identity, request, body = b.take()
    assert (identity[:16], request.to, body) == (b"o" * 16, 1, b"0")
    assert b.bodies(49) == [str(number).encode() for number in range(1, 50)]

    assert len(world.asked) == 1
    world.until(lambda: all(each.is_over for each in letters[1:]), "the answers")


def test_what_the_root_refuses_is_raised(world: World) -> None:
    """By its kind."""
    with pytest.raises(NotFound):
        world.find("nobody")


def test_an_exchange_returns_the_answer(world: World) -> None:
    """Or raises the error of the other worker."""
    b = world.other()

    def serve() -> None:
        identity, request, _ = b.take()
        b.answer(identity, operation.Returned(request.id), b"there")
        identity, request, _ = b.take()
        b.answer(identity, operation.Failed(request.id, "mailbox_full", (3,)))

    thread = threading.Thread(target=serve)
    thread.start()
    assert world.peers.exchange(world.find(), letter(b"x"), Deadline(5000)) == b"there"
    with pytest.raises(MailboxFull):
        world.peers.exchange(world.find(), letter(b"x"), Deadline(5000))
    thread.join()


def test_nothing_of_one_life_comes_to_the_next(world: World) -> None:
    """What was under way when it ended fails, with the cause; what follows goes to the next life."""
    first = world.other()
    lost = world.post(b"one", b"two")
    second = world.other(incarnation=2)
    world.ended(first, KILLED)
    assert len(world.post(b"three")) == 1
    world.until(lambda: all(each.is_over for each in lost), "the end to be known")

    assert all(each.error == ChannelClosed(KILLED) for each in lost)
    assert second.bodies(1) == [b"three"]
    assert second.is_silent()


def test_an_answer_sent_before_the_end_counts(world: World) -> None:
    """It may still be on its way when the end is told."""
    b = world.other()
    (sent,) = world.post(b"one")
    identity, request, _ = b.take()
    world.ended(b, KILLED)
    b.answer(identity, operation.Returned(request.id))
    world.until(lambda: sent.is_over, "the answer")

    assert sent.error is None or sent.error == ChannelClosed(KILLED)


def test_news_of_an_end_may_overtake_the_endpoint(world: World) -> None:
    """Nobody waits for a life that was over before it was met."""
    b = world.other()
    world.ended(b, KILLED)

    with pytest.raises(ChannelClosed):
        world.find()


def test_letters_follow_an_update_in_order(world: World) -> None:
    """Those refused as moved and those not answered go to the next worker, before later ones, and none is lost."""
    first = world.other()
    world.post(b"1", b"2", b"3", b"4")
    got = [first.take() for _ in range(4)]
    world.holds_answers = True
    second = world.other(incarnation=2)
    first.answer(got[0][0], operation.Returned(got[0][1].id))
    for identity, request, _ in got[1:3]:
        first.answer(identity, operation.Failed(request.id, "moved"))
    world.until(lambda: world.find().held, "the refusals")
    world.post(b"5")
    world.ended(first, UPDATED)
    world.until(lambda: world.held, "the question where it is now")
    world.post(b"6")
    world.release()

    assert second.bodies(5) == [b"2", b"3", b"4", b"5", b"6"]
    assert second.is_silent()


def test_an_update_that_comes_to_nothing(world: World) -> None:
    """The letters go to the old worker again."""
    b = world.other()
    world.post(b"1")
    identity, request, _ = b.take()
    b.answer(identity, operation.Failed(request.id, "moved"))
    world.until(lambda: b.socket.poll(1), "the letter to come again")

    assert b.bodies(1) == [b"1"]


def test_what_is_for_one_life_only_fails_when_it_is_over(world: World) -> None:
    """A channel's message is not for the next worker."""
    b = world.other()
    once = letter(b"x", goes_again=NEVER)
    world.peers.post(world.find(), once, 100, Deadline(100))
    identity, request, _ = b.take()
    world.other(incarnation=2)
    b.answer(identity, operation.Failed(request.id, "moved"))
    world.until(lambda: once.is_over, "the refusal")

    assert once.error == ChannelClosed(UPDATED)


def test_what_is_for_one_life_only_goes_there_if_it_lives_on(world: World) -> None:
    """The update has come to nothing: the channel is still there."""
    b = world.other()
    once = letter(b"x", goes_again=NEVER)
    world.peers.post(world.find(), once, 100, Deadline(100))
    identity, request, _ = b.take()
    b.answer(identity, operation.Failed(request.id, "moved"))
    world.until(lambda: b.socket.poll(1), "the letter to come again")

    assert b.bodies(1) == [b"x"]


def test_a_refused_request_goes_to_the_next_worker(world: World) -> None:
    """It was not executed; its sender waits, and hears nothing of the update."""
    first = world.other()
    asked = letter(b"x", goes_again=IF_REFUSED)
    answers: list[bytes] = []
    thread = threading.Thread(
        target=lambda: answers.append(world.peers.exchange(world.find(), asked, Deadline(5000)))
    )
    thread.start()
    identity, request, _ = first.take()
    second = world.other(incarnation=2)
    first.answer(identity, operation.Failed(request.id, "moved"))
    identity, request, body = second.take()
    second.answer(identity, operation.Returned(request.id), b"there")
    thread.join()

    assert (request.to, body, answers) == (2, b"x", [b"there"])


def test_a_request_without_an_answer_does_not_go_again(world: World) -> None:
    """It may have been executed: the end of the worker ends it, too."""
    first = world.other()
    asked = letter(b"x", goes_again=IF_REFUSED)
    world.peers.post(world.find(), asked, 100, Deadline(100))
    first.take()
    second = world.other(incarnation=2)
    world.ended(first, UPDATED)
    world.until(lambda: asked.is_over, "the end")

    assert asked.error == ChannelClosed(UPDATED)
    assert second.is_silent()


def test_who_hears_of_the_update_turns_to_the_next_worker(world: World) -> None:
    """As soon as the last one has answered everything, and whatever was between the two is over at once."""
    ends: list[tuple[str, int]] = []
    world.peers.on_end.append(lambda actor_id, incarnation: ends.append((actor_id, incarnation)))
    first = world.other()
    world.post(b"1")
    second = world.other(incarnation=2)
    world.peers.moved(control.PeerMoved(*first.life))
    world.post(b"2")
    assert ends == [("b", 1)]
    assert second.is_silent()
    assert first.bodies(1) == [b"1"]
    world.until(lambda: second.socket.poll(1), "the next letter")

    assert second.bodies(1) == [b"2"]
    assert first.is_silent()


def test_a_time_out_takes_the_letter_back(world: World) -> None:
    """A Cancel follows it; a late answer is nobody's."""
    b = world.other()
    with pytest.raises(OperationTimeout):
        world.peers.exchange(world.find(), letter(b"x"), Deadline(20))
    identity, request, _ = b.take()
    _, cancel, _ = b.take()
    assert cancel.operation == request.id
    b.answer(identity, operation.Returned(request.id), b"late")

    b.bodies(0)
    assert world.find().load == 0


def test_a_full_window_is_waited_for(world: World) -> None:
    """Until there is room, or the time is over."""
    b = world.other()
    world.post(b"1", b"2", window=2)
    with pytest.raises(MailboxFull):
        world.post(b"3", window=2)
    thread = threading.Thread(target=b.bodies, args=(3,))
    thread.start()
    world.peers.post(world.find(), letter(b"4"), 2, Deadline(5000))
    thread.join()


def test_nobody_waits_for_itself(world: World) -> None:
    """An exchange is refused; a full window is full at once."""
    world.other("own")
    with pytest.raises(UnexpectedError, match="wait for itself"):
        world.peers.exchange(world.find("own"), letter(b"x"), Deadline(1000))
    world.peers.post(world.find("own"), letter(b"x"), 1, Deadline(60_000))
    with pytest.raises(MailboxFull):
        world.peers.post(world.find("own"), letter(b"x"), 1, Deadline(60_000))


def test_a_stop_ends_the_waiting(world: World) -> None:
    """Whatever is waited for: an answer, or the root's."""
    world.other()
    peer = world.find()
    threading.Timer(0.05, world.asks.release).start()
    with pytest.raises(ActorError, match="shutting-down"):
        world.peers.exchange(peer, letter(b"x"), Deadline(20_000))
    with pytest.raises(ActorError, match="shutting-down"):
        world.peers.find("c", GRANT, Deadline(20_000))


def test_the_root_may_be_slow(world: World) -> None:
    """The question where somebody is has a bound, too."""
    world.holds_answers = True
    with pytest.raises(OperationTimeout):
        world.peers.find("b", GRANT, Deadline(20))


def test_the_way_back_is_confirmed_by_the_root(world: World) -> None:
    """Letters wait for it; whoever turns out to be another gets none, and that life counts as ended."""
    ends: list[tuple[str, int]] = []
    world.peers.on_end.append(lambda actor_id, incarnation: ends.append((actor_id, incarnation)))
    b = world.other()
    told = world.peers.expect(Where("b", "", 1, "", bytes([1]) * 16, ""))
    world.peers.post(told, letter(b"x"), 10, Deadline(100))
    assert b.bodies(1) == [b"x"]

    c = world.other("c", 3)
    wrong = world.peers.expect(Where("c", "", 3, "", b"?" * 16, ""))
    until(lambda: wrong.is_over, "the confirmation", 5)
    until(lambda: ends == [("c", 3)], "the end to be told", 5)
    assert c.is_silent()


def test_nobody_passes_for_one_that_is_known(world: World) -> None:
    """The routing id says who it is, not the name it gives."""
    world.other()
    known = world.find()
    assert world.peers.expect(Where("b", "", 1, "", bytes([1]) * 16, "")) is known

    with pytest.raises(HandlerError):
        world.peers.expect(Where("b", "", 1, "", b"?" * 16, ""))


def test_each_letter_has_one_outcome(world: World) -> None:
    """Told once, whatever comes together."""
    outcomes: list[Letter] = []
    b = world.other()
    world.post(b"1", b"2", then=outcomes.append)
    identity, request, _ = b.take()
    b.answer(identity, operation.Returned(request.id))
    b.answer(identity, operation.Returned(request.id))
    world.ended(b, KILLED)
    world.ended(b, KILLED)
    world.until(lambda: len(outcomes) == 2, "both outcomes")

    assert sorted(each.body for each in outcomes) == [b"1", b"2"]


def test_an_answer_taken_by_the_other_thread_is_noticed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Just before its sender begins to wait: the socket's descriptor has nothing to say any more."""
    b = world.other()
    world.post(b"1")  # from now on the post thread looks for answers
    peer, poll = world.find(), world.find().poll
    asked = letter(b"2")

    def taken_meanwhile(milliseconds: float) -> None:
        while not asked.is_over:
            if b.socket.poll(1):
                identity, request, body = b.take()
                b.answer(identity, operation.Returned(request.id), body)
            world.ring()
        poll(milliseconds)

    monkeypatch.setattr(peer, "poll", taken_meanwhile)
    began = time.monotonic()

    assert world.peers.exchange(peer, asked, Deadline(10_000)) == b"2"
    assert time.monotonic() - began < 5


# -- more actors than connections ------------------------------------------------------------------------------------


def test_what_rests_makes_room_and_is_connected_again(world: World) -> None:
    """Twelve others over three connections: each gets everything, in order, twice."""
    world.peers.connections.kept = 3
    others = [world.other(f"b{number}") for number in range(12)]
    peers = [world.find(f"b{number}") for number in range(12)]
    for body in (b"1", b"2"):
        for peer, other in zip(peers, others, strict=True):
            (sent,) = post_to(world, peer, body)
            assert other.bodies(1) == [body]
            wait_idle(world, peer)
            assert sent.error is None
        assert len(list(world.peers.connections)) == 3


def test_what_is_in_use_is_never_closed(world: World) -> None:
    """Letters under way hold their connections, however many; those that rest later are closed."""
    world.peers.connections.kept = 3
    others = [world.other(f"b{number}") for number in range(8)]
    peers = [world.find(f"b{number}") for number in range(8)]
    sent = [post_to(world, peer, b"x")[0] for peer in peers]
    assert len(list(world.peers.connections)) == 8
    assert [other.bodies(1) for other in others] == [[b"x"]] * 8
    world.until(lambda: all(each.is_over for each in sent), "the answers")

    assert [each.error for each in sent] == [None] * 8
    world.until(lambda: len(list(world.peers.connections)) == 3, "the surplus to be closed")


def test_finding_many_loses_none_of_them(world: World) -> None:
    """A group is found before anything is sent: nobody found early is forgotten for one found late."""
    world.peers.connections.kept = 2
    for number in range(6):
        world.other(f"b{number}")
    world.group = [f"b{number}" for number in range(6)]
    peers = world.peers.find("group", GRANT, Deadline(1000), everyone=True)
    sent = [post_to(world, peer, b"x")[0] for peer in peers]

    assert [world.present[each].bodies(1) for each in world.group] == [[b"x"]] * 6
    world.until(lambda: all(each.is_over for each in sent), "the answers")


def test_as_many_as_a_group_has(world: World) -> None:
    """A thousand members over 256 connections: one after the other makes room."""
    b = world.other()
    for number in range(1000):
        world.group.append(f"b{number}")
        world.present[f"b{number}"] = SimpleNamespace(where=b.where | {"actor_id": f"b{number}"})
    thread = threading.Thread(target=b.bodies, args=(1000,))
    thread.start()
    open_max, patience = 0, Deadline(20_000)
    for peer in world.peers.find("group", GRANT, Deadline(1000), everyone=True):
        world.peers.pace(patience)
        post_to(world, peer, b"x")
        open_max = max(open_max, len(list(world.peers.connections)))

    thread.join()
    assert open_max == 256


def test_one_of_a_group_that_has_ended_is_one_of_a_group(world: World) -> None:
    """Letters to it fail with its cause, those to the others do not."""
    world.group = ["b0", "b1"]
    world.other("b0")
    gone = world.other("b1")
    world.ended(gone, KILLED)
    alive, dead = world.peers.find("group", GRANT, Deadline(1000), everyone=True)
    post_to(world, alive, b"x")

    assert world.present["b0"].bodies(1) == [b"x"]
    with pytest.raises(ChannelClosed):
        post_to(world, dead, b"x")


def test_the_last_connection_is_waited_for(world: World) -> None:
    """As many as open files allow: a letter waits for one to rest, in its time."""
    world.peers.connections.most = world.peers.connections.kept = 1
    b, c = world.other("b"), world.other("c")
    post_to(world, world.find("b"), b"1")
    with pytest.raises(LimitExceeded):
        post_to(world, world.find("c"), b"2", 20)
    thread = threading.Thread(target=b.bodies, args=(1,))
    thread.start()
    post_to(world, world.find("c"), b"3", 5000)

    assert c.bodies(1) == [b"3"]
    thread.join()


def test_a_pace_is_no_longer_than_the_patience(world: World) -> None:
    """While all connections are in use the next letter waits for one to rest, and goes out all the same."""
    world.peers.connections.kept = 1
    world.other("b")
    c = world.other("c")
    post_to(world, world.find("b"), b"1")
    world.peers.pace(Deadline(20))
    post_to(world, world.find("c"), b"2")

    assert c.bodies(1) == [b"2"]


def test_a_withdrawn_letter_holds_the_connection(world: World) -> None:
    """Until the other side has seen that it is taken back."""
    b = world.other()
    with pytest.raises(OperationTimeout):
        world.peers.exchange(world.find(), letter(b"x"), Deadline(20))
    assert not world.find().is_idle
    b.take()
    identity, cancel, _ = b.take()
    b.answer(identity, operation.Returned(cancel.id))

    wait_idle(world, world.find())


def post_to(world: World, peer: Any, body: bytes, milliseconds: int = 100) -> list[Letter]:
    sent = letter(body)
    world.peers.post(peer, sent, 100, Deadline(milliseconds))
    return [sent]


def wait_idle(world: World, peer: Any) -> None:
    """Read what it answers until all has been, as whoever waits for an answer does."""

    def is_idle() -> bool:
        with world.peers.lock:
            peer.read()
            return bool(peer.is_idle)

    until(is_idle, "the answers", 5)
