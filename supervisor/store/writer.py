"""The store's one writer: takes batches without blocking, commits them in groups on a thread of its own.

What could not be written (a full disk, an I/O error) stays queued and is tried again; the queue is bounded by the
workers' rings, which are not acknowledged meanwhile. Results wait in ``completed`` and an eventfd tells.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
import time
import uuid
from collections import deque
from typing import Any, Final

import msgspec

from supervisor.store.schema import StoreError, open_for_writing
from theater.ring import RingError, RingReader

GROUP_MS: Final = 2
RETRY_S_FIRST: Final = 0.05
RETRY_S_MAX: Final = 1.0
LOCK: Final = "lock"
RINGS: Final = "rings"


class Stored(msgspec.Struct, frozen=True):
    """Everything of an actor up to ``last_seq`` is in the store."""

    actor: str
    last_seq: int


class Broken(msgspec.Struct, frozen=True):
    """A batch does not continue what is stored; it was not stored."""

    actor: str
    text: str


class Trouble(msgspec.Struct, frozen=True):
    """The store cannot be written at the moment; told once."""

    text: str


class Recovered(msgspec.Struct, frozen=True):
    """It can be written again."""


Result = Stored | Broken | Trouble | Recovered


class _Batch(msgspec.Struct, frozen=True):
    actor: str
    incarnation: int
    first_seq: int
    last_seq: int
    prev_hash: bytes | None
    head_hash: bytes
    payload: bytes


class _Statement(msgspec.Struct, frozen=True):
    sql: str
    values: tuple[Any, ...]


class StoreWriter:
    """Writes one store directory. All methods are for the root's thread.

    Raises:
        StoreError: the store cannot be used, or another supervisor writes to it.
    """

    def __init__(self, directory: str) -> None:
        self._directory = directory
        os.makedirs(directory, mode=0o700, exist_ok=True)
        self._lock = _take_lock(directory)
        try:
            self._db = open_for_writing(directory)
            self._tips = self._read_tips()
            self._adopt_rings()
        except BaseException:
            os.close(self._lock)
            raise
        self._queue: deque[_Batch | _Statement] = deque()
        self._results: deque[Result] = deque()
        self._wake = threading.Event()
        self._closing = False
        self._told = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    # -- for the loop ----------------------------------------------------------------------------------------------

    def fileno(self) -> int:
        """Readable when ``completed`` has something."""
        return self._told

    def completed(self) -> list[Result]:
        """Take the results so far; only the newest Stored of each actor."""
        try:
            os.eventfd_read(self._told)
        except BlockingIOError:
            pass
        stored: dict[str, Result] = {}
        others: list[Result] = []
        while self._results:
            result = self._results.popleft()
            if isinstance(result, Stored):
                stored[result.actor] = result
            else:
                others.append(result)
        return [*others, *stored.values()]

    def actor_for(self, path: str) -> tuple[str, int, bytes | None]:
        """Return (id, next sequence number, hash of the last event) of the actor at a path, making it known."""
        row = self._db.execute("SELECT id FROM actors WHERE path = ?", (path,)).fetchone()
        if row is None:
            actor = str(uuid.uuid4())
            self._put("INSERT OR IGNORE INTO actors VALUES (?, ?, ?)", actor, path, time.time_ns())
            return actor, 0, None
        last_seq, head = self._tips.get(row[0], (-1, None))
        return row[0], last_seq + 1, head

    def begin_incarnation(
        self, actor: str, number: int, *, routing: bytes, package: str, manifest: str, first_seq: int
    ) -> None:
        """Note that an incarnation has begun."""
        sql = "INSERT OR IGNORE INTO incarnations VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL)"
        self._put(sql, actor, number, routing, package, manifest, first_seq, time.time_ns())

    def end_incarnation(self, actor: str, routing: bytes, cause: str) -> None:
        """Note how an incarnation ended (``cause`` is JSON)."""
        sql = "UPDATE incarnations SET ended_ns = ?, cause = ? WHERE actor = ? AND routing = ?"
        self._put(sql, time.time_ns(), cause, actor, routing)

    def append(
        self,
        actor: str,
        incarnation: int,
        first_seq: int,
        last_seq: int,
        prev_hash: bytes | None,
        head_hash: bytes,
        payload: bytes,
    ) -> None:
        """Queue a batch; Stored or Broken follows."""
        self._queue.append(_Batch(actor, incarnation, first_seq, last_seq, prev_hash, head_hash, payload))
        self._wake.set()

    def close(self, timeout_s: float) -> bool:
        """Write what is queued, at most for so long, and let go of the store; whether everything was written."""
        self._closing = True
        self._wake.set()
        self._thread.join(timeout_s)
        is_done = not self._thread.is_alive() and not self._queue
        if not self._thread.is_alive():
            self._db.close()
            os.close(self._lock)
        return is_done

    def _put(self, sql: str, *values: Any) -> None:
        self._queue.append(_Statement(sql, values))
        self._wake.set()

    # -- the writer's thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        pause_s = RETRY_S_FIRST
        in_trouble = False
        while True:
            if not self._queue:
                if self._closing:
                    return
                self._wake.wait()
                self._wake.clear()
                time.sleep(GROUP_MS / 1000)  # a moment for others to join the group
                continue
            try:
                self._commit_group()
            except sqlite3.Error as error:
                if not in_trouble:
                    in_trouble = True
                    self._tell([Trouble(str(error))])
                if self._closing and pause_s >= RETRY_S_MAX:
                    return
                time.sleep(pause_s)
                pause_s = min(pause_s * 2, RETRY_S_MAX)
                continue
            if in_trouble:
                in_trouble, pause_s = False, RETRY_S_FIRST
                self._tell([Recovered()])

    def _commit_group(self) -> None:
        """Write everything queued now in one transaction. On an error nothing of it is written or taken out."""
        group = list(self._queue)
        tips = dict(self._tips)
        results: list[Result] = []
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for item in group:
                if isinstance(item, _Statement):
                    self._db.execute(item.sql, item.values)
                else:
                    results.append(self._write(item, tips))
            self._db.execute("COMMIT")
        except sqlite3.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise
        self._tips = tips
        for _ in group:
            self._queue.popleft()
        self._tell(results)

    def _write(self, batch: _Batch, tips: dict[str, tuple[int, bytes | None]]) -> Result:
        last_seq, head = tips.get(batch.actor, (-1, None))
        if batch.last_seq <= last_seq:
            return Stored(batch.actor, last_seq)  # said twice: fine
        if batch.first_seq != last_seq + 1 or batch.prev_hash != head:
            text = f"events {batch.first_seq}..{batch.last_seq} do not continue the stored chain at {last_seq}"
            return Broken(batch.actor, text)
        insert_batch(self._db, batch.actor, batch.incarnation, batch)
        tips[batch.actor] = (batch.last_seq, batch.head_hash)
        return Stored(batch.actor, batch.last_seq)

    def _tell(self, results: list[Result]) -> None:
        self._results.extend(results)
        if results:
            os.eventfd_write(self._told, 1)

    # -- opening -----------------------------------------------------------------------------------------------------

    def _read_tips(self) -> dict[str, tuple[int, bytes | None]]:
        """Last event and hash of every actor."""
        sql = "SELECT actor, max(last_seq), head_hash FROM batches GROUP BY actor"
        return {actor: (last_seq, head) for actor, last_seq, head in self._db.execute(sql)}

    def _adopt_rings(self) -> None:
        """Read what workers of a root that was killed had recorded, then remove their rings (design D7)."""
        directory = os.path.join(self._directory, RINGS)
        if not os.path.isdir(directory):
            return
        for name in sorted(os.listdir(directory)):
            if name.endswith(".ring"):
                self._adopt(os.path.join(directory, name))

    def _adopt(self, path: str) -> None:
        try:
            with RingReader.open(path) as ring:
                last_seq, head = self._tips.get(ring.actor_id, (-1, None))
                rest = ring.batch_after(last_seq)
                if rest is not None and rest.first_seq == last_seq + 1:
                    batch = _Batch(
                        ring.actor_id,
                        ring.incarnation,
                        rest.first_seq,
                        rest.last_seq,
                        head,
                        rest.head_hash,
                        rest.payload,
                    )
                    insert_batch(self._db, ring.actor_id, ring.incarnation, batch)
                    self._tips[ring.actor_id] = (rest.last_seq, rest.head_hash)
        except RingError:
            os.replace(path, path + ".unreadable")
            return
        except (OSError, sqlite3.Error) as error:
            text = f"{path}: what a killed supervisor's worker had recorded cannot be stored: {error}"
            raise StoreError(text) from None
        RingReader.remove(path)


def insert_batch(db: sqlite3.Connection, actor: str, incarnation: int, batch: _Batch) -> None:
    """Insert one row."""
    values = (
        actor,
        batch.first_seq,
        batch.last_seq,
        incarnation,
        batch.prev_hash,
        batch.head_hash,
        batch.payload,
        time.time_ns(),
    )
    db.execute("INSERT INTO batches VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)


def _take_lock(directory: str) -> int:
    lock = os.open(os.path.join(directory, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(lock)
        raise StoreError(f"{directory}: another supervisor writes to this store; use another --store") from None
    return lock
