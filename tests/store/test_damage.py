"""Crashes: the database's log cut at many lengths, a ring cut at every byte. What was acknowledged by then is there.

A commit is acknowledged when SQLite has written it to its log. A process that is killed leaves the log as it is; a
machine that fails may leave any beginning of it. Whatever is left, the store opens, every chain verifies, everything
whose commit is in it is there, and the rings give the rest.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.store import StoreError, StoreReader
from supervisor.store.doctor import ERROR, examine
from supervisor.store.journal import Batch, Journal, NewActor, State
from supervisor.store.rings import adopt_rings
from supervisor.store.schema import open_for_writing
from tests.chain.chains import batch, chain, frame
from theater.chain import ChainEvent
from theater.ring import DATA_AT, RingWriter

EVENTS = chain(40)
PER_COMMIT = 4
STRIDE_BYTES = 1 if os.environ.get("THEATER_CRASH_CUTS") == "1" else 977
"""tox -e crash cuts at every byte."""
WAL_HEADER_BYTES = 32
WAL_FRAME_BYTES = 24 + 8192


class Recorded(NamedTuple):
    """A run: the files of its store, and what was acknowledged once the log had a length."""

    directory: Path
    acknowledged: list[tuple[int, int]]
    """(bytes of the log, last event acknowledged)"""


def batch_of(events: list[ChainEvent]) -> Batch:
    first, last = events[0], events[-1]
    return Batch("a", 1, first.seq, last.seq, first.parent_hash, last.hash, batch(events))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Ten commits, none of them in the database file yet."""
    source = tmp_path_factory.mktemp("source")
    db = open_for_writing(str(source))
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    db.execute("PRAGMA wal_autocheckpoint = 0")
    journal = Journal(db)
    journal.commit([NewActor("a", "/a", 0)])
    log = source / "theater.db-wal"
    acknowledged = [(log.stat().st_size, -1)]
    for at in range(0, len(EVENTS), PER_COMMIT):
        part = EVENTS[at : at + PER_COMMIT]
        journal.commit([batch_of(part), State("a", part[-1].seq, b"state %d" % part[-1].seq)])
        acknowledged.append((log.stat().st_size, part[-1].seq))
    target = tmp_path_factory.mktemp("recorded")
    for name in ("theater.db", "theater.db-wal"):
        shutil.copy(source / name, target / name)  # as a killed process leaves them
    db.close()
    return Recorded(target, acknowledged)


def cut_at(run: Recorded, directory: Path, length: int) -> Path:
    """A copy of the run whose log has lost its end."""
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(mode=0o700)
    shutil.copy(run.directory / "theater.db", directory)
    log = (run.directory / "theater.db-wal").read_bytes()
    (directory / "theater.db-wal").write_bytes(log[:length])
    return directory


def lengths(run: Recorded) -> Iterator[int]:
    """The begin and end of everything in the log, a byte to either side, and many places between."""
    size = (run.directory / "theater.db-wal").stat().st_size
    for at in range(WAL_HEADER_BYTES, size + 1, WAL_FRAME_BYTES):
        yield from (at - 1, at, at + 1, at + 23, at + 24, at + 25)
    yield from range(0, size + 1, STRIDE_BYTES)
    yield from (length for length, _ in run.acknowledged)


def acknowledged_at(run: Recorded, length: int) -> int:
    return max((seq for size, seq in run.acknowledged if size <= length), default=-1)


def contents(directory: Path) -> list[int]:
    """Numbers of the events in a store, which verifies and has a state at its end."""
    with StoreReader(str(directory)) as reader:
        if reader.find("/a") is None:
            return []
        assert reader.verify("a").ok
        found = [event.seq for event in reader.events("a")]
        kept = reader.state_at("a")
        assert kept == (None if not found else (found[-1], b"state %d" % found[-1]))
        return found


def leave_ring(directory: Path, first: int, name: str = "r") -> Path:
    """A ring with the events from ``first`` on."""
    (directory / "rings").mkdir(exist_ok=True)
    path = directory / "rings" / f"{name}.ring"
    path.unlink(missing_ok=True)
    ring = RingWriter.create(str(path), 16 * 1024, actor_id="a", incarnation=1)
    for event in EVENTS[first:]:
        ring.append(frame(event))
    ring.close()
    return path


def test_a_log_cut_anywhere_holds_what_was_acknowledged_by_then(run: Recorded, tmp_path: Path) -> None:
    """Nothing more, nothing less: commits are there as a whole, with their states, and the chain verifies."""
    for length in sorted(set(lengths(run))):
        directory = cut_at(run, tmp_path / "cut", length)
        wanted = acknowledged_at(run, length)
        db = open_for_writing(str(directory))  # recovers, as the next supervisor does

        assert contents(directory) == list(range(wanted + 1)), f"log cut at byte {length}"
        db.close()


