"""Waiting for one of several things: pollables. Bounded by what they wait for, and by a stop of the actor."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from worker.interfaces.context import Context

LOOK_AGAIN_S: Final = 0.05
"""How often a wait looks whether the actor is being stopped."""


class Pollable:
    """Ready when ``is_ready`` says so, or at a time of the monotonic clock."""

    def __init__(self, is_ready: Callable[[], bool] | None = None, at_ns: int | None = None) -> None:
        self._is_ready = is_ready
        self.at_ns = at_ns

    @property
    def ready(self) -> bool:
        """Whether whoever waits for it need not wait."""
        if self.at_ns is not None:
            return time.monotonic_ns() >= self.at_ns
        return self._is_ready is None or self._is_ready()


class Waker:
    """The service whose ``changed`` is told of everything pollables may wait for. Any thread."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._changes = threading.Condition()

    def changed(self) -> None:
        """Something may be ready now."""
        with self._changes:
            self._changes.notify_all()

    def wait(self, items: Sequence[Pollable]) -> list[int]:
        """Wait until at least one is ready; return the places of all that are. All, when the actor is to stop."""
        with self._changes:
            while True:
                ready = [place for place, item in enumerate(items) if item.ready]
                if ready:
                    return ready
                if self._context.is_stopping:
                    return list(range(len(items)))
                self._changes.wait(_patience_s(items))

    def wait_for(self, is_ready: Callable[[], bool]) -> bool:
        """Wait for one thing; False if the actor is to stop before."""
        self.wait([Pollable(is_ready)])
        return is_ready()


def _patience_s(items: Sequence[Pollable]) -> float:
    times = [item.at_ns for item in items if item.at_ns is not None]
    if not times:
        return LOOK_AGAIN_S
    return min(LOOK_AGAIN_S, max(0, min(times) - time.monotonic_ns()) / 1e9)
