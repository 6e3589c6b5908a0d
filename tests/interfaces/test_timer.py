"""``theater:simple/timer``: intervals, single ticks, what ends them, and the order of things."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.interfaces.local import Calls, calls, make_any_calls
from theater import cgrf, types
from theater.grants import TIMER
from theater.values import U64, UNIT, List, String
from worker.interfaces.timer import DELAY_MS_MAX, TICK
from worker.machine_notices import Declined, Rejected, Returned

FAR_NS = 10**15
MS = 1_000_000


@pytest.fixture
def timer() -> Iterator[Calls]:
    with calls(TIMER, timers_max=3) as made:
        yield made


def ring(timer: Calls, in_ms: int = 0) -> None:
    """What the post thread does at that time from now."""
    timer.context.alarms.ring(time.monotonic_ns() + in_ms * MS)


def begun(timer: Calls) -> list[str]:
    """Names of the ticks whose turn comes now, of all that were delivered; each begins and returns."""
    context = timer.context
    waiting = list(zip(context.delivered, context.wanteds, context.thens, strict=True))
    for each in (context.delivered, context.wanteds, context.thens):
        each.clear()
    names = []
    for (function, params), wanted, then in waiting:
        assert function == TICK
        if wanted():
            names.append(params[0].value)
            then(Returned(cgrf.encode(UNIT)))
    return names


def listed(timer: Calls) -> list[tuple[str, int | None]]:
    answer: Any = timer("list-timers", UNIT)
    assert answer.element == types.Tuple((types.STRING, types.Option(types.U64)))
    found = [each.items for each in answer.items]
    return [(name.value, interval.value.value if interval.value else None) for name, interval in found]


# -- intervals ---------------------------------------------------------------------------------------------------------


def test_set_interval_answers_the_name_and_ticks_at_once(timer: Calls) -> None:
    """The first tick does not wait for the interval (pack-abi 10.6)."""
    assert timer.ok("set-interval", String("a"), U64(1000)) == String("a")

    assert begun(timer) == ["a"]


def test_ticks_come_at_the_interval(timer: Calls) -> None:
    """Not before it is over, and then again and again."""
    timer.ok("set-interval", String("a"), U64(60_000))
    begun(timer)
    ring(timer, in_ms=30_000)
    assert begun(timer) == []

    for minutes in (1, 2, 3):
        ring(timer, in_ms=60_000 * minutes)
        assert begun(timer) == ["a"]


def test_a_late_ring_skips_whole_intervals(timer: Calls, monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker that was stopped for a while gets one tick, and the phase is kept."""
    started = time.monotonic_ns()
    monkeypatch.setattr(time, "monotonic_ns", lambda: started)
    timer.ok("set-interval", String("a"), U64(100))
    late = started + 1_050 * MS
    monkeypatch.setattr(time, "monotonic_ns", lambda: late)
    timer.context.alarms.ring(late)

    assert len(timer.context.delivered) == 2
    assert timer.context.alarms.next_ns == started + 1_100 * MS


