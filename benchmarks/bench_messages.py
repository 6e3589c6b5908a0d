"""A chatty pair: one actor asks, calls and writes to another, against a bare DEALER/ROUTER round trip.

The floor moves 100 bytes to another process and back. An actor's way to another is that, a guest entered, three events
recorded and, in the worker that waits, a host call.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from benchmarks.floors import ping_pong
from benchmarks.table import Table, spread, times_us
from benchmarks.trees import tree
from tests.system.talking import GUESTS

ROUNDS = 9
AT_ONCE = 200
"""Done in one operation of the guest."""
PAIR = "  - {{id: {0}, actor: pair.wasm, grants: {{message-server: {{}}, rpc: {{allow: [/one, /other]}}}}}}\n"
TREE = "version: 1\nname: pair\nchildren:\n" + PAIR.format("one") + PAIR.format("other")


def main() -> None:
    """Both regimes: everything on one processor, and free."""
    everywhere = os.sched_getaffinity(0)
    for name, processors in (("one processor", {min(everywhere)}), ("free", everywhere)):
        os.sched_setaffinity(0, processors)  # inherited by all we start
        print(f"{name}:\n")
        measure()
        print()
    os.sched_setaffinity(0, everywhere)


def measure() -> None:
    """Let the contenders take turns; print their medians."""
    with tree(TREE, prepare=_put) as running, ping_pong() as ping:
        one = running.actor("/one")

        def chat(function: str) -> Callable[[], object]:
            return lambda: one.call(function, ("/other", AT_ONCE))

        chats = {
            "request": chat("requests"),
            "rpc call": chat("calls"),
            "message, one after the other (throughput)": chat("sends"),
        }
        floor: list[float] = []
        times: dict[str, list[float]] = {name: [] for name in chats}
        for once in chats.values():
            once()
        for _ in range(ROUNDS):
            floor += times_us(ping, AT_ONCE)
            for name, once in chats.items():
                times[name] += [each / AT_ONCE for each in times_us(once, 1, warm=0)]
    table = Table("measure", "median µs", "p95 µs", "× floor")
    base = spread(floor)[0]
    table.add("bare DEALER/ROUTER round trip", *spread(floor), "")
    for name, taken in times.items():
        table.add(name, *spread(taken), spread(taken)[0] / base)
    table.show()


def _put(home: Path) -> None:
    shutil.copy(GUESTS / "pair.wasm", home)


if __name__ == "__main__":
    main()
