"""The store's upkeep while a tree runs: retention, a few milliseconds at a time, on the writer's thread.

Most of that time is SQLite's, which lets other threads run; and between two steps there is a pause. What cannot be done
now (a full disk) is tried again with the next pass.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from itertools import chain
from typing import Final

from supervisor.store.results import Trimmed
from supervisor.store.trimming import give_back, trim
from theater.retention import Retention

STEP_S: Final = 0.002
PAUSE_S: Final = 0.01
FIRST_S_MAX: Final = 60.0
"""So long after opening the first pass begins, at the latest."""


class Upkeep:
    """Passes over the store, one every ``every_ms``. For one thread."""

    def __init__(self, db: sqlite3.Connection, retention: Retention | None) -> None:
        self._db = db
        self._retention = None if retention is None or retention.keeps_all else retention
        self._pass: Iterator[Trimmed | None] | None = None
        self._due = time.monotonic()
        if self._retention is not None:
            self._due += min(FIRST_S_MAX, self._retention.every_ms / 1000)

    def wait_s(self) -> float | None:
        """How long there is nothing to do; None: for ever."""
        return None if self._retention is None else max(0.0, self._due - time.monotonic())

    def step(self) -> list[Trimmed]:
        """Do some of what is due; return what has gone."""
        retention = self._retention
        if retention is None or time.monotonic() < self._due:
            return []
        if self._pass is None:
            self._pass = chain(trim(self._db, retention, time.time_ns()), give_back(self._db))
        gone: list[Trimmed] = []
        until = time.monotonic() + STEP_S
        try:
            for trimmed in self._pass:
                if trimmed is not None:
                    gone.append(trimmed)
                if time.monotonic() > until:
                    self._due = time.monotonic() + PAUSE_S
                    return gone
        except sqlite3.Error:
            pass
        self._pass = None
        self._due = time.monotonic() + retention.every_ms / 1000
        return gone
