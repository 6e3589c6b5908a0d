"""Directories of grants: which lie in others, and that the name of one is never resolved twice."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from theater.directories import pinned, place, settled, within, writable
from theater.grants import FILESYSTEM, WASI


def directory(host: Path | str, write: bool = False, **more: Any) -> dict[str, Any]:
    return {"host": str(host), "guest": "/d", "write": write, **more}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / "data" / "sub" / "deep").mkdir(parents=True)
    (tmp_path / "data2").mkdir()
    return tmp_path / "data"


def test_a_directory_inside_is_a_place_below(data: Path) -> None:
    """Whatever it is called: the guest path and the right to write stay those that were asked for."""
    held = directory(data, write=True)

    assert within(directory(data / "sub"), held) == directory(data, below="sub")
    assert within(directory(data / "sub" / ".." / "sub" / "deep", write=True), held) == directory(
        data, write=True, below="sub/deep"
    )
    assert within(directory(data), held) == directory(data)


@pytest.mark.parametrize("host", ["..", "../data2", "/", "none/../.."])
def test_a_directory_outside_is_none(data: Path, host: str) -> None:
    """Names that begin alike are not inside, nor is what ``..`` leads out to."""
    assert within(directory(os.path.join(data, host)), directory(data, write=True)) is None


def test_a_directory_to_be_written_needs_one_that_may_be(data: Path) -> None:
    """Reading is less than writing."""
    assert within(directory(data / "sub", write=True), directory(data)) is None


def test_a_link_is_resolved_once(data: Path) -> None:
    """The place is where the link leads; if that is outside, it is none."""
    (data / "link").symlink_to("sub/deep")
    (data / "out").symlink_to("../data2")

    assert within(directory(data / "link"), directory(data)) == directory(data, below="sub/deep")
    assert within(directory(data / "out"), directory(data)) is None


def test_a_grandchilds_directory_is_inside_its_parents(data: Path) -> None:
    """It is below the same outermost directory, and never beside the one in between."""
    held = directory(data, write=True, below="sub")

    assert within(directory(data / "sub" / "deep"), held) == directory(data, below="sub/deep")
    assert within(directory(data), held) is None
    assert place(held) == str(data / "sub")


def test_a_held_place_that_became_a_link_holds_nothing(data: Path) -> None:
    """Somebody has put a link where a child's directory was: its own children get nothing by it."""
    held = directory(data, write=True, below="sub")
    (data / "sub").rename(data / "old")
    (data / "sub").symlink_to("old")

    assert within(directory(data / "sub" / "deep"), held) is None


def test_a_childs_grants_are_settled(data: Path) -> None:
    """Both grants that have directories; other options stay."""
    held = {name: {"directories": [directory(data, write=True)]} for name in (FILESYSTEM, WASI)}
    asked = {
        FILESYSTEM: {"directories": [directory(data / "sub")], "entries_max": 3},
        WASI: {"directories": [directory(data / "sub", write=True)]},
    }

    assert settled(asked, held) == {
        FILESYSTEM: {"directories": [directory(data, below="sub")], "entries_max": 3},
        WASI: {"directories": [directory(data, write=True, below="sub")]},
    }


def test_a_tree_pins_what_lies_in_a_writable_directory(data: Path) -> None:
    """By its name, even if a link is there now; the outermost writable directory counts; others stay."""
    (data / "sub" / "link").symlink_to("/")
    asked = [directory(data / "sub" / "link"), directory(data), directory(data.parent / "data2")]
    outer = writable({FILESYSTEM: {"directories": [directory(data, write=True), directory(data / "sub", write=True)]}})

    assert pinned({WASI: {"directories": asked}}, outer) == {
        WASI: {"directories": [directory(data, below="sub/link"), directory(data), asked[2]]}
    }


def test_a_tree_pins_what_lies_there_by_the_operators_links(data: Path, tmp_path: Path) -> None:
    """Another name for the same place does not make it another place."""
    (tmp_path / "alias").symlink_to("data")

    assert pinned({WASI: {"directories": [directory(tmp_path / "alias" / "sub")]}}, [str(data)]) == {
        WASI: {"directories": [directory(data, below="sub")]}
    }
