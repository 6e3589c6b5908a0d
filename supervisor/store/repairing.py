"""Repair of a stopped store: only what is safe, each thing said. What was lost or changed stays as it is, to be seen.

Nothing that can be read is thrown away: torn ends are kept in files, events of unknown actors get a path.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from typing import Final

from supervisor.store.doctor import (
    kept_rings,
    stray_chains,
    stray_files,
    stray_rows,
    torn_tail,
    wrong_states,
)
from supervisor.store.importing import forget_unfinished
from supervisor.store.journal import Journal, NewActor, Note
from supervisor.store.reader import StoredActor, StoreReader
from supervisor.store.rings import DIRECTORY, adopt_rings, leftovers
from supervisor.store.schema import StoreError, path_of
from supervisor.store.stopped import stopped

CUT: Final = "cut"
"""Directory of torn ends."""


def repair(directory: str) -> Iterator[str]:
    """Repair what is safe to repair; yield what was done, in words.

    Raises:
        StoreError: a supervisor uses the store, or it is damaged so that it cannot be opened.
    """
    with stopped(directory) as db:
        try:
            yield from _close_to_others(directory)
            yield from _take_away(db)
            yield from _name(db)
            yield from _cut(directory, db)
            yield from _read_in(directory, db)
            yield from _remove_states(directory, db)
            yield from _remove_files(directory)
        except sqlite3.Error as error:
            raise StoreError(f"{path_of(directory)}: cannot be written: {error}") from None


def _close_to_others(directory: str) -> Iterator[str]:
    for path, mode in ((directory, 0o700), (path_of(directory), 0o600)):
        if os.stat(path).st_mode & 0o077:
            os.chmod(path, mode)
            yield f"{path}: closed to others"


def _take_away(db: sqlite3.Connection) -> Iterator[str]:
    count = forget_unfinished(db)
    if count:
        yield f"took away what {count} interrupted imports had left"


def _name(db: sqlite3.Connection) -> Iterator[str]:
    """Give chains without an actor one, and remove rows that mean nothing."""
    journal = Journal(db)
    for actor in sorted(stray_chains(db)):
        journal.commit([NewActor(actor, f"/lost/{actor}", time.time_ns())])
        yield f"{actor}: its events are those of /lost/{actor} now"
    for table, actors in stray_rows(db).items():
        for actor in sorted(actors):
            journal.commit([Note(f"DELETE FROM {table} WHERE actor = ?", (actor,))])
            yield f"{actor}: removed its rows of {table}"


def _cut(directory: str, db: sqlite3.Connection) -> Iterator[str]:
    """Cut torn ends off, before rings are read in: these go on where the chain is whole."""
    with StoreReader(directory) as reader:
        for actor in reader.actors():
            last_good = torn_tail(reader, actor)
            if last_good is not None:
                yield _cut_off(directory, db, reader, actor, last_good)


def _cut_off(
    directory: str, db: sqlite3.Connection, reader: StoreReader, actor: StoredActor, last_good: int
) -> str:
    last = reader.last_batch(actor.id)
    assert last is not None
    os.makedirs(os.path.join(directory, CUT), mode=0o700, exist_ok=True)
    file = os.path.join(CUT, f"{actor.id}.{last_good + 1}")
    with open(os.path.join(directory, file), "wb") as kept:
        kept.write(last.events[last.good_bytes :])
        kept.flush()
        os.fsync(kept.fileno())
    where = (actor.id, last.first_seq)
    if last.good == 0:
        work = Note("DELETE FROM batches WHERE actor = ? AND first_seq = ?", where)
    else:
        events = last.events[: last.good_bytes]
        sql = "UPDATE batches SET last_seq = ?, head_hash = ?, events = ? WHERE actor = ? AND first_seq = ?"
        work = Note(sql, (last_good, events[-32:], events, *where))
    Journal(db).commit([work])
    return f"{actor.path}: cut its torn end off: {last_good} is its last event now; what was cut is in {file}"


def _read_in(directory: str, db: sqlite3.Connection) -> Iterator[str]:
    before = {ring.path: ring for ring in leftovers(directory)}
    kept = set(kept_rings(directory))
    open_lives = db.execute("SELECT count(*) FROM incarnations WHERE ended_ns IS NULL").fetchone()[0]
    broken = adopt_rings(directory, Journal(db))
    for problem in broken:
        yield f"could not take over a ring wholly: {problem.text}"
    set_aside = set(kept_rings(directory)) - kept
    for path, ring in before.items():
        name = os.path.basename(path)
        if f"{name}.kept" in set_aside:
            yield f"{DIRECTORY}/{name}: read in what is whole; the file is kept as {name}.kept"
        else:
            yield f"{DIRECTORY}/{name}: read in ({ring.events} events)"
    if open_lives:
        yield f"noted how {open_lives} incarnations ended: with their supervisor"


def _remove_states(directory: str, db: sqlite3.Connection) -> Iterator[str]:
    with StoreReader(directory) as reader:
        for actor in reader.actors():
            for seq, problem in list(wrong_states(reader, actor)):
                sql = "DELETE FROM states WHERE actor = ? AND seq = ?"
                Journal(db).commit([Note(sql, (actor.id, seq))])
                yield f"{actor.path}: removed the state at event {seq}, which {problem}"


def _remove_files(directory: str) -> Iterator[str]:
    for name in stray_files(directory):
        os.unlink(os.path.join(directory, DIRECTORY, name))
        yield f"{DIRECTORY}/{name}: removed"
