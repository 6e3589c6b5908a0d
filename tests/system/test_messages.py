"""Messages, requests and channels between real workers (theater:simple/message-server-host)."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.system import talking
from tests.system.running import RunningTree, until
from tests.system.talking import Talk, Talker
from theater.errors import ActorError, NotFound
from theater.values import U32


@pytest.fixture(scope="module")
def tree() -> Iterator[RunningTree]:
    """One tree for all tests here."""
    with talking.talking_tree() as tree:
        yield tree


@pytest.fixture
def talk(tree: RunningTree) -> Talk:
    return Talk(tree)


@pytest.fixture
def pair(talk: Talk) -> tuple[Talker, Talker]:
    """Two that know nothing of each other."""
    return talk.talker(), talk.talker()


# -- messages ----------------------------------------------------------------------------------------------------


def test_a_message_arrives(pair: tuple[Talker, Talker]) -> None:
    """By path and by id."""
    a, b = pair
    a.ask("send", b.path, "one")
    a.ask("send", b.id, "two")

    b.wait_notes("send one", "send two")


def test_messages_arrive_in_order(pair: tuple[Talker, Talker]) -> None:
    """More than the window, so that the sender has to wait; a request comes behind them."""
    a, b = pair
    a.ask("send-many", b.path, 150)
    a.ask("request", b.path, "last")

    b.wait_notes(*[f"send {number}" for number in range(150)], "request last")


def test_a_message_to_oneself_comes_in_its_turn(talk: Talk) -> None:
    """It waits in the mailbox until the sending operation is over."""
    a = talk.talker()
    a.ask("send", a.path, "remember")

    a.wait_notes("send remember")


def test_one_that_writes_too_much_to_itself_is_told(talk: Talk) -> None:
    """Nobody could make room while it waits."""
    a = talk.talker()

    assert a.refused("send-many", a.path, 21) == "20: Operation queue is full (20)"


def test_nothing_is_taken_before_register(talk: Talk) -> None:
    """The message is a dead letter; after register the next one arrives, and a second register is an error."""
    a, b = talk.talker(), talk.talker({"notes": []})
    a.ask("send", b.path, "early")
    (letter,) = talk.wait_letters(b.path, 1)
    assert (b.notes(), letter.message) == ([], b"early")
    assert "not registered" in letter.reason
    assert "not registered" in a.refused("request", b.path, "early")

    b.ask("register")
    a.ask("send", b.path, "late")
    b.wait_notes("send late")
    assert b.refused("register") == "Already registered"


def test_one_that_goes_on_from_a_state_is_registered(talk: Talk, tree: RunningTree) -> None:
    """After an update ``init`` is not called, and the guest believes what it has done before."""
    a, b = talk.talker(), talk.talker()
    tree.actor(b.path).update_package(tree.home / "talker.wasm")
    a.ask("send", b.path, "still there")

    b.wait_notes("send still there")


def test_a_guests_own_refusal_of_a_message_is_its_own_affair(talk: Talk) -> None:
    """It was delivered: no dead letter, and the next one arrives."""
    a, b = talk.talker(), talk.talker()
    a.ask("send", b.path, "decline")
    a.ask("request", b.path, "and")

    assert (b.notes(), talk.letters(b.path)) == (["request and"], [])


def test_no_room_is_told_after_the_time_out(pair: tuple[Talker, Talker]) -> None:
    """The mailbox of one that computes for ever fills up; the sender waits two seconds for room, then hears of it."""
    a, b = pair
    until_killed = b.later("spin")
    until(lambda: b.tree.status(b.path).operation, "the computation to begin")
    began = time.monotonic()

    assert a.refused("send-many", b.path, 50) == "20: Operation queue is full (20)"
    assert 1.5 < time.monotonic() - began < 10
    os.kill(b.tree.pid(b.path), signal.SIGKILL)
    until_killed()


def test_messages_to_one_that_dies_are_dead_letters(talk: Talk) -> None:
    """Those it had not begun, and that in which it died; its next life gets none of them."""
    a, b = talk.talker(), talk.talker()
    spinning = b.later("spin")
    until(lambda: b.tree.status(b.path).operation, "the computation to begin")
    a.ask("send-many", b.path, 5)
    os.kill(b.tree.pid(b.path), signal.SIGKILL)
    spinning()
    b.tree.wait_incarnation(b.path, 2)
    letters = talk.wait_letters(b.path, 5)

    assert [letter.message for letter in letters] == [b"0", b"1", b"2", b"3", b"4"]
    assert all("signal 9" in letter.reason for letter in letters)
    assert b.notes() == []


@pytest.mark.parametrize("end", ["terminate", "shutdown"])
def test_messages_whose_sender_has_ended_are_dead_letters(pair: tuple[Talker, Talker], talk: Talk, end: str) -> None:
    """They stay in the mailbox; if the receiver stops before it has handled them, it is the one to say so."""
    a, b = pair
    b.actor.pause()
    a.ask("send-many", b.path, 3)
    getattr(a.actor, end)()
    a.tree.wait_incarnation(a.path, 2)
    b.actor.shutdown(5)
    letters = talk.wait_letters(b.path, 3)

    assert [(letter.sender, letter.message) for letter in letters] == [(a.path, b"%d" % n) for n in range(3)]
    assert all(letter.reason.endswith("(and the sender has ended)") for letter in letters)


def test_messages_whose_sender_has_ended_are_handled(pair: tuple[Talker, Talker], talk: Talk) -> None:
    """By a receiver that lives on: no dead letter."""
    a, b = pair
    b.actor.pause()
    a.ask("send-many", b.path, 3)
    a.actor.terminate()
    b.actor.resume()

    b.wait_notes("send 0", "send 1", "send 2")
    assert talk.letters(b.path) == []


def test_dead_letters_are_seen_requeued_and_dropped(talk: Talk) -> None:
    """On the command line: list, show, requeue, drop."""
    a, b = talk.talker(), talk.talker({"notes": []})
    a.ask("send", b.path, "one")
    a.ask("send", b.path, "two")
    talk.wait_letters(b.path, 2)
    cli = talk.tree.cli
    rows = [json.loads(line) for line in cli("dead-letters", "list", b.path, "-o", "jsonl").splitlines()]
    first, second = (row["seq"] for row in rows)
    shown = json.loads(cli("dead-letters", "show", b.path, first, "-o", "json"))
    assert (shown["message"], shown["from"]) == ("one", a.path)

    cli("dead-letters", "requeue", b.path, first)
    cli("dead-letters", "drop", b.path, second)

    until(lambda: not talk.letters(b.path), "the letters to be gone")
    assert b.notes() == ["send one"]
    cli("dead-letters", "drop", b.path, second, check=1)


def test_a_dead_letter_is_taken_out_once(talk: Talk) -> None:
    """By whoever is first: it is not delivered twice."""
    a, b = talk.talker(), talk.talker({"notes": []})
    a.ask("send", b.path, "once")
    (letter,) = talk.wait_letters(b.path, 1)
    client = talk.tree.client

    def drop() -> str:
        try:
            client.drop_undelivered(letter.number)
        except NotFound:
            return "gone"
        return "dropped"

    with ThreadPoolExecutor(4) as pool:
        assert sorted(pool.map(lambda _: drop(), range(4))) == ["dropped", "gone", "gone", "gone"]
    client.keep_undelivered(b.path, a.path, letter.function, "not this time", b"once")
    (again,) = until(lambda: [each for each in talk.letters(b.path) if each.number != letter.number], "the letter")
    assert (again.sender, again.message, again.reason) == (a.path, b"once", "not this time")


def test_a_dead_letter_of_one_that_does_not_run_is_kept(tree: RunningTree, talk: Talk) -> None:
    """It is sent again when somebody is there."""
    a = talk.talker()
    assert a.refused("send", "/t/nobody-yet", "hello")
    (letter,) = talk.wait_letters("/t/nobody-yet", 1)
    tree.cli("dead-letters", "requeue", "/t/nobody-yet", f"m{letter.number}", check=4)

    assert talk.letters("/t/nobody-yet") == [letter]


def test_a_dead_letter_that_times_out_is_kept(talk: Talk) -> None:
    """With the doubt in its reason: whoever sends it again must know."""
    a, b = talk.talker(), talk.talker({"notes": []})
    a.ask("send", b.path, "late")
    (letter,) = talk.wait_letters(b.path, 1)
    b.actor.pause()
    talk.tree.cli("dead-letters", "requeue", b.path, f"m{letter.number}", "--timeout", "200ms", check=6)

    (again,) = until(lambda: [each for each in talk.letters(b.path) if each.number != letter.number], "the letter")
    assert again.message == b"late"
    assert again.reason.endswith(f"(sent again as m{letter.number}, and may have been handled)")
    b.actor.resume()


def test_a_message_to_nobody_is_an_error_and_a_dead_letter(talk: Talk) -> None:
    """The sender is told at once."""
    a = talk.talker()

    assert a.refused("send", "/t/nobody-here", "hello") == "No such actor: /t/nobody-here"
    assert talk.wait_letters("/t/nobody-here", 1)[0].sender == a.path


def test_messages_go_on_to_the_next_package(talk: Talk, tree: RunningTree) -> None:
    """During a hot update nothing is lost, nothing comes twice, and the order stays."""
    a, b = talk.talker(), talk.talker()
    computing = b.later("compute")
    until(lambda: b.tree.status(b.path).operation, "the computation to begin")
    a.ask("send-many", b.path, 10)
    tree.actor(b.path).update_package(tree.home / "talker.wasm")
    computing()
    a.ask("send-many", b.path, 10)

    b.wait_notes(*[f"send {number}" for number in [*range(10), *range(10)]])
    assert b.actor.get_status().incarnation == 2
    assert talk.letters(b.path) == []


def test_requests_do_not_notice_updates(talk: Talk, tree: RunningTree) -> None:
    """One after the other, all the time: each has its answer, once."""
    a, b = talk.talker(), talk.talker()
    answers = meanwhile(lambda number: a.ask("request", b.path, str(number)), lambda: update(b))

    assert answers == [f"you said {number}" for number in range(len(answers))]
    assert b.notes() == [f"request {number}" for number in range(len(answers))]


def test_offers_of_channels_do_not_notice_updates(talk: Talk, tree: RunningTree) -> None:
    """Each is accepted, and what is said on the channel arrives, whichever worker it is."""
    a, b = talk.talker(), talk.talker()

    def converse(number: int) -> str:
        channel = str(a.ask("open", b.path, str(number)))
        try:
            a.ask("say", channel, "hi")
            a.ask("close", channel)
        except ActorError as error:  # opened just before the update, which has ended it
            assert error.text().endswith(f"there is no channel {channel}")
        return channel

    channels = meanwhile(converse, lambda: update(b))
    until(lambda: b.notes()[-1] == f"closed {channels[-1]}", "the last one to be closed")
    notes = b.notes()

    assert [note for note in notes if note.startswith("open")] == [
        f"open {channel} {number}" for number, channel in enumerate(channels)
    ]
    assert sum(note.startswith("said") for note in notes) >= len(channels) - 1


def test_what_is_between_two_is_over_with_an_update(pair: tuple[Talker, Talker], tree: RunningTree) -> None:
    """Who waits for a request that is outstanding, and who has a channel, is told at once."""
    a, b = pair
    channel = a.ask("open", b.path, "hello")
    asked = a.later("request", b.path, "later")
    (id,) = until(lambda: b.ask("outstanding"), "the request")
    tree.actor(b.path).update_package(tree.home / "talker.wasm")

    assert asked().text().endswith("Operation channel closed (updated to another package)")
    a.wait_notes(f"closed {channel}")
    assert b.ask("outstanding") == []
    assert b.refused("respond", id, "x") == f"Handler error: there is no outstanding request {id}"
    assert b.refused("say", channel, "x") == f"Handler error: there is no channel {channel}"
    assert a.refused("say", channel, "x") == f"Handler error: there is no channel {channel}"
    assert a.ask("request", b.path, "hello") == "you said hello"


def update(talker: Talker) -> None:
    talker.actor.update_package(talker.tree.home / "talker.wasm")


def meanwhile(work: Callable[[int], str], change: Callable[[], None]) -> list[str]:
    """Do something again and again, before, while and after something else happens; what came of it."""
    found: list[str] = []
    failed: list[BaseException] = []
    is_done = threading.Event()

    def run() -> None:
        try:
            while not is_done.is_set():
                found.append(work(len(found)))
        except BaseException as error:
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: failed or len(found) > 10, "the first ones")
    change()
    so_far = len(found)
    until(lambda: failed or len(found) > so_far + 10, "those afterwards")
    is_done.set()
    thread.join()
    assert not failed, failed
    return found


# -- requests ----------------------------------------------------------------------------------------------------


def test_a_request_is_answered(pair: tuple[Talker, Talker]) -> None:
    """With what handle-request returns."""
    a, b = pair

    assert a.ask("request", b.path, "hello") == "you said hello"
    assert a.ask("request", b.path, "which") == "1"  # the one it is in is outstanding


def test_a_request_may_be_answered_later(pair: tuple[Talker, Talker]) -> None:
    """It is outstanding until it is; then it is not any more."""
    a, b = pair
    answer = a.later("request", b.path, "later")
    (id,) = until(lambda: b.ask("outstanding"), "the request")
    b.ask("respond", id, "here it is")

    assert (answer(), b.ask("outstanding")) == ("here it is", [])
    assert b.refused("respond", id, "again") == f"Handler error: there is no outstanding request {id}"


def test_a_request_answered_inside_is_answered_once(pair: tuple[Talker, Talker]) -> None:
    """By respond-to-request, in handle-request itself."""
    a, b = pair

    assert (a.ask("request", b.path, "inside"), b.ask("outstanding")) == ("from inside", [])


def test_a_request_may_be_cancelled(pair: tuple[Talker, Talker]) -> None:
    """Who asked is told."""
    a, b = pair
    answer = a.later("request", b.path, "later")
    (id,) = until(lambda: b.ask("outstanding"), "the request")
    b.ask("cancel", id)

    assert "Operation cancelled" in answer().text()
    assert b.ask("outstanding") == []


def test_who_loses_patience_is_forgotten(pair: tuple[Talker, Talker]) -> None:
    """After the grant's time-out the request is outstanding no more."""
    a, b = pair

    assert a.refused("request", b.path, "later") == "Operation timed out after 2 s"
    until(lambda: b.ask("outstanding") == [], "nothing outstanding")


