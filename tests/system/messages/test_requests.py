"""Requests between real workers (theater:simple/message-server-host)."""

from __future__ import annotations

import os
import signal

import pytest

from tests.system.running import until
from tests.system.talking import Talk, Talker


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
