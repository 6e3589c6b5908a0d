"""``theater fork``: another actor from any event of an actor's history."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.system.running import RunningTree, running_tree
from theater.chain import payloads

TREE = """
version: 1
name: forks
intensity: 1000
children:
  - {id: counter, actor: counter.wasm, grants: {runtime: {}}}
  - id: sessions
    supervisor:
      strategy: simple_one_for_one
      child: {id: session, actor: counter.wasm, grants: {runtime: {}}}
"""


@pytest.fixture
def tree(home: Path) -> Iterator[RunningTree]:
    """A counter that was called ten times."""
    with running_tree(home, TREE) as tree:
        for _ in range(10):
            tree.actor("/counter").call("bump", (1,))
        yield tree


def fork(tree: RunningTree, actor: str, at: object, name: str, **more: Any) -> Any:
    said = tree.cli("fork", actor, "--at", str(at), "--as", name, "--output", "json", **more)
    return msgspec.json.decode(said) if said else None


def result_of(tree: RunningTree, bump: int) -> int:
    """The number of the event that says how a call of ``bump`` ended."""
    events = tree.actor("/counter").get_chain()
    said = [(event.seq, payloads.read(event.data)) for event in events]
    found = [seq for seq, each in said if isinstance(each, payloads.Result) and each.function.endswith("bump")]
    return found[bump - 1]


def test_a_fork_begins_where_it_is_told(tree: RunningTree) -> None:
    """With the state of that event; the origin goes its own way; the chain says where it comes from."""
    at = result_of(tree, 4) + 1
    told = fork(tree, "/counter", at, "before")
    origin, copy = tree.actor("/counter"), tree.actor("/before")

    assert told["actor"] == "/before"
    assert copy.call("bump", (1,)) == 5
    assert origin.call("bump", (1,)) == 11
    genesis = payloads.read(copy.get_chain()[0].data)
    event = origin.get_chain()[at - 1]
    assert isinstance(genesis, payloads.Genesis)
    assert genesis.origin is not None
    assert genesis.origin | {"id": ""} == {"actor": "/counter", "id": "", "seq": at - 1, "hash": event.hash.hex()}
    tree.cli("verify", "/before")
    assert "Replay complete" in tree.cli("replay", "/before")


def test_a_fork_restarts_from_where_it_began(tree: RunningTree) -> None:
    """As every child begins again from what it was started with."""
    fork(tree, "/counter", result_of(tree, 4) + 1, "before")
    copy = tree.actor("/before")
    copy.call("bump", (1,))
    os.kill(tree.pid("/before"), signal.SIGKILL)
    tree.wait_incarnation("/before", 2)

    assert copy.call("bump", (1,)) == 5


def test_in_the_middle_of_a_call_the_state_before_it_counts(tree: RunningTree) -> None:
    """By number, or by the event's hash."""
    event = tree.actor("/counter").get_chain()[result_of(tree, 4)]
    fork(tree, "/counter", event.hash.hex()[:16], "middle")

    assert tree.actor("/middle").call("bump", (0,)) == 3


def test_instances_of_a_template_can_be_forked(tree: RunningTree) -> None:
    """The fork is another instance."""
    tree.client.start_child("/sessions", "a")
    tree.actor("/sessions/a").call("bump", (7,))
    fork(tree, "/sessions/a", 100, "b")

    assert tree.actor("/sessions/b").call("bump", (1,)) == 8


@pytest.mark.parametrize(
    ("actor", "at", "name", "code"),
    [
        ("/nobody", 3, "x", 4),
        ("/counter", 1, "x", 1),
        ("/counter", 100, "counter", 1),
        ("/counter", 100, "a/b", 1),
        ("/counter", "ffffffffffffffff", "x", 2),
    ],
)
def test_what_cannot_be_forked_is_told(tree: RunningTree, actor: str, at: object, name: str, code: int) -> None:
    """Nobody is started."""
    before = tree.client.count_children("/")
    tree.cli("fork", actor, "--at", str(at), "--as", name, check=code)

    assert tree.client.count_children("/") == before
