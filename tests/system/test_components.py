"""WIT components in a tree: called, crashed, recovered, replayed and updated like any other actor."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.component import wit
from tests.system.running import RunningTree, running_tree
from theater.errors import InternalError, UpdatePackageError

TREE = """
version: 1
name: components
intensity: 100000
period: 1s
children:
  - {id: counter, actor: counter.component.wat, state: 3, grants: {runtime: {}}, limits: {call_deadline: 300ms}}
  - {id: last, actor: counter.component.wat, state: 0, grants: {runtime: {}}, recover: last}
  - {id: replayed, actor: counter.component.wat, state: 0, grants: {runtime: {}}, recover: replay}
  - {id: pack, actor: counter.wasm, grants: {runtime: {}}}
"""


@pytest.fixture(params=[wit.COUNTER, wit.LISTING], ids=["plain", "bridge"])
def tree(request: pytest.FixtureRequest, home: Path) -> Iterator[RunningTree]:
    """Counters: three components and a module."""
    (home / "counter.component.wat").write_text(request.param)
    with running_tree(home, TREE) as tree:
        yield tree


def test_a_component_is_an_actor(tree: RunningTree) -> None:
    """Calls, errors of its own, host calls, functions without a state, and its history."""
    counter = tree.actor("/counter")
    assert [counter.call("bump", (2,)) for _ in range(3)] == [5, 7, 9]
    with pytest.raises(InternalError, match="refused"):
        counter.call("fail")
    counter.call("log")

    assert counter.call("plain", (6, 7)) == 42
    assert counter.call("bump", (0,)) == 9
    assert counter.get_state() == 9
    tree.cli("verify", "/counter")
    assert "Replay complete" in tree.cli("replay", "/counter")
    assert "test:counter/api.bump" in tree.cli("call", "/counter").splitlines()


@pytest.mark.parametrize(("function", "why"), [("trap", "unreachable"), ("spin", "deadline")])
def test_one_that_fails_is_restarted(tree: RunningTree, function: str, why: str) -> None:
    """From its declared state; the reason is told, and the replay finds the same."""
    counter = tree.actor("/counter")
    counter.call("bump", (2,))
    with pytest.raises(InternalError, match=why):
        counter.call(function)
    tree.wait_incarnation("/counter", 2)

    assert counter.call("bump", (1,)) == 4
    assert "Replay complete" in tree.cli("replay", "/counter")


@pytest.mark.parametrize("path", ["/last", "/replayed"])
def test_one_that_was_killed_goes_on(tree: RunningTree, path: str) -> None:
    """From its last state, or its history."""
    actor = tree.actor(path)
    for _ in range(5):
        actor.call("bump", (1,))
    os.kill(tree.pid(path), signal.SIGKILL)
    tree.wait_incarnation(path, 2)

    assert actor.call("bump", (1,)) == 6


def test_a_component_takes_over_from_a_module_and_back(tree: RunningTree) -> None:
    """The state is a value whichever door it is behind."""
    actor = tree.actor("/pack")
    actor.call("bump", (5,))
    assert actor.update_package(tree.home / "counter.component.wat") == 2
    assert actor.call("bump", (1,)) == 6
    assert actor.call("plain", (2, 3)) == 6
    actor.update_package(tree.home / "counter.wasm")
    assert actor.call("bump", (1,)) == 7


def test_what_is_not_granted_is_no_start(tree: RunningTree) -> None:
    """As with modules."""
    (tree.home / "wasi.wat").write_text('(component (import "wasi:cli/environment@0.2.0" (instance)))')
    with pytest.raises(UpdatePackageError, match=r"every actor must|wasi:cli"):
        tree.actor("/counter").update_package(tree.home / "wasi.wat")
    ungranted = TREE.replace("grants: {runtime: {}}, limits", "limits")
    (tree.home / "other.yaml").write_text(ungranted)

    said = tree.cli("check", str(tree.tree_file))
    assert said == ""
    tree.cli("check", str(tree.home / "other.yaml"), check=2)
