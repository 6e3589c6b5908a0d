"""A thousand actors in one tree: how fast they come up, what they cost in memory and, idle, in processor time.

``BENCH_ACTORS=200 python -m benchmarks fleet`` takes fewer.

Targets: about 4 MiB PSS per idle actor; the root under 1 % of a core when idle.
"""

from __future__ import annotations

import os
import time

import psutil

from benchmarks.table import Table
from benchmarks.trees import many, tree

ACTORS = int(os.environ.get("BENCH_ACTORS", "1000"))
IDLE_S = 10.0


def main() -> None:
    """Start, look, stop."""
    began = time.monotonic()
    with tree(many(ACTORS)) as running:
        up_s = time.monotonic() - began
        root = psutil.Process(running.process.pid)
        workers = [psutil.Process(running.pid(f"/a{number}")) for number in range(ACTORS)]
        pss = sum(p.memory_full_info().pss for p in workers) / len(workers)
        root_pss = root.memory_full_info().pss
        time.sleep(2.0)  # let the start's last work settle; this is a measurement, not a test
        before, cpu = time.monotonic(), _cpu(root)
        time.sleep(IDLE_S)
        root_share = (_cpu(root) - cpu) / (time.monotonic() - before)
        stop = time.monotonic()
        running.stop()
        stop_s = time.monotonic() - stop
    table = Table("measure", "value", "target")
    table.add("actors", ACTORS, "")
    table.add("all up after, s", up_s, "")
    table.add("started per second", ACTORS / up_s, "")
    table.add("PSS per idle actor, MiB", pss / 2**20, "about 4")
    table.add("PSS of the root, MiB", root_pss / 2**20, "")
    table.add("root when idle, % of a core", root_share * 100, "< 1")
    table.add("ordered stop, s", stop_s, "")
    table.show()


def _cpu(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


if __name__ == "__main__":
    main()
