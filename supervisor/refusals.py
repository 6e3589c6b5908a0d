"""Bad frames and unwelcome messages: counted by place and reason, logged at most once in a while."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

LOG_EVERY_S = 10.0


class Refusals:
    """Counts what was refused, and why."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._logged: dict[tuple[str, str], float] = {}
        self.counts: Counter[tuple[str, str]] = Counter()

    def count(self, place: str, reason: str, text: str) -> None:
        """Note one refusal; the first of a kind, and then one every ten seconds, is logged with the count so far."""
        key = (place, reason)
        self.counts[key] += 1
        now = time.monotonic()
        if now - self._logged.get(key, -LOG_EVERY_S) >= LOG_EVERY_S:
            self._logged[key] = now
            self._log.warning("refused", place=place, reason=reason, text=text, count=self.counts[key])

    def sum_up(self) -> None:
        """Log everything that was counted; for the end."""
        for (place, reason), count in self.counts.items():
            self._log.info("refused_in_all", place=place, reason=reason, count=count)
