"""The store's tables, and opening its file. People may read it with ``sqlite3``; docs/store.md describes it."""

from __future__ import annotations

import os
import sqlite3
from typing import Final
from urllib.parse import quote

from theater.errors import TheaterError

FILE: Final = "theater.db"
VERSION: Final = 2
BUSY_MS: Final = 5_000
CHECKED_BYTES_MAX: Final = 256 << 20
"""A larger file is not read through at every start; ``verify`` reads all of it."""
HEADER_BYTES: Final = 512
CHECKPOINT_PAGES: Final = 2_000
ADVICE: Final = (
    "`theater doctor` says more; move the file away to start with a new one, "
    f"`sqlite3 {FILE} .recover` saves what can be read"
)
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
    digest BLOB,                    -- SHA-256 of it, as the event says
    PRIMARY KEY (actor, seq)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bases (
    actor TEXT PRIMARY KEY,
    seq INTEGER NOT NULL,           -- the last event that is not kept any more
    hash BLOB NOT NULL,             -- its hash: what is kept verifies from here
    trimmed_ns INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS imports (
    actor TEXT PRIMARY KEY,
    origin TEXT NOT NULL,           -- the file
    rule TEXT NOT NULL,             -- the hash rule the chain followed there
    head_hash BLOB,                 -- hash of its last event there
    begun_ns INTEGER NOT NULL,
    done_ns INTEGER                 -- NULL: interrupted, and the actor's batches are to go
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
CREATE TABLE IF NOT EXISTS undelivered (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    sender TEXT NOT NULL,           -- the actor that sent the message
    target TEXT NOT NULL,           -- the actor it was for; what it was called, if there was none
    function TEXT NOT NULL,         -- what would have been called
    channel TEXT,                   -- the channel it was sent on
    message BLOB,                   -- NULL: too large to be kept
    reason TEXT NOT NULL,           -- why it was not delivered
    refused_ns INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS names (
    actor TEXT NOT NULL,
    name TEXT NOT NULL,             -- its own, or that of a group it is in
    mode TEXT NOT NULL,             -- unique, round-robin, broadcast
    given_ns INTEGER NOT NULL,
    PRIMARY KEY (actor, name)
) WITHOUT ROWID;
"""


DAMAGE: Final = (sqlite3.Error, ValueError)
"""What reading a damaged database raises: its very error texts may be no text (UnicodeDecodeError)."""


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
        db.execute("PRAGMA auto_vacuum = INCREMENTAL")  # for a new file only: what is trimmed can be given back
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")
        db.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        db.executescript(TABLES)
        _bring_up(db)
    except (*DAMAGE, OSError) as error:
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
    except DAMAGE as error:
        raise StoreError(
            f"{path}: cannot be read: {error}; it may be damaged: {ADVICE}"
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
    if 0 < os.path.getsize(path) < HEADER_BYTES:  # SQLite would take it for a new one
        problems.append(f"expected a database, got {os.path.getsize(path)} bytes")
    try:
        if not problems and os.path.getsize(path) <= CHECKED_BYTES_MAX:
            problems = [row[0] for row in db.execute("PRAGMA quick_check(3)") if row[0] != "ok"]
        _check_version(db, path)
    except DAMAGE as error:
        problems.append(str(error))
    if problems:
        raise StoreError(
            f"{path}: the store is damaged ({'; '.join(problems)}); nothing was started, nothing was changed: {ADVICE}"
        )


def _check_version(db: sqlite3.Connection, path: str) -> None:
    found = version_of(db)
    if found is not None and found > VERSION:
        raise StoreError(f"{path}: expected schema {VERSION} or older, got {found}; use a newer theater")


def version_of(db: sqlite3.Connection) -> int | None:
    """The version of a store's tables, None if it has none."""
    if not has_table(db, "meta"):
        return None
    row = db.execute("SELECT value FROM meta WHERE key = 'schema'").fetchone()
    return None if row is None else int(row[0])


def has_table(db: sqlite3.Connection, name: str) -> bool:
    """Whether a store has a table: one that an older version wrote lacks some until it is opened for writing."""
    return db.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,)).fetchone() is not None


def _bring_up(db: sqlite3.Connection) -> None:
    """Bring the tables of an older version up to date, in one step."""
    found = version_of(db)
    db.execute("BEGIN IMMEDIATE")
    if found == 1:
        db.execute("ALTER TABLE states ADD COLUMN digest BLOB")
    db.execute("INSERT OR REPLACE INTO meta VALUES ('schema', ?)", (str(VERSION),))
    db.execute("COMMIT")
