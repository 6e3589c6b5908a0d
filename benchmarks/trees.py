"""Running trees for benchmarks: the system tests' harness with the test counter."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.system import guests
from tests.system.running import RunningTree

COUNTER = """
version: 1
name: bench
intensity: 100000
period: 1s
children:
  - {id: counter, actor: counter.wasm, grants: {runtime: {}}}
"""


def many(count: int) -> str:
    """A flat tree of that many counters."""
    children = "".join(f"  - {{id: a{n}, actor: counter.wasm, grants: {{runtime: {{}}}}}}\n" for n in range(count))
    return f"version: 1\nname: bench\nintensity: 100000\nperiod: 1s\nchildren:\n{children}"


@contextmanager
def tree(
    text: str, *options: str, prepare: Callable[[Path], None] = guests.write_all
) -> Iterator[RunningTree]:
    """Start a tree in a directory of its own, where ``prepare`` puts the guests; stop it and clean up afterwards."""
    home = Path(tempfile.mkdtemp(prefix="bench-"))
    prepare(home)
    running = RunningTree(home, text, "-q", *options)
    try:
        yield running
    finally:
        running.stop()
        running.clean_up()
        shutil.rmtree(home, ignore_errors=True)
