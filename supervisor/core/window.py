"""How many restarts a supervisor forgives."""

from __future__ import annotations

from collections import deque

NS_PER_MS = 1_000_000
NS_PER_SECOND = 1_000_000_000


class RestartWindow:
    """Counts restarts in a sliding period (supervisor.erl, add_restart/1).

    A restart exactly ``period`` old still counts, as in OTP. ``whole_seconds`` reads the clock as OTP does, cut down to
    seconds; otherwise every nanosecond counts.
    """

    def __init__(self, intensity: int, period_ms: int, whole_seconds: bool = False) -> None:
        self._intensity = intensity
        self._tick_ns = NS_PER_SECOND if whole_seconds else 1
        self._period = period_ms * NS_PER_MS // self._tick_ns
        self._restarts: deque[int] = deque()

    def allows(self, now_ns: int) -> bool:
        """Count one more restart and say whether it is still allowed."""
        now = now_ns // self._tick_ns
        self._restarts.append(now)
        while self._restarts[0] < now - self._period:
            self._restarts.popleft()
        return len(self._restarts) <= self._intensity

    def used(self) -> int:
        """Restarts counted at the time of the last one."""
        return len(self._restarts)
