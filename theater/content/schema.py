"""The database of the contents: which stores there are, whose they are, what is in them. docs/store.md describes it.

Several workers write at the same time: WAL, short transactions, and a time after which a writer gives up waiting.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from secrets import token_hex
from typing import Final

from theater.content.errors import Unusable
from theater.content.files import NEW, sync

FILE: Final = "content.db"
VERSION: Final = 1
BUSY_MS: Final = 5_000
"""How long anybody waits for another one's transaction. They take milliseconds, none waits for anything else."""

TABLES: Final = """
CREATE TABLE stores (
    id TEXT PRIMARY KEY,            -- UUID
    owner TEXT NOT NULL,            -- id of the actor that made it
    owner_path TEXT NOT NULL,
    created_ns INTEGER NOT NULL,
    unlabelled_ms INTEGER,          -- how long a content without a label stays; NULL: for ever
    bytes INTEGER NOT NULL DEFAULT 0,
    contents INTEGER NOT NULL DEFAULT 0,
    labels INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE INDEX stores_owner ON stores (owner);
CREATE TABLE contents (
    store TEXT NOT NULL,
    ref TEXT NOT NULL,              -- SHA-256, hex; the file is objects/XX/REF
    size INTEGER NOT NULL,
    touched_ns INTEGER NOT NULL,    -- last stored, labelled, or bereft of a label
    PRIMARY KEY (store, ref)
) WITHOUT ROWID;
CREATE INDEX contents_ref ON contents (ref);
CREATE TABLE labels (
    store TEXT NOT NULL,
    label TEXT NOT NULL,
    ref TEXT NOT NULL,
    PRIMARY KEY (store, label)
) WITHOUT ROWID;
CREATE INDEX labels_ref ON labels (store, ref);
CREATE TRIGGER content_in AFTER INSERT ON contents BEGIN
    UPDATE stores SET bytes = bytes + new.size, contents = contents + 1 WHERE id = new.store; END;
CREATE TRIGGER content_out AFTER DELETE ON contents BEGIN
    UPDATE stores SET bytes = bytes - old.size, contents = contents - 1 WHERE id = old.store; END;
CREATE TRIGGER label_in AFTER INSERT ON labels BEGIN
    UPDATE stores SET labels = labels + 1 WHERE id = new.store; END;
CREATE TRIGGER label_out AFTER DELETE ON labels BEGIN
    UPDATE stores SET labels = labels - 1 WHERE id = old.store; END;
"""


def path_of(directory: str) -> str:
    """The database file of a directory of contents."""
    return os.path.join(directory, FILE)


def opened(directory: str) -> sqlite3.Connection:
    """Open the database; make it if there is none.

    Raises:
        Unusable: a newer version has written it.
        OSError, sqlite3.Error: it cannot be made or opened.
    """
    path = path_of(directory)
    if not os.path.exists(path):
        _make(directory, path)
    db = sqlite3.connect(path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False)
    try:
        found = db.execute("PRAGMA user_version").fetchone()[0]
        if found != VERSION:
            raise Unusable(f"{path}: expected schema {VERSION}, got {found}; another version of theater has written it")
        db.execute("PRAGMA synchronous = FULL")  # what a guest was told is stored is on the disk
    except BaseException:
        db.close()
        raise
    return db


def _make(directory: str, path: str) -> None:
    """Make the database aside, so that nobody ever opens half of one; the first of several makers wins."""
    aside = os.path.join(directory, NEW)
    for each in (directory, aside):  # the mode is for the last part of a path only
        os.makedirs(each, mode=0o700, exist_ok=True)
    new = os.path.join(aside, f"{FILE}.{token_hex(8)}")
    os.close(os.open(new, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))  # SQLite's other files too
    try:
        db = sqlite3.connect(new, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.executescript(f"{TABLES} PRAGMA user_version = {VERSION};")
        finally:
            db.close()
        os.link(new, path)
        sync(directory)
    except FileExistsError:
        pass  # somebody else was faster
    finally:
        os.unlink(new)


@contextmanager
def writing(db: sqlite3.Connection) -> Iterator[None]:
    """One transaction: all of it, or nothing."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.execute("COMMIT")
    except BaseException:
        if db.in_transaction:
            db.execute("ROLLBACK")
        raise
