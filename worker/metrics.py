"""Counters of one incarnation and the record of them (lifecycle section 13).

The guest thread counts operations; refusals, and what arrives malformed, are counted by whichever thread sees them.
Counting is plain addition: a reader may see one operation more or less, never a broken record.
"""

from __future__ import annotations

import os
import time
from typing import Any, Final

_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
NS_PER_SECOND: Final = 1_000_000_000


class Metrics:
    """What is counted, and ``record`` which tells it."""

    __slots__ = (
        "errors",
        "failed",
        "frames_refused",
        "host_calls",
        "last_update_ns",
        "longest_ns",
        "operations",
        "queue_wait_longest_ns",
        "queue_wait_ns",
        "replies_lost",
        "shortest_ns",
        "spent_ns",
        "started_ns",
    )

    def __init__(self) -> None:
        self.started_ns = time.time_ns()
        self.last_update_ns = 0
        self.operations = 0
        self.failed = 0
        self.spent_ns = 0
        self.longest_ns = 0
        self.shortest_ns: int | None = None
        self.queue_wait_ns = 0
        self.queue_wait_longest_ns = 0
        self.host_calls = 0
        self.replies_lost = 0
        """Answers whose caller was gone or took no more."""
        self.errors: dict[str, int] = {}
        """Answers that were errors, by kind."""
        self.frames_refused: dict[str, int] = {}
        """Frames that were malformed, foreign, oversized …, by reason."""

    def finished(self, waited_ns: int, spent_ns: int, is_failure: bool) -> None:
        """Count an operation that reached the guest and is over."""
        self.operations += 1
        self.failed += is_failure
        self.spent_ns += spent_ns
        if spent_ns > self.longest_ns:
            self.longest_ns = spent_ns
        if self.shortest_ns is None or spent_ns < self.shortest_ns:
            self.shortest_ns = spent_ns
        self.queue_wait_ns += waited_ns
        if waited_ns > self.queue_wait_longest_ns:
            self.queue_wait_longest_ns = waited_ns

    def refused(self, kind: str) -> None:
        """Count an error answer."""
        self.errors[kind] = self.errors.get(kind, 0) + 1

    def frame_refused(self, reason: str) -> None:
        """Count a frame that was not fit to be read."""
        self.frames_refused[reason] = self.frames_refused.get(reason, 0) + 1

    def record(self, **more: Any) -> dict[str, Any]:
        """Everything, as an ActorMetrics map; ``more`` is what others know."""
        now = time.time_ns()
        resident, peak = _memory()
        return {
            "operation_metrics": {
                "total_operations": self.operations,
                "failed_operations": self.failed,
                "total_processing_time": self.spent_ns,
                "max_processing_time": self.longest_ns,
                "min_processing_time": self.shortest_ns,
            },
            "resource_metrics": {
                "memory_usage": resident,
                "operation_queue_size": more.pop("queued", 0),
                "peak_memory_usage": peak,
                "peak_queue_size": more.pop("peak_queued", 0),
            },
            "last_update": self.last_update_ns / NS_PER_SECOND if self.last_update_ns else None,
            "uptime_secs": (now - self.started_ns) / NS_PER_SECOND,
            "start_time": self.started_ns / NS_PER_SECOND,
            "cpu_ns": time.process_time_ns(),
            "host_calls": self.host_calls,
            "queue_wait_ns": {"total": self.queue_wait_ns, "max": self.queue_wait_longest_ns},
            "errors": dict(self.errors),
            "frames_refused": dict(self.frames_refused),
            "replies_lost": self.replies_lost,
            **more,
        }


def _memory() -> tuple[int, int]:
    """Resident set now and at its peak, in bytes, as the kernel counts them."""
    with open("/proc/self/statm", "rb") as file:
        resident = int(file.read().split()[1]) * _PAGE_BYTES
    with open("/proc/self/status", "rb") as file:
        peak = next((int(line.split()[1]) * 1024 for line in file if line.startswith(b"VmHWM:")), resident)
    return resident, max(peak, resident)
