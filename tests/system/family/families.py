"""Parents in a running tree: actors that start and watch others when a test tells them to."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.guests import wat
from tests.guests.pack import none, text, tup, u32
from tests.homes import new_home
from tests.system.noting import Noting
from tests.system.running import RunningTree, is_running, running_tree, until
from theater.errors import ActorError

GUESTS = Path(__file__).parent

TREE = """
version: 1
name: family
intensity: 100
period: 10s
children:
  - id: parents
    supervisor:
      strategy: simple_one_for_one
      intensity: 100
      period: 10s
      child: {id: parent, actor: parent.wasm, restart: permanent, grants: {runtime: {}, supervisor: {}}, shutdown: 10s}
  - id: lean
    actor: lean.wasm
    grants: {supervisor: {}}
  - id: pool
    supervisor:
      strategy: simple_one_for_one
      child: {id: one, actor: child.wasm, restart: temporary, grants: {runtime: {}}}
"""

CHILD = """
name = "child"
package = "child.wasm"
[[handler]]
type = "runtime"
"""

PERMANENT = CHILD.replace('"child"', '"steady"') + '[supervision]\nrestart = "permanent"\n'

MIDDLE = """
name = "middle"
package = "parent.wasm"
[[handler]]
type = "runtime"
[[handler]]
type = "supervisor"
"""

NO_CHILD = "is not a child of this actor"


class Family(Noting):
    """One parent in the running tree, and the ways to talk to it and its children."""

    def __init__(self, tree: RunningTree, name: str, state: dict[str, Any] | None = None) -> None:
        tree.client.start_child("/parents", name, *(() if state is None else (state,)))
        super().__init__(tree, f"/parents/{name}")
        self.parent = self.actor

    def child(self, name: str) -> Any:
        return self.tree.actor(f"{self.path}/{name}")

    def pid(self, name: str = "") -> int:
        """Of a child, or of the parent itself."""
        return self.tree.pid(f"{self.path}/{name}".rstrip("/"))

    def workers(self) -> int:
        return len(self.tree.workers())

    def ends(self) -> list[str]:
        """Whose ends were logged in this family, in order; the parent is ``.``."""
        paths = [path for path in self.tree.ended() if f"{path}/".startswith(f"{self.path}/")]
        return [os.path.relpath(path, self.path) for path in paths]

    def wait_ends(self, *expected: str) -> None:
        """The last line may be written just after its client was answered."""
        until(lambda: self.ends() == list(expected), f"the ends {expected}, not {self.ends()}", 10)


def wait_gone(*pids: int) -> None:
    until(lambda: not any(is_running(pid) for pid in pids), f"processes {pids} to end")


@contextmanager
def family_tree() -> Iterator[RunningTree]:
    """The tree, up, with everything that is started in it."""
    with new_home() as home:
        for wasm in GUESTS.glob("*.wasm"):
            shutil.copy(wasm, home)
        (home / "lean.wasm").write_bytes(_lean())
        (home / "child.toml").write_text(CHILD)
        (home / "steady.toml").write_text(PERMANENT)
        (home / "middle.toml").write_text(MIDDLE)
        (home / "curious.toml").write_text(CHILD.replace("child.wasm", "${HOME}/child.wasm"))
        with running_tree(home, TREE) as tree:
            yield tree


def _lean() -> bytes:
    """A guest that holds nothing but supervision, and answers what spawn answers."""
    spawn = wat.calls(wat.SPAWN, tup(text("child.toml"), none(), none()))
    hire = wat.Function(
        "test:family/lean.hire", "(state: u32) -> result<tuple<u32>, string>", [spawn, wat.returns_host_answer()]
    )
    return wat.build(functions=[wat.starts(u32(0)), hire], imports=[wat.SPAWN])


def crash(family: Family, name: str) -> None:
    with pytest.raises(ActorError):
        family.child(name).call("crash")


def spin(family: Family) -> None:
    with pytest.raises(ActorError):
        family.child("child").call("spin")
