"""Budgets that slide: against a list of everything that was ever used."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theater.budgets import Budget
from worker.meters import GRAINS, Meter

MS = 1_000_000
WINDOW_MS = 1000
GRAIN_NS = WINDOW_MS * MS // GRAINS

STEPS = st.lists(st.tuples(st.integers(0, 700), st.integers(1, 40)), max_size=40)
"""(milliseconds later, so much used)"""


def meter(amount: int = 100, per_ms: int | None = WINDOW_MS) -> Meter:
    return Meter(Budget(amount=amount, per_ms=per_ms))


@given(steps=STEPS)
def test_a_window_is_what_was_used_in_it(steps: list[tuple[int, int]]) -> None:
    """Never less than a plain list says, and no more than what one step further back adds."""
    it, all_of_it, now = meter(), [], 0
    for later_ms, amount in steps:
        now += later_ms * MS
        it.add(amount, now)
        all_of_it.append((now, amount))
        window = now - WINDOW_MS * MS
        least = sum(each for at, each in all_of_it if at > window)
        most = sum(each for at, each in all_of_it if at > window - GRAIN_NS)

        assert least <= it.used(now) <= most
        assert it.usage(now)["used"] == it.used(now)


@given(steps=STEPS)
def test_after_the_wait_there_is_room(steps: list[tuple[int, int]]) -> None:
    """Exactly then, if nothing else is used; and not long before."""
    it, now = meter(), 0
    for later_ms, amount in steps:
        now += later_ms * MS
        it.add(amount, now)

    wait = it.wait_ns(now)
    assert wait is not None
    assert (wait == 0) == (it.used(now) < it.limit)
    now += wait
    for _ in range(GRAINS + 2):
        more = it.wait_ns(now)
        assert more is not None
        now += more
    assert it.wait_ns(now) == 0


def test_what_is_more_than_the_limit_at_once_takes_as_many_windows() -> None:
    """The average is kept: five times the limit is room again after five windows, not after one."""
    it = meter()
    it.add(500, 0)

    assert it.wait_ns(3 * WINDOW_MS * MS)
    assert it.wait_ns(5 * WINDOW_MS * MS + GRAIN_NS) == 0


def test_without_a_time_there_is_never_room_again() -> None:
    """A budget of one incarnation."""
    it = meter(per_ms=None)
    it.add(99, 0)
    assert (it.wait_ns(0), it.left(0)) == (0, 1)
    it.add(1, 0)

    assert (it.wait_ns(10**18), it.left(10**18)) == (None, 0)


@pytest.mark.parametrize(
    ("one", "other", "wanted"),
    [
        (Budget(amount=10, per_ms=1000), Budget(amount=10, per_ms=1000), True),
        (Budget(amount=10, per_ms=1000), Budget(amount=5, per_ms=1000), True),
        (Budget(amount=10, per_ms=1000), Budget(amount=10, per_ms=500), False),
        (Budget(amount=10, per_ms=1000), Budget(amount=11, per_ms=10_000), False),
        (Budget(amount=10, per_ms=1000), Budget(amount=10), True),
        (Budget(amount=10), Budget(amount=10, per_ms=1000), False),
        (Budget(amount=10), Budget(amount=10), True),
    ],
)
def test_which_budget_covers_which(one: Budget, other: Budget, wanted: bool) -> None:
    """A budget covers another that never allows more."""
    assert one.covers(other) is wanted
