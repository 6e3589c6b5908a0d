"""``snapshot:``: states in the chain that recovery, replays and retention begin from."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from supervisor.store import StoreReader
from tests.system.running import RunningTree, running_tree, until, wait_gone
from theater.chain import payloads

TREE = """
version: 1
name: snapshots
intensity: 100000
period: 1s
children:
  - {id: counter, actor: counter.wasm, grants: {runtime: {}}, recover: replay, snapshot: {events: 20}}
  - {id: sized, actor: counter.wasm, grants: {runtime: {}}, recover: replay, snapshot: {size: 4KiB}}
retention: {events: 10, every: 100ms}
"""


@pytest.fixture
def tree(home: Path) -> Iterator[RunningTree]:
    """Counters with snapshots, of which little is kept."""
    with running_tree(home, TREE.rpartition("retention")[0]) as tree:
        yield tree


def snapshots(tree: RunningTree, path: str) -> list[int]:
    tree.cli("events", path)
    with StoreReader(str(tree.store_dir)) as reader:
        actor = reader.find(path)
        assert actor is not None
        return [event.seq for event in reader.events(actor.id, types=[payloads.SNAPSHOT])]


@pytest.mark.parametrize("path", ["/counter", "/sized"])
def test_they_come_as_often_as_said_and_agree(tree: RunningTree, path: str) -> None:
    """Between operations; a replay from the beginning compares them, one from a snapshot begins there."""
    actor = tree.actor(path)
    assert [actor.call("bump", (1,)) for _ in range(60)] == list(range(1, 61))
    found = snapshots(tree, path)
    checked = tree.cli("replay", path, "--check-snapshots")
    short = msgspec.json.decode(tree.cli("replay", path, "--from-snapshot", "--json"))
    from_first = tree.cli("replay", path, "--from-snapshot", str(found[0]), "--until", "100000")

    assert len(found) >= 3
    assert f"{len(found)} snapshots agree" in checked
    assert short["summary"]["success"]
    assert "state: 60u32" in from_first
    tree.cli("replay", path, "--from-snapshot", "1", check=2)
    tree.cli("verify", path)


def test_recovery_begins_at_the_newest(tree: RunningTree) -> None:
    """After the death of the worker, and of the supervisor; what is older is not read."""
    counter = tree.actor("/counter")
    for _ in range(45):
        counter.call("bump", (1,))
    newest = snapshots(tree, "/counter")[-1]
    os.kill(tree.pid("/counter"), signal.SIGKILL)
    tree.wait_incarnation("/counter", 2)
    assert counter.call("bump", (1,)) == 46
    with StoreReader(str(tree.store_dir)) as reader:
        actor = reader.find("/counter")
        assert actor is not None
        assert reader.recovery_begins(actor.id) == newest

    workers = tree.processes()
    tree.drop_client()
    tree.process.kill()
    tree.process.wait()
    wait_gone(workers)
    tree.options = ("--recover",)
    tree.start()
    tree.wait_up()
    assert tree.actor("/counter").call("bump", (1,)) == 47
    assert "snapshots agree" in tree.cli("replay", "/counter", "--check-snapshots")


def test_retention_keeps_what_recovery_needs(tree: RunningTree) -> None:
    """The beginning goes, the newest snapshot stays: the actor is rebuilt from it, replays begin there."""
    tree.stop()
    tree.tree_file.write_text(TREE)
    tree.start()
    tree.wait_up()
    counter = tree.actor("/counter")
    for _ in range(60):
        counter.call("bump", (1,))

    def base() -> int:
        with StoreReader(str(tree.store_dir)) as reader:
            actor = reader.find("/counter")
            assert actor is not None
            return actor.base_seq

    until(lambda: base() > 40, "the beginning to go")
    os.kill(tree.pid("/counter"), signal.SIGKILL)
    tree.wait_incarnation("/counter", 2)

    assert counter.call("bump", (1,)) == 61
    assert "state: 61u32" in tree.cli("replay", "/counter", "--until", "100000")
    looked = msgspec.json.decode(tree.cli("inspect", "/counter", "--at", "100000", "--output", "json"))
    assert looked["state"] == 61
    tree.cli("verify", "/counter")
