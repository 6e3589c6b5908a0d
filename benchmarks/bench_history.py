"""A long history: a chain of a million events of a counter, as a worker records it; verified, replayed, queried.

    python -m benchmarks history          (BENCH_EVENTS=100000 for a shorter one)

The guest is really called; its events go through the worker's encoders and the store's writer. Memory is the peak of
the process that does the work (VmHWM), beside that of one that does it for a thousandth of the events.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import wasmtime

from benchmarks.table import Table
from supervisor.store import StoreReader, StoreWriter
from supervisor.store.results import Stored
from tests.system import guests
from theater import cgrf
from theater.actor import ActorOptions
from theater.chain import encode_frame, event_hash, payload, payloads
from theater.values import U32, Tuple
from worker.engine import contract
from worker.engine.config import make_engine
from worker.engine.contract import INIT
from worker.engine.pack import PackDoor

EVENTS = int(os.environ.get("BENCH_EVENTS", "1000000"))
PER_BATCH = 500
SNAPSHOT_EVENTS = 100_000
BUMP = f"{guests.API}.bump"
ROOT = Path(__file__).resolve().parents[1]


class _Nobody:
    def answer(self, interface: str, function: str, data: bytes) -> bytes:
        raise AssertionError(f"{interface}.{function}")


def recorded(package: bytes, count: int) -> Iterator[tuple[str, bytes]]:
    """Type and data of so many events: genesis, init, then calls of ``bump``, with a snapshot now and then."""
    engine = make_engine()
    options = ActorOptions()
    grants: dict[str, Any] = {"theater:simple/runtime": {}}

    def opened() -> PackDoor:
        module = wasmtime.Module(engine, package)
        return PackDoor.load(engine, module, options=options, grants=grants, answers=_Nobody())

    door = opened()
    judge = contract.Contract(door.functions, options)
    state, made = contract.NO_STATE, 1
    params = cgrf.encode(Tuple((U32(1),)))
    yield "genesis", payload.genesis(hashlib.sha256(package).hexdigest(), "pack-2", "", state)
    function, given = INIT, contract.UNIT
    while made < count:
        outcome = judge.outcome(function, door.call(function, judge.input(function, state, given)).output)
        yield "wasm", payload.call(function, given)
        yield "wasm", payload.result(function, outcome.state, outcome.response)
        state, made = outcome.state, made + 2
        function, given = BUMP, params
        if made % SNAPSHOT_EVENTS < 2:
            yield payloads.SNAPSHOT, payload.runtime("snapshot", cgrf.decode(state))
            made += 1
            door = opened()


def store(directory: str, package: bytes, count: int) -> str:
    """Store them; return the actor's id."""
    writer = StoreWriter(directory)
    actor, _, _ = writer.actor_for("/counter")
    digest = hashlib.sha256(package).hexdigest()
    writer.begin_incarnation(actor, 1, routing=b"bench", package=digest, manifest="", first_seq=0)
    frames: list[bytes] = []
    head: bytes | None = None
    before, seq = head, -1
    for seq, (event_type, data) in enumerate(recorded(package, count)):
        head = event_hash(head, event_type, data)
        frames.append(encode_frame(seq, time.time_ns(), event_type, data, head))
        if len(frames) == PER_BATCH:
            writer.append(actor, 1, seq + 1 - PER_BATCH, seq, before, head, b"".join(frames))
            frames, before = [], head
            writer.completed()
    assert head is not None
    if frames:
        writer.append(actor, 1, seq + 1 - len(frames), seq, before, head, b"".join(frames))
    assert writer.close(600.0)
    assert any(isinstance(each, Stored) for each in writer.completed())
    return actor


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = action()
    return time.perf_counter() - began, result


def command(*arguments: str) -> tuple[float, float, str]:
    """Run a verb: seconds, MiB at its peak (its own helper process included), output."""
    script = (
        "import resource, subprocess, sys; done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE);"
        "sys.stdout.buffer.write(done.stdout); sys.stderr.write(str("
        "resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)); sys.exit(done.returncode)"
    )
    verb = [sys.executable, "-c", script, sys.executable, "-m", "supervisor", *arguments]
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    took, done = timed(lambda: subprocess.run(verb, capture_output=True, text=True, env=env))
    assert done.returncode == 0, done.stdout + done.stderr
    return took, int(done.stderr.split()[-1]) / 1024, done.stdout


def main() -> None:
    """One long chain, one a thousandth of it."""
    package = guests.counter()
    table = Table("measure", f"{EVENTS:,} events", "per event, µs", "peak MiB", "peak MiB, a thousandth")
    with tempfile.TemporaryDirectory() as directory, tempfile.TemporaryDirectory() as little:
        file = Path(directory) / "counter.wasm"
        file.write_bytes(package)
        made_s, actor = timed(lambda: store(directory, package, EVENTS))
        store(little, package, EVENTS // 1000)
        table.add("run and store", f"{made_s:.1f} s", made_s / EVENTS * 1e6, "", "")
        size = sum(each.stat().st_size for each in Path(directory).glob("theater.db*")) / EVENTS
        table.add("size of the store, bytes an event", f"{size:.0f}", "", "", "")
        replay = ("replay", "/counter", "--package", str(file), "--json")
        for name, arguments in {
            "theater verify": ("verify", "/counter"),
            "theater replay": replay,
            "theater replay --from-snapshot": (*replay, "--from-snapshot"),
            "theater inspect, near the end": ("inspect", "/counter", "--package", str(file), "--at", str(EVENTS - 1)),
        }.items():
            took, peak, said = command(*arguments, "--store", directory)
            small = [str(EVENTS // 1000 - 1) if each == str(EVENTS - 1) else each for each in arguments]
            small = [each for each in small if each != "--from-snapshot"]
            table.add(name, f"{took:.1f} s", took / EVENTS * 1e6, peak, command(*small, "--store", little)[1])
            if "--json" in arguments:
                assert json.loads(said)["summary"]["success"], said
        with StoreReader(directory) as reader:
            queries: dict[str, Callable[[], Any]] = {
                "the newest 100 events": lambda: list(reader.events(actor, limit=100, reverse=True)),
                "100 events from the middle": lambda: list(reader.events(actor, EVENTS // 2, limit=100)),
                "a page of 512 from the middle": lambda: reader.page(actor, EVENTS // 2, 512),
                "all snapshots": lambda: list(reader.events(actor, types=[payloads.SNAPSHOT])),
                "where recovery begins": lambda: reader.recovery_begins(actor),
            }
            for name, query in queries.items():
                took, _ = min((timed(query) for _ in range(3)), key=lambda each: each[0])
                table.add(name, f"{took * 1e3:.2f} ms", "", "", "")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        table.add("this process, which did the queries", "", "", peak, "")
    table.show()


if __name__ == "__main__":
    main()
