"""The small parts of a worker's shell: log records, counters, questions to the root, the pulse."""

from __future__ import annotations

import select
import threading
from typing import Any

import pytest

from proto import control
from proto.limits import TEXT_BYTES_MAX
from worker.asks import Asks, RootRefusal
from worker.logs import WAITING_MAX, Logs
from worker.metrics import Metrics
from worker.pulse import IDLE_TICKS, Pulse

# -- logs ----------------------------------------------------------------------


def test_a_record_past_the_rate_is_dropped_and_counted() -> None:
    """The next record that passes says how many did not."""
    logs = Logs(per_second=2)
    passed = [logs.guest("info", f"line {number}") for number in range(5)]
    logs.per_second = 100
    logs.guest("info", "later")

    assert passed.count(False) >= 1
    assert logs.waiting[-1].dropped == passed.count(False)


def test_waiting_records_are_bounded() -> None:
    """However high the rate, memory is not used up while the root takes nothing."""
    logs = Logs(per_second=10 * WAITING_MAX)
    for _ in range(WAITING_MAX + 10):
        logs.guest("info", "x")

    assert len(logs.waiting) == WAITING_MAX


def test_a_long_line_is_cut() -> None:
    """To what a record may carry, in bytes, without breaking a character."""
    logs = Logs(per_second=10)
    logs.guest("info", "ü" * TEXT_BYTES_MAX)

    message = logs.waiting[0].message
    assert len(message.encode()) <= TEXT_BYTES_MAX
    assert message.endswith("ü…")


def test_a_warning_of_the_same_key_is_given_once_in_a_while() -> None:
    """Others are not held back by it."""
    logs = Logs(per_second=10)

    assert [logs.warn("a", "A"), logs.warn("a", "A"), logs.warn("b", "B")] == [True, False, True]


# -- metrics -------------------------------------------------------------------


def test_metrics_use_theaters_names_and_really_measure() -> None:
    """Times, and memory as the kernel counts it."""
    metrics = Metrics()
    metrics.finished(waited_ns=5, spent_ns=30, is_failure=False)
    metrics.finished(waited_ns=1, spent_ns=10, is_failure=True)
    record = metrics.record(queued=3)

    assert record["operation_metrics"] == {
        "total_operations": 2,
        "failed_operations": 1,
        "total_processing_time": 40,
        "max_processing_time": 30,
        "min_processing_time": 10,
    }
    assert record["resource_metrics"]["operation_queue_size"] == 3
    assert record["resource_metrics"]["peak_memory_usage"] >= record["resource_metrics"]["memory_usage"] > 1 << 20
    assert record["queue_wait_ns"] == {"total": 6, "max": 5}


def test_metrics_are_readable_by_handles() -> None:
    """The map converts to the record that handles give to people."""
    from theater.records import metrics_from

    assert metrics_from(Metrics().record()).operation_metrics.total_operations == 0


# -- asks ----------------------------------------------------------------------


class Link:
    """Remembers what was said to the root and answers as told."""

    def __init__(self, answer: Any = None) -> None:
        self.said: list[Any] = []
        self.answer = answer
        self.was_asked = threading.Event()
        self.asks = Asks(self.say)

    def say(self, message: Any, bodies: Any) -> None:
        self.said.append(message)
        self.was_asked.set()
        if self.answer is not None:
            self.asks.answer(self.answer(message.id), [b"body"])


def test_an_ask_returns_data_and_bodies() -> None:
    """What the root answered."""
    link = Link(lambda number: control.Answered(number, {"ids": []}))

    assert link.asks.ask("list-children", {}, ()) == ({"ids": []}, [b"body"])


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (lambda number: control.Answered(number, {"error": "x is not a child of this actor"}), "x is not a child"),
        (lambda number: control.Refused(number, "not_a_child", ("x",)), "x is not a child of this actor"),
    ],
)
def test_a_refusal_has_the_words_for_the_guest(answer: Any, text: str) -> None:
    """Whichever way the root says it."""
    with pytest.raises(Exception, match=text):
        Link(answer).asks.ask("stop-child", {"id": "x"}, ())


def test_a_release_fails_what_is_under_way_and_what_comes() -> None:
    """L5.3: ``shutting-down``, so that the guest can return."""
    link = Link()
    failed: list[str] = []

    def guest() -> None:
        try:
            link.asks.ask("spawn", {}, ())
        except RootRefusal as refusal:
            failed.append(refusal.text())

    thread = threading.Thread(target=guest)
    thread.start()
    assert link.was_asked.wait(10)
    link.asks.release()
    thread.join(10)

    assert failed == ["shutting-down"]
    with pytest.raises(RootRefusal, match="shutting-down"):
        link.asks.ask("spawn", {}, ())


def test_leaving_may_still_ask() -> None:
    """L5.5: stopping the children goes on after the release."""
    link = Link(control.Answered)
    link.asks.release()

    assert link.asks.insist("stop-children", {}, ()) == ({}, [b"body"])


def test_an_answer_nobody_waits_for_is_ignored() -> None:
    """It came too late."""
    assert not Link().asks.answer(control.Answered(99), [])


# -- pulse ---------------------------------------------------------------------


def test_the_pulse_beats_until_it_has_rested_long_enough() -> None:
    """Work keeps it going; without work it stops after a few ticks and says so."""
    pulse = Pulse()
    pulse.start()
    assert select.select([pulse.fd], [], [], 10)[0]
    assert pulse.tick()

    assert not pulse.rest(has_work=True)
    assert [pulse.rest(has_work=False) for _ in range(IDLE_TICKS)] == [False] * (IDLE_TICKS - 1) + [True]
    assert not pulse.beating


def test_a_tick_that_is_not_due_is_none() -> None:
    """The descriptor may wake the thread for nothing; nothing is counted then."""
    assert not Pulse().tick()
