"""What a guest that spawns cannot do: breed without end, outlive its parent's time, look at what it was not given."""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.system.running import RunningTree, until
from theater.errors import InternalError

GUESTS = Path(__file__).parent / "family"
PARENT = "test:family/parent"

TREE = """
version: 1
name: breeding
children:
  - id: p
    actor: parent.wasm
    restart: temporary
    shutdown: 300ms
    limits: {descendants: 3}
    grants: {runtime: {}, supervisor: {}}
"""
CHILD = """
name = "child"
package = "child.wasm"
[[handler]]
type = "runtime"
"""
MIDDLE = CHILD.replace("child", "middle").replace("middle.wasm", "parent.wasm") + '[[handler]]\ntype = "supervisor"\n'


@pytest.fixture
def tree(home: Path, start: Callable[..., RunningTree]) -> RunningTree:
    """One parent that may have three below it."""
    for name in ("parent", "child"):
        shutil.copy(GUESTS / f"{name}.wasm", home)
    return start(TREE)


def spawn(tree: RunningTree, path: str, manifest: str) -> str:
    """Have an actor spawn another; its id, or why not."""
    try:
        return str(tree.actor(path).call(f"{PARENT}.spawn", (manifest,)))
    except InternalError as error:
        return str(error)


def test_guests_do_not_breed_without_end(tree: RunningTree) -> None:
    """All below an actor count, at every level, and those that have ended do not."""
    spawn(tree, "/p", MIDDLE)
    spawn(tree, "/p/middle", CHILD)
    last = spawn(tree, "/p/middle", CHILD)
    words = "limit descendants: there are at most 3 actors below /p"

    assert words in spawn(tree, "/p", CHILD)
    assert words in spawn(tree, "/p/middle", CHILD)
    tree.actor(last).terminate()
    until(lambda: words not in spawn(tree, "/p/middle", CHILD), "the one that has ended not to count")


@pytest.mark.parametrize("shutdown", ['"infinity"', '"1h"'])
def test_a_child_takes_no_longer_to_stop_than_its_parent_may(tree: RunningTree, shutdown: str) -> None:
    """Or no tree could be stopped without its guests' leave."""
    answer = spawn(tree, "/p", f"{CHILD}[supervision]\nshutdown = {shutdown}\n")

    assert "limit shutdown_ms of" in answer


def test_who_is_killed_because_its_time_is_over_takes_all_below_along(tree: RunningTree) -> None:
    """The parent waits for its child, which computes: both are gone when the parent's time is over."""
    spawn(tree, "/p", CHILD)
    tree.actor("/p/child").send("spin")
    until(lambda: tree.status("/p/child").operation, "the computation to begin")
    tree.client.stop()
    tree.process.wait(20)

    lines = [json.loads(line) for line in (tree.store_dir / "logs.jsonl").read_text().splitlines()]
    ends = {line["actor"]: line["text"] for line in lines if line["event"] == "ended"}
    assert ends == {
        "/p": "killed by supervisor after its shutdown deadline",
        "/p/child": "killed by parent_gone after its shutdown deadline",
    }


def test_what_is_in_a_file_is_not_told(tree: RunningTree, home: Path) -> None:
    """A package that is none, and a link to a file of the host: the guest learns nothing of what they hold."""
    (home / "secret.wat").write_text("hunter2 and more")
    (home / "link.wat").symlink_to("/etc/passwd")

    answer = spawn(tree, "/p", CHILD.replace("child.wasm", "secret.wat"))
    assert "not WebAssembly text" in answer
    assert "hunter2" not in answer
    assert "expected a package below" in spawn(tree, "/p", CHILD.replace("child.wasm", "link.wat"))


def test_a_manifest_that_takes_long_to_read_holds_up_only_who_gave_it(tree: RunningTree) -> None:
    """While the process that reads manifests stands still, the root answers, and learns of ends."""
    spawn(tree, "/p", CHILD)
    (reader,) = (each for each in tree.processes() if "supervisor.fleet.declaring" in each.cmdline())
    reader.suspend()
    waiting = threading.Thread(target=lambda: spawn(tree, "/p", CHILD))
    waiting.start()
    until(lambda: tree.status("/p").operation, "the second spawn to begin")

    assert tree.status("/p/child").state == "idle"
    tree.actor("/p/child").terminate()
    until(lambda: tree.status("/p/child").state not in ("idle", "running"), "the child's end")
    reader.resume()
    waiting.join(20)
    assert not waiting.is_alive()


def packages(tree: RunningTree) -> set[str]:
    """What the store keeps of what was handed over."""
    directory = tree.store_dir / "packages"
    return {path.stem for path in directory.iterdir()} if directory.exists() else set()


def test_only_packages_that_started_are_kept(tree: RunningTree) -> None:
    """Noise, and one whose init declines, leave nothing; a vacuum removes what an earlier run has left."""
    parent = tree.actor("/p")
    wasm = (GUESTS / "child.wasm").read_bytes()
    manifest = CHILD.replace('package = "child.wasm"\n', "")
    for noise in (b"noise", b"\0asm\1\0\0\0"):
        with pytest.raises(InternalError, match="Start failed at"):
            parent.call(f"{PARENT}.spawn-bytes", (manifest, noise))
    until(lambda: packages(tree) == set(), "the packages to go")
    parent.call(f"{PARENT}.spawn-bytes", (manifest, wasm))
    (tree.store_dir / "packages" / "orphan.wasm").write_bytes(b"left by a run that was killed")
    tree.stop()
    tree.cli("vacuum", "--store", str(tree.store_dir))

    assert packages(tree) == {hashlib.sha256(wasm).hexdigest()}
