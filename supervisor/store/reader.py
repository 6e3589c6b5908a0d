"""Reading a store, while a tree runs or after it has stopped. Never writes.

Rows are read a few at a time, in transactions of their own: a reader that takes its time holds nobody up.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple

import msgspec

from supervisor.store.journal import SEQ_MAX, Kept, Tip, base_of, newest_state
from supervisor.store.schema import DAMAGE, StoreError, has_table, open_for_reading, path_of
from theater.chain import Bad, ChainError, ChainEvent, Report, iter_batch, payloads, verify
from theater.chain.batch import frame_end
from theater.chain.verifying import DATA, MISSING, ORDER, PARENT

ROWS_PER_READ: Final = 16
HASH_BYTES: Final = 32


class StoredActor(msgspec.Struct, frozen=True):
    """An actor the store knows."""

    id: str
    path: str
    created_ns: int
    events: int
    """Number of events stored."""
    last_seq: int
    """Number of the last event, -1 if there is none."""
    head_hash: bytes | None
    base_seq: int = -1
    """Number of the last event that is not kept any more, -1 if there is none: the events begin after it."""


class DeadLetter(msgspec.Struct, frozen=True):
    """An operation that was set aside: the call event of its last try, and when."""

    actor: str
    path: str
    seq: int
    function: str
    tries: int
    set_aside_ns: int


class Undelivered(msgspec.Struct, frozen=True):
    """A message that one actor sent and no other was given; ``message`` is None if it was too large to be kept."""

    number: int
    sender: str
    path: str
    """Whom it was for; what the sender called it, if there was no such actor."""
    function: str
    channel: str | None
    message: bytes | None
    reason: str
    refused_ns: int


class StoredIncarnation(msgspec.Struct, frozen=True):
    """One incarnation: ``cause`` is the termination cause as plain data, None while it lives or if it is unknown."""

    number: int
    package: str
    manifest: str
    first_seq: int
    started_ns: int
    ended_ns: int | None
    cause: dict[str, Any] | None


class LastBatch(msgspec.Struct, frozen=True):
    """The end of a stored chain: ``good`` events, in ``good_bytes``, can be read and follow one another."""

    first_seq: int
    events: bytes
    good: int
    good_bytes: int

    @property
    def is_whole(self) -> bool:
        """It can be read to its end."""
        return self.good_bytes == len(self.events)


class _Row(NamedTuple):
    """One batch."""

    first_seq: int
    last_seq: int
    incarnation: int
    prev_hash: bytes | None
    head_hash: bytes
    events: bytes


_ROW: Final = ", ".join(_Row._fields)


class StoreReader:
    """A read-only view of a store directory. Use it in ``with``, or call ``close``.

    Raises:
        StoreError: there is none, or it cannot be read.
    """

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self._db: sqlite3.Connection = open_for_reading(directory)
        self._has_bases = has_table(self._db, "bases")

    def actors(self) -> list[StoredActor]:
        """Every actor, by path."""
        return [self._actor(*row) for row in self._all("SELECT id, path, created_ns FROM actors ORDER BY path")]

    def find(self, target: str) -> StoredActor | None:
        """The actor of a path or id."""
        rows = self._all("SELECT id, path, created_ns FROM actors WHERE path = ?1 OR id = ?1", target)
        return self._actor(*rows[0]) if rows else None

    def incarnations(self, actor: str) -> list[StoredIncarnation]:
        """The incarnations of an actor (by id), oldest first."""
        sql = """
            SELECT number, package, manifest, first_seq, started_ns, ended_ns, cause
            FROM incarnations WHERE actor = ? ORDER BY started_ns, first_seq
        """
        return [StoredIncarnation(*row) for row in ((*row[:6], _plain(row[6])) for row in self._all(sql, actor))]

    def dead_letters(self, actor: str | None = None) -> list[DeadLetter]:
        """Operations that were set aside, of one actor (by id) or of all, oldest first."""
        sql = """
            SELECT d.actor, a.path, d.seq, d.function, d.tries, d.set_aside_ns
            FROM dead_letters d JOIN actors a ON a.id = d.actor
            WHERE ?1 IS NULL OR d.actor = ?1 ORDER BY d.set_aside_ns
        """
        return [DeadLetter(*row) for row in self._all(sql, actor)]

    def undelivered(self, target: str | None = None) -> list[Undelivered]:
        """Messages that were not delivered, to one actor (by path, id or name) or to all, oldest first."""
        if not has_table(self._db, "undelivered"):
            return []
        sql = """
            SELECT u.number, coalesce(s.path, u.sender), coalesce(a.path, u.target), u.function, u.channel, u.message,
                u.reason, u.refused_ns
            FROM undelivered u LEFT JOIN actors a ON a.id = u.target LEFT JOIN actors s ON s.id = u.sender
            WHERE ?1 IS NULL OR u.target = ?1 OR a.path = ?1 ORDER BY u.number
        """
        return [Undelivered(*row) for row in self._all(sql, target)]

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

        Raises:
            StoreError: the store cannot be read there.
        """
        wanted = None if types is None else frozenset(types)
        room = SEQ_MAX if limit is None else limit
        first, last = since or 0, SEQ_MAX if until is None else until
        for row in self._rows(actor, first, last, reverse):
            for event in self._events_of(row, reverse):
                if room <= 0:
                    return
                if first <= event.seq <= last and (wanted is None or event.event_type in wanted):
                    room -= 1
                    yield event

    def batches(self, actor: str) -> Iterator[bytes]:
        """Yield everything stored of an actor (by id), as frames one after the other, oldest first."""
        for row in self._rows(actor, 0, SEQ_MAX, False):
            yield row.events

    def since_recovery(self, actor: str) -> Iterator[bytes]:
        """Yield what an actor (by id) is rebuilt from, from its newest snapshot, or life that was not rebuilt, on."""
        begin = self.recovery_begins(actor)
        for row in self._rows(actor, begin, SEQ_MAX, False):
            skipped = max(0, begin - row.first_seq)
            yield self._cut(row, skipped, row.last_seq + 1 - row.first_seq - skipped)[1] if skipped else row.events

    def recovery_begins(self, actor: str) -> int:
        """The event that ``since_recovery`` begins with, 0 if no marker tells."""
        for event in self.events(actor, types=("genesis", "incarnation", payloads.SNAPSHOT), reverse=True):
            marker = payloads.read(event.data)
            if not isinstance(marker, payloads.Incarnation) or marker.recovered != "replay":
                return event.seq
        return 0

    def has_begun(self, actor: str) -> bool:
        """Whether any life of an actor (by id) is recorded that a state could be computed from."""
        markers = self.events(actor, types=("genesis", "incarnation", payloads.SNAPSHOT), limit=1, reverse=True)
        return next(markers, None) is not None

    def page(self, actor: str, since: int | None, count: int) -> tuple[dict[str, Any], bytes]:
        """Return up to ``count`` events from a number on (None: the newest) as a batch, with what to know of it."""
        first = max(0, self._last(actor)[0] + 1 - count) if since is None else since
        parts: list[bytes] = []
        found, base_hash, begin = 0, None, first
        for row in self._rows(actor, first, SEQ_MAX, False):
            if found >= count:
                break
            skipped = max(0, first - row.first_seq)
            taken = min(count - found, row.last_seq + 1 - row.first_seq - skipped)
            before, rest = self._cut(row, skipped, taken)
            if not parts:
                base_hash = before[-HASH_BYTES:] or row.prev_hash
                begin = row.first_seq + skipped
            parts.append(rest)
            found += taken
        return {"count": found, "first_seq": begin, "base_hash": base_hash}, b"".join(parts)

    def base(self, actor: str) -> Tip:
        """Number and hash of the last event that is not kept any more; (-1, None) if all are there."""
        if not self._has_bases:
            return -1, None
        try:
            return base_of(self._db, actor)
        except DAMAGE as error:
            raise self._failed(error) from None

    def state_at(self, actor: str, seq: int = SEQ_MAX) -> Kept | None:
        """The newest (event, state) of an actor (by id) that is kept and was committed at event ``seq`` or before."""
        try:
            return newest_state(self._db, actor, seq)
        except DAMAGE as error:
            raise self._failed(error) from None

    def states(self, actor: str) -> Iterator[tuple[int, bytes, bytes | None]]:
        """Yield the kept states of an actor (by id), newest first: (event, state, SHA-256 as noted)."""
        noted = "digest" if self._has_bases else "NULL"
        seqs = self._all("SELECT seq FROM states WHERE actor = ? ORDER BY seq DESC", actor)
        for (seq,) in seqs:
            yield from self._all(f"SELECT seq, state, {noted} FROM states WHERE actor = ? AND seq = ?", actor, seq)

    def last_seq(self, actor: str) -> int:
        """Number of the last event of an actor (by id), -1 if there is none."""
        return self._last(actor)[0]

    def last_batch(self, actor: str) -> LastBatch | None:
        """The last batch of an actor (by id), and how much of it can be read."""
        rows = self._all(f"SELECT {_ROW} FROM batches WHERE actor = ? ORDER BY first_seq DESC LIMIT 1", actor)
        return _measured(_Row._make(rows[0])) if rows else None

    def verify(self, actor: str, progress: Callable[[int], None] | None = None) -> Report:
        """Check every number, link and hash of an actor's stored chain, and that its rows say what is in them.

        The report counts what is kept: of a chain whose beginning was trimmed, the events after its base.
        ``progress`` is told the events so far.

        Raises:
            StoreError: the store cannot be read.
        """
        while True:
            base = self.base(actor)
            report = self._verified(actor, base, progress)
            if report.ok or self.base(actor) == base:  # else its beginning was trimmed while we read
                return msgspec.structs.replace(report, events=report.events - (base[0] + 1))

    def _verified(self, actor: str, base: Tip, progress: Callable[[int], None] | None) -> Report:
        """Verify what follows a base; the report counts all events from the origin on."""
        count, head = base[0] + 1, base[1]
        for row in self._rows(actor, -SEQ_MAX, SEQ_MAX, False):
            bad = _row_problem(row, count, head)
            if bad is not None:
                return Report(False, count, bad, head)
            try:
                report = verify(iter_batch(row.events, head), head, base_seq=count - 1)
            except ChainError as error:
                return Report(False, count, Bad(row.first_seq, DATA, "a batch of events", str(error)), head)
            count, head = count + report.events, report.head
            if report.ok:
                bad = _end_problem(row, count, head)
                report = Report(bad is None, count, bad, head)
            if not report.ok:
                return Report(False, count, report.first_bad, head)
            if progress is not None:
                progress(count - (base[0] + 1))
        return Report(True, count, None, head)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __enter__(self) -> StoreReader:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- rows ----------------------------------------------------------------------------------------------------------

    def _all(self, sql: str, *values: Any) -> list[Any]:
        try:
            return self._db.execute(sql, values).fetchall()
        except DAMAGE as error:
            raise self._failed(error) from None

    def _failed(self, error: Exception) -> StoreError:
        return StoreError(f"{path_of(self.directory)}: cannot be read: {error}")

    def _actor(self, id: str, path: str, created_ns: int) -> StoredActor:
        last_seq, head_hash = self._last(id)
        first = self._all("SELECT min(first_seq) FROM batches WHERE actor = ?", id)[0][0]
        events = 0 if first is None else last_seq + 1 - first
        return StoredActor(id, path, created_ns, events, last_seq, head_hash, self.base(id)[0])

    def _last(self, actor: str) -> tuple[int, bytes | None]:
        sql = "SELECT last_seq, head_hash FROM batches WHERE actor = ? ORDER BY first_seq DESC LIMIT 1"
        rows = self._all(sql, actor)
        return rows[0] if rows else self.base(actor)

    def _rows(self, actor: str, since: int, until: int, reverse: bool) -> Iterator[_Row]:
        """Yield the batches that hold events ``since``..``until``, in order."""
        sql = "SELECT max(first_seq) FROM batches WHERE actor = ? AND first_seq <= ?"
        holder = self._all(sql, actor, since)[0][0]
        low, high = since if holder is None else holder, until
        order = "DESC" if reverse else "ASC"
        sql = f"""
            SELECT {_ROW} FROM batches WHERE actor = ? AND first_seq BETWEEN ? AND ? AND last_seq >= ?
            ORDER BY first_seq {order} LIMIT {ROWS_PER_READ}
        """
        while rows := self._all(sql, actor, low, high, since):
            yield from map(_Row._make, rows)
            if reverse:
                high = rows[-1][0] - 1
            else:
                low = rows[-1][0] + 1

    def _events_of(self, row: _Row, reverse: bool) -> Iterable[ChainEvent]:
        try:
            events = list(iter_batch(row.events, row.prev_hash, incarnation=row.incarnation))
        except ChainError as error:
            raise self._unreadable(row, error) from None
        return reversed(events) if reverse else events

    def _cut(self, row: _Row, skipped: int, taken: int) -> tuple[bytes, bytes]:
        """Return the first frames of a batch, and a number of frames behind them."""
        at, begin = 0, 0
        try:
            for number in range(skipped + taken):
                if number == skipped:
                    begin = at
                at = frame_end(row.events, at)
        except ChainError as error:
            raise self._unreadable(row, error) from None
        return row.events[:begin], row.events[begin:at]

    def _unreadable(self, row: _Row, error: ChainError) -> StoreError:
        place = f"batch {row.first_seq}..{row.last_seq}"
        return StoreError(f"{path_of(self.directory)}: {place} cannot be read: {error}; `theater verify` says more")