def test_as_many_requests_as_granted_are_left_outstanding(talk: Talk) -> None:
    """One more is answered at once, with nothing."""
    b = talk.talker()
    askers = [talk.talker() for _ in range(4)]
    answers = []
    for number in range(3):
        answers.append(askers[number].later("request", b.path, f"later {number}"))
        until(lambda count=number + 1: len(b.ask("outstanding")) == count, f"{number + 1} outstanding")  # type: ignore[misc]

    assert askers[3].refused("request", b.path, "later 3") == "Handler error: 3 requests are outstanding already"
    for id in b.ask("outstanding"):
        b.ask("respond", id, "done")
    assert [answer() for answer in answers] == ["done"] * 3


def test_requests_of_one_that_has_ended_are_outstanding_no_more(pair: tuple[Talker, Talker]) -> None:
    """Nobody waits for their answers, and others have room."""
    a, b = pair
    answer = a.later("request", b.path, "later")
    (id,) = until(lambda: b.ask("outstanding"), "the request")
    os.kill(a.tree.pid(a.path), signal.SIGKILL)

    until(lambda: b.ask("outstanding") == [], "the request to be forgotten")
    assert b.refused("respond", id, "late") == f"Handler error: there is no outstanding request {id}"
    answer()


def test_a_request_to_oneself_is_refused(talk: Talk) -> None:
    """It would wait for itself (L15)."""
    a = talk.talker()

    assert a.refused("request", a.path, "hello") == "Unexpected error: actor would wait for itself"
    assert a.refused("open", a.path, "hello") == "Unexpected error: actor would wait for itself"


