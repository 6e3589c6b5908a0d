"""The chain: recording an event, storing batches, verifying; each against the least that would have to be done.

Events are those of a small call: data of about 200 bytes. Floors: hashing and encoding alone; SQLite with the same
batches and nothing around it; SHA-256 over the same bytes alone.
"""

from __future__ import annotations

import os
import select
import sqlite3
import tempfile
import time
from collections.abc import Callable
from hashlib import sha256
from statistics import median
from time import perf_counter
from types import SimpleNamespace
from typing import Any

import msgspec

from benchmarks.table import Table
from supervisor.store import StoreReader, StoreWriter
from supervisor.store.results import Stored
from theater.actor import ActorOptions
from theater.cgrf import encode
from theater.chain import encode_frame, event_hash, iter_batch, payload, verify
from theater.ring import RingFull, RingReader, RingWriter
from theater.values import U32, Tuple
from worker.recorder import Recorder

EVENTS = 30_000
ROUNDS = 3
EVENTS_PER_BATCH = 64
WINDOWS, WINDOW_CALLS = 200, 100
ACTORS = 10
FUNCTION = "bench:counter/api.bump"
PARAMS, STATE, RESPONSE = encode(Tuple((U32(5),))), encode(U32(7)), encode(U32(7))

Batch = tuple[int, int, bytes | None, bytes, bytes]


def best(action: Callable[[], object], count: int) -> float:
    """Seconds per item in the best of a few rounds."""
    found = []
    for _ in range(ROUNDS):
        began = perf_counter()
        action()
        found.append((perf_counter() - began) / count)
    return min(found)


# -- recording ---------------------------------------------------------------------------------------------------------


def hash_and_encode() -> None:
    """The least: what is hashed is encoded once, the frame once."""
    pack, data, head = msgspec.msgpack.Encoder().encode, payload.call(FUNCTION, PARAMS), bytes(32)
    for seq in range(EVENTS):
        head = sha256(pack((1, head, "wasm", data))).digest()
        pack((seq, 1_764_000_000_000_000_000, "wasm", data, head))


def record(path: str) -> None:
    """Build the data of a call and a result in turn, hash, frame, into the ring; take it out again when it is full."""
    ring = RingWriter.create(path, 256 * 1024, actor_id="bench", incarnation=1)
    head, position = None, ring.start
    for seq in range(EVENTS):
        data = payload.result(FUNCTION, STATE, RESPONSE) if seq & 1 else payload.call(FUNCTION, PARAMS)
        head = event_hash(head, "wasm", data)
        frame = encode_frame(seq, time.time_ns(), "wasm", data, head)
        try:
            ring.append(frame)
        except RingFull:
            while (unsent := ring.unsent(position, 128 * 1024)) is not None:
                position = unsent.position
            ring.ack(seq - 1)
            ring.append(frame)
    ring.close()
    RingReader.remove(path)


def recorder_us(path: str) -> float:
    """An event of a call through ``worker.recorder``, what it retains in memory included (median)."""
    init = SimpleNamespace(
        actor_id="bench", chain_seq=0, chain_head=None, keeps_state=False, notes_operations=False,
        ring=path, ring_bytes=256 * 1024, incarnation=1,
    )  # fmt: skip
    inc: Any = SimpleNamespace(init=init, options=ActorOptions(), state=b"")
    recorder = Recorder.create(inc)
    position = recorder.ring.start
    found = []
    for _ in range(WINDOWS):
        began = perf_counter()
        for _ in range(WINDOW_CALLS):
            recorder.call(FUNCTION, PARAMS)
            recorder.result(FUNCTION, STATE, RESPONSE)
        found.append((perf_counter() - began) / WINDOW_CALLS / 2 * 1e6)
        while (unsent := recorder.ring.unsent(position, 128 * 1024)) is not None:
            position = unsent.position
        recorder.ring.ack(recorder.seq)
    recorder.ring.close()
    return median(found)


def append_only(path: str) -> float:
    """Seconds per append of a frame of 300 bytes."""
    ring = RingWriter.create(path, 16 << 20, actor_id="bench", incarnation=1)
    frame = encode_frame(1, time.time_ns(), "wasm", payload.call(FUNCTION, PARAMS), bytes(32))
    count = 10_000
    seconds = best(lambda: [ring.append(frame) for _ in range(count)], count)
    ring.close()
    RingReader.remove(path)
    return seconds


# -- storing -----------------------------------------------------------------------------------------------------------


