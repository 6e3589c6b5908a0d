"""An actor of the tree that wants what it is not granted: its chain says so, and goes on from there."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor.store import StoreReader
from tests.system.running import RunningTree
from theater.chain import payloads
from theater.chain.payloads import START_REFUSED
from theater.errors import InternalError
from theater.values import String

TREE = """
version: 1
name: refused
children:
  - id: a
    actor: counter.wasm
    recover: RECOVER
    state: 5
    grants: {GRANTS}
"""
BUMP = "test:counter/api.bump"


def events(tree: RunningTree) -> list[tuple[str, object]]:
    """The chain of /a: type and, of a refusal, its text."""
    with StoreReader(str(tree.store_dir)) as reader:
        actor = reader.find("/a")
        assert actor is not None
        return [(event.event_type, payloads.read(event.data)) for event in reader.events(actor.id)]


def refused(start: Callable[..., RunningTree], recover: str) -> RunningTree:
    """A tree that has not come up."""
    tree = start(TREE.replace("GRANTS", "timer: {}").replace("RECOVER", recover), wait=False)
    assert tree.process.wait(60) == 1
    return tree


def test_a_refused_import_is_an_event(start: Callable[..., RunningTree]) -> None:
    """In the chain of the actor that wanted it, with the words of the start's failure; the chain verifies."""
    tree = refused(start, "initial")
    ((event_type, said),) = events(tree)

    assert event_type == START_REFUSED
    assert isinstance(said, payloads.Runtime)
    assert isinstance(said.value, String)
    assert "theater:simple/runtime.log; theater:simple/runtime.shutdown is not granted" in said.value.value
    assert "is not granted" in tree.cli("events", "/a", "--store", str(tree.store_dir), "-o", "table")
    tree.cli("verify", "/a", "--store", str(tree.store_dir))


@pytest.mark.parametrize("recover", ["initial", "last", "replay"])
def test_the_chain_goes_on_once_it_is_granted(start: Callable[..., RunningTree], recover: str) -> None:
    """The next life begins as declared, whatever it would recover from, and all of it can be played back."""
    tree = refused(start, recover)
    tree.tree_file.write_text(TREE.replace("GRANTS", "runtime: {}").replace("RECOVER", recover))
    tree.options = ("--recover",)
    tree.start()
    tree.wait_up()
    assert tree.actor("/a").call(BUMP, (2,)) == 2
    tree.client.restart("/a")
    assert tree.actor("/a").call(BUMP, (3,)) == (3 if recover == "initial" else 5)
    tree.stop()

    types = [event_type for event_type, _ in events(tree)]
    assert types[:2] == [START_REFUSED, "incarnation"]
    assert types.count("incarnation") == 2
    assert "genesis" not in types
    tree.cli("verify", "/a", "--tree", str(tree.tree_file), "--store", str(tree.store_dir))
    tree.cli("replay", "/a", "--tree", str(tree.tree_file), "--store", str(tree.store_dir))


def test_any_other_failure_leaves_no_event(start: Callable[..., RunningTree], home: Path) -> None:
    """A start that fails is told, not recorded: only refusals are (lifecycle S3)."""
    (home / "counter.wasm").write_bytes(b"\0asm\1\0\0\0")
    tree = refused(start, "initial")

    assert events(tree) == []


def test_of_a_spawned_actor_its_spawners_chain_tells(home: Path, start: Callable[..., RunningTree]) -> None:
    """It never was: nothing is recorded of itself (lifecycle S3)."""
    shutil.copy(Path(__file__).parent / "family" / "parent.wasm", home)
    tree = start("version: 1\nchildren:\n  - {id: p, actor: parent.wasm, grants: {runtime: {}, supervisor: {}}}\n")
    with pytest.raises(InternalError, match="is not granted"):
        tree.actor("/p").call("test:family/parent.spawn", ('name = "a"\npackage = "counter.wasm"\n',))
    tree.stop()

    with StoreReader(str(tree.store_dir)) as reader:
        child, parent = reader.find("/p/a"), reader.find("/p")
        assert parent is not None
        assert child is None or list(reader.events(child.id)) == []
        assert any(b"is not granted" in event.data for event in reader.events(parent.id))
