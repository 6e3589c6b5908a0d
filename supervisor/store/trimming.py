"""Retention: the oldest batches of a chain go, and a base stays from which the rest verifies (lifecycle 8.5).

A pass over the store is a generator; each of its steps is one small transaction or one short look, so whoever runs it
(the writer's thread, a verb) decides how much time it takes. Whole batches go, so a little more than asked for stays,
and the last batch of an actor always does.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator, Iterator
from itertools import takewhile
from typing import Final, NamedTuple

from supervisor.store.journal import stored_tip
from supervisor.store.results import Trimmed
from theater.chain import payloads
from theater.chain.batch import iter_frames
from theater.chain.events import ChainError
from theater.retention import Bounds, Retention

ROWS_PER_STEP: Final = 32
BYTES_PER_STEP: Final = 1 << 20
ROWS_PER_LOOK: Final = 512
PAGES_PER_STEP: Final = 64
SPARE_SHARE: Final = 4
"""Free pages are given back to the file system once they are more than a fourth of the file; new events use them."""
INCREMENTAL: Final = 2

Steps = Generator[Trimmed | None, None, None]


class _Oldest(NamedTuple):
    """A batch that may go."""

    first_seq: int
    last_seq: int
    head_hash: bytes
    stored_ns: int
    bytes: int


def trim(db: sqlite3.Connection, retention: Retention, now_ns: int, only: frozenset[str] | None = None) -> Steps:
    """Remove what no bound keeps, of all actors or those of ``only`` (ids), step by step; yield what has gone.

    Raises:
        sqlite3.Error: the step has not happened, those before have.
    """
    for actor, path in db.execute("SELECT id, path FROM actors ORDER BY path").fetchall():
        bounds = retention.bounds_of(path)
        if not bounds.keeps_all and (only is None or actor in only):
            yield from _trim_actor(db, actor, path, bounds, retention.is_replayable(path), now_ns)


def give_back(db: sqlite3.Connection, share: int = SPARE_SHARE) -> Iterator[None]:
    """Give free pages back to the file system, step by step, if they are more than this share of the file.

    A file of an older version cannot; there new events use the free pages up.
    """
    if _number(db, "auto_vacuum") != INCREMENTAL:
        return
    free = _number(db, "freelist_count")
    if free * share <= _number(db, "page_count"):
        return
    for _ in range(0, free, PAGES_PER_STEP):
        db.executescript(f"PRAGMA incremental_vacuum({PAGES_PER_STEP})")  # ``execute`` would do one page only
        yield


def replay_begins(db: sqlite3.Connection, actor: str) -> int:
    """Return the event that a replay of an actor would begin with: its newest snapshot, or the begin of its last
    life that was not itself rebuilt by a replay, whichever is later.

    0 if that cannot be told.
    """
    return max(_life_begins(db, actor), _newest_snapshot(db, actor))


def _newest_snapshot(db: sqlite3.Connection, actor: str) -> int:
    """The event of the newest snapshot, 0 if there is none."""
    sql = "SELECT events FROM batches WHERE actor = ? AND instr(events, ?) > 0 ORDER BY first_seq DESC"
    for (events,) in db.execute(sql, (actor, payloads.SNAPSHOT.encode())):
        found = [frame[0] for frame in iter_frames(events) if frame[2] == payloads.SNAPSHOT]
        if found:
            return found[-1]
    return 0


def _life_begins(db: sqlite3.Connection, actor: str) -> int:
    sql = "SELECT DISTINCT first_seq FROM incarnations WHERE actor = ? ORDER BY first_seq DESC"
    for (seq,) in db.execute(sql, (actor,)).fetchall():
        marker = _event(db, actor, seq)
        if isinstance(marker, payloads.Genesis):
            return int(seq)
        if isinstance(marker, payloads.Incarnation) and marker.recovered != "replay":
            return int(seq)
    return 0


def _trim_actor(
    db: sqlite3.Connection, actor: str, path: str, bounds: Bounds, is_replayable: bool, now_ns: int
) -> Steps:
    last = db.execute("SELECT max(first_seq) FROM batches WHERE actor = ?", (actor,)).fetchone()[0]
    if last is None:
        return
    stays = min(last, replay_begins(db, actor)) if is_replayable or _was_replayed(db, actor) else last
    size = 0
    if bounds.size_bytes is not None:
        size = yield from _size(db, actor)
    events = total = 0
    while rows := _going(db, actor, bounds, stays, size, now_ns):
        if not _remove(db, actor, rows, now_ns):
            return  # somebody else trims
        gone = sum(row.bytes for row in rows)
        size -= gone
        events, total = events + rows[-1].last_seq + 1 - rows[0].first_seq, total + gone
        yield None
    if events:
        yield Trimmed(path, events, total)


def _size(db: sqlite3.Connection, actor: str) -> Generator[None, None, int]:
    """Return the bytes of an actor's batches."""
    sql = f"""
        SELECT max(first_seq), sum(length(events)) FROM (
            SELECT first_seq, events FROM batches WHERE actor = ? AND first_seq > ?
            ORDER BY first_seq LIMIT {ROWS_PER_LOOK}
        )
    """
    size, after = 0, -1
    while (row := db.execute(sql, (actor, after)).fetchone())[0] is not None:
        after, size = row[0], size + row[1]
        yield
    return size