def batches() -> list[Batch]:
    """One chain, cut into batches: first and last number, hash before, hash at the end, frames."""
    head: bytes | None = None
    found = []
    data = payload.call(FUNCTION, PARAMS)
    for first in range(0, EVENTS, EVENTS_PER_BATCH):
        prev, frames = head, []
        for seq in range(first, first + EVENTS_PER_BATCH):
            head = event_hash(head, "wasm", data)
            frames.append(encode_frame(seq, 1_764_000_000_000_000_000, "wasm", data, head))
        assert head is not None
        found.append((first, first + EVENTS_PER_BATCH - 1, prev, head, b"".join(frames)))
    return found


def bare_sqlite(chain: list[Batch]) -> float:
    """The same rows for all actors, a commit every ten batches, nothing else."""
    with tempfile.TemporaryDirectory() as directory:
        db = sqlite3.connect(os.path.join(directory, "bare.db"), isolation_level=None)
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute("CREATE TABLE batches (actor TEXT, first INTEGER, last INTEGER, prev BLOB, head BLOB, events BLOB)")
        began = perf_counter()
        for batch in chain:
            db.execute("BEGIN")
            for actor in range(ACTORS):
                db.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?)", (f"actor-{actor}", *batch))
            db.execute("COMMIT")
        seconds = perf_counter() - began
        db.close()
    return seconds / (len(chain) * EVENTS_PER_BATCH * ACTORS)


def store(chain: list[Batch], directory: str) -> float:
    """Through the writer, until the last acknowledgement."""
    writer = StoreWriter(directory)
    actors = [writer.actor_for(f"/a{number}")[0] for number in range(ACTORS)]
    poll = select.poll()
    poll.register(writer.fileno(), select.POLLIN)
    missing = set(actors)
    began = perf_counter()
    for first, last, prev, head, frames in chain:
        for actor in actors:
            writer.append(actor, 1, first, last, prev, head, frames)
    while missing:
        poll.poll(1000)
        for result in writer.completed():
            if isinstance(result, Stored) and result.last_seq == chain[-1][1]:
                missing.discard(result.actor)
    seconds = perf_counter() - began
    writer.close(10)
    return seconds / (len(chain) * EVENTS_PER_BATCH * ACTORS)


def lookup_us(directory: str) -> float:
    """Microseconds to find out where an actor's chain goes on."""
    writer = StoreWriter(directory)
    seconds = best(lambda: [writer.actor_for("/a3") for _ in range(2000)], 2000)
    writer.close(10)
    return seconds * 1e6


def main() -> None:
    """Print the table."""
    chain = batches()
    count = len(chain) * EVENTS_PER_BATCH
    whole = b"".join(frames for *_, frames in chain)
    data = payload.call(FUNCTION, PARAMS)
    table = Table("measure", "ours", "floor", "ratio", "target")
    with tempfile.TemporaryDirectory() as directory:
        path = os.path.join(directory, "b.ring")
        recorded, floor = best(lambda: record(path), EVENTS) * 1e6, best(hash_and_encode, EVENTS) * 1e6
        table.add("record an event: data, hash, frame, ring (µs)", recorded, floor, recorded / floor, "")
        table.add("the worker's recorder, all of it (µs)", recorder_us(os.path.join(directory, "w.ring")), "", "", "3")
        table.add("… of it the ring (µs)", append_only(path) * 1e6, "", "", "0.5")
        kept = os.path.join(directory, "store0")
        stored = min(store(chain, os.path.join(directory, f"store{n}")) for n in range(ROUNDS)) * 1e6
        bare = min(bare_sqlite(chain) for _ in range(ROUNDS)) * 1e6
        table.add("store an event, 10 actors (µs)", stored, bare, stored / bare, "")
        table.add("… per second", round(1e6 / stored), round(1e6 / bare), "", "500000")
        with StoreReader(kept) as reader:
            actor = reader.actors()[0].id
            checked = best(lambda: reader.verify(actor), count) * 1e6
        hashed = best(lambda: [sha256(data).digest() for _ in range(count)], count) * 1e6
        table.add("verify a stored event (µs)", checked, hashed, checked / hashed, "")
        loose = best(lambda: verify(iter_batch(whole, None)), count) * 1e6
        table.add("verify an event in memory (µs)", loose, hashed, loose / hashed, "")
        table.add("look an actor up (µs)", lookup_us(kept), "", "", "")
    table.show()


if __name__ == "__main__":
    main()
