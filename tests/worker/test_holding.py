"""Answers that wait for the store (``durability: group``)."""

from __future__ import annotations

from worker.holding import HELD_MAX, Holding


def test_what_is_stored_need_not_wait() -> None:
    """Nothing was recorded since."""
    assert not Holding(4).hold(4, "a")


def test_answers_go_in_order_when_their_events_are_stored() -> None:
    """Each with the acknowledgement that covers it."""
    holding = Holding(-1)
    for seq, answer in enumerate("abcd"):
        assert holding.hold(seq, answer)

    assert holding.stored(1) == ["a", "b"]
    assert holding.stored(1) == []
    assert holding.stored(9) == ["c", "d"]
    assert len(holding) == 0


def test_none_overtakes_one_that_waits() -> None:
    """Even if its own events are stored already."""
    holding = Holding(-1)
    holding.hold(5, "late")
    holding.stored(4)

    assert holding.hold(3, "early")
    assert holding.stored(5) == ["late", "early"]


def test_it_says_when_it_is_full() -> None:
    """So that no further request is taken."""
    holding = Holding(-1)
    for _ in range(HELD_MAX):
        assert not holding.is_full
        holding.hold(0, "a")

    assert holding.is_full
