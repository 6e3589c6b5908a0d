"""Is a store sound? Looks at everything and changes nothing (``supervisor.store.repairing`` does).

A *finding* says what is wrong, where, and what can be done. Works on the store of a running tree and of a stopped one;
what is normal while a tree runs (rings, incarnations without an end) is a finding only where none does.
"""

from __future__ import annotations

import os
import sqlite3
import stat
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Final

import msgspec

from supervisor.store.reader import StoredActor, StoreReader
from supervisor.store.rings import DIRECTORY, SUFFIX, leftovers
from supervisor.store.schema import DAMAGE, VERSION, StoreError, has_table, open_for_reading, path_of, version_of
from supervisor.store.stopped import is_in_use
from theater.chain import ChainError, payloads
from theater.committed import SUFFIX as STATE_SUFFIX

ERROR: Final = "error"
"""Something is lost, or will be believed and is wrong."""
WARNING: Final = "warning"
"""Something waits to be done."""
NOTE: Final = "note"

CHECKED_LIVE_BYTES_MAX: Final = 1 << 30
"""While a tree runs, a larger database is not read through as a whole: SQLite's log would grow meanwhile."""
INTEGRITY_LINES_MAX: Final = 20

Progress = Callable[[str, int, int], None]
"""Told what is looked at, how far it is, and of how much."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something about a store that somebody should know. ``kind`` is one word for programs."""

    severity: str
    kind: str
    where: str
    text: str
    repair: str | None = None
    """What ``--repair`` would do about it; None: nothing."""


def examine(directory: str, progress: Progress | None = None) -> Iterator[Finding]:
    """Yield what there is to say about a store, as it is found.

    Raises:
        StoreError: there is none.
    """
    if not os.path.exists(path_of(directory)):
        raise StoreError(f"{path_of(directory)}: no such store; name one with --store, or the tree with --tree")
    live = is_in_use(directory)
    yield from _modes(directory)
    try:
        db = open_for_reading(directory)
    except StoreError as error:
        yield Finding(severity=ERROR, kind="database", where=path_of(directory), text=str(error))
        return
    try:
        yield from _database(db, directory, live)
        yield from _rows(db, directory, live)
    except (*DAMAGE, StoreError) as error:
        yield Finding(severity=ERROR, kind="database", where=path_of(directory), text=f"cannot be read: {error}")
    finally:
        db.close()
    yield from _chains(directory, progress or _silent)
    if not live:
        yield from _rings(directory)


def _silent(what: str, done: int, total: int) -> None:
    pass


# -- files -------------------------------------------------------------------------------------------------------------


def _modes(directory: str) -> Iterator[Finding]:
    for path in (directory, path_of(directory)):
        mode = stat.S_IMODE(os.stat(path).st_mode)
        if mode & 0o077:
            text = f"others may use it (mode {mode:04o})"
            yield Finding(severity=WARNING, kind="mode", where=path, text=text, repair="close it to others")


def _database(db: sqlite3.Connection, directory: str, live: bool) -> Iterator[Finding]:
    """SQLite's own view of its file, and the version of the tables."""
    path = path_of(directory)
    version = version_of(db)
    if version is None:
        yield Finding(severity=ERROR, kind="schema", where=path, text="it is a database, but not that of a store")
    elif version < VERSION:
        text = f"its tables have version {version}, this program's {VERSION}: the next start brings them up to date"
        yield Finding(severity=NOTE, kind="schema", where=path, text=text, repair="bring them up to date")
    if live and os.path.getsize(path) > CHECKED_LIVE_BYTES_MAX:
        text = "the database is too large to be read through while the tree runs; its chains are checked"
        yield Finding(severity=NOTE, kind="database", where=path, text=text)
        return
    for (line,) in db.execute(f"PRAGMA integrity_check({INTEGRITY_LINES_MAX})"):
        if line != "ok":
            text = f"the database is damaged: {line}; `sqlite3 theater.db .recover` saves what can be read"
            yield Finding(severity=ERROR, kind="database", where=path, text=text)


# -- rows --------------------------------------------------------------------------------------------------------------

_STRAY: Final = "SELECT DISTINCT actor FROM {} WHERE actor NOT IN (SELECT id FROM actors)"
_DROPPED: Final = ("incarnations", "states", "dead_letters", "bases", "names")
"""Tables whose rows mean nothing without their actor."""


def _rows(db: sqlite3.Connection, directory: str, live: bool) -> Iterator[Finding]:
    """What belongs to nobody, or to an event that is not there."""
    if version_of(db) is None:
        return
    unfinished = _unfinished(db)
    for actor in sorted(unfinished):
        text = "was being imported when that was interrupted"
        yield Finding(severity=WARNING, kind="import", where=actor, text=text, repair="take what there is away")
    for actor in stray_chains(db) - unfinished:
        text = "has events, and the store does not know which actor it is"
        yield Finding(severity=ERROR, kind="actor", where=actor, text=text, repair=f"give it the path /lost/{actor}")
    for table in _DROPPED:
        for actor in _stray(db, table) - unfinished - stray_chains(db):
            text = f"{table} of an actor that is not there"
            yield Finding(severity=WARNING, kind=table, where=actor, text=text, repair="remove them")
    if not live:
        yield from _open_lives(db)


def stray_chains(db: sqlite3.Connection) -> set[str]:
    """Ids that have events and are no actors."""
    return _stray(db, "batches")


def stray_rows(db: sqlite3.Connection) -> dict[str, set[str]]:
    """Per table, ids whose rows mean nothing."""
    return {table: _stray(db, table) - stray_chains(db) for table in _DROPPED if has_table(db, table)}


