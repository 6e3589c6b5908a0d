"""Calls through the handle, against a bare DEALER/ROUTER round trip plus the guest's own time.

Target: at most 2 × the floor. Two regimes, as latency on a virtual machine depends on which processor has to be woken:
everything on one processor (nobody is woken elsewhere), and free (each hop may wake a halted one).
"""

from __future__ import annotations

import os
from collections.abc import Callable

import wasmtime

from benchmarks.floors import ping_pong
from benchmarks.table import Table, spread, times_us
from benchmarks.trees import COUNTER, tree
from tests.system import guests
from theater import cgrf
from theater.actor import ActorOptions
from theater.values import U32, Tuple
from worker.engine.config import make_engine
from worker.engine.pack import PackDoor

ROUNDS = 7
CALLS = 300
SYNCED_CALLS = 30
SYNCED = "  - {id: synced, actor: counter.wasm, grants: {runtime: {}}, durability: group}\n"


def main() -> None:
    """Both regimes."""
    everywhere = os.sched_getaffinity(0)
    for name, processors in (("one processor", {min(everywhere)}), ("free", everywhere)):
        os.sched_setaffinity(0, processors)  # inherited by all we start
        print(f"{name}:\n")
        measure()
        print()
    os.sched_setaffinity(0, everywhere)


def measure() -> None:
    """Let the contenders take turns; print their medians."""
    guest = guest_alone()
    with tree(COUNTER + SYNCED) as running, ping_pong() as ping:
        counter, synced = running.actor("/counter"), running.actor("/synced")
        contenders: dict[str, Callable[[], object]] = {
            "bare DEALER/ROUTER round trip": ping,
            "the guest alone: the same call in this process": guest,
            "handle.call, result converted": lambda: counter.call("bump", (1,)),
            "handle.call_void, encoded": lambda: counter.call_void("bump", ENCODED),
            "handle.call, durability: group": lambda: synced.call("bump", (1,)),
        }
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for _ in range(ROUNDS):
            for name, once in contenders.items():
                times[name] += times_us(once, SYNCED_CALLS if "group" in name else CALLS)
        spent = counter.get_metrics().operation_metrics
    medians = [spread(taken)[0] for taken in times.values()]
    floor = medians[0] + medians[1]
    table = Table("measure", "median µs", "p95 µs", "× floor + guest (target ≤ 2)")
    for number, (name, taken) in enumerate(times.items()):
        table.add(name, *spread(taken), medians[number] / floor if number > 1 else "")
    worker_us = spent.total_processing_time / max(1, spent.total_operations) / 1000
    table.add("of it the worker's part: check, record, enter (mean)", worker_us, "", "")
    table.show()


ENCODED = cgrf.encode(Tuple((U32(1),)))


def guest_alone() -> Callable[[], object]:
    """The guest behind the door, without process, chain or types."""

    class Nobody:
        def answer(self, interface: str, function: str, data: bytes) -> bytes:
            raise AssertionError(f"{interface}.{function}")

    engine = make_engine()
    door = PackDoor.load(
        engine,
        wasmtime.Module(engine, guests.counter()),
        options=ActorOptions(),
        grants={"theater:simple/runtime": {}},
        answers=Nobody(),
    )
    data = cgrf.encode(Tuple((U32(1), U32(1))))

    def call() -> None:
        door.arm(100)
        door.call(f"{guests.API}.bump", data)

    return call


if __name__ == "__main__":
    main()