def _measured(row: _Row) -> LastBatch:
    good = at = 0
    head = row.prev_hash
    try:
        while at < len(row.events):
            end = frame_end(row.events, at)
            report = verify(iter_batch(row.events[at:end], head), head, base_seq=row.first_seq + good - 1)
            if not report.ok:
                return LastBatch(row.first_seq, row.events, good, len(row.events))  # changed, not torn
            good, at, head = good + 1, end, report.head
    except ChainError:
        pass
    return LastBatch(row.first_seq, row.events, good, at)


def _row_problem(row: _Row, expected_seq: int, head: bytes | None) -> Bad | None:
    """Say what is wrong with the place of a row, before its events are looked at."""
    if row.first_seq != expected_seq:
        what = MISSING if row.first_seq > expected_seq else ORDER
        return Bad(row.first_seq, what, f"event {expected_seq}", f"event {row.first_seq}")
    if row.prev_hash != head:
        return Bad(row.first_seq, PARENT, _hex(head), _hex(row.prev_hash))
    return None


def _end_problem(row: _Row, count: int, head: bytes | None) -> Bad | None:
    """Say what is wrong with the end of a row whose events are sound."""
    if count != row.last_seq + 1:
        return Bad(count, MISSING, f"events up to {row.last_seq}", f"events up to {count - 1}")
    if head != row.head_hash:
        return Bad(row.last_seq, DATA, _hex(row.head_hash), _hex(head))
    return None


def _plain(cause: str | None) -> dict[str, Any] | None:
    plain: dict[str, Any] | None = json.loads(cause) if cause else None
    return plain


def _hex(digest: bytes | None) -> str:
    return "the origin" if digest is None else digest.hex()
