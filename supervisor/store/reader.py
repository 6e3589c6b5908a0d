"""Reading a store, while a tree runs or after it has stopped. Never writes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from supervisor.store.schema import open_for_reading
from theater.chain import Bad, ChainError, ChainEvent, Report, encode_frame, iter_batch, verify

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
            SELECT a.id, a.path, a.created_ns,
                   coalesce(sum(b.last_seq - b.first_seq + 1), 0), coalesce(max(b.last_seq), -1)
            FROM actors a LEFT JOIN batches b ON b.actor = a.id GROUP BY a.id ORDER BY a.path
        """
        return [StoredActor(i, path, at, n, last, self._head(i)) for i, path, at, n, last in self._db.execute(sql)]

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
            StoredIncarnation(number, package, manifest, first, begun, ended, json.loads(cause) if cause else None)
            for number, package, manifest, first, begun, ended, cause in self._db.execute(sql, (actor,))
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
        return data, b"".join(encode_frame(e.seq, e.time_ns, e.event_type, e.data, e.hash) for e in events)

    def verify(self, actor: str) -> Report:
        """Check every link and hash of an actor's stored chain, and that the rows agree with the events in them."""
        first = self._db.execute(
            "SELECT first_seq, prev_hash FROM batches WHERE actor = ? ORDER BY first_seq LIMIT 1", (actor,)
        ).fetchone()
        if first is None:
            return Report(True, 0, None, None)
        first_seq, base_hash = first
        base_hash = None if first_seq == 0 else base_hash
        try:
            report = verify(self._events(actor, 0, None, False), base_hash, base_seq=first_seq - 1)
        except ChainError as error:
            return Report(False, 0, Bad(first_seq, "data", "a batch of events", str(error)), None)
        head = self._head(actor)
        if report.ok and report.head != head:
            bad = Bad(first_seq + report.events - 1, "data", _hex(report.head), _hex(head))
            return Report(False, report.events, bad, report.head)
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

    def _events(self, actor: str, since: int, until: int | None, reverse: bool) -> Iterator[ChainEvent]:
        order = "DESC" if reverse else "ASC"
        sql = f"""
            SELECT {BATCH} FROM batches WHERE actor = ? AND last_seq >= ? AND first_seq <= ? ORDER BY first_seq {order}
        """
        last = until if until is not None else (1 << 62)
        for _, _, incarnation, prev, _, blob in self._db.execute(sql, (actor, since, last)):
            events: Iterable[ChainEvent] = iter_batch(blob, prev, incarnation=incarnation)
            if reverse:
                events = reversed(list(events))
            yield from (event for event in events if since <= event.seq <= last)


def _hex(digest: bytes | None) -> str:
    return "none" if digest is None else digest.hex()
