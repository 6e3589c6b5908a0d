"""Fixtures of the system tests."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.system import guests
from tests.system.running import RunningTree


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory with a short path (socket names are limited) holding the test guests."""
    path = Path(tempfile.mkdtemp(prefix="th-"))
    guests.write_all(path)
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def start(home: Path) -> Iterator[Callable[..., RunningTree]]:
    """Start trees; they are ended when the test is."""
    running: list[RunningTree] = []

    def start_tree(tree: str, *options: str, **more: object) -> RunningTree:
        place = home if not running else home / f"t{len(running)}"
        if place != home:
            place.mkdir()
            guests.write_all(place)
        running.append(RunningTree(place, tree, *options, **more))  # type: ignore[arg-type]
        return running[-1]

    yield start_tree
    for tree in running:
        tree.clean_up()