def test_ticks_of_one_timer_merge_and_those_of_its_successor_do_not(
    timer: Calls, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The queue's merge key is the timer's, not the name's: a replaced timer's tick may wait there, unwanted."""
    keys: list[str | None] = []
    deliver = timer.context.deliver

    def noting(*args: Any, merge_key: str | None = None, **more: Any) -> None:
        keys.append(merge_key)
        deliver(*args, merge_key=merge_key, **more)

    monkeypatch.setattr(timer.context, "deliver", noting)
    timer.ok("set-interval", String("a"), U64(10))
    ring(timer, in_ms=10)
    timer.ok("set-interval", String("a"), U64(10))

    assert keys[0] == keys[1] != keys[2]


def test_an_interval_of_the_same_name_replaces(timer: Calls) -> None:
    """One timer per name; the tick of the old one that waits is not wanted any more."""
    timer.ok("set-interval", String("a"), U64(1000))
    timer.ok("set-interval", String("a"), U64(2000))

    assert listed(timer) == [("a", 2000)]
    assert begun(timer) == ["a"]


def test_a_cleared_timer_is_silent(timer: Calls) -> None:
    """Neither the tick that waits nor the next one."""
    timer.ok("set-interval", String("a"), U64(1000))
    assert timer.ok("clear-interval", String("a")) == UNIT
    ring(timer, in_ms=5000)

    assert begun(timer) == []
    assert timer.context.alarms.next_ns is None


@pytest.mark.parametrize(
    ("notice", "text"), [(Declined("no"), "no"), (Rejected("function_not_found", (TICK,)), "not found")]
)
def test_a_tick_that_fails_ends_the_timer(timer: Calls, notice: Any, text: str) -> None:
    """With a line in the log that says why (pack-abi 9.7)."""
    timer.ok("set-interval", String("a"), U64(1000))
    assert timer.context.wanteds[0]()
    timer.context.thens[0](notice)

    assert listed(timer) == []
    [(level, line)] = timer.context.logged
    assert level == "warning"
    assert line.startswith("the timer 'a' has ended, because its tick failed: ") and text in line


def test_a_failed_tick_does_not_end_its_successor(timer: Calls) -> None:
    """The handler set the timer anew before it failed."""
    timer.ok("set-interval", String("a"), U64(1000))
    timer.ok("set-interval", String("a"), U64(2000))
    timer.context.thens[0](Declined("no"))

    assert listed(timer) == [("a", 2000)]
    assert timer.context.logged == []


# -- single ticks ------------------------------------------------------------------------------------------------------


def test_set_once(timer: Calls) -> None:
    """One tick, not before the delay is over; it is forgotten when it begins."""
    assert timer.ok("set-once", String("a"), U64(50)) == String("a")
    assert (begun(timer), listed(timer)) == ([], [("a", None)])
    ring(timer, in_ms=60)

    assert (begun(timer), listed(timer)) == (["a"], [])
    ring(timer, in_ms=1_000)
    assert begun(timer) == []


def test_clear_interval_clears_a_single_tick(timer: Calls) -> None:
    """Names are one space."""
    timer.ok("set-once", String("a"), U64(50))
    timer.ok("clear-interval", String("a"))
    ring(timer, in_ms=60)

    assert begun(timer) == []


def test_a_single_tick_that_fails_leaves_no_line(timer: Calls) -> None:
    """It is over anyway; the caller's error is in the chain."""
    timer.ok("set-once", String("a"), U64(0))
    ring(timer, in_ms=1)
    assert timer.context.wanteds[0]()
    timer.context.thens[0](Declined("no"))

    assert timer.context.logged == []


# -- the rest ----------------------------------------------------------------------------------------------------------


def test_now_is_in_milliseconds(timer: Calls) -> None:
    """Of the wall clock."""
    before = time.time_ns() // MS
    answer: Any = timer("now", UNIT)

    assert before <= answer.value <= time.time_ns() // MS


@pytest.mark.parametrize(
    ("function", "arguments", "text"),
    [
        ("set-interval", (String("a"), U64(9)), f"expected an interval from 10 to {DELAY_MS_MAX} ms, got 9"),
        ("set-interval", (String("a"), U64(0)), f"expected an interval from 10 to {DELAY_MS_MAX} ms, got 0"),
        ("set-interval", (String("a"), U64(2**64 - 1)), f"ms, got {2**64 - 1}"),
        ("set-once", (String("a"), U64(2**32)), f"expected a delay from 0 to {DELAY_MS_MAX} ms, got {2**32}"),
        ("set-interval", (String("x" * 257), U64(100)), "expected a name of at most 256 characters, got 257"),
        ("clear-interval", (String("a"),), "no timer has the name 'a'"),
    ],
)
def test_refusals(timer: Calls, function: str, arguments: tuple[Any, ...], text: str) -> None:
    """Each says what was expected; nothing is set."""
    assert text in timer.refused(function, *arguments)
    assert listed(timer) == []


def test_no_more_timers_than_granted(timer: Calls) -> None:
    """Replacing one is possible all the same."""
    for name in "abc":
        timer.ok("set-once", String(name), U64(1000))

    assert timer.refused("set-once", String("d"), U64(1)) == "3 timers are set; the grant allows no more"
    assert timer.ok("set-interval", String("b"), U64(1000)) == String("b")


def test_called_off_alarms_do_not_pile_up(timer: Calls) -> None:
    """Setting and clearing for ever takes no memory."""
    for _ in range(2_000):
        timer.ok("set-once", String("a"), U64(DELAY_MS_MAX))
        timer.ok("clear-interval", String("a"))

    assert len(timer.context.alarms._heap) < 200


def test_an_empty_list_has_its_type(timer: Calls) -> None:
    """Guests read the element type."""
    assert timer("list-timers", UNIT) == List(types.Tuple((types.STRING, types.Option(types.U64))), ())


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_calls(data: st.DataObject) -> None:
    """Any values in any order: an answer as declared, or a refusal."""
    with calls(TIMER, timers_max=2) as made:
        make_any_calls(made, data, {types.STRING: st.sampled_from("ab").map(String)})
        ring(made, in_ms=10_000)
        begun(made)
