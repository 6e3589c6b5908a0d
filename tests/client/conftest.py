from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.client.faketree import FakeTree, fake_tree
from tests.homes import new_home
from theater.client import Client, connect
from theater.handle import ActorHandle


@pytest.fixture
def short_path() -> Iterator[Path]:
    """A directory whose name is short enough for sockets in it."""
    with new_home() as path:
        yield path


@pytest.fixture
def tree(short_path: Path) -> Iterator[FakeTree]:
    """A fake supervisor with one actor, /counter."""
    with fake_tree(short_path / "run") as tree:
        tree.add("/counter")
        yield tree


@pytest.fixture
def client(tree: FakeTree) -> Iterator[Client]:
    with connect(tree.run_dir) as client:
        yield client


@pytest.fixture
def counter(client: Client) -> ActorHandle:
    return client.actor("/counter")
