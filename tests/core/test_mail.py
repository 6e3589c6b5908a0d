"""The mailbox keeps order, and lets outcomes and ends be taken out of turn."""

from __future__ import annotations

from supervisor.core import notices as note
from supervisor.core.mail import NEXT, Called, Ended, EndOf, Mailbox, OutcomeOf, Started, StopOrder, TimeUp, accepts
from supervisor.core.ref import Ref

A, B = Ref("/a", 1), Ref("/b", 2)
CALL = Called(note.WhichChildren(1, "/"))


def filled(*mails) -> Mailbox:
    mailbox = Mailbox()
    for mail in mails:
        mailbox.put(mail)
    return mailbox


def test_mail_comes_in_order() -> None:
    """What arrived first is taken first."""
    mailbox = filled(Ended(A, "crash"), CALL, StopOrder("shutdown"))

    assert [mailbox.take(NEXT) for _ in range(4)] == [Ended(A, "crash"), CALL, StopOrder("shutdown"), None]


def test_end_is_taken_out_of_turn() -> None:
    """An end that is waited for is taken from the middle, and does not come again."""
    mailbox = filled(CALL, Ended(A, "x"), Ended(B, "y"))

    assert mailbox.take(EndOf((A,))) == Ended(A, "x")
    assert [mailbox.take(NEXT) for _ in range(3)] == [CALL, Ended(B, "y"), None]


def test_end_that_is_not_there() -> None:
    """Nobody gets an end that has not come."""
    assert filled(Ended(A, "x")).take_end(B) is None


def test_outcome_is_kept_for_who_waits() -> None:
    """The outcome of a start that is not waited for yet is kept apart from the mail."""
    mailbox = filled(Started(A), CALL)

    assert mailbox.take(NEXT) == CALL
    assert mailbox.take(OutcomeOf(A)) == Started(A)


def test_late_timer_is_dropped() -> None:
    """A timer nobody waits for any more is no mail."""
    assert filled(TimeUp(1)).take(NEXT) is None


def test_who_waits_gets_only_that() -> None:
    """Whoever waits for an end is not disturbed by other mail."""
    wait = EndOf((A,), timer=3)

    assert [accepts(wait, mail) for mail in (Ended(A, "x"), Ended(B, "x"), TimeUp(3), TimeUp(4), CALL)] == [
        True,
        False,
        True,
        False,
        False,
    ]
