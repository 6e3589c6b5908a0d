"""Directories for tests that need sockets in them: a name of 107 bytes is all a Unix socket can have."""

from __future__ import annotations

import os
import select
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

REMOVED_WITHIN_S = 10.0
PAUSE_S = 0.01


@contextmanager
def new_home() -> Iterator[Path]:
    """A directory with a short path, removed afterwards however the test ends; THEATER_KEEP=1 keeps it to look at."""
    path = Path(tempfile.mkdtemp(prefix="th-"))
    try:
        yield path
    finally:
        if os.environ.get("THEATER_KEEP"):
            print(f"kept: {path}")
        else:
            _remove(path)


def _remove(path: Path) -> None:
    """Processes that were killed may still be ending in there: what they add meanwhile goes with the next try."""
    deadline = time.monotonic() + REMOVED_WITHIN_S
    while path.exists():
        try:
            shutil.rmtree(path)
        except OSError:
            if time.monotonic() > deadline:
                raise
            select.select([], [], [], PAUSE_S)
