"""How long an automatic restart waits: an extra of ours, used only by children whose specification asks for it."""

from __future__ import annotations

from random import Random

from supervisor.core.window import NS_PER_MS
from theater.spec import Backoff


class Tries:
    """Restarts of one child in a row. A child that has run for ``max_ms`` begins again at ``initial_ms``."""

    __slots__ = ("_count", "_started_ns")

    def __init__(self) -> None:
        self._count = 0
        self._started_ns: int | None = None

    def started(self, now_ns: int) -> None:
        """The child runs."""
        self._started_ns = now_ns

    def next_delay_ms(self, backoff: Backoff, now_ns: int, random: Random) -> int:
        """The wait before the restart that is due now."""
        if self._started_ns is not None and now_ns - self._started_ns >= backoff.max_ms * NS_PER_MS:
            self._count = 0
        self._started_ns = None
        wait_ms = plain_delay_ms(backoff, self._count)
        self._count += 1
        varied_ms = wait_ms * (1 + backoff.jitter * random.uniform(-1, 1))
        return int(min(max(varied_ms, 0), backoff.max_ms))


def plain_delay_ms(backoff: Backoff, count: int) -> float:
    """``initial_ms * factor**count``, at most ``max_ms``, before the jitter."""
    try:
        return min(backoff.initial_ms * backoff.factor**count, backoff.max_ms)
    except OverflowError:
        return backoff.max_ms
