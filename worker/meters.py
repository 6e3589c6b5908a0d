"""How much of a budget is used: a window that slides, in pieces small enough to forget."""

from __future__ import annotations

from collections import deque
from typing import Any, Final

from theater.budgets import Budget

GRAINS: Final = 50
"""A window forgets in so many steps; what was used counts up to one step too long, never too short."""
NS_PER_MS: Final = 1_000_000


class Meter:
    """One budget and its use. The guest thread uses it; ``usage`` may be asked by any thread."""

    def __init__(self, budget: Budget, unit: int = 1) -> None:
        self.budget = budget
        self.limit = budget.amount * unit
        """In the unit that is counted (nanoseconds for times)."""
        self.refused = 0
        self.waited_ns = 0
        self._per_ns = None if budget.per_ms is None else budget.per_ms * NS_PER_MS
        self._grain_ns = 1 if self._per_ns is None else max(1, self._per_ns // GRAINS)
        self._pieces: deque[list[int]] = deque()
        """[time, amount], oldest first. What is more than the limit at once is spread over the windows to come."""
        self._used = 0

    def add(self, amount: int, now_ns: int) -> None:
        """So much was used."""
        self._used += amount
        if self._per_ns is None:
            return
        at = -(-now_ns // self._grain_ns) * self._grain_ns
        while amount > 0:
            piece = min(amount, self.limit)
            amount -= piece
            if self._pieces and self._pieces[-1][0] >= at:
                self._pieces[-1][1] += piece
            else:
                self._pieces.append([at, piece])
            at += self._per_ns

    def used(self, now_ns: int) -> int:
        """How much of the window is used."""
        if self._per_ns is not None:
            while self._pieces and self._pieces[0][0] <= now_ns - self._per_ns:
                self._used -= self._pieces.popleft()[1]
        return self._used

    def left(self, now_ns: int) -> int:
        """How much may still be used now."""
        return max(0, self.limit - self.used(now_ns))

    @property
    def is_overdrawn(self) -> bool:
        """More is used than may be. As of the last time it was asked how much."""
        return self._used > self.limit

    def wait_ns(self, now_ns: int) -> int | None:
        """How long until there is room again: 0 if there is, None if never."""
        used = self.used(now_ns)
        if used < self.limit:
            return 0
        if self._per_ns is None:
            return None
        for at, amount in self._pieces:
            used -= amount
            if used < self.limit:
                return max(1, at + self._per_ns - now_ns)
        return 1

    def usage(self, now_ns: int, unit: int = 1) -> dict[str, Any]:
        """For people and metrics; changes nothing."""
        used = self._used
        if self._per_ns is not None:
            begin = now_ns - self._per_ns
            used = sum(amount for at, amount in list(self._pieces) if at > begin)
        return {
            "used": used // unit,
            "limit": self.budget.amount,
            "per_ms": self.budget.per_ms,
            "then": self.budget.then,
            "refused": self.refused,
            "waited_ns": self.waited_ns,
        }
