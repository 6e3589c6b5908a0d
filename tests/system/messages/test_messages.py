"""Messages between real workers (theater:simple/message-server-host)."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable

from tests.system.running import RunningTree, until
from tests.system.talking import Talk, Talker
from theater.errors import ActorError


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
