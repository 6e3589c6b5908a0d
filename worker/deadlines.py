"""How long somebody still waits."""

from __future__ import annotations

import time


class Deadline:
    """A moment in the future, by the clock that nobody sets."""

    __slots__ = ("_at", "seconds")

    def __init__(self, milliseconds: int) -> None:
        self.seconds = milliseconds / 1000
        self._at = time.monotonic() + self.seconds

    @property
    def left_s(self) -> float:
        """Seconds left, not below zero."""
        return max(0.0, self._at - time.monotonic())

    @property
    def left_ms(self) -> int:
        """Milliseconds left, rounded up."""
        return int(self.left_s * 1000) + 1
