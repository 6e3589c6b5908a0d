"""The database as its one writer sees it: work in, rows out, in transactions that happen wholly or not at all.

A batch is stored only where it continues what is stored, by number and by hash. Said twice is fine, an overlap is cut.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from hashlib import sha256
from typing import Any, Final

import msgspec

from supervisor.store.results import Broken, Known, Result, Stored
from theater.chain.batch import frame_end
from theater.chain.events import ChainError

TIPS_MAX: Final = 50_000
"""Actors whose last event is remembered."""
STATES_MAX: Final = 8
STATES_BYTES_MAX: Final = 16 << 20
"""So many states of an actor are kept, the newest ones; the newest one always is."""
HASH_BYTES: Final = 32

SEQ_MAX: Final = (1 << 63) - 1

Tip = tuple[int, bytes | None]
"""Number and hash of an actor's last event; (-1, None) if there is none."""
Kept = tuple[int, bytes]
"""A committed state with the event that committed it: (event, state)."""

_FORGET_STATES: Final = """
    DELETE FROM states WHERE actor = ?1 AND seq IN (
        SELECT seq FROM (
            SELECT seq, row_number() OVER newer AS place, sum(length(state)) OVER newer AS bytes
            FROM states WHERE actor = ?1 WINDOW newer AS (ORDER BY seq DESC)
        ) WHERE place > 1 AND (place > ?2 OR bytes > ?3)
    )
"""


class Batch(msgspec.Struct, frozen=True, gc=False):
    """Events first_seq..last_seq of an actor, to be stored."""

    actor: str
    incarnation: int
    first_seq: int
    last_seq: int
    prev_hash: bytes | None
    head_hash: bytes
    payload: bytes
    is_synced: bool = False
    """It is on the disk, not only in the system's cache, before it counts as stored."""


class NewActor(msgspec.Struct, frozen=True, gc=False):
    """An actor that gets its identity."""

    id: str
    path: str
    created_ns: int


class State(msgspec.Struct, frozen=True, gc=False):
    """The state an actor committed with an event."""

    actor: str
    seq: int
    state: bytes


class Note(msgspec.Struct, frozen=True, gc=False):
    """Something else to be written."""

    sql: str
    values: tuple[Any, ...]


Work = Batch | NewActor | State | Note


class Journal:
    """Writes to an open store. Used by one thread at a time."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self._tips: dict[str, Tip] = {}
        self._syncs = False

    def tip(self, actor: str) -> Tip:
        """Return an actor's last stored event."""
        tip = self._tips.get(actor)
        return stored_tip(self.db, actor) if tip is None else tip

    def commit(self, works: Sequence[Work]) -> list[Result]:
        """Write everything in one transaction; return what became of it.

        Raises:
            sqlite3.Error: nothing was written.
        """
        news: dict[str, Tip] = {}
        self._sync(any(type(work) is Batch and work.is_synced for work in works))
        self.db.execute("BEGIN IMMEDIATE")
        try:
            found = [self._write(work, news) for work in works]
            self.db.execute("COMMIT")
        except BaseException:
            if self.db.in_transaction:
                self.db.execute("ROLLBACK")
            raise
        if len(self._tips) > TIPS_MAX:
            self._tips.clear()
        self._tips.update(news)
        return [result for result in found if result is not None]

    def _sync(self, wanted: bool) -> None:
        """Have the next commits wait for the disk, or not (in WAL mode NORMAL syncs at checkpoints only)."""
        if wanted is not self._syncs:
            self.db.execute(f"PRAGMA synchronous = {'FULL' if wanted else 'NORMAL'}")
            self._syncs = wanted

    def _write(self, work: Work, news: dict[str, Tip]) -> Result | None:
        match work:
            case Batch():
                return self._write_batch(work, news)
            case NewActor():
                self.db.execute("INSERT INTO actors VALUES (?, ?, ?)", (work.id, work.path, work.created_ns))
                return Known(work.path)
            case State(actor=actor, seq=seq):
                digest = sha256(work.state).digest()
                self.db.execute("INSERT OR REPLACE INTO states VALUES (?, ?, ?, ?)", (actor, seq, work.state, digest))
                self.db.execute(_FORGET_STATES, (actor, STATES_MAX, STATES_BYTES_MAX))
                return Stored(actor, (news.get(actor) or self.tip(actor))[0])
            case Note():
                self.db.execute(work.sql, work.values)
                return None

    def _write_batch(self, batch: Batch, news: dict[str, Tip]) -> Result:
        last_seq, head = news.get(batch.actor) or self.tip(batch.actor)
        if batch.last_seq <= last_seq:
            return Stored(batch.actor, last_seq)  # said twice
        if batch.first_seq <= last_seq:
            cut = _without(batch, last_seq)
            if cut is None:
                return _broken(batch, f"is not what it says, after event {last_seq}")
            batch = cut
        if batch.first_seq != last_seq + 1:
            return _broken(batch, f"does not continue the stored chain, expected event {last_seq + 1} first")
        if batch.prev_hash != head:
            return _broken(batch, f"follows {_hex(batch.prev_hash)}, expected it to follow {_hex(head)}")
        if not batch.payload.endswith(batch.head_hash):
            return _broken(batch, "does not end with the event it says")
        values = (batch.actor, batch.first_seq, batch.last_seq, batch.incarnation, batch.prev_hash, batch.head_hash)
        self.db.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?)", (*values, batch.payload, time.time_ns()))
        news[batch.actor] = (batch.last_seq, batch.head_hash)
        return Stored(batch.actor, batch.last_seq)


def stored_tip(db: sqlite3.Connection, actor: str) -> Tip:
    """Return an actor's last event in the database; its base, where nothing after that is there."""
    sql = "SELECT last_seq, head_hash FROM batches WHERE actor = ? ORDER BY first_seq DESC LIMIT 1"
    row: Tip | None = db.execute(sql, (actor,)).fetchone()
    return base_of(db, actor) if row is None else (row[0], row[1])


def base_of(db: sqlite3.Connection, actor: str) -> Tip:
    """Return the last event of an actor that is not kept any more: what is kept begins after it."""
    row: Tip | None = db.execute("SELECT seq, hash FROM bases WHERE actor = ?", (actor,)).fetchone()
    return (-1, None) if row is None else (row[0], row[1])


def newest_state(db: sqlite3.Connection, actor: str, at: int) -> Kept | None:
    """Return the newest (event, state) of an actor that is kept and was committed at or before an event."""
    sql = "SELECT seq, state FROM states WHERE actor = ? AND seq <= ? ORDER BY seq DESC LIMIT 1"
    row: Kept | None = db.execute(sql, (actor, at)).fetchone()
    return row


def _without(batch: Batch, last_seq: int) -> Batch | None:
    """Return what a batch has behind an event, None if its frames do not go so far."""
    at = 0
    try:
        for _ in range(last_seq + 1 - batch.first_seq):
            at = frame_end(batch.payload, at)
    except ChainError:
        return None
    prev_hash = batch.payload[at - HASH_BYTES : at]
    return msgspec.structs.replace(batch, first_seq=last_seq + 1, prev_hash=prev_hash, payload=batch.payload[at:])


def _broken(batch: Batch, why: str) -> Broken:
    return Broken(batch.actor, f"batch {batch.first_seq}..{batch.last_seq} {why}")


def _hex(digest: bytes | None) -> str:
    return "nothing" if digest is None else digest.hex()
