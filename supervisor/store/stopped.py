"""A store that no supervisor uses: its lock, and its database open for writing."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from supervisor.store.schema import StoreError, open_for_writing, path_of

LOCK: Final = "lock"
TRIES: Final = 5
TRY_AGAIN_S: Final = 0.01
"""Whoever only looks whether the store is in use has its lock for an instant."""


def take_lock(directory: str) -> int:
    """Take a store's lock; return its descriptor, to be closed.

    Raises:
        StoreError: somebody else has it.
    """
    lock = os.open(os.path.join(directory, LOCK), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for _ in range(TRIES):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except OSError:
            time.sleep(TRY_AGAIN_S)
    os.close(lock)
    raise StoreError(f"{directory}: another supervisor writes to this store; use another --store")


def is_in_use(directory: str) -> bool:
    """Whether a supervisor writes to a store."""
    try:
        lock = os.open(os.path.join(directory, LOCK), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(lock)
    return False


@contextmanager
def stopped(directory: str) -> Iterator[sqlite3.Connection]:
    """Open a stopped store for writing, and keep supervisors out meanwhile.

    Raises:
        StoreError: there is none, a supervisor uses it, or it is damaged.
    """
    if not os.path.exists(path_of(directory)):
        raise StoreError(f"{path_of(directory)}: no such store; name one with --store, or the tree with --tree")
    if is_in_use(directory):
        raise StoreError(f"{directory}: a supervisor writes to this store; stop it first (theater stop)")
    lock = take_lock(directory)
    try:
        db = open_for_writing(directory)
        try:
            yield db
        finally:
            db.close()
    finally:
        os.close(lock)