def _going(
    db: sqlite3.Connection, actor: str, bounds: Bounds, stays: int, size: int, now_ns: int
) -> list[_Oldest]:
    """Return the oldest batches that no bound keeps, a few of them; ``stays`` is an event that has to stay."""
    sql = f"""
        SELECT first_seq, last_seq, head_hash, stored_ns, length(events) FROM batches
        WHERE actor = ? AND last_seq < ? ORDER BY first_seq LIMIT {ROWS_PER_STEP}
    """
    tip = stored_tip(db, actor)[0]
    oldest_ns = None if bounds.age_ms is None else now_ns - bounds.age_ms * 1_000_000
    going: list[_Oldest] = []
    gone = 0
    for row in map(_Oldest._make, db.execute(sql, (actor, stays)).fetchall()):
        is_old = oldest_ns is not None and row.stored_ns < oldest_ns
        is_much = bounds.events is not None and tip - row.last_seq >= bounds.events
        is_large = bounds.size_bytes is not None and size - gone - row.bytes >= bounds.size_bytes
        if not (is_old or is_much or is_large) or (going and gone + row.bytes > BYTES_PER_STEP):
            break
        going.append(row)
        gone += row.bytes
    return going


def _remove(db: sqlite3.Connection, actor: str, rows: list[_Oldest], now_ns: int) -> bool:
    """Remove the oldest batches of an actor, all or none; False if they are not its oldest any more."""
    first, last = rows[0], rows[-1]
    db.execute("BEGIN IMMEDIATE")
    try:
        oldest = db.execute("SELECT min(first_seq) FROM batches WHERE actor = ?", (actor,)).fetchone()[0]
        if oldest != first.first_seq:
            db.execute("ROLLBACK")
            return False
        db.execute("DELETE FROM batches WHERE actor = ? AND first_seq <= ?", (actor, last.first_seq))
        db.execute("INSERT OR REPLACE INTO bases VALUES (?, ?, ?, ?)", (actor, last.last_seq, last.head_hash, now_ns))
        newest = "(SELECT max(seq) FROM states WHERE actor = ?1)"
        db.execute(f"DELETE FROM states WHERE actor = ?1 AND seq <= ?2 AND seq < {newest}", (actor, last.last_seq))
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
    return True


def _was_replayed(db: sqlite3.Connection, actor: str) -> bool:
    """Whether the newest life of an actor was rebuilt by replay: then the next one may be, too."""
    sql = "SELECT max(first_seq) FROM incarnations WHERE actor = ?"
    seq = db.execute(sql, (actor,)).fetchone()[0]
    marker = None if seq is None else _event(db, actor, seq)
    return isinstance(marker, payloads.Incarnation) and marker.recovered == "replay"


def _event(db: sqlite3.Connection, actor: str, seq: int) -> payloads.Payload | None:
    """Return what an event says, None if it is not there or not to be read."""
    sql = "SELECT events FROM batches WHERE actor = ? AND first_seq <= ? ORDER BY first_seq DESC LIMIT 1"
    row = db.execute(sql, (actor, seq)).fetchone()
    try:
        frames = takewhile(lambda frame: frame[0] <= seq, iter_frames(row[0] if row is not None else b""))
        return next((payloads.read(frame[3]) for frame in frames if frame[0] == seq), None)
    except ChainError:
        return None


def _number(db: sqlite3.Connection, pragma: str) -> int:
    return int(db.execute(f"PRAGMA {pragma}").fetchone()[0])
