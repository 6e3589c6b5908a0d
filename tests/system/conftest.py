"""Fixtures of the system tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.homes import new_home
from tests.system import guests
from tests.system.running import RunningTree


@pytest.fixture
def home() -> Iterator[Path]:
    """A directory with a short path (socket names are limited) holding the test guests."""
    with new_home() as path:
        guests.write_all(path)
        yield path


@pytest.fixture
def start(home: Path) -> Iterator[Callable[..., RunningTree]]:
    """Start trees; they are ended when the test is."""
    running: list[RunningTree] = []

    def start_tree(tree: str, *options: str, wait: bool = True, **more: Any) -> RunningTree:
        place = home if not running else home / f"t{len(running)}"
        if place != home:
            place.mkdir()
            guests.write_all(place)
        running.append(RunningTree(place, tree, *options, wait=False, **more))
        if wait:
            running[-1].wait_up()
        return running[-1]

    yield start_tree
    for tree in running:
        tree.clean_up()
