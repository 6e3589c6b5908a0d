"""The limits of grants that have numbers: what holds where a configuration says nothing.

The configuration documents them, the worker keeps them, and the supervisor compares a child's with its parent's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from theater.grants import (
    ASSEMBLER,
    FILESYSTEM,
    LOOP,
    PROCESS,
    RANDOM,
    TCP,
    TERMINAL,
    TIMER,
    TIMING,
)

DEFAULTS: Final[Mapping[str, Mapping[str, int]]] = {
    TIMER: {"timers_max": 64, "interval_ms_min": 10},
    RANDOM: {"bytes_max": 64 << 10},
    TIMING: {"sleep_ms_max": 60_000},
    FILESYSTEM: {"file_bytes_max": 4 << 20, "entries_max": 4096},
    LOOP: {"pause_ms_min": 0},
    ASSEMBLER: {"source_bytes_max": 1 << 20},
    TERMINAL: {"write_ms_max": 5_000},
    PROCESS: {
        "run_ms_max": 10_000,
        "input_bytes_max": 1 << 20,
        "output_bytes_max": 1 << 20,
        "processes_max": 4,
    },
    TCP: {
        "connections_max": 64,
        "chunk_bytes_max": 64 << 10,
        "send_bytes_max": 16 << 20,
        "timeout_ms_max": 30_000,
        "wait_ms_max": 30_000,
    },
}
"""By grant and option. A name that ends in ``_max`` is the most allowed, one that ends in ``_min`` the least."""


def limit(grant: str, options: Mapping[str, Any], name: str) -> int:
    """The limit that holds under these options of a grant."""
    return int(options.get(name, DEFAULTS[grant][name]))
