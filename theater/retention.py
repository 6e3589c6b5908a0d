"""How much of recorded history a store keeps: bounds by age, number and size, per actor or for all (docs/store.md)."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final

import msgspec

EVERY_MS: Final = 600_000


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """How much of one actor's chain is kept, at least; the first bound reached holds. None: no bound."""

    age_ms: int | None = None
    events: int | None = None
    size_bytes: int | None = None

    @property
    def keeps_all(self) -> bool:
        """Nothing ever goes."""
        return self.age_ms is None and self.events is None and self.size_bytes is None


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds for all actors, and exceptions by path.

    ``exceptions`` are patterns (``/agents/*``) with bounds of their own; the first that matches holds. ``replayable``
    are patterns of actors of which everything stays that ``recover: replay`` would need.
    """

    bounds: Bounds = Bounds()
    exceptions: tuple[tuple[str, Bounds], ...] = ()
    replayable: tuple[str, ...] = ()
    every_ms: int = EVERY_MS
    """Time between two looks at the store of a running tree."""

    @property
    def keeps_all(self) -> bool:
        """Nothing ever goes, of no actor."""
        return self.bounds.keeps_all and all(bounds.keeps_all for _, bounds in self.exceptions)

    def bounds_of(self, path: str) -> Bounds:
        """The bounds for the actor at a path."""
        return next((bounds for pattern, bounds in self.exceptions if fnmatchcase(path, pattern)), self.bounds)

    def is_replayable(self, path: str) -> bool:
        """Whether the actor at a path must stay able to be rebuilt by replay."""
        return any(fnmatchcase(path, pattern) for pattern in self.replayable)
