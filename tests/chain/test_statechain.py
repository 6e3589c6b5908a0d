"""The chain in memory, and following it: history first, then live, and exactly told gaps (lifecycle 8.4)."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chain.chains import chain, frame
from theater.cause import from_plain
from theater.chain import ChainEvent
from theater.chain.statechain import StateChain
from theater.chain.subscribing import BLOCK, DISCONNECT, DROP, EventSubscription
from theater.records import Ended, Gap, Lagged

EVENTS = chain(200)
STOPPED = from_plain({"kind": "stopped"})
PATIENCE_S = 10.0


class Growing:
    """A chain that gets one event after the other."""

    def __init__(self, count: int = 0, keep_events: int = 1000) -> None:
        self.chain = StateChain(0, None, keep_events, 1 << 20)
        self.count = 0
        self.grow(count)

    def grow(self, count: int) -> None:
        for event in EVENTS[self.count : self.count + count]:
            self.chain.keep(frame(event), event.hash)
        self.count += count


def drained(subscription: EventSubscription) -> list[Any]:
    """Everything that is there: numbers of events, and what else came."""
    found = []
    while (item := subscription.next(0)) is not None:
        found.append(item.seq if isinstance(item, ChainEvent) else item)
    return found


def test_events_come_as_they_happen() -> None:
    """From now on, whole, and linked to the one before."""
    growing = Growing(3)
    with growing.chain.subscribe_to_events() as subscription:
        assert drained(subscription) == []
        growing.grow(2)
        first = subscription.next(0)

        assert isinstance(first, ChainEvent)
        assert (first.seq, first.hash, first.parent_hash) == (3, EVENTS[3].hash, EVENTS[2].hash)
        assert drained(subscription) == [4]


@pytest.mark.parametrize(("since", "expected"), [(0, [0, 1, 2, 3, 4]), (2, [2, 3, 4]), (3, [3, 4]), (4, [4]), (9, [])])
def test_history_comes_first(since: int, expected: list[int]) -> None:
    """Then what happens, without gap or repetition; nothing before what was asked for."""
    growing = Growing(3)
    subscription = growing.chain.subscribe_to_events(since)
    growing.grow(2)

    assert drained(subscription) == expected


def test_what_is_not_retained_is_a_gap() -> None:
    """It comes before what is."""
    growing = Growing(10, keep_events=3)

    assert drained(growing.chain.subscribe_to_events(4)) == [Gap(4, 6), 7, 8, 9]


def test_a_history_longer_than_the_buffer_is_delivered() -> None:
    """The buffer is for what happens meanwhile."""
    assert drained(Growing(50).chain.subscribe_to_events(0, buffer=2)) == list(range(50))


def test_drop_tells_the_exact_gap_in_place_of_what_it_left_out() -> None:
    """Before the next event there is room for; or at the end of what there is."""
    growing = Growing()
    subscription = growing.chain.subscribe_to_events(buffer=2)
    growing.grow(5)
    assert drained(subscription) == [0, 1, Gap(2, 4)]
    growing.grow(4)
    first = subscription.next(0)
    growing.grow(1)

    assert isinstance(first, ChainEvent)
    assert [first.seq, *drained(subscription)] == [5, 6, Gap(7, 8), 9]
    assert subscription.dropped == 5


def test_disconnect_says_how_far_behind() -> None:
    """And nothing after that."""
    growing = Growing()
    subscription = growing.chain.subscribe_to_events(buffer=2, policy=DISCONNECT)
    growing.grow(5)

    assert drained(subscription) == [Lagged(2)]
    growing.grow(1)
    assert drained(subscription) == []


def test_a_slow_reader_is_its_own_problem() -> None:
    """Another one gets everything."""
    growing = Growing()
    slow = growing.chain.subscribe_to_events(buffer=1)
    other = growing.chain.subscribe_to_events(buffer=100)
    growing.grow(10)

    assert drained(other) == list(range(10))
    assert drained(slow) == [0, Gap(1, 9)]


def test_block_lets_the_next_operation_wait_until_there_is_room() -> None:
    """Nothing is lost."""
    growing, found = Growing(), list[Any]()
    subscription = growing.chain.subscribe_to_events(buffer=2, policy=BLOCK, block_ms=10_000)
    reader = threading.Thread(target=lambda: found.extend(subscription))
    for _ in range(10):
        growing.grow(5)
        if not reader.is_alive():
            reader.start()
        growing.chain.make_room()
        assert len(subscription._queue) < 2
    growing.chain.end(STOPPED)
    reader.join(PATIENCE_S)

    assert [item.seq for item in found[:-1]] == list(range(50))
    assert found[-1] == Ended(STOPPED)


def test_block_waits_for_a_bounded_time() -> None:
    """Then the reader is disconnected."""
    growing = Growing()
    subscription = growing.chain.subscribe_to_events(buffer=1, policy=BLOCK, block_ms=30)
    growing.grow(3)
    began = time.monotonic()
    growing.chain.make_room()

    assert 0.02 < time.monotonic() - began < PATIENCE_S
    assert drained(subscription) == [Lagged(3)]


def test_other_policies_let_nobody_wait() -> None:
    """However far behind they are."""
    growing = Growing()
    growing.chain.subscribe_to_events(buffer=1, policy=DROP, block_ms=60_000)
    growing.grow(9)
    began = time.monotonic()
    growing.chain.make_room()

    assert time.monotonic() - began < 1


def test_the_end_comes_after_the_last_event() -> None:
    """With its cause; also for those who subscribe later, and after a gap."""
    growing = Growing()
    early = growing.chain.subscribe_to_events(buffer=1)
    growing.grow(2)
    growing.chain.end(STOPPED)

    assert drained(early) == [0, Gap(1, 1), Ended(STOPPED)]
    assert drained(growing.chain.subscribe_to_events(0)) == [0, 1, Ended(STOPPED)]


def test_the_same_key_is_the_same_subscription() -> None:
    """Nothing is delivered twice (C3)."""
    chain = Growing().chain
    one = chain.subscribe_to_events(key="k")

    assert chain.subscribe_to_events(key="k") is one
    assert chain.subscribe_to_events(key="other") is not one
    assert chain.subscribe_to_events() is not chain.subscribe_to_events()


def test_a_closed_subscription_gets_nothing() -> None:
    """Closing twice is fine; whoever waits is let go."""
    growing = Growing()
    subscription = growing.chain.subscribe_to_events()
    waiting = threading.Thread(target=lambda: list(subscription))
    waiting.start()
    subscription.close()
    subscription.close()
    growing.grow(1)
    waiting.join(PATIENCE_S)

    assert not waiting.is_alive()
    assert drained(subscription) == []


@pytest.mark.parametrize(
    ("options", "problem"), [({"policy": "hope"}, "drop, disconnect, block"), ({"buffer": 0}, "at least 1")]
)
def test_wrong_wishes(options: dict[str, Any], problem: str) -> None:
    """Say what is possible."""
    with pytest.raises(ValueError, match=problem):
        StateChain(0, None, 1, 1).subscribe_to_events(**options)


def test_a_reader_that_comes_while_events_are_appended_misses_none() -> None:
    """Whenever it comes: from its first event on there is neither gap nor repetition."""
    growing = Growing()
    appending = threading.Thread(target=lambda: [growing.grow(1) for _ in EVENTS])
    appending.start()
    found = []
    while appending.is_alive():
        subscription = growing.chain.subscribe_to_events(0, buffer=1000)
        found.append((subscription, drained(subscription)))
    appending.join()

    for subscription, seqs in found:
        assert [*seqs, *drained(subscription)] == list(range(len(EVENTS)))


@given(
    steps=st.lists(st.one_of(st.integers(1, 8), st.just(0)), max_size=30),
    buffer=st.integers(1, 5),
    before=st.integers(0, 10),
    since=st.none() | st.integers(0, 12),
    keep=st.integers(1, 12),
)
def test_every_event_is_delivered_or_in_a_gap(
    steps: list[int], buffer: int, before: int, since: int | None, keep: int
) -> None:
    """Once, in order, whatever the reader's pace (0: it reads all there is, else so many events happen)."""
    growing = Growing(before, keep_events=keep)
    subscription = growing.chain.subscribe_to_events(since, buffer=buffer)
    found: list[Any] = []
    for step in steps:
        if step == 0:
            found += drained(subscription)
        elif growing.count + step <= len(EVENTS):
            growing.grow(step)
    growing.chain.end(None)
    found += drained(subscription)
    told: list[int] = []
    for item in found[:-1]:
        told += range(item.first_seq, item.last_seq + 1) if isinstance(item, Gap) else [item]

    assert found[-1] == Ended(None)
    first = before if since is None else since
    assert told == list(range(first, growing.count))
