"""Reading a store, while a tree runs or after it has stopped. Never writes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from supervisor.store.schema import open_for_reading
from theater.chain.batch import decode_frames, encode_batch
from theater.chain.events import ChainEvent
from theater.chain.verify import Report, verify_events

BATCH = "first_seq, last_seq, incarnation, prev_hash, head_hash, events"


class StoredActor(msgspec.Struct, frozen=True):
    """An actor the store knows."""

    id: str
    path: str
    created_ns: int
    events: int
    """Number of events stored."""
    last_seq: int
    head_hash: bytes | None


class StoredIncarnation(msgspec.Struct, frozen=True):
    """One incarnation: ``cause`` is the termination cause as plain data, None while it lives or if it is unknown."""

    number: int
    package: str
    manifest: str
    first_seq: int
    started_ns: int
    ended_ns: int | None
    cause: dict[str, Any] | None


class StoreReader:
    """A read-only view of a store directory.

    Raises:
        StoreError: there is none, or it cannot be read.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._db: sqlite3.Connection = open_for_reading(directory)

    def actors(self) -> list[StoredActor]:
        """Every actor, by path."""
        sql = """
            SELECT a.id, a.path, a.created_ns, coalesce(sum(b.last_seq - b.first_seq + 1), 0), coalesce(max(b.last_seq), -1)
            FROM actors a LEFT JOIN batches b ON b.actor = a.id GROUP BY a.id ORDER BY a.path
        """
        return [StoredActor(*row, self._head(row[0])) for row in self._db.execute(sql)]

    def find(self, target: str) -> StoredActor | None:
        """The actor of a path or id."""
        return next((actor for actor in self.actors() if target in (actor.path, actor.id)), None)

    def incarnations(self, actor: str) -> list[StoredIncarnation]:
        """The incarnations of an actor (by id), oldest first."""
        sql = """
            SELECT number, package, manifest, first_seq, started_ns, ended_ns, cause
            FROM incarnations WHERE actor = ? ORDER BY started_ns
        """
        return [
            StoredIncarnation(*row[:6], json.loads(row[6]) if row[6] else None) for row in self._db.execute(sql, (actor,))
        ]

    def events(
        self,
        actor: str,
        since: int | None = None,
        until: int | None = None,
        types: Iterable[str] | None = None,
        limit: int | None = None,
        reverse: bool = False,
    ) -> Iterator[ChainEvent]:
        """Yield the events of an actor (by id), oldest first, or newest first with ``reverse``.

        Args:
            since, until: first and last number, both included.
            types: only events of exactly these types.
            limit: at most so many.
        """
        wanted = None if types is None else frozenset(types)
        count = 0
        for event in self._events(actor, since or 0, until, reverse):
            if wanted is not None and event.event_type not in wanted:
                continue
            if limit is not None and count >= limit:
                return
            count += 1
            yield event

    def page(self, actor: str, since: int | None, count: int) -> tuple[dict[str, Any], bytes]:
        """Return up to ``count`` events from a number on (None: the newest) as a batch, with what to know of it."""
        if since is None:
            events = list(self.events(actor, limit=count, reverse=True))[::-1]
        else:
            events = list(self.events(actor, since=since, limit=count))
        base = events[0].parent_hash if events else None
        data = {"count": len(events), "first_seq": events[0].seq if events else since or 0, "base_hash": base}
        return data, encode_batch(events)

    def verify(self, actor: str) -> Report:
        """Check every link and hash of an actor's stored chain, and that the rows agree with the events in them."""
        first = self._db.execute(
            "SELECT first_seq, prev_hash FROM batches WHERE actor = ? ORDER BY first_seq LIMIT 1", (actor,)
        ).fetchone()
        if first is None:
            return Report(ok=True, events=0)
        base_seq, base_hash = first
        if base_seq == 0:
            base_hash = None
        try:
            report = verify_events(self._frames(actor), base_hash, base_seq)
        except ValueError as error:
            return Report(ok=False, events=0, bad_seq=base_seq, problem=f"a stored batch is damaged: {error}")
        if report.ok and report.head != self._head(actor):
            head = self._head(actor)
            return Report(
                ok=False,
                events=report.events,
                bad_seq=base_seq + report.events - 1,
                problem="the row's head hash is not that of its last event",
                expected=report.head.hex() if report.head else "",
                actual=head.hex() if head else "",
            )
        return report

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __enter__(self) -> StoreReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _head(self, actor: str) -> bytes | None:
        sql = "SELECT head_hash FROM batches WHERE actor = ? ORDER BY first_seq DESC LIMIT 1"
        row = self._db.execute(sql, (actor,)).fetchone()
        return row[0] if row else None

    def _frames(self, actor: str) -> Iterator[Any]:
        for row in self._db.execute(f"SELECT {BATCH} FROM batches WHERE actor = ? ORDER BY first_seq", (actor,)):
            yield from decode_frames(row[5], row[1] - row[0] + 1)

    def _events(self, actor: str, since: int, until: int | None, reverse: bool) -> Iterator[ChainEvent]:
        order = "DESC" if reverse else "ASC"
        sql = f"""
            SELECT {BATCH} FROM batches WHERE actor = ? AND last_seq >= ? AND first_seq <= ? ORDER BY first_seq {order}
        """
        last = until if until is not None else (1 << 62)
        for first_seq, last_seq, incarnation, prev, _, blob in self._db.execute(sql, (actor, since, last)):
            events = _chained(decode_frames(blob, last_seq - first_seq + 1), prev, incarnation)
            yield from (e for e in (reversed(events) if reverse else events) if since <= e.seq <= last)


def _chained(frames: list[Any], parent: bytes | None, incarnation: int) -> list[ChainEvent]:
    events = []
    for frame in frames:
        events.append(
            ChainEvent(frame.seq, frame.time_ns, frame.event_type, frame.data, frame.hash, parent, incarnation)
        )
        parent = frame.hash
    return events
