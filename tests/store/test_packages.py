"""Packages that a store keeps: as long as something that is kept tells of them."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

import pytest

from supervisor.store.packages import DIRECTORY, keep_bytes, kept_package, remove_unused
from supervisor.store.schema import open_for_writing

NOW_S = 1_000_000.0


@pytest.fixture
def db(tmp_path: Path) -> sqlite3.Connection:
    """A store with the packages ``a`` to ``e``."""
    for name in "abcde":
        keep_bytes(str(tmp_path / DIRECTORY), name.encode(), f"{name}.wasm")
        os.utime(tmp_path / DIRECTORY / f"{name}.wasm", (NOW_S - 100, NOW_S - 100))
    return open_for_writing(str(tmp_path))


def lived(db: sqlite3.Connection, actor: str, number: int, package: str, first_seq: int) -> None:
    """An incarnation with that package."""
    row = (actor, number, f"{package}{number}".encode(), package, "", first_seq, ord(package))
    sql = "INSERT INTO incarnations (actor, number, routing, package, manifest, first_seq, started_ns)"
    db.execute(f"{sql} VALUES (?, ?, ?, ?, ?, ?, ?)", row)


def kept(directory: Path) -> set[str]:
    return {path.stem for path in (directory / DIRECTORY).iterdir()}


def test_what_nothing_tells_of_goes(db: sqlite3.Connection, tmp_path: Path) -> None:
    """Every incarnation counts while its events are kept."""
    lived(db, "x", 1, "a", 0)
    lived(db, "x", 2, "b", 10)
    lived(db, "y", 1, "c", 0)

    assert remove_unused(str(tmp_path), db, NOW_S) == (2, 2)
    assert kept(tmp_path) == {"a", "b", "c"}


def test_one_that_never_started_leaves_its_number_to_the_next(db: sqlite3.Connection, tmp_path: Path) -> None:
    """The later of the two is the latest."""
    for package in "abc":
        lived(db, "x", 1, package, 0)
    remove_unused(str(tmp_path), db, NOW_S)

    assert kept(tmp_path) == {"c"}


@pytest.mark.parametrize(("base", "left"), [(8, {"a", "b", "c"}), (9, {"b", "c"}), (19, {"c"}), (500, {"c"})])
def test_trimmed_history_gives_its_packages_back(
    db: sqlite3.Connection, tmp_path: Path, base: int, left: set[str]
) -> None:
    """Not that of the latest incarnation, with which the next one may begin."""
    for number, package in enumerate("abc"):
        lived(db, "x", number + 1, package, number * 10)
    db.execute("INSERT INTO bases VALUES ('x', ?, x'00', 0)", (base,))
    remove_unused(str(tmp_path), db, NOW_S)

    assert kept(tmp_path) == left


def test_young_packages_stay_while_a_tree_runs(db: sqlite3.Connection, tmp_path: Path) -> None:
    """They may be about to be started; wanting one again makes it young."""
    os.utime(tmp_path / DIRECTORY / "a.wasm", (NOW_S - 10, NOW_S - 10))

    assert remove_unused(str(tmp_path), db, NOW_S, 60).packages == 4
    assert kept(tmp_path) == {"a"}
    assert not keep_bytes(str(tmp_path / DIRECTORY), b"a", "a.wasm")
    assert os.stat(tmp_path / DIRECTORY / "a.wasm").st_mtime > NOW_S
    assert kept_package(str(tmp_path), "a")


def test_a_store_without_packages_is_fine(tmp_path: Path) -> None:
    """Most have none."""
    assert remove_unused(str(tmp_path), open_for_writing(str(tmp_path)), NOW_S).packages == 0
