"""Answers that wait until what they tell of is stored (``durability: group``, design D7).

The guest thread hands them in, in order; the post thread lets them go when the store has acknowledged the events that
were recorded before them. Meanwhile the guest goes on with the next operation. How many wait is bounded by the ring,
which takes no more events than the store has room for, and by HELD_MAX, past which no further request is taken.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Final

HELD_MAX: Final = 1_000


class Holding:
    """The answers of one incarnation that wait for the store."""

    def __init__(self, stored_seq: int) -> None:
        self.stored_seq = stored_seq
        """The store holds everything up to here, for good."""
        self._held: deque[tuple[int, Any]] = deque()
        """(last event recorded before it, answer)"""
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._held)

    @property
    def is_full(self) -> bool:
        """No further request should be taken for now."""
        return len(self._held) >= HELD_MAX

    def hold(self, seq: int, answer: Any) -> bool:
        """Keep an answer until event ``seq`` is stored; False if it need not wait. Guest thread."""
        with self._lock:
            if not self._held and seq <= self.stored_seq:
                return False
            self._held.append((seq, answer))
            return True

    def stored(self, last_seq: int) -> list[Any]:
        """The store holds everything up to ``last_seq``: take what may go, in order. Post thread."""
        with self._lock:
            self.stored_seq = last_seq
            free = []
            while self._held and self._held[0][0] <= last_seq:
                free.append(self._held.popleft()[1])
            return free
