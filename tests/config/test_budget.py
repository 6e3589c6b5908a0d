"""Budgets as people write them."""

from __future__ import annotations

import re
from typing import Any

import pytest

from theater.budgets import Budget
from theater.config.budget import COUNT, SIZE, TIME, BudgetText
from theater.config.environment import Wrong
from theater.config.errors import Problems
from theater.config.node import Node
from theater.config.reader import Reader
from theater.config.scalars import resolve

GOOD = [
    (TIME, "10s per 1m", Budget(amount=10_000, per_ms=60_000)),
    (TIME, "500ms per 1s or error", Budget(amount=500, per_ms=1000, then="error")),
    (TIME, "1h or stop", Budget(amount=3_600_000, then="stop")),
    (TIME, "1h", Budget(amount=3_600_000, then="stop")),
    (SIZE, "1MiB per 1s", Budget(amount=1 << 20, per_ms=1000)),
    (SIZE, "1.5GiB or error", Budget(amount=3 << 29, then="error")),
    (COUNT, "1000 per 1s or stop", Budget(amount=1000, per_ms=1000, then="stop")),
    (COUNT, "1000", Budget(amount=1000, then="stop")),
    (COUNT, "none", None),
]
BAD = [
    (TIME, "10 per 1m", "expected an amount"),
    (TIME, "10s per 1", "expected an amount"),
    (TIME, "10s in 1m", "expected an amount"),
    (TIME, "10s per 1m or", "expected an amount"),
    (TIME, "10s per 1m or die", "expected error, throttle or stop"),
    (TIME, "1h or throttle", "expected a time to wait for"),
    (SIZE, "10", "expected an amount"),
    (SIZE, "1MB per 1s", "expected an amount"),
    (COUNT, "0 per 1s", "expected an amount from 1"),
    (COUNT, "10 per 1ms", "a time from 10ms"),
    (COUNT, "-1", "expected an amount"),
    (COUNT, "1.5", "expected an amount"),
    (COUNT, "true", "expected an amount"),
]


def read(kind: BudgetText, text: str) -> Budget | None:
    return kind.read(Node(*resolve(text), 1, 1), "", Reader("f", Problems()))


def allows(kind: BudgetText, text: str) -> bool:
    """What the schema says."""
    value: Any = resolve(text)[1]
    for one in kind.schema()["anyOf"]:
        if one["type"] == "integer" and isinstance(value, int) and not isinstance(value, bool) and value >= 1:
            return True
        if one["type"] == "string" and isinstance(value, str) and re.search(one["pattern"], value):
            return True
    return False


@pytest.mark.parametrize(("kind", "text", "wanted"), GOOD)
def test_what_is_read(kind: BudgetText, text: str, wanted: Budget | None) -> None:
    """Amount, time, and what happens: throttle where there is a time, else stop."""
    assert read(kind, text) == wanted
    assert allows(kind, text)


@pytest.mark.parametrize(("kind", "text", "words"), BAD)
def test_what_is_wrong(kind: BudgetText, text: str, words: str) -> None:
    """In words that say what was expected."""
    with pytest.raises(Wrong, match=words):
        read(kind, text)