def _stray(db: sqlite3.Connection, table: str) -> set[str]:
    return {row[0] for row in db.execute(_STRAY.format(table))} if has_table(db, table) else set()


def _unfinished(db: sqlite3.Connection) -> set[str]:
    if not has_table(db, "imports"):
        return set()
    return {row[0] for row in db.execute("SELECT actor FROM imports WHERE done_ns IS NULL")}


def _open_lives(db: sqlite3.Connection) -> Iterator[Finding]:
    sql = """
        SELECT path, count(*) FROM incarnations JOIN actors ON id = actor
        WHERE ended_ns IS NULL GROUP BY path ORDER BY path
    """
    for path, count in db.execute(sql).fetchall():
        text = f"{count} of its incarnations never ended: their supervisor was killed; the next start notes that"
        yield Finding(severity=NOTE, kind="incarnations", where=path, text=text, repair="note how they ended")


# -- chains and states -------------------------------------------------------------------------------------------------


def _chains(directory: str, progress: Progress) -> Iterator[Finding]:
    with StoreReader(directory) as reader:
        try:
            actors = reader.actors()
        except StoreError as error:
            yield Finding(severity=ERROR, kind="database", where=path_of(directory), text=str(error))
            return
        for actor in actors:
            try:
                yield from _chain(reader, actor, progress)
                yield from _states(reader, actor)
            except StoreError as error:
                yield Finding(severity=ERROR, kind="chain", where=actor.path, text=str(error))


def _chain(reader: StoreReader, actor: StoredActor, progress: Progress) -> Iterator[Finding]:
    report = reader.verify(actor.id, lambda done: progress(actor.path, done, actor.events))
    if report.ok:
        return
    cut = torn_tail(reader, actor)
    text = f"its chain is broken: {report.first_bad}; {report.events} events before that are good"
    repair = None if cut is None else f"cut the torn end off after event {cut}, and keep it in a file"
    yield Finding(severity=ERROR, kind="chain", where=actor.path, text=text, repair=repair)


def torn_tail(reader: StoreReader, actor: StoredActor) -> int | None:
    """Return the last good event of a chain whose very last batch cannot be decoded to its end.

    None if that is not what is wrong: what was *changed* is never cut.
    """
    last = reader.last_batch(actor.id)
    if last is None or last.is_whole:
        return None
    report = reader.verify(actor.id)
    begins = last.first_seq
    return begins - 1 + last.good if actor.base_seq + 1 + report.events == begins else None


def _states(reader: StoreReader, actor: StoredActor) -> Iterator[Finding]:
    for seq, problem in wrong_states(reader, actor):
        text = f"its state at event {seq} {problem}"
        yield Finding(severity=ERROR, kind="states", where=actor.path, text=text, repair="remove that state")


def wrong_states(reader: StoreReader, actor: StoredActor) -> Iterator[tuple[int, str]]:
    """Yield kept states that nobody should begin from: (event, what is wrong)."""
    for seq, state, digest in reader.states(actor.id):
        actual = sha256(state).digest()
        if digest is not None and digest != actual:
            yield seq, "was changed: its digest is another"
        elif seq > reader.last_seq(actor.id):
            yield seq, f"belongs to an event that is not there: the chain ends with {reader.last_seq(actor.id)}"
        elif seq > actor.base_seq and not _is_said(reader, actor.id, seq, actual):
            yield seq, "is not the one its event speaks of"


def _is_said(reader: StoreReader, actor: str, seq: int, digest: bytes) -> bool:
    """Whether an event commits a state with this digest; True if it does not tell."""
    event = next(reader.events(actor, since=seq, until=seq), None)
    try:
        said = None if event is None else payloads.read(event.data)
    except ChainError:
        return True
    return not isinstance(said, payloads.Result) or said.state_hash is None or said.state_hash == digest


# -- rings -------------------------------------------------------------------------------------------------------------


def _rings(directory: str) -> Iterator[Finding]:
    """What workers of a killed supervisor have left."""
    for ring in leftovers(directory):
        name = os.path.basename(ring.path)
        if ring.problem is not None:
            yield Finding(
                severity=WARNING, kind="ring", where=name,
                text=f"ends early: {ring.problem}; {ring.events} events before that are whole",
                repair="read in what is whole, and keep the file as it is under another name",
            )  # fmt: skip
        else:
            events = f"events {ring.first_seq} to {ring.last_seq}" if ring.events else "no events"
            text = f"was left by a worker of {ring.actor or 'nobody'}, with {events}; the next start reads it in"
            yield Finding(severity=WARNING, kind="ring", where=name, text=text, repair="read it in")
    for name in kept_rings(directory):
        text = "is kept for people: it could not be taken over wholly; remove it when nobody needs it"
        yield Finding(severity=NOTE, kind="ring", where=name, text=text)
    for name in stray_files(directory):
        text = "belongs to a ring that is not there"
        yield Finding(severity=NOTE, kind="ring", where=name, text=text, repair="remove it")


def kept_rings(directory: str) -> list[str]:
    """Names of rings that were set aside."""
    return [name for name in _names(directory) if name.endswith(SUFFIX + ".kept")]


def stray_files(directory: str) -> list[str]:
    """Names of files beside rings whose rings have gone."""
    names = _names(directory)
    begun = {name.removesuffix(".kept").removesuffix(SUFFIX) for name in names if name.endswith((SUFFIX, ".kept"))}
    return [name for name in names if _is_beside(name) and name.split(".")[0] not in begun]


def _is_beside(name: str) -> bool:
    return name.endswith((STATE_SUFFIX, STATE_SUFFIX + ".new", ".spill", ".spill.new"))


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(os.path.join(directory, DIRECTORY)))
    except FileNotFoundError:
        return []
