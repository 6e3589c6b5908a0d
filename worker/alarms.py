"""Things to do at a time: kept by the post thread, set by any thread."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable
from itertools import count
from typing import Final

Ring = Callable[[], None]
SWEEP_AT_LEAST: Final = 64
"""Alarms that may lie there called off."""


class Alarm:
    """One thing to do; rings once, unless it is called off before."""

    __slots__ = ("at_ns", "is_off", "ring")

    def __init__(self, at_ns: int, ring: Ring) -> None:
        self.at_ns = at_ns
        self.ring = ring
        self.is_off = False

    def call_off(self) -> None:
        """Do not ring. Any thread; one that is about to ring may still do so."""
        self.is_off = True


class Alarms:
    """All alarms of an actor. ``wake`` makes the post thread look at its clock again."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._heap: list[tuple[int, int, Alarm]] = []
        self._numbers = count()
        self._sweep_at = SWEEP_AT_LEAST
        self.next_ns: int | None = None
        """When to look again."""

    def at(self, at_ns: int, ring: Ring) -> Alarm:
        """Have ``ring`` called in the post thread at a time of the monotonic clock. It must not wait for anything."""
        alarm = Alarm(at_ns, ring)
        with self._lock:
            if len(self._heap) >= self._sweep_at:
                self._sweep()
            heapq.heappush(self._heap, (at_ns, next(self._numbers), alarm))
            is_first = self._heap[0][2] is alarm
            self.next_ns = self._heap[0][0]
        if is_first:
            self._wake()
        return alarm

    def ring(self, now_ns: int) -> None:
        """Ring all that are due. Post thread."""
        for alarm in self._due(now_ns):
            if not alarm.is_off:
                alarm.ring()

    def _due(self, now_ns: int) -> list[Alarm]:
        found = []
        with self._lock:
            while self._heap and (self._heap[0][0] <= now_ns or self._heap[0][2].is_off):
                found.append(heapq.heappop(self._heap)[2])
            self.next_ns = self._heap[0][0] if self._heap else None
        return found

    def _sweep(self) -> None:
        """Forget those called off, however late they were due. Done when there may be as many of them as others."""
        self._heap = [each for each in self._heap if not each[2].is_off]
        heapq.heapify(self._heap)
        self._sweep_at = 2 * len(self._heap) + SWEEP_AT_LEAST
