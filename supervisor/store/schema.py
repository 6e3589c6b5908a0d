"""The store's tables, and opening its file. People may read it with ``sqlite3``; docs/store.md describes it."""

from __future__ import annotations

import os
import sqlite3
from typing import Final
from urllib.parse import quote

from theater.errors import TheaterError

FILE: Final = "theater.db"
VERSION: Final = 1
BUSY_MS: Final = 5_000
CHECKED_BYTES_MAX: Final = 256 << 20
"""A larger file is not read through at every start; ``verify`` reads all of it."""
CHECKPOINT_PAGES: Final = 2_000
PAGE_BYTES: Final = 8_192

TABLES: Final = """
CREATE TABLE IF NOT EXISTS meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS actors (
    id TEXT PRIMARY KEY,            -- UUID, for ever the same for a path
    path TEXT NOT NULL UNIQUE,      -- in the tree
    created_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS incarnations (
    actor TEXT NOT NULL REFERENCES actors(id),
    number INTEGER NOT NULL,        -- counted from 1, for ever
    routing BLOB NOT NULL,          -- never used twice
    package TEXT NOT NULL,          -- SHA-256 of the package
    manifest TEXT NOT NULL,         -- SHA-256 of the normalised declaration
    first_seq INTEGER NOT NULL,
    started_ns INTEGER NOT NULL,
    ended_ns INTEGER,
    cause TEXT,                     -- JSON
    PRIMARY KEY (actor, routing)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS incarnations_alive ON incarnations (actor, number) WHERE ended_ns IS NULL;
CREATE TABLE IF NOT EXISTS batches (
    actor TEXT NOT NULL,
    first_seq INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    incarnation INTEGER NOT NULL,
    prev_hash BLOB,                 -- hash of the event before first_seq
    head_hash BLOB NOT NULL,        -- hash of the event last_seq
    events BLOB NOT NULL,           -- frames, one after the other (docs/chain.md)
    stored_ns INTEGER NOT NULL,
    PRIMARY KEY (actor, first_seq)
);
CREATE TABLE IF NOT EXISTS states (
    actor TEXT NOT NULL,
    seq INTEGER NOT NULL,           -- the event that committed it
    state BLOB NOT NULL,            -- as the actor encodes it
    PRIMARY KEY (actor, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dead_letters (
    actor TEXT NOT NULL,
    seq INTEGER NOT NULL,           -- the call event of the last try
    digest TEXT NOT NULL,           -- SHA-256 of function, NUL, parameters; hex
    function TEXT NOT NULL,
    tries INTEGER NOT NULL,
    set_aside_ns INTEGER NOT NULL,
    PRIMARY KEY (actor, digest)
) WITHOUT ROWID;
"""


class StoreError(TheaterError):
    """The store cannot be used; the text names the file, what is wrong and what can be done."""


def path_of(directory: str) -> str:
    """The database file of a store directory."""
    return os.path.join(directory, FILE)


def open_for_writing(directory: str) -> sqlite3.Connection:
    """Open, check and, if it is new, create the store.

    Raises:
        StoreError: it cannot be opened, is damaged, or was written by a newer version.
    """
    path = path_of(directory)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))  # SQLite's other files take its mode
        db = _connect(path)
        _check(db, path)
        db.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        db.executescript(TABLES)
        db.execute("INSERT OR IGNORE INTO meta VALUES ('schema', ?)", (str(VERSION),))
    except (sqlite3.Error, OSError) as error:
        raise StoreError(f"{path}: cannot be opened: {error}") from None
    return db


def open_beside(directory: str) -> sqlite3.Connection:
    """Open a second connection to a store that is open for writing, for looking things up."""
    try:
        return _connect(path_of(directory))
    except sqlite3.Error as error:
        raise StoreError(f"{path_of(directory)}: cannot be opened: {error}") from None


def open_for_reading(directory: str) -> sqlite3.Connection:
    """Open an existing store without ever writing to it.

    Raises:
        StoreError: there is none, or it cannot be read.
    """
    path = path_of(directory)
    if not os.path.exists(path):
        raise StoreError(f"{path}: no such store; name one with --store, or the tree with --tree")
    # Where we may not create the small files SQLite puts beside a database, nobody can be writing to it either.
    mode = "mode=ro" if os.access(directory, os.W_OK) else "mode=ro&immutable=1"
    try:
        db = _connect(f"file:{quote(os.path.abspath(path))}?{mode}")
        _check_version(db, path)
    except sqlite3.Error as error:
        raise StoreError(
            f"{path}: cannot be read: {error}; it may be damaged, `sqlite3 {FILE} .recover` saves what can be read"
        ) from None
    return db


def _connect(path: str) -> sqlite3.Connection:
    """No connection is used by two threads at once, but some change hands."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, uri=path.startswith("file:"))
    db.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    return db


def _check(db: sqlite3.Connection, path: str) -> None:
    """Refuse a damaged file or one of a newer version.

    Raises:
        StoreError: with what to do.
    """
    problems: list[str] = []
    try:
        if os.path.getsize(path) <= CHECKED_BYTES_MAX:
            problems = [row[0] for row in db.execute("PRAGMA quick_check(3)") if row[0] != "ok"]
        _check_version(db, path)
    except sqlite3.DatabaseError as error:
        problems.append(str(error))
    if problems:
        raise StoreError(
            f"{path}: the store is damaged ({'; '.join(problems)}); move it away to start with a new one, "
            f"`sqlite3 {FILE} .recover` saves what can be read"
        )


def _check_version(db: sqlite3.Connection, path: str) -> None:
    known = db.execute("SELECT count(*) FROM sqlite_master WHERE name = 'meta'").fetchone()[0]
    row = db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone() if known else None
    if row is not None and int(row[0]) > VERSION:
        raise StoreError(f"{path}: expected schema {VERSION} or older, got {row[0]}; use a newer theater")
