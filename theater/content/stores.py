"""The stores of a tree: what is in each, and under which labels. Several processes may use one directory at a time.

Who may use which store is the caller's to decide (``worker.interfaces.store``); how much fits is decided here, inside
the transaction that adds it.

A content's file is written before the row that speaks of it, outside of any transaction. A collector may take the file
away as long as there is no row; so the row is only written when, inside its transaction, the file is there. Both hold
SQLite's lock for that moment, and no other lock is needed.
"""

from __future__ import annotations

import time
import uuid
from typing import Final

import msgspec

from theater.content.collecting import collect_expired, collect_files, drop_empty
from theater.content.errors import Damaged, NoSuchStore, NotThere, QuotaReached, Unusable
from theater.content.files import Files
from theater.content.names import ref_of
from theater.content.quotas import Quotas
from theater.content.schema import opened, writing

TRIES_MAX: Final = 3
"""How often a file is written again that a collector took away at that very moment."""


class Store(msgspec.Struct, frozen=True):
    """One store: whose it is, and how much is in it."""

    id: str
    owner: str
    owner_path: str
    created_ns: int
    unlabelled_ms: int | None
    bytes: int
    contents: int
    labels: int


_COLUMNS: Final = ", ".join(Store.__struct_fields__)


class Stores:
    """The directory with the stores, opened. One thread at a time."""

    def __init__(self, directory: str) -> None:
        self.directory = directory
        self.db = opened(directory)
        self.files = Files(directory)

    def close(self) -> None:
        """Let go of the database."""
        self.db.close()

    # -- stores ------------------------------------------------------------------------------------------------------

    def all(self) -> list[Store]:
        """Every store, the oldest first."""
        return [Store(*row) for row in self.db.execute(f"SELECT {_COLUMNS} FROM stores ORDER BY created_ns, id")]

    def find(self, store: str) -> Store | None:
        """The store of this id."""
        row = self.db.execute(f"SELECT {_COLUMNS} FROM stores WHERE id = ?", (store,)).fetchone()
        return None if row is None else Store(*row)

    def new(self, owner: str, owner_path: str, quotas: Quotas) -> str:
        """Make a store; return its id, which nobody can guess.

        Raises:
            QuotaReached: the actor has as many as it may have.
        """
        id_ = str(uuid.uuid4())
        now = time.time_ns()
        with writing(self.db):
            if self._count_of(owner) >= quotas.stores_max and quotas.unlabelled_ms is not None:
                drop_empty(self.db, now - quotas.unlabelled_ms * 1_000_000, owner)
            if self._count_of(owner) >= quotas.stores_max:
                raise QuotaReached(f"this actor has {quotas.stores_max} stores, the most that it may have (max_stores)")
            row = (id_, owner, owner_path, now, quotas.unlabelled_ms)
            self.db.execute(f"INSERT INTO stores ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, 0, 0, 0)", row)
        return id_

    def set_age(self, owner: str, unlabelled_ms: int | None) -> None:
        """Have the actor's stores keep contents without a label that long, as its grant says by now."""
        other, terms = "owner = ? AND unlabelled_ms IS NOT ?", (owner, unlabelled_ms)
        if self.db.execute(f"SELECT 1 FROM stores WHERE {other} LIMIT 1", terms).fetchone():
            with writing(self.db):
                self.db.execute(f"UPDATE stores SET unlabelled_ms = ? WHERE {other}", (unlabelled_ms, *terms))

    def drop(self, store: str) -> None:
        """Remove a store with everything in it.

        Raises:
            NoSuchStore: there is none.
        """
        with writing(self.db):
            self._store(store)
            refs = self.refs(store)
            self.db.execute("DELETE FROM labels WHERE store = ?", (store,))
            self.db.execute("DELETE FROM contents WHERE store = ?", (store,))
            self.db.execute("DELETE FROM stores WHERE id = ?", (store,))
        collect_files(self.db, self.files, refs)

    # -- contents ----------------------------------------------------------------------------------------------------

    def put(self, store: str, data: bytes, quotas: Quotas, label: str | None = None) -> str:
        """Keep a content, under a label if one is given (in place of what was there); return its content-ref.

        It is on the disk when this returns: all of it, or nothing of it.

        Raises:
            QuotaReached: it does not fit.
            NoSuchStore: there is none of this id (any more).
        """
        size = len(data)
        if size > quotas.content_bytes_max:
            raise QuotaReached(f"expected at most {quotas.content_bytes_max} bytes (max_content), got {size}")
        ref = ref_of(data)
        self._make_room(store, ref, size, quotas, label)
        for _ in range(TRIES_MAX):
            self.files.keep(ref, data)
            try:
                if self._add(store, ref, size, quotas, label):
                    return ref
            except (QuotaReached, NoSuchStore):
                collect_files(self.db, self.files, [ref])
                raise
        raise Unusable(f"content {ref} was removed as often as it was written")

    def get(self, store: str, ref: str) -> bytes:
        """A content, checked against its content-ref.

        Raises:
            NotThere: the store has none of this content-ref.
            Damaged: it is not what was stored.
        """
        self._must_have(store, ref)
        try:
            return self.files.get(ref)
        except Damaged:
            self._must_have(store, ref)  # it may have been collected this very moment
            raise

    def has(self, store: str, ref: str) -> bool:
        """Whether a content is in the store."""
        row = self.db.execute("SELECT 1 FROM contents WHERE store = ? AND ref = ?", (store, ref)).fetchone()
        return row is not None

    def refs(self, store: str) -> list[str]:
        """Everything in the store, in the order of content-refs."""
        return [row[0] for row in self.db.execute("SELECT ref FROM contents WHERE store = ? ORDER BY ref", (store,))]

    # -- labels ------------------------------------------------------------------------------------------------------

    def set_label(self, store: str, label: str, ref: str, quotas: Quotas) -> None:
        """Put a label on a content of the store; it is taken off the one that had it.

        Raises:
            NotThere: the store has none of this content-ref.
            QuotaReached: there are too many labels.
        """
        with writing(self.db):
            found = self._store(store)
            self._must_have(store, ref)
            self._check(found, ref, 0, quotas, label)
            self._set_label(store, label, ref)

    def ref_at(self, store: str, label: str) -> str | None:
        """The content with this label."""
        row = self.db.execute("SELECT ref FROM labels WHERE store = ? AND label = ?", (store, label)).fetchone()
        return None if row is None else str(row[0])

    def remove_label(self, store: str, label: str) -> None:
        """Take a label off, if it is there. The content stays."""
        with writing(self.db):
            self._unset_label(store, label, time.time_ns())

    def labels(self, store: str) -> list[str]:
        """Every label of the store, in order."""
        return [row[0] for row in self.db.execute("SELECT label FROM labels WHERE store = ? ORDER BY label", (store,))]

    # -- inside ------------------------------------------------------------------------------------------------------

    def _make_room(self, store: str, ref: str, size: int, quotas: Quotas, label: str | None) -> None:
        """See that it will fit before a file is written for it; what has expired makes room."""
        try:
            self._check(self._store(store), ref, size, quotas, label)
        except QuotaReached:
            if not collect_expired(self.db, self.files, self._store(store), time.time_ns()).contents:
                raise

    def _add(self, store: str, ref: str, size: int, quotas: Quotas, label: str | None) -> bool:
        """Write the rows; False if the file is gone again."""
        with writing(self.db):
            self._check(self._store(store), ref, size, quotas, label)
            if not self.files.has(ref):
                return False
            self._touch(store, ref, size)
            if label is not None:
                self._set_label(store, label, ref)
        return True

    def _touch(self, store: str, ref: str, size: int) -> None:
        row = (store, ref, size, time.time_ns())
        self.db.execute(
            "INSERT INTO contents VALUES (?,?,?,?) ON CONFLICT DO UPDATE SET touched_ns = excluded.touched_ns", row
        )

    def _set_label(self, store: str, label: str, ref: str) -> None:
        now = time.time_ns()
        self._unset_label(store, label, now)
        self.db.execute("INSERT INTO labels VALUES (?,?,?)", (store, label, ref))
        self.db.execute("UPDATE contents SET touched_ns = ? WHERE store = ? AND ref = ?", (now, store, ref))

    def _unset_label(self, store: str, label: str, now: int) -> None:
        key = (store, label)
        old = "ref = (SELECT ref FROM labels WHERE store = ? AND label = ?)"
        self.db.execute(f"UPDATE contents SET touched_ns = ? WHERE store = ? AND {old}", (now, store, *key))
        self.db.execute("DELETE FROM labels WHERE store = ? AND label = ?", key)

    def _check(self, store: Store, ref: str, size: int, quotas: Quotas, label: str | None) -> None:
        """Raise QuotaReached unless the content and its label fit. What is there already takes no room."""
        if label is not None and store.labels >= quotas.labels_max and self.ref_at(store.id, label) is None:
            text = f"the store has {store.labels} labels, its user may have {quotas.labels_max} (max_labels)"
            raise QuotaReached(text)
        if self.has(store.id, ref):
            return
        if store.contents >= quotas.contents_max:
            text = f"the store has {store.contents} contents, its user may have {quotas.contents_max} (max_contents)"
            raise QuotaReached(text)
        if store.bytes + size > quotas.bytes_max:
            text = f"the store has {store.bytes} bytes, {size} more do not fit in {quotas.bytes_max} (max_size)"
            raise QuotaReached(text)

    def _store(self, store: str) -> Store:
        found = self.find(store)
        if found is None:
            raise NoSuchStore(store)
        return found

    def _must_have(self, store: str, ref: str) -> None:
        if not self.has(store, ref):
            raise NotThere(f"the store has no content {ref}")

    def _count_of(self, owner: str) -> int:
        return int(self.db.execute("SELECT count(*) FROM stores WHERE owner = ?", (owner,)).fetchone()[0])


