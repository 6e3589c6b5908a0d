"""Log records on their way upward: bounded, rate-limited, and honest about what was dropped."""

from __future__ import annotations

import time
from collections import deque
from typing import Any, Final

from proto.limits import TEXT_BYTES_MAX
from proto.stream import LogRecord

WAITING_MAX: Final = 1000
"""Records that wait for the link upward; further ones are dropped and counted."""
REPEAT_NS: Final = 60_000_000_000
"""A warning of the same key is given at most once in this time."""
WARNING_KEYS_MAX: Final = 1000
"""Different warnings remembered; past it the oldest may repeat."""
SECOND_NS: Final = 1_000_000_000


class Logs:
    """Filled by any thread, emptied by the post thread."""

    def __init__(self, per_second: int) -> None:
        self.waiting: deque[LogRecord] = deque()
        self.per_second = per_second
        self._second = 0
        self._in_second = 0
        self._dropped = 0
        self._warned: dict[str, int] = {}

    def put(self, level: str, origin: str, message: str, **fields: Any) -> bool:
        """Take one record; False if it was dropped."""
        now = time.time_ns()
        if not self._admit(now // SECOND_NS):
            self._dropped += 1
            return False
        dropped, self._dropped = self._dropped, 0
        self.waiting.append(LogRecord(now, level, origin, _cut(message), fields, dropped))
        return True

    def guest(self, level: str, message: str) -> bool:
        """Take a line of the guest."""
        return self.put(level, "guest", message)

    def warn(self, key: str, message: str, **fields: Any) -> bool:
        """Take a warning of the worker's own, at most once in a while for each key."""
        now = time.monotonic_ns()
        last = self._warned.get(key)
        if last is not None and now - last < REPEAT_NS:
            return False
        if len(self._warned) >= WARNING_KEYS_MAX:
            del self._warned[next(iter(self._warned))]
        self._warned[key] = now
        return self.put("warning", "worker", message, **fields)

    def _admit(self, second: int) -> bool:
        if second != self._second:
            self._second, self._in_second = second, 0
        if self._in_second >= self.per_second or len(self.waiting) >= WAITING_MAX:
            return False
        self._in_second += 1
        return True


def _cut(message: str) -> str:
    """Shorten to what a record may carry, in bytes."""
    if len(message) * 4 <= TEXT_BYTES_MAX:
        return message
    data = message.encode("utf-8", "replace")
    if len(data) <= TEXT_BYTES_MAX:
        return message
    return data[: TEXT_BYTES_MAX - 3].decode("utf-8", "ignore") + "…"
