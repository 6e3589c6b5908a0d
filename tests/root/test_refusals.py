"""Refused messages: every one counted, few logged."""

from __future__ import annotations

from typing import Any

import pytest

from supervisor import refusals
from supervisor.refusals import Refusals


class Log:
    """Keeps what is logged."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def warning(self, event: str, **fields: Any) -> None:
        self.lines.append({"event": event, **fields})

    info = warning


def test_ten_thousand_of_a_kind_are_one_line_and_one_number() -> None:
    """Counted by place and reason, logged once."""
    log = Log()
    kept = Refusals(log)
    for _ in range(10_000):
        kept.count("gate", "foreign", "not ours")
    kept.count("gate", "oversized", "too large")

    assert [line["reason"] for line in log.lines] == ["foreign", "oversized"]
    assert kept.counts["gate", "foreign"] == 10_000


def test_after_a_while_the_count_so_far_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood that lasts is told again, with its size."""
    now = 100.0
    monkeypatch.setattr(refusals.time, "monotonic", lambda: now)
    log = Log()
    kept = Refusals(log)
    for _ in range(3):
        kept.count("gate", "foreign", "not ours")
    now += refusals.LOG_EVERY_S
    kept.count("gate", "foreign", "not ours")

    assert [line["count"] for line in log.lines] == [1, 4]


def test_the_end_sums_up() -> None:
    """What was counted and not logged is not lost."""
    log = Log()
    kept = Refusals(log)
    for _ in range(3):
        kept.count("gate", "foreign", "not ours")
    kept.sum_up()

    assert log.lines[-1] == {"event": "refused_in_all", "place": "gate", "reason": "foreign", "count": 3}
