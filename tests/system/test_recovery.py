"""``recover``: what a new incarnation begins from after its worker was killed, with real processes."""

from __future__ import annotations

import os
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system import guests
from tests.system.running import RunningTree
from theater.errors import InternalError

TREE = """
version: 1
name: recovery
intensity: 100000
period: 1s
children:
  - {id: last, actor: counter.wasm, grants: {runtime: {}}, recover: last}
  - {id: initial, actor: counter.wasm, grants: {runtime: {}}}
"""


@pytest.fixture
def tree() -> Iterator[RunningTree]:
    """A tree of counters that come back in different ways."""
    home = Path(tempfile.mkdtemp(prefix="th"))
    guests.write_all(home)
    running = RunningTree(home, TREE)
    yield running
    running.stop()
    running.clean_up()


def kill(tree: RunningTree, path: str) -> None:
    """SIGKILL the worker and wait for the next one."""
    before = tree.status(path)
    os.kill(before.pid, signal.SIGKILL)
    tree.wait_incarnation(path, before.incarnation + 1)


def test_last_goes_on_from_the_committed_state(tree: RunningTree) -> None:
    """Killed twice, once before it did anything: nothing that was answered is missing."""
    last = tree.actor("/last")
    for _ in range(10):
        last.call("bump", (1,))
    kill(tree, "/last")
    kill(tree, "/last")

    assert last.call("bump", (1,)) == 11


def test_initial_begins_anew(tree: RunningTree) -> None:
    """As OTP would."""
    initial = tree.actor("/initial")
    initial.call("bump", (1,))
    kill(tree, "/initial")

    assert initial.call("bump", (1,)) == 1


def test_a_crash_of_the_guest_goes_back_to_what_was_committed(tree: RunningTree) -> None:
    """The operation that trapped has committed nothing."""
    last = tree.actor("/last")
    assert last.call("bump", (5,)) == 5
    incarnation = tree.status("/last").incarnation
    with pytest.raises(InternalError):
        last.call("trap")
    tree.wait_incarnation("/last", incarnation + 1)

    assert last.call("bump", (1,)) == 6
