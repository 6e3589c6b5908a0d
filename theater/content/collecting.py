"""Taking away what nobody wants: contents that have been without a label for long, files that nothing speaks of.

Rows go first, and are gone for good before their files go: a crash in between leaves a file too many, never one too
few. Each step is a short transaction, so that actors need not wait.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

import msgspec

from theater.content.schema import writing

if TYPE_CHECKING:
    from theater.content.files import Files
    from theater.content.stores import Store, Stores

STEP: Final = 128
"""Contents to a transaction."""
ORPHAN_AGE_S: Final = 3_600.0
"""Files that nothing speaks of may be somebody's who is about to speak of them; not after that time."""
_LABELLED: Final = "ref IN (SELECT ref FROM labels WHERE store = :store)"


class Collected(msgspec.Struct, frozen=True):
    """What was taken away: contents out of stores, bytes of files, and stores that were empty."""

    contents: int = 0
    bytes: int = 0
    stores: int = 0

    def __add__(self, other: Collected) -> Collected:
        return Collected(self.contents + other.contents, self.bytes + other.bytes, self.stores + other.stores)


def collect(stores: Stores, now_ns: int, age_ms: int | None = None, only: str | None = None) -> Collected:
    """Take away, of every store or of only one, what has expired: by this age, or by each store's own.

    With an age, stores that are empty and older go too. Without ``only``, so do files that nothing speaks of.
    """
    done = Collected()
    for store in stores.all():
        if only in (None, store.id):
            done += collect_expired(stores.db, stores.files, store, now_ns, age_ms)
    if age_ms is not None:
        with writing(stores.db):
            done += Collected(stores=drop_empty(stores.db, now_ns - age_ms * 1_000_000, only=only))
    if only is None:
        stores.files.remove_unfinished(ORPHAN_AGE_S)
        orphans = collect_files(stores.db, stores.files, stores.files.refs_before(ORPHAN_AGE_S))
        done += Collected(bytes=orphans)
    return done


def collect_expired(
    db: sqlite3.Connection, files: Files, store: Store, now_ns: int, age_ms: int | None = None
) -> Collected:
    """Take contents out of a store that have been without a label for that long (its own time, unless told)."""
    age_ms = store.unlabelled_ms if age_ms is None else age_ms
    done = Collected()
    if age_ms is None:
        return done
    terms = {"store": store.id, "before": now_ns - age_ms * 1_000_000, "step": STEP}
    while refs := _expire(db, terms):
        done += Collected(len(refs), collect_files(db, files, refs))
    return done


def collect_files(db: sqlite3.Connection, files: Files, refs: Iterable[str]) -> int:
    """Remove the files of contents that are in no store; return their bytes."""
    removed = 0
    for step in _steps(refs):
        with writing(db):
            for ref in step:
                if db.execute("SELECT 1 FROM contents WHERE ref = ? LIMIT 1", (ref,)).fetchone() is None:
                    removed += files.remove(ref)
    return removed


def drop_empty(db: sqlite3.Connection, before_ns: int, owner: str | None = None, only: str | None = None) -> int:
    """Drop stores without contents that were made before then, of everybody or of one owner. Inside a transaction."""
    terms = (before_ns, owner, owner, only, only)
    empty = "contents = 0 AND created_ns < ? AND (? IS NULL OR owner = ?) AND (? IS NULL OR id = ?)"
    return db.execute(f"DELETE FROM stores WHERE {empty}", terms).rowcount


def _expire(db: sqlite3.Connection, terms: dict[str, object]) -> list[str]:
    """Remove the rows of a few expired contents; return their content-refs."""
    expired = f"store = :store AND touched_ns < :before AND NOT {_LABELLED}"
    with writing(db):
        refs = [row[0] for row in db.execute(f"SELECT ref FROM contents WHERE {expired} LIMIT :step", terms)]
        db.executemany("DELETE FROM contents WHERE store = ? AND ref = ?", [(terms["store"], ref) for ref in refs])
    return refs


def _steps(refs: Iterable[str]) -> Iterator[list[str]]:
    items = iter(refs)
    while step := list(islice(items, STEP)):
        yield step
