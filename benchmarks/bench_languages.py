"""The same counter in four languages: how long a tree of ten takes to come up, cold and cached, and what one weighs.

The packages of C and Rust are in the repository; those of Python and JavaScript are built before, as
examples/counters/README.md says (``theater build examples/counters/python``); who is missing is left out.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.table import Table
from tests.system.running import RunningTree

COUNTERS = Path(__file__).resolve().parents[1] / "examples" / "counters"
ACTORS = 10
ROUNDS = 3


def main() -> None:
    """Measure every language whose package is there."""
    columns = ("package", "up, cold", "up, cached", "one call, ms", "PSS each, MiB", "of it private, MiB")
    table = Table(f"{ACTORS} counters", *columns)
    for language in ("c", "rust", "js", "python"):
        packages = sorted((COUNTERS / language).glob("*.wasm"))
        if packages:
            table.add(language, *_measure(packages[0]))
        else:
            print(f"{language}: not built (theater build {COUNTERS / language})")
    table.show()


def _measure(package: Path) -> tuple[str, str, str, float, float, float]:
    size = f"{package.stat().st_size / 1024:,.0f} kB"
    cold = []
    warm = []
    for _ in range(ROUNDS):
        with tempfile.TemporaryDirectory(prefix="th") as cache:
            cold.append(_up(package, cache)[0])
            warm.append(_up(package, cache))
    ups = statistics.median(each[0] for each in warm)
    rest = [statistics.median(each[place] for each in warm) for place in (1, 2, 3)]
    return size, f"{statistics.median(cold):.2f} s", f"{ups:.2f} s", *rest  # type: ignore[return-value]


def _up(package: Path, cache: str) -> tuple[float, float, float, float]:
    """Seconds until the tree is up, milliseconds of a call, MiB of one actor and what of it is its own."""
    home = Path(tempfile.mkdtemp(prefix="th"))
    children = "\n".join(
        f"  - {{id: c{number}, actor: {package}, state: {{count: 0}}, grants: {{runtime: {{}}, wasi: {{}}}},"
        " limits: {memory: 128MiB}}"
        for number in range(ACTORS)
    )
    began = time.monotonic()
    running = RunningTree(home, f"version: 1\nname: languages\nchildren:\n{children}\n", "--cache", cache)
    try:
        up = time.monotonic() - began
        actors = [running.actor(f"/c{number}") for number in range(ACTORS)]
        taken = []
        for actor in actors:
            actor.call("get")
            began = time.monotonic()
            actor.call("get")
            taken.append((time.monotonic() - began) * 1e3)
        weights = [_weight(running.pid(f"/c{number}")) for number in range(ACTORS)]
        return up, statistics.median(taken), *(statistics.median(each) for each in zip(*weights, strict=True))  # type: ignore[return-value]
    finally:
        running.stop()
        running.clean_up()


def _weight(pid: int) -> tuple[float, float]:
    found = {}
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]:
        name, _, rest = line.partition(":")
        found[name] = int(rest.split()[0]) / 1024
    return found["Pss"], found["Private_Dirty"] + found["Private_Clean"]


if __name__ == "__main__":
    main()
