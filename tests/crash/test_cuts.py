"""A run of a real actor, and then its ring or its database lose their end: at any byte.

The supervisor is stopped in its tracks while its actor goes on answering, then killed: some of the run is stored, the
rest is in the ring only. Whatever a cut leaves verifies, replays, and has everything whose bytes are before the cut.
``THEATER_CRASH_CUTS=1`` (tox -e crash) cuts at every byte; otherwise about the ends of things, and here and there.
"""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from supervisor.store import StoreError, StoreReader, StoreWriter
from supervisor.store.results import Broken
from tests.homes import new_home
from tests.system import guests
from tests.system.running import ROOT, RunningTree, running_tree, wait_gone
from theater.chain import ChainEvent, payloads
from theater.errors import InternalError
from theater.ring import DATA_AT

EVERY_BYTE = os.environ.get("THEATER_CRASH_CUTS") == "1"
STRIDE_BYTES = 1 if EVERY_BYTE else 211
LOG_STRIDE_BYTES = 1 if EVERY_BYTE else 9973
WAL_HEADER_BYTES = 32
WAL_FRAME_BYTES = 24 + 8192
TREE = """
version: 1
name: cuts
children:
  - {id: counter, actor: counter.wasm, grants: {runtime: {}}}
"""


class Run(NamedTuple):
    """What a run left behind: its store as it was found, its package, and all of its events."""

    store: Path
    package: Path
    ring: Path
    events: list[ChainEvent]
    answered: int
    """Calls that were answered."""


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Calls of every kind; the last ones are answered while the supervisor does not run."""
    with new_home() as home:
        guests.write_all(home)
        with running_tree(home, TREE) as tree:
            yield _record(tree)


def _record(tree: RunningTree) -> Run:
    counter = tree.actor("/counter")
    answered = _call(counter)
    tree.cli("events", "/counter")  # what there is by now is stored
    workers = tree.processes()
    tree.process.send_signal(signal.SIGSTOP)
    answered += _call(counter)
    tree.process.kill()
    tree.drop_client()
    tree.process.wait()
    wait_gone(workers)
    (ring,) = (tree.store_dir / "rings").glob("*.ring")
    whole = shutil.copytree(tree.store_dir, tree.home / "whole")
    assert _adopt(whole) == []
    return Run(tree.store_dir, tree.home / "counter.wasm", ring, _events(whole), answered)


def _call(counter: Any) -> int:
    """Three calls that are answered."""
    counter.call("bump", (1,))
    with pytest.raises(InternalError):
        counter.call("fail")
    counter.call("log")
    return 3


def _adopt(store: Path) -> list[Broken]:
    """What the next supervisor does first."""
    writer = StoreWriter(str(store))
    said = writer.completed()
    assert writer.close(10.0)
    return [each for each in said if isinstance(each, Broken)]


def _events(store: Path) -> list[ChainEvent]:
    """All of the actor's events, which verify."""
    with StoreReader(str(store)) as reader:
        actor = reader.find("/counter")
        if actor is None:
            return []
        assert reader.verify(actor.id).ok
        return list(reader.events(actor.id))


def _fresh(run: Run, directory: Path) -> Path:
    shutil.rmtree(directory, ignore_errors=True)
    return shutil.copytree(run.store, directory)


def _answers(events: list[ChainEvent]) -> int:
    """Calls of the test that have an outcome among these events."""
    said = [payloads.read(event.data) for event in events if event.event_type == "wasm"]
    ends = [each for each in said if isinstance(each, (payloads.Result, payloads.Error))]
    return sum(not each.function.endswith(".init") for each in ends)


class Replays:
    """``theater replay`` of every beginning that a cut has left, once each."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._seen: set[int] = set()

    def check(self, store: Path, count: int) -> None:
        """Replay a store with so many events unless a run like that has been replayed."""
        if count == 0 or count in self._seen:
            return
        self._seen.add(count)
        command = [sys.executable, "-m", "supervisor", "replay", "/counter", "--store", str(store)]
        done = subprocess.run(
            [*command, "--package", str(self._run.package)],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, f"{count} events: {done.stdout}{done.stderr}"


def _ends(memory: bytes) -> list[int]:
    """Where the records of a ring that never wrapped end."""
    ends = [DATA_AT]
    while length := struct.unpack_from("<I", memory, ends[-1])[0]:
        ends.append(ends[-1] + 8 + length)
    return ends


def test_every_answered_call_is_in_what_was_left(run: Run) -> None:
    """Also those that were answered while no supervisor ran."""
    assert _answers(run.events) == run.answered == 6


@pytest.mark.parametrize("how", ["short", "zeros"])
def test_a_ring_that_lost_its_end(run: Run, tmp_path: Path, how: str) -> None:
    """Everything before the cut is there, it verifies and replays; that there is a cut is said."""
    memory = run.ring.read_bytes()
    ends, replays = _ends(memory), Replays(run)
    assert len(ends) == len(run.events) + 1
    stored = len(_events(run.store))
    assert 0 < stored < len(run.events)
    near = {end + by for end in ends[stored:] for by in (-1, 0, 1)}
    for cut in sorted(near | set(range(ends[stored], ends[-1], STRIDE_BYTES))):
        if cut >= ends[-1] or cut < ends[stored]:
            continue
        store = _fresh(run, tmp_path / "cut")
        rest = b"" if how == "short" else bytes(len(memory) - cut)
        (store / "rings" / run.ring.name).write_bytes(memory[:cut] + rest)
        problems = _adopt(store)
        left = _events(store)

        assert left == run.events[: sum(end <= cut for end in ends[1:])], f"ring {how} at byte {cut}"
        assert len(problems) == 1, f"ring {how} at byte {cut}"
        replays.check(store, len(left))


def test_a_log_of_the_database_that_lost_its_end(run: Run, tmp_path: Path) -> None:
    """A beginning of the run is there, which verifies and replays; with all that was acknowledged, all of it."""
    log = (run.store / "theater.db-wal").read_bytes()
    replays = Replays(run)
    frames = range(WAL_HEADER_BYTES, len(log) + 1, WAL_FRAME_BYTES)
    near = {at + by for at in frames for by in (-1, 0, 1, 24)}
    stored = len(_events(run.store))
    for cut in sorted(near | set(range(0, len(log), LOG_STRIDE_BYTES)) | {len(log)}):
        if cut > len(log):
            continue
        store = _fresh(run, tmp_path / "cut")
        (store / "theater.db-wal").write_bytes(log[:cut])
        before = _stored(store)
        _adopt(store)
        left = _events(store)

        assert left == run.events[: len(left)], f"log cut at byte {cut}"
        assert len(left) >= before
        if before == stored:
            assert left == run.events
        replays.check(store, len(left))


def _stored(store: Path) -> int:
    """Events in a store as it is; a cut may have left not even the tables."""
    try:
        return len(_events(store))
    except StoreError:
        return 0
