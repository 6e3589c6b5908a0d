"""Medians and tables."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from time import perf_counter_ns

SETTLE_S = 0.05


def times_us(action: Callable[[], object], count: int, warm: int = 20) -> list[float]:
    """Time an action ``count`` times, after ``warm`` untimed ones; microseconds."""
    for _ in range(warm):
        action()
    out = []
    for _ in range(count):
        began = perf_counter_ns()
        action()
        out.append((perf_counter_ns() - began) / 1000)
    return out


def settle() -> None:
    """Let what the last measurement left behind come to an end; this is a measurement, not a test."""
    time.sleep(SETTLE_S)


def spread(samples: Sequence[float]) -> tuple[float, float]:
    """Median and 95th percentile."""
    ordered = sorted(samples)
    return statistics.median(ordered), ordered[min(len(ordered) - 1, int(len(ordered) * 0.95))]


class Table:
    """Rows of a measure, its figure, its floor and their ratio."""

    def __init__(self, *head: str) -> None:
        self.rows: list[tuple[str, ...]] = [head]

    def add(self, *cells: object) -> None:
        """Add a row; floats are shortened."""
        self.rows.append(tuple(f"{cell:.3g}" if isinstance(cell, float) else str(cell) for cell in cells))

    def show(self) -> None:
        """Print it as Markdown."""
        widths = [max(len(row[n]) for row in self.rows) for n in range(len(self.rows[0]))]
        for number, row in enumerate(self.rows):
            print("| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |")
            if number == 0:
                print("|" + "|".join("-" * (width + 2) for width in widths) + "|")