@pytest.mark.parametrize("message", ["crash", "decline"])
def test_a_request_that_fails_is_an_error(pair: tuple[Talker, Talker], message: str) -> None:
    """Trap or refusal: who asked hears why."""
    a, b = pair

    assert "handle-request" in a.refused("request", b.path, message)


def test_who_waits_for_one_that_is_killed_is_answered(pair: tuple[Talker, Talker]) -> None:
    """At once, with the cause; also when the request was outstanding."""
    a, b = pair
    answer = a.later("request", b.path, "later")
    until(lambda: b.ask("outstanding"), "the request")
    os.kill(b.tree.pid(b.path), signal.SIGKILL)

    assert "signal 9 SIGKILL" in answer().text()


def test_a_stop_ends_the_waiting(pair: tuple[Talker, Talker]) -> None:
    """The guest that waits gets an error, and the actor stops in order."""
    a, b = pair
    answer = a.later("request", b.path, "later")
    until(lambda: b.ask("outstanding"), "the request")
    report = a.actor.shutdown(5)

    assert report.cause.kind == "stopped"
    assert "shutting-down" in answer().text()


# -- channels ----------------------------------------------------------------------------------------------------


def test_a_channel_carries_messages_both_ways(pair: tuple[Talker, Talker]) -> None:
    """In order, until it is closed; the other side is told."""
    a, b = pair
    channel = a.ask("open", b.path, "hello")
    assert channel.startswith("ch_")
    assert len(channel) == 19
    a.ask("say", channel, "one")
    a.ask("say", channel, "two")
    b.ask("say", channel, "three")
    b.ask("close", channel)

    b.wait_notes(f"open {channel} hello", f"said {channel} one", f"said {channel} two")
    a.wait_notes(f"said {channel} three", f"closed {channel}")
    for talker in pair:
        assert talker.refused("say", channel, "x") == f"Handler error: there is no channel {channel}"


