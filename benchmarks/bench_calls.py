"""Calls through the handle, against a bare DEALER/ROUTER round trip plus the guest's own time.

Target: at most 2 × the floor.
"""

from __future__ import annotations

from benchmarks.floors import ping_pong
from benchmarks.table import Table, spread, times_us
from benchmarks.trees import COUNTER, tree

ROUNDS = 7
CALLS = 400


def main() -> None:
    """Interleave rounds of both and print their medians."""
    with tree(COUNTER) as running, ping_pong() as ping:
        counter = running.actor("/counter")
        call = lambda: counter.call("bump", (1,))  # noqa: E731
        floor: list[float] = []
        calls: list[float] = []
        for _ in range(ROUNDS):
            floor += times_us(ping, CALLS)
            calls += times_us(call, CALLS)
        metrics = counter.get_metrics().operation_metrics
        guest_us = metrics.total_processing_time / max(1, metrics.total_operations) / 1000
    table = Table("measure", "median µs", "p95 µs")
    bare, ours = spread(floor), spread(calls)
    table.add("bare DEALER/ROUTER round trip", *bare)
    table.add("guest's own time (mean, measured in the worker)", guest_us, "")
    table.add("handle.call(bump)", *ours)
    table.show()
    print(f"\nratio to floor + guest time: {ours[0] / (bare[0] + guest_us):.2f} (target ≤ 2)")
    print(f"ratio to the bare round trip: {ours[0] / bare[0]:.2f}")


if __name__ == "__main__":
    main()
