"""What a child may hold, with real actors: held and passed on, refused and recorded, and explained."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.guests import wat
from tests.guests.pack import none, text, tup, u32
from tests.system import guests
from tests.system.running import RunningTree
from theater.chain import payloads
from theater.errors import InternalError

TREE = """
version: 1
name: permits
children:
  - id: generous
    actor: parent.wasm
    grants: {runtime: {}, supervisor: {}}
  - id: careful
    actor: parent.wasm
    grants: {runtime: {}, supervisor: {}}
    pass: {runtime: disallow}
  - id: poor
    actor: parent.wasm
    grants: {supervisor: {}}
  - id: keeper
    actor: keeper.wasm
    grants: {supervisor: {}, filesystem: {directories: [{host: data, guest: /data, write: true}]}}
"""
READER = """name = "reader"
package = "reader.wasm"
[grants]
filesystem = {directories = [{host = "data/sub", guest = "/d"}]}
"""
READ_FILE = wat.Import("theater:simple/filesystem.read-file", "(path: string) -> result<list<u8>, string>")
CHILD = """name = "child"
package = "counter.wasm"
[[handler]]
type = "runtime"
"""
HIRE = "(state: u32) -> result<tuple<u32>, string>"


@pytest.fixture(scope="module")
def tree() -> Iterator[RunningTree]:
    """Three parents that hold, or pass on, more and less."""
    home = Path(tempfile.mkdtemp(prefix="th-"))
    guests.write_all(home)
    spawn = wat.calls(wat.SPAWN, tup(text("child.toml"), none(), none()))
    hires = [
        wat.Function("test:permits/api.hire", HIRE, [spawn, wat.returns(wat.ok(u32(1)))]),
        wat.Function("test:permits/api.try", HIRE, [spawn, wat.returns_host_answer()]),
    ]
    (home / "parent.wasm").write_bytes(wat.build(functions=[wat.starts(u32(0)), *hires], imports=[wat.SPAWN]))
    (home / "child.toml").write_text(CHILD)
    (home / "data" / "sub").mkdir(parents=True)
    (home / "data" / "sub" / "file").write_text("granted")
    (home / "file").write_text("the operator's")
    behaviours = [wat.calls(READ_FILE, text("/d/file")), wat.returns(wat.ok(u32(1)))]
    reads = wat.Function("test:permits/api.read", HIRE, behaviours)
    (home / "reader.wasm").write_bytes(wat.build(functions=[wat.starts(u32(0)), reads], imports=[READ_FILE]))
    (home / "reader.toml").write_text(READER)
    spawn = wat.calls(wat.SPAWN, tup(text("reader.toml"), none(), none()))
    hire = wat.Function("test:permits/api.hire", HIRE, [spawn, wat.returns(wat.ok(u32(1)))])
    (home / "keeper.wasm").write_bytes(wat.build(functions=[wat.starts(u32(0)), hire], imports=[wat.SPAWN]))
    running = RunningTree(home, TREE)
    yield running
    running.clean_up()
    shutil.rmtree(home, ignore_errors=True)


def explained(tree: RunningTree, path: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(tree.cli("explain", path, "-o", "json", "--cache", str(tree.home / "cache")))
    return found


def test_a_child_gets_what_its_parent_passes_on(tree: RunningTree) -> None:
    """And the explanation says whose grant it is in the end, with its line."""
    tree.actor("/generous").call("hire")

    (grant,) = explained(tree, "/generous/child")["may"]
    assert (grant["grant"], grant["from"]) == ("runtime", f"{tree.home / 'child.toml'}:4")
    assert grant["inherited"] == [f"/generous holds it ({tree.tree_file}:7)"]


@pytest.mark.parametrize(
    ("parent", "words"),
    [
        ("/careful", "Not permitted: runtime (the parent does not pass it on)"),
        ("/poor", "Not permitted: runtime (the parent does not hold it)"),
    ],
)
def test_a_child_that_asks_for_more_is_refused(tree: RunningTree, parent: str, words: str) -> None:
    """In words, and in the chain of the one that asked; nothing is started."""
    with pytest.raises(InternalError) as caught:
        tree.actor(parent).call("try")

    assert words in str(caught.value)
    events = tree.actor(parent).get_chain()
    (recorded,) = [payloads.read(e.data) for e in events if e.event_type == "theater:simple/supervisor/spawn"]
    assert words in str(recorded)
    assert not any(node["path"].startswith(f"{parent}/") for node in tree.client.tree()["root"]["children"])


def read(tree: RunningTree) -> str:
    """What the reader has got, as its chain has it."""
    reader = tree.actor("/keeper/reader")
    reader.call("read")
    events = [event for event in reader.get_chain() if event.event_type == "theater:simple/filesystem/read-file"]
    return str(payloads.read(events[-1].data))


def test_a_childs_directory_is_not_what_somebody_puts_in_its_place(tree: RunningTree) -> None:
    """A link there, made after the spawn: this life does not follow it, nor does a later one."""
    sub = tree.home / "data" / "sub"
    tree.actor("/keeper").call("hire")
    sub.rename(sub.with_name("old"))
    sub.symlink_to("..")

    assert "the operator's" not in read(tree)
    sub.unlink()
    sub.with_name("old").rename(sub)
    assert "granted" in read(tree)


def test_explain_of_a_running_actor(tree: RunningTree) -> None:
    """What it holds and what its children may."""
    runtime, supervisor = explained(tree, "/careful")["may"]

    assert (runtime["children"], supervisor["children"]) == ("disallow", "inherit")
    assert (runtime["used"], supervisor["used"]) == (False, True)