def test_a_channel_may_be_refused(pair: tuple[Talker, Talker]) -> None:
    """Who offered it is told, and neither side has it."""
    a, b = pair

    assert a.refused("open", b.path, "no") == f"{b.path} has refused the channel"
    channel = b.notes()[0].split()[1]
    assert b.refused("say", channel, "x") == f"Handler error: there is no channel {channel}"


def test_only_participants_use_a_channel(talk: Talk) -> None:
    """A third actor that knows the id is refused, whatever it tries."""
    a, b, c = talk.talker(), talk.talker(), talk.talker()
    channel = a.ask("open", b.path, "hello")

    for function, more in (("say", ("hi",)), ("close", ())):
        assert c.refused(function, channel, *more) == f"Handler error: there is no channel {channel}"
    a.ask("say", channel, "still open")
    b.wait_notes(f"open {channel} hello", f"said {channel} still open")


@pytest.mark.parametrize("dies", [0, 1])
def test_the_end_of_one_side_closes_the_channel(pair: tuple[Talker, Talker], dies: int) -> None:
    """The other is told once, and cannot send any more."""
    channel = pair[0].ask("open", pair[1].path, "hello")
    survivor = pair[1 - dies]
    before = survivor.notes()
    os.kill(survivor.tree.pid(pair[dies].path), signal.SIGKILL)

    survivor.wait_notes(*before, f"closed {channel}")
    assert survivor.refused("say", channel, "x") == f"Handler error: there is no channel {channel}"


