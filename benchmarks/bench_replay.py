"""Replay against the original run: the same calls, made through the handle and replayed from the record.

Target: replay at least as fast as the original run.
"""

from __future__ import annotations

import os
import time

import msgspec

from benchmarks.table import Table
from benchmarks.trees import COUNTER, tree

CALLS = int(os.environ.get("BENCH_CALLS", "5000"))


def main() -> None:
    """Call, then replay what was recorded, once with the process's own start and once without."""
    with tree(COUNTER) as running:
        counter = running.actor("/counter")
        began = time.perf_counter()
        for _ in range(CALLS):
            counter.call("bump", (1,))
        original_s = time.perf_counter() - began
        running.cli("replay", "/counter", "--until", "4")
        began = time.perf_counter()
        running.cli("replay", "/counter", "--until", "4")
        start_s = time.perf_counter() - began
        began = time.perf_counter()
        said = msgspec.json.decode(running.cli("replay", "/counter", "--json", deadline_s=600.0))
        replay_s = time.perf_counter() - began
    events = said["summary"]["events_replayed"]
    assert said["summary"]["success"], said
    table = Table("measure", "value", "target")
    table.add("events", events, "")
    table.add("original run, µs an event", original_s / events * 1e6, "")
    table.add("replay, µs an event", (replay_s - start_s) / events * 1e6, "")
    table.add("replay / original", (replay_s - start_s) / original_s, "≤ 1")
    table.add("what a replay costs before its first event, ms", start_s * 1e3, "")
    table.show()


if __name__ == "__main__":
    main()
