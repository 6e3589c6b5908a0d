"""Packages that a store keeps beside its chains, by digest: what later incarnations and replays need.

Those that guests have handed over as bytes and started, and those that actors were updated to. A vacuum removes what
nothing refers to any more.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
from itertools import pairwise
from typing import Final, NamedTuple

DIRECTORY: Final = "packages"
SUFFIXES: Final = (".wasm", ".wat")


class Removed(NamedTuple):
    """What was removed."""

    packages: int
    bytes: int


def keep_package(directory: str, file: str, digest: str) -> str:
    """Copy a package into a directory of them, under its digest; return its path there.

    Raises:
        OSError: it cannot be read or written.
        ValueError: it is not the package it was.
    """
    with open(file, "rb") as source:
        data = source.read()
    found = hashlib.sha256(data).hexdigest()
    if found != digest:
        raise ValueError(f"{file} has changed meanwhile: expected sha256 {digest}, it has {found}")
    suffix = os.path.splitext(file)[1]
    name = digest + (suffix if suffix in SUFFIXES else SUFFIXES[0])
    keep_bytes(directory, data, name)
    return os.path.join(directory, name)


def keep_bytes(directory: str, data: bytes, name: str) -> bool:
    """Write a file as a whole or not at all, unless it is there already; whether it was not.

    One that is there is marked as wanted now, so that nobody removes it as unused.
    """
    path = os.path.join(directory, name)
    try:
        os.utime(path)
        return False
    except FileNotFoundError:
        pass
    os.makedirs(directory, mode=0o700, exist_ok=True)
    with open(path + ".new", "wb") as file:
        file.write(data)
    os.replace(path + ".new", path)
    return True


def remove_package(path: str) -> None:
    """Remove a package that nobody uses; that it is gone already is fine."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass


def remove_unused(store: str, db: sqlite3.Connection, now_s: float, age_s: float = 0) -> Removed:
    """Remove the packages that no incarnation refers to of which anything is kept, and none that is an actor's latest.

    Those younger than ``age_s`` stay: somebody may be about to start them.
    """
    directory = os.path.join(store, DIRECTORY)
    wanted = _wanted(db)
    count = size = 0
    for entry in os.scandir(directory) if os.path.isdir(directory) else ():
        if entry.name.partition(".")[0] not in wanted and entry.is_file(follow_symlinks=False):
            stat = entry.stat(follow_symlinks=False)
            if stat.st_mtime <= now_s - age_s:
                remove_package(entry.path)
                count, size = count + 1, size + stat.st_size
    return Removed(count, size)


def _wanted(db: sqlite3.Connection) -> set[str]:
    """The digests that the events that are kept refer to, and those that the next incarnations may begin with."""
    bases = dict(db.execute("SELECT actor, seq FROM bases").fetchall())
    # One that failed to start before it had recorded anything has left its number to the next.
    sql = "SELECT actor, first_seq, package FROM incarnations ORDER BY actor, number, started_ns"
    rows = db.execute(sql).fetchall()
    wanted = set()
    for (actor, _, package), (next_actor, next_seq, _) in pairwise([*rows, (None, 0, "")]):
        is_latest = next_actor != actor
        if is_latest or next_seq > bases.get(actor, -1) + 1:
            wanted.add(package)
    return wanted


def kept_package(store: str, digest: str) -> str | None:
    """The path of a package that the store keeps, None if it does not."""
    for suffix in SUFFIXES:
        path = os.path.join(store, DIRECTORY, digest + suffix)
        if os.path.exists(path):
            return path
    return None
