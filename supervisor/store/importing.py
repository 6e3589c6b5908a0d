"""Taking a chain from outside into a store that no supervisor uses: as an actor of its own, under a new path.

Every event is verified on its way in; the actor appears when all of it is there. What an interrupted import leaves has
no path, so nobody sees it; the next one, and ``theater doctor --repair``, take it away.
"""

from __future__ import annotations

import os
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from itertools import chain, islice
from typing import Final

import msgspec

from supervisor.store.journal import Batch, Journal, NewActor, Note, Work
from supervisor.store.results import Broken
from supervisor.store.schema import StoreError
from supervisor.store.stopped import stopped
from theater.chain import ChainError, ChainEvent, encode_frame, event_hash, payloads, verify
from theater.chain.legacy import THEATER_HASH_BYTES, theater_hash
from theater.chain.verifying import Rule
from theater.errors import TheaterError

BATCH_BYTES: Final = 256 << 10
BATCH_EVENTS: Final = 4096
BATCHES_PER_COMMIT: Final = 16
OURS: Final = "sha256"
THEATER: Final = "theater-sha1"
MARKERS: Final = ("genesis", "incarnation")
NEAR_EVENTS: Final = 1000
"""So far behind a bad event one is looked for that belongs in its place."""
PATH_BYTES_MAX: Final = 1024


class ImportRefused(TheaterError):
    """The chain or its new name cannot be taken; the text says why. Nothing was stored."""

    is_broken = False


class ChainRefused(ImportRefused):
    """The chain does not verify."""

    is_broken = True


class Imported(msgspec.Struct, frozen=True):
    """What was taken in. ``rule`` is that of the file; the hashes in the store are always ours."""

    actor: str
    path: str
    events: int
    first_seq: int
    last_seq: int
    rule: str
    origin_head: bytes
    head_hash: bytes


def import_chain(
    directory: str, path: str, events: Iterable[ChainEvent], origin: str, progress: Callable[[int], None] | None = None
) -> Imported:
    """Store a chain, oldest event first, as a new actor at ``path``.

    A chain of the Rust Theater is verified by its own rule and hashed anew by ours. One that begins in the middle keeps
    the hash before its first event as its base.

    Raises:
        ImportRefused: it does not verify, is empty, or the path is taken or no path.
        ChainError: the events cannot be read.
        StoreError: the store cannot be written, or a supervisor uses it.
    """
    _check_path(path)
    with stopped(directory) as db:
        if db.execute("SELECT 1 FROM actors WHERE path = ?", (path,)).fetchone() is not None:
            raise ImportRefused(f"{path}: the store has an actor of that name already; choose another one")
        try:
            forget_unfinished(db)
            return _Importing(db, path, origin, progress).run(events)
        except sqlite3.Error as error:
            raise StoreError(f"{directory}: cannot be written: {error}") from None


def unfinished(db: sqlite3.Connection) -> list[str]:
    """Return the ids of actors whose import was interrupted."""
    return [row[0] for row in db.execute("SELECT actor FROM imports WHERE done_ns IS NULL").fetchall()]


def forget_unfinished(db: sqlite3.Connection) -> int:
    """Take away what interrupted imports have left; return how many they were."""
    found = unfinished(db)
    for actor in found:
        _forget(db, actor)
    return len(found)


def _forget(db: sqlite3.Connection, actor: str) -> None:
    statements = [f"DELETE FROM {table} WHERE actor = ?" for table in ("batches", "incarnations", "bases", "imports")]
    Journal(db).commit([Note(sql, (actor,)) for sql in statements])


def _check_path(path: str) -> None:
    names = path.split("/")[1:]
    if not path.startswith("/") or not all(names) or not path.isprintable() or {".", ".."} & set(names):
        raise ImportRefused(f"{path!r}: expected a path such as /imported/counter")
    if len(os.fsencode(path)) > PATH_BYTES_MAX:
        raise ImportRefused(f"{path[:40]}…: expected a path of at most {PATH_BYTES_MAX} bytes")