def test_with_their_rings_nothing_at_all_is_missing(run: Recorded, tmp_path: Path) -> None:
    """A ring is given up only for what is acknowledged: whichever commit was the last one, the rest is in it."""
    for length, acknowledged in run.acknowledged:
        directory = cut_at(run, tmp_path / "cut", length)
        leave_ring(directory, acknowledged + 1)
        db = open_for_writing(str(directory))
        problems = adopt_rings(str(directory), Journal(db)) if acknowledged >= 0 or length else []
        db.close()

        with StoreReader(str(directory)) as reader:
            assert problems == []
            assert reader.verify("a").ok
            assert reader.last_seq("a") == len(EVENTS) - 1


def test_the_doctor_says_nothing_of_a_log_that_was_cut(run: Recorded, tmp_path: Path) -> None:
    """Such a store is an earlier one, and sound."""
    for length, _ in run.acknowledged:
        assert list(examine(str(cut_at(run, tmp_path / "cut", length + 100)))) == []


def with_head(memory: bytes, cut: int, how: str) -> bytes:
    """A ring whose end from byte ``cut`` on never reached the disk, or something else did."""
    if how == "short":
        return memory[:cut]
    if how == "zeros":
        return memory[:cut] + bytes(len(memory) - cut)
    return memory[:cut] + bytes((memory[cut] ^ 0xFF,)) + memory[cut + 1 :]


@pytest.mark.parametrize("how", ["short", "zeros", "flipped"])
def test_a_ring_cut_at_every_byte_gives_all_that_is_before(tmp_path: Path, how: str) -> None:
    """Its whole records go into the store, in order; the first that is not whole ends it, and that is said."""
    directory = tmp_path / "store"
    directory.mkdir(mode=0o700)
    db = open_for_writing(str(directory))
    journal = Journal(db)
    first, last = 34, len(EVENTS) - 1
    journal.commit([NewActor("a", "/a", 0), batch_of(EVENTS[:first])])
    memory = leave_ring(directory, first).read_bytes()
    ends = [DATA_AT]
    for event in EVENTS[first:]:
        ends.append(ends[-1] + 8 + len(frame(event)))
    db.execute("BEGIN")  # every cut begins with the same store
    db.execute("COMMIT")
    for cut in range(DATA_AT, ends[-1]):
        (directory / "rings" / "r.ring").write_bytes(with_head(memory, cut, how))
        problems = adopt_rings(str(directory), journal)
        whole = first - 1 + sum(1 for end in ends[1:] if end <= cut)
        with StoreReader(str(directory)) as reader:
            assert reader.verify("a").ok
            assert reader.last_seq("a") == whole, f"ring {how} at byte {cut}"
        assert len(problems) == 1
        assert (directory / "rings" / "r.ring.kept").exists()
        db.execute("DELETE FROM batches WHERE first_seq >= ?", (first,))
        journal = Journal(db)
    db.close()
    assert last == first + len(ends) - 2


def test_a_database_file_that_was_cut_is_never_taken_for_a_whole_one(run: Recorded, tmp_path: Path) -> None:
    """The doctor says so, and nobody writes to it."""
    whole = tmp_path / "whole"
    shutil.copytree(run.directory, whole)
    db = open_for_writing(str(whole))
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    db.close()
    data = (whole / "theater.db").read_bytes()
    pages = range(8192, len(data), 8192)
    between = range(500, len(data), 8 * STRIDE_BYTES)
    for length in sorted({1, 99, 100, 511, 512, *pages, *(page - 1 for page in pages), *between}):
        directory = tmp_path / "cut"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(mode=0o700)
        (directory / "theater.db").write_bytes(data[:length])
        os.chmod(directory / "theater.db", 0o600)

        if not any(finding.severity == ERROR for finding in examine(str(directory))):
            assert contents(directory) == list(range(len(EVENTS)))  # only zeros were cut off
            continue
        try:
            open_for_writing(str(directory)).close()
        except StoreError as error:
            assert "nothing was changed" in str(error) or "cannot be opened" in str(error)
        else:
            pytest.fail(f"opened, cut at byte {length}")
        assert (directory / "theater.db").read_bytes() == data[:length]


@settings(max_examples=60, deadline=None)
@given(place=st.floats(0, 1, exclude_max=True), mask=st.integers(1, 255))
def test_a_changed_byte_is_found_or_does_not_matter(
    run: Recorded, tmp_path_factory: pytest.TempPathFactory, place: float, mask: int
) -> None:
    """Whatever byte of the database is changed: reading fails, the doctor says so, or every event is as it was."""
    directory = tmp_path_factory.mktemp("changed")
    shutil.copytree(run.directory, directory, dirs_exist_ok=True)
    db = open_for_writing(str(directory))
    db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    db.close()
    data = bytearray((directory / "theater.db").read_bytes())
    data[int(place * len(data))] ^= mask
    (directory / "theater.db").write_bytes(data)

    if any(finding.severity == ERROR for finding in examine(str(directory))):
        return
    try:
        with StoreReader(str(directory)) as reader:
            actors = reader.actors()
            found = [event for actor in actors for event in reader.events(actor.id)]
    except (StoreError, sqlite3.Error):
        return
    hashes = [event.hash for event in EVENTS]
    assert [event.hash for event in found] == hashes[: len(found)]
