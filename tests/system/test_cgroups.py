"""Control groups of real workers, by a real kernel: where groups of cgroup v2 may be made; skipped elsewhere.

With systemd: ``systemd-run --scope -p Delegate=yes python -m pytest tests/system/test_cgroups.py``.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from supervisor.cgroups import CONTROLLERS, LEAF, PREFIX, Unavailable, own_group
from tests.guests import wat
from tests.guests.pack import ok, u32
from tests.system.running import RunningTree, until
from theater.errors import ActorError

API = "test:groups/api"
PLAIN = "(state: u32) -> result<tuple<u32>, string>"
EATS = """
  (loop $more
    (if (i32.ne (memory.grow (i32.const 16)) (i32.const -1)) (then
      (memory.fill (i32.sub (i32.mul (memory.size) (i32.const 65536)) (i32.const 1048576)) (i32.const 7)
        (i32.const 1048576))
      (br $more))))
  (unreachable)"""
"""Grow by a mebibyte, and write to all of it, until that is refused."""
TREE = """\
version: 1
name: groups
intensity: 1000
children:
  - {id: hungry, actor: it.wasm, limits: {cgroup_memory: 64MiB, memory: 1GiB}, restart: temporary}
  - {id: slow, actor: it.wasm, limits: {cgroup_cpu: 50}}
  - {id: few, actor: it.wasm, limits: {cgroup_processes: 40}}
  - {id: free, actor: it.wasm}
"""


def guest() -> bytes:
    return wat.build(
        functions=[
            wat.starts(u32(0)),
            wat.Function(f"{API}.eat", PLAIN, wat.Behaviour(EATS)),
            wat.Function(f"{API}.compute", PLAIN, [wat.computes(300_000_000), wat.returns(ok(u32(0)))]),
        ]
    )


@cache
def delegated() -> Path | str:
    """A group whose children may have the controllers (we move into a leaf of it, if we are in it), or why not."""
    try:
        here = Path(own_group())
        if here.joinpath("cgroup.type").exists():  # not the root, which may have processes of its own
            here.joinpath("tests").mkdir(exist_ok=True)
            here.joinpath("tests", "cgroup.procs").write_text(str(os.getpid()))
        here.joinpath("cgroup.subtree_control").write_text(" ".join(f"+{name}" for name in CONTROLLERS))
    except (Unavailable, OSError) as error:
        return str(error)
    return here


@pytest.fixture
def group() -> Iterator[Path]:
    """A group with the controllers delegated to it and nobody in it, as systemd gives to a service."""
    here = delegated()
    if isinstance(here, str):
        pytest.skip(f"no control groups to be made here: {here}")
    made = here / f"test-{os.getpid()}"
    made.mkdir()
    yield made

    def removed() -> bool:
        """Processes need a moment to end."""
        try:
            for below in (*made.iterdir(), made):
                if below.is_dir():
                    below.rmdir()
        except OSError:
            return False
        return True

    until(removed, "the groups to be empty")


@pytest.fixture
def tree(group: Path, home: Path, start: Callable[..., RunningTree]) -> Iterator[RunningTree]:
    """A supervisor in that group."""
    (home / "it.wasm").write_bytes(guest())
    running = start(TREE, preexec_fn=lambda: (group / "cgroup.procs").write_text("0"))
    yield running
    running.stop()
    assert [each.name for each in group.iterdir() if each.is_dir()] == [LEAF]


def group_of(tree: RunningTree, group: Path, path: str) -> Path:
    """The group of an actor's worker, as the kernel says it."""
    (line,) = [each for each in Path(f"/proc/{tree.pid(path)}/cgroup").read_text().splitlines() if each[:3] == "0::"]
    return group / line.partition(f"{group.name}/")[2]


def counts(file: Path) -> dict[str, int]:
    return {name: int(number) for name, number in (line.split() for line in file.read_text().splitlines())}


def test_each_worker_is_in_a_group_with_its_limits(tree: RunningTree, group: Path) -> None:
    """As the kernel says them; those without such limits are with the supervisor."""

    def limit(path: str, file: str) -> str:
        found = group_of(tree, group, path)
        assert found.name.startswith(PREFIX)
        return (found / file).read_text().strip()

    assert limit("/hungry", "memory.max") == str(64 << 20)
    assert limit("/slow", "cpu.max") == "50000 100000"
    assert limit("/few", "pids.max") == "40"
    assert group_of(tree, group, "/free").name == LEAF
    assert int(limit("/few", "pids.current")) >= 1
    assert "cgroup_limits" not in tree.said.read_text()


def test_memory(tree: RunningTree) -> None:
    """The kernel ends a worker that wants more, and its actor's end says why; the others do not notice."""
    with pytest.raises(ActorError):
        tree.actor("/hungry").call("eat")

    cause: Any = tree.actor("/hungry").monitor(20)
    assert (cause.kind, cause.text) == ("crashed", "out of memory (limit cgroup_memory)")
    tree.actor("/free").call("compute")


def test_processor_share(tree: RunningTree, group: Path) -> None:
    """A call that computes takes as long as its share of the processor makes it."""
    tree.actor("/slow").call("compute")
    used = counts(group_of(tree, group, "/slow") / "cpu.stat")

    assert used["nr_throttled"] > 0
    assert used["throttled_usec"] > 0


def test_a_restarted_worker_has_a_group_of_its_own(tree: RunningTree, group: Path) -> None:
    """And the old one is removed."""
    old = group_of(tree, group, "/few")
    os.kill(tree.pid("/few"), signal.SIGKILL)
    tree.wait_incarnation("/few", 2)

    assert group_of(tree, group, "/few") != old
    until(lambda: not old.exists(), "the old group to be removed")