class _Importing:
    """One import: events in, batches out."""

    def __init__(
        self, db: sqlite3.Connection, path: str, origin: str, progress: Callable[[int], None] | None
    ) -> None:
        self._journal = Journal(db)
        self._db = db
        self._path = path
        self._origin = origin
        self._progress = progress
        self._actor = str(uuid.uuid4())
        self._theirs: bytes | None = None
        """Hash of the last event, by the rule of the file."""
        self._ours: bytes | None = None
        self._rule: Rule = event_hash
        self._rule_name = OURS
        self._seq = -1
        self._count = 0
        self._life = 0

    def run(self, events: Iterable[ChainEvent]) -> Imported:
        """Store everything, or nothing."""
        rest = iter(events)
        first = next(rest, None)
        if first is None:
            raise ChainRefused(f"{self._origin}: there are no events in it")
        self._begin(first)
        try:
            self._store(first, rest)
            return self._finish()
        except BaseException:
            _forget(self._db, self._actor)
            raise

    def _begin(self, first: ChainEvent) -> None:
        if len(first.hash) == THEATER_HASH_BYTES:
            self._rule, self._rule_name = theater_hash, THEATER
        if first.parent_hash is None and first.seq > 0:
            raise ImportRefused(
                f"{self._origin}: it begins with event {first.seq} and does not say what was before; "
                "export it in a form that does (text, jsonl)"
            )
        self._theirs = first.parent_hash
        seq = max(first.seq, 1) if first.parent_hash is not None else 0
        works: list[Work] = []
        if first.parent_hash is not None and self._rule_name == OURS:
            self._ours = first.parent_hash
            base = (self._actor, seq - 1, first.parent_hash, time.time_ns())
            works.append(Note("INSERT INTO bases VALUES (?, ?, ?, ?)", base))
            self._seq = seq - 1
        note = (self._actor, self._origin, self._rule_name, time.time_ns())
        works.append(Note("INSERT INTO imports VALUES (?, ?, ?, NULL, ?, NULL)", note))
        self._journal.commit(works)

    def _store(self, first: ChainEvent, rest: Iterator[ChainEvent]) -> None:
        offset = self._seq + 1 - first.seq
        works: list[Work] = []
        for batch in self._batches(self._checked(first, rest, offset)):
            works += batch
            if len(works) >= BATCHES_PER_COMMIT:
                self._commit(works)
                works = []
        self._commit(works)

    def _checked(self, first: ChainEvent, rest: Iterator[ChainEvent], offset: int) -> Iterator[ChainEvent]:
        """Yield the events with our numbers and hashes, each verified by the rule of the file."""
        event: ChainEvent | None = first
        expected = first.seq
        while event is not None:
            if event.seq != expected or event.parent_hash != self._theirs or not self._is_sound(event):
                raise ChainRefused(f"{self._origin}: the chain is broken: {self._problem(event, rest, expected)}")
            self._theirs, expected = event.hash, expected + 1
            self._seq = event.seq + offset
            digest = event.hash if self._rule_name == OURS else event_hash(self._ours, event.event_type, event.data)
            yield ChainEvent(
                self._seq, event.time_ns, self._life_of(event), event.event_type, event.data, self._ours, digest
            )
            self._ours = digest
            self._count += 1
            event = next(rest, None)

    def _is_sound(self, event: ChainEvent) -> bool:
        return self._rule(event.parent_hash, event.event_type, event.data) == event.hash

    def _problem(self, event: ChainEvent, rest: Iterator[ChainEvent], expected: int) -> str:
        near = chain((event,), islice(rest, NEAR_EVENTS))
        bad = verify(near, self._theirs, base_seq=expected - 1, rule=self._rule).first_bad
        return "it does not verify" if bad is None else str(bad)

    def _life_of(self, event: ChainEvent) -> int:
        """Return which incarnation recorded an event: what it says, else the last marker."""
        if event.event_type in MARKERS:
            self._life = event.incarnation or _number(event.data) or self._life + 1
        return event.incarnation or self._life or 1

    def _batches(self, events: Iterator[ChainEvent]) -> Iterator[list[Work]]:
        """Yield batches of one incarnation each, before the first one of a life the note that it began."""
        held: list[ChainEvent] = []
        frames: list[bytes] = []
        size = 0
        for event in events:
            if held and (event.incarnation != held[0].incarnation or size > BATCH_BYTES or len(held) == BATCH_EVENTS):
                yield self._batch(held, frames)
                held, frames, size = [], [], 0
            frame = encode_frame(event.seq, event.time_ns, event.event_type, event.data, event.hash)
            held.append(event)
            frames.append(frame)
            size += len(frame)
        if held:
            yield self._batch(held, frames)

    def _batch(self, held: list[ChainEvent], frames: list[bytes]) -> list[Work]:
        first, last = held[0], held[-1]
        payload = b"".join(frames)
        batch = Batch(
            self._actor, first.incarnation, first.seq, last.seq, first.parent_hash, last.hash, payload
        )
        marks = [self._mark(event) for event in held if event.event_type in MARKERS]
        return [*marks, batch]

    def _mark(self, event: ChainEvent) -> Note:
        """The note that an incarnation began, as its marker says."""
        package, manifest = "", ""
        try:
            marker = payloads.read(event.data)
            if isinstance(marker, payloads.Genesis | payloads.Incarnation):
                package, manifest = marker.package, marker.manifest
        except ChainError:
            pass  # a marker in words of others: the event itself stays
        values = (self._actor, event.incarnation, uuid.uuid4().bytes, package, manifest, event.seq, event.time_ns)
        return Note("INSERT INTO incarnations VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)", (*values, time.time_ns()))

    def _commit(self, works: list[Work]) -> None:
        refused = [result for result in self._journal.commit(works) if isinstance(result, Broken)]
        if refused:
            raise ImportRefused(f"{self._origin}: {refused[0].text}")
        if self._progress is not None:
            self._progress(self._count)

    def _finish(self) -> Imported:
        assert self._theirs is not None and self._ours is not None
        now = time.time_ns()
        done = "UPDATE imports SET head_hash = ?, done_ns = ? WHERE actor = ?"
        self._journal.commit(
            [NewActor(self._actor, self._path, now), Note(done, (self._theirs, now, self._actor))]
        )
        first_seq = self._seq + 1 - self._count
        return Imported(
            self._actor, self._path, self._count, first_seq, self._seq, self._rule_name, self._theirs, self._ours
        )


def _number(data: bytes) -> int:
    try:
        marker = payloads.read(data)
    except ChainError:
        return 0
    return marker.number if isinstance(marker, payloads.Incarnation) else 1
