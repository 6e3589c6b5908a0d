"""One tree for all tests that leave it as it was, and actors in it that are starting or stopped."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import pytest

from proto import control
from tests.homes import new_home
from tests.system import guests
from tests.system.gate.raw import TREE, Raw
from tests.system.running import RunningTree, running_tree, until
from theater.errors import ActorError


@pytest.fixture(scope="package")
def tree() -> Iterator[RunningTree]:
    """One tree for all tests that leave it as it was."""
    with new_home() as home:
        guests.write_all(home)
        with running_tree(home, TREE) as tree:
            yield tree


@pytest.fixture
def raw(tree: RunningTree) -> Iterator[Raw]:
    client = Raw(tree)
    yield client
    client.close()


@pytest.fixture
def starting(tree: RunningTree) -> Iterator[str]:
    """An actor whose init never returns."""
    path = f"/slow/{secrets.token_hex(4)}"
    asking = Raw(tree)
    asking.tell(control.StartChild(1, "/slow", os.path.basename(path)))
    until(lambda: _step(tree, path) == "init", "init to run")
    yield path
    tree.actor(path).terminate()
    asking.close()


def _step(tree: RunningTree, path: str) -> str:
    try:
        return str(tree.status(path).detail)
    except ActorError:
        return ""


@pytest.fixture
def stopped(tree: RunningTree) -> Iterator[str]:
    """An actor that was told to stop, and stays so."""
    tree.wait_incarnation("/idle", 1)
    assert tree.client.terminate_child("/", "idle") == "ok"
    yield "/idle"
    tree.client.restart_child("/", "idle")
