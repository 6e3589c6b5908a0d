"""The store's one writer: takes batches without blocking, commits them in groups on a thread of its own.

What could not be written (a full disk, an I/O error) stays queued and is tried again; the queue is bounded by the
workers' rings, which are not acknowledged meanwhile. Results wait in ``completed`` and an eventfd tells.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import uuid
import weakref
from collections import deque
from collections.abc import Sequence
from typing import Final

from supervisor.store.journal import (
    SEQ_MAX,
    Batch,
    Journal,
    Kept,
    NewActor,
    Note,
    State,
    Tip,
    Work,
    newest_state,
    stored_tip,
)
from supervisor.store.results import Broken, Known, Recovered, Result, Stored, Trouble
from supervisor.store.rings import adopt_rings
from supervisor.store.schema import StoreError, open_beside, open_for_writing
from supervisor.store.stopped import take_lock
from supervisor.store.upkeep import Upkeep
from theater.retention import Retention

__all__ = ["Broken", "Recovered", "Result", "StoreWriter", "Stored", "Trouble"]

GROUP_S: Final = 0.005
"""Commits are so far apart; work that finds the store idle, or that an answer waits for, is committed at once."""
GROUP_BYTES_MAX: Final = 8 << 20
"""One transaction: little enough to fit where little room is left."""
GROUP_WORKS_MAX: Final = 4096
RETRY_S_FIRST: Final = 0.01
RETRY_S_MAX: Final = 1.0

DROPPED_KEPT: Final = 10_000
UNDELIVERED_MAX: Final = 10_000
"""Messages that were not delivered: so many are kept."""


class StoreWriter:
    """Writes one store directory. All methods are for one thread, and none but ``close`` waits for the disk.

    With ``retention`` the oldest events go, now and then, as it says; Trimmed tells.

    Raises:
        StoreError: the store cannot be used, or another supervisor writes to it.
    """

    def __init__(self, directory: str, retention: Retention | None = None) -> None:
        os.makedirs(directory, mode=0o700, exist_ok=True)
        self._lock = take_lock(directory)
        try:
            self._journal = Journal(open_for_writing(directory))
            self._results: deque[Result] = deque(adopt_rings(directory, self._journal))
            self._look = open_beside(directory)
        except BaseException:
            os.close(self._lock)
            raise
        self._upkeep = Upkeep(self._journal.db, retention)
        self._queue: deque[Work] = deque()
        self._dropped: deque[int] = deque(maxlen=DROPPED_KEPT)
        """Messages whose deletion may still be queued."""
        self._new: dict[str, str] = {}
        """Ids by path of actors whose row is not committed yet."""
        self._ahead: dict[str, Tip] = {}
        """Last events of actors that were appended and are not committed yet."""
        self._wake = threading.Event()
        self._urgent = threading.Event()
        """Somebody's answer waits for what is queued."""
        self._give_up_at: float | None = None
        """Closing: when the thread stops trying."""
        self._failure: BaseException | None = None
        self._told = os.eventfd(1 if self._results else 0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        weakref.finalize(self, os.close, self._told)  # results may be taken even after ``close``
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    # -- for the loop ----------------------------------------------------------------------------------------------

    def fileno(self) -> int:
        """Readable when ``completed`` has something."""
        return self._told

    def completed(self) -> list[Result]:
        """Take the results so far; only the newest Stored of each actor.

        Raises:
            StoreError: the writing thread has died of a mistake in it; nothing will be stored any more.
        """
        try:
            os.eventfd_read(self._told)
        except BlockingIOError:
            pass
        if self._failure is not None:
            raise StoreError(f"the store's writer has died: {self._failure!r}") from self._failure
        stored: dict[str, Result] = {}
        others: list[Result] = []
        while self._results:
            result = self._results.popleft()
            match result:
                case Stored():
                    stored[result.actor] = result
                    self._caught_up(result)
                case Known():
                    self._new.pop(result.path, None)
                case Broken():
                    self._ahead.pop(result.actor, None)
                    others.append(result)
                case _:
                    others.append(result)
        return [*others, *stored.values()]

    def actor_for(self, path: str) -> tuple[str, int, bytes | None]:
        """Return (id, next sequence number, hash of the last event) of the actor at a path, making it known."""
        actor = self._new.get(path) or self._known(path)
        if actor is None:
            actor = self._new[path] = str(uuid.uuid4())
            self._put(NewActor(actor, path, time.time_ns()))
            return actor, 0, None
        last_seq, head = self._ahead.get(actor) or stored_tip(self._look, actor)
        return actor, last_seq + 1, head

    def last_incarnation(self, actor: str) -> int:
        """Return the number of an actor's newest incarnation that is stored, 0 if there is none."""
        row = self._look.execute("SELECT max(number) FROM incarnations WHERE actor = ?", (actor,)).fetchone()
        return row[0] or 0

    def begin_incarnation(
        self, actor: str, number: int, *, routing: bytes, package: str, manifest: str, first_seq: int
    ) -> None:
        """Note that an incarnation has begun."""
        sql = "INSERT OR IGNORE INTO incarnations VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL)"
        self._put(Note(sql, (actor, number, routing, package, manifest, first_seq, time.time_ns())))

    def end_incarnation(self, actor: str, routing: bytes, cause: str) -> None:
        """Note how an incarnation ended (``cause`` is JSON)."""
        sql = "UPDATE incarnations SET ended_ns = ?, cause = ? WHERE actor = ? AND routing = ?"
        self._put(Note(sql, (time.time_ns(), cause, actor, routing)))

    def append(
        self,
        actor: str,
        incarnation: int,
        first_seq: int,
        last_seq: int,
        prev_hash: bytes | None,
        head_hash: bytes,
        payload: bytes,
        is_synced: bool = False,
    ) -> None:
        """Queue a batch; Stored or Broken follows, with ``is_synced`` when it is on the disk."""
        self._ahead[actor] = (last_seq, head_hash)
        self._put(Batch(actor, incarnation, first_seq, last_seq, prev_hash, head_hash, payload, is_synced))
        if is_synced:
            self._urgent.set()

    def put_state(self, actor: str, seq: int, state: bytes) -> None:
        """Keep the state an actor committed with event ``seq``; the oldest go (docs/store.md). Stored follows."""
        self._put(State(actor, seq, state))

    def last_state(self, actor: str) -> Kept | None:
        """Return the (event, state) an actor committed last, as far as it was kept."""
        return newest_state(self._look, actor, SEQ_MAX)

    def state_at(self, actor: str, seq: int) -> Kept | None:
        """Return the newest (event, state) kept that was committed at event ``seq`` or before."""
        return newest_state(self._look, actor, seq)

    def dead_letter(self, actor: str, seq: int, digest: str, function: str, tries: int) -> None:
        """Note that an operation was set aside."""
        sql = "INSERT OR REPLACE INTO dead_letters VALUES (?, ?, ?, ?, ?, ?)"
        self._put(Note(sql, (actor, seq, digest, function, tries, time.time_ns())))

    def drop_dead_letter(self, actor: str, digest: str) -> None:
        """Forget that an operation was set aside."""
        self._put(Note("DELETE FROM dead_letters WHERE actor = ? AND digest = ?", (actor, digest)))

    def undelivered(
        self, sender: str, target: str, function: str, channel: str | None, message: bytes | None, reason: str
    ) -> None:
        """Keep a message that was not delivered; the oldest make room."""
        sql = "INSERT INTO undelivered VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)"
        self._put(Note(sql, (sender, target, function, channel, message, reason, time.time_ns())))
        oldest = "(SELECT max(number) FROM undelivered) - ?"
        self._put(Note(f"DELETE FROM undelivered WHERE number <= {oldest}", (UNDELIVERED_MAX,)))

    def drop_undelivered(self, number: int) -> bool:
        """Forget a message that was not delivered; whether there was one of this number."""
        found = self._look.execute("SELECT 1 FROM undelivered WHERE number = ?", (number,)).fetchone()
        if found is None or number in self._dropped:
            return False
        self._dropped.append(number)
        self._put(Note("DELETE FROM undelivered WHERE number = ?", (number,)))
        return True

    def name(self, actor: str, name: str, mode: str | None) -> None:
        """Note that an actor was given a name, or a group's (``mode``); None: it has lost it."""
        if mode is None:
            self._put(Note("DELETE FROM names WHERE actor = ? AND name = ?", (actor, name)))
        else:
            self._put(Note("INSERT OR REPLACE INTO names VALUES (?, ?, ?, ?)", (actor, name, mode, time.time_ns())))

    def names(self) -> list[tuple[str, str, str]]:
        """Return every (actor, name, mode), the oldest first."""
        return self._look.execute("SELECT actor, name, mode FROM names ORDER BY given_ns, actor, name").fetchall()

    def dead_letters(self, actor: str) -> dict[str, int]:
        """Return an actor's operations that were set aside: digest -> call event."""
        return dict(self._look.execute("SELECT digest, seq FROM dead_letters WHERE actor = ?", (actor,)))

    def close(self, timeout_s: float) -> bool:
        """Write what is queued, at most for so long, and let go of the store; whether everything was written.

        What was not written was not acknowledged either: it is in the rings, for the next supervisor.
        """
        self._give_up_at = time.monotonic() + timeout_s
        self._wake.set()
        self._thread.join(timeout_s)
        is_done = not self._thread.is_alive() and not self._queue
        if not self._thread.is_alive():  # else the disk holds it up, and the end of the process will close all
            self._journal.db.close()
            self._look.close()
            os.close(self._lock)
        return is_done

    def _put(self, work: Work) -> None:
        self._queue.append(work)
        self._wake.set()

    def _known(self, path: str) -> str | None:
        row = self._look.execute("SELECT id FROM actors WHERE path = ?", (path,)).fetchone()
        return None if row is None else str(row[0])

    def _caught_up(self, stored: Stored) -> None:
        ahead = self._ahead.get(stored.actor)
        if ahead is not None and ahead[0] <= stored.last_seq:
            del self._ahead[stored.actor]

    # -- the writer's thread ---------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._await_work():
                if self._queue and not self._store_group():
                    return
                self._tell(self._upkeep.step())
        except BaseException as error:
            self._failure = error
            os.eventfd_write(self._told, 1)

    def _await_work(self) -> bool:
        """Wait until there is something to do; False when there is nothing to write and the store closes."""
        while not self._queue:
            if self._give_up_at is not None:
                return False
            self._wake.clear()  # before looking, so that work put meanwhile is not missed
            if not self._queue and self._give_up_at is None and not self._wake.wait(self._upkeep.wait_s()):
                return True  # upkeep is due
        return True

    def _store_group(self) -> bool:
        """Commit one group, trying for as long as it takes; False if the store closed before it could be done."""
        self._urgent.clear()  # before looking, as with _wake
        group = self._group()
        pause_s, in_trouble = RETRY_S_FIRST, False
        while True:
            try:
                results = self._journal.commit(group)
                break
            except sqlite3.Error as error:
                if not in_trouble:
                    in_trouble = True
                    self._tell([Trouble(f"the store cannot be written: {error}")])
                if self._give_up_at is not None and time.monotonic() + pause_s > self._give_up_at:
                    return False
                time.sleep(pause_s)
                pause_s = min(pause_s * 2, RETRY_S_MAX)
        for _ in group:
            self._queue.popleft()
        self._tell([*results, Recovered()] if in_trouble else results)
        if self._give_up_at is None:
            self._urgent.wait(GROUP_S)
        return True

    def _group(self) -> list[Work]:
        """Return what is queued, as far as it fits one transaction. It stays queued until it is committed."""
        group: list[Work] = []
        room = GROUP_BYTES_MAX
        for work in self._queue.copy():
            if group and (room <= 0 or len(group) == GROUP_WORKS_MAX):
                break
            group.append(work)
            room -= _weight(work)
        return group

    def _tell(self, results: Sequence[Result]) -> None:
        self._results.extend(results)
        if results:
            os.eventfd_write(self._told, 1)


def _weight(work: Work) -> int:
    match work:
        case Batch():
            return len(work.payload)
        case State():
            return len(work.state)
        case _:
            return 0
