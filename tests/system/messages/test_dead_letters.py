"""What becomes of messages that are not delivered between real workers (theater:simple/message-server-host)."""

from __future__ import annotations

import json
import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.system.running import RunningTree, until
from tests.system.talking import Talk, Talker
from theater.errors import NotFound


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