def test_as_many_channels_as_granted(talk: Talk) -> None:
    """One more cannot be opened, nor accepted."""
    a, b, c = talk.talker(), talk.talker(), talk.talker()
    for _ in range(3):
        a.ask("open", b.path, "hello")

    assert a.refused("open", c.path, "hello") == "Operation queue is full (3)"
    assert c.refused("open", b.path, "hello") == "Operation queue is full (3)"


def test_whom_a_grant_does_not_reach(talk: Talk, tree: RunningTree) -> None:
    """What is not allowed is refused, and nothing arrives."""
    shy, brief = Talker(tree, "/shy"), talk.talker(under="/gone")

    for function in ("send", "request", "open"):
        assert shy.refused(function, brief.path, "hello") == f"Not permitted: message-server ({brief.path})"
    assert brief.notes() == []
    assert shy.ask("request", talk.talker().path, "hello") == "you said hello"


# -- the record --------------------------------------------------------------------------------------------------------


def test_whatever_was_said_replays(talk: Talk, tree: RunningTree) -> None:
    """Every function and callback is answered from the record: answers, refusals, and what the other side did."""
    a, b = talk.talker(), talk.talker()
    a.ask("name", f"n-{b.id[:8]}")
    a.ask("join", f"g-{b.id[:8]}", "broadcast")
    a.ask("members", f"g-{b.id[:8]}")
    a.ask("whereis", "n-nobody")
    a.ask("send", b.path, "hello")
    a.refused("send", "/t/nobody", "hello")
    a.ask("request", b.path, "which")
    a.ask("request", b.path, "inside")
    a.refused("request", b.path, "decline")
    assert a.rpc(b.path, "add", U32(1), U32(2)) == ("ok", 3)
    assert a.rpc(b.path, "nothing")[0] == "err"
    a.ask("exports", b.path)
    channel = a.ask("open", b.path, "hello")
    a.ask("say", channel, "one")
    b.ask("say", channel, "two")
    b.ask("close", channel)
    a.wait_notes(f"said {channel} two", f"closed {channel}")

    for talker in (a, b):
        tree.cli("replay", talker.path)  # ends with an error where anything differs


def test_one_rebuilt_by_replay_is_registered(talk: Talk, tree: RunningTree) -> None:
    """It goes on where it was, takes messages and has its name; channels of its earlier life are gone."""
    a, deep = talk.talker(), Talker(tree, "/deep")
    deep.ask("name", "n-deep")
    a.ask("send", "n-deep", "before")
    deep.wait_notes("send before")
    channel = deep.ask("open", a.path, "hello")
    os.kill(tree.pid("/deep"), signal.SIGKILL)
    tree.wait_incarnation("/deep", 2)
    a.ask("send", "n-deep", "after")

    deep.wait_notes("send before", "send after")
    assert deep.refused("say", channel, "x") == f"Handler error: there is no channel {channel}"
    assert deep.refused("register") == "Already registered"
    assert deep.ask("request", a.path, "hello") == "you said hello"
