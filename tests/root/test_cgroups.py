"""Control groups, on a directory that looks like a cgroup v2 hierarchy; and what is said where there is none."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from supervisor.cgroups import LEAF, Cgroups, Unavailable, own_group, wants
from theater.actor import ActorOptions

LIMITED = ActorOptions(cgroup_memory_bytes=1 << 27, cgroup_cpu_percent=50, cgroup_processes=16)


class Log:
    """Remembers warnings."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def warning(self, event: str, **fields: Any) -> None:
        self.said.append(f"{event} {fields.get('why')}")


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A hierarchy with a group for us, all controllers delegated, and us in it."""
    group = tmp_path / "cg" / "service"
    group.mkdir(parents=True)
    (group / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    (group / "cgroup.subtree_control").write_text("")
    (group / "cgroup.procs").write_text(f"{os.getpid()}\n")
    (tmp_path / "mounts").write_text(f"tmpfs /run tmpfs rw 0 0\ncgroup2 {tmp_path}/cg cgroup2 rw 0 0\n")
    (tmp_path / "mine").write_text("1:name=systemd:/\n0::/service\n")
    return tmp_path


def find(machine: Path) -> str:
    return own_group(str(machine / "mounts"), str(machine / "mine"))


def test_a_worker_gets_a_group_of_its_own(machine: Path) -> None:
    """With its limits, in the kernel's units, before it has a guest; we move out of the way first."""
    group, log = machine / "cg" / "service", Log()
    groups = Cgroups(log, lambda: find(machine))

    groups.confine("abc", 4711, LIMITED)

    assert (group / "theater-abc" / "memory.max").read_text() == str(1 << 27)
    assert (group / "theater-abc" / "cpu.max").read_text() == "50000 100000"
    assert (group / "theater-abc" / "pids.max").read_text() == "16"
    assert (group / "theater-abc" / "cgroup.procs").read_text() == "4711"
    assert (group / LEAF / "cgroup.procs").read_text() == str(os.getpid())
    assert (group / "cgroup.subtree_control").read_text() == "+cpu +memory +pids"
    assert log.said == []


def test_an_actor_without_such_limits_touches_nothing(machine: Path) -> None:
    """Nobody is moved for nothing."""
    Cgroups(Log(), lambda: find(machine)).confine("abc", 4711, ActorOptions())

    assert sorted(each.name for each in (machine / "cg" / "service").iterdir() if each.is_dir()) == []
    assert not wants(ActorOptions())


def test_out_of_memory_is_told(machine: Path) -> None:
    """The kernel's SIGKILL gets a reason."""
    groups = Cgroups(Log(), lambda: find(machine))
    groups.confine("abc", 4711, LIMITED)
    events = machine / "cg" / "service" / "theater-abc" / "memory.events"

    events.write_text("low 0\noom 1\noom_kill 0\n")
    assert groups.words("abc") is None
    events.write_text("low 0\noom 1\noom_kill 1\n")
    assert groups.words("abc") == "out of memory (limit cgroup_memory)"
    assert groups.words("another") is None


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda m: (m / "mounts").write_text("tmpfs /run tmpfs rw 0 0\n"), "no cgroup v2 hierarchy"),
        (lambda m: (m / "cg/service/cgroup.controllers").write_text("io\n"), "controllers cpu, memory, pids are not"),
        (lambda m: (m / "cg/service/cgroup.controllers").unlink(), "Delegate=yes"),
    ],
)
def test_why_there_are_none(machine: Path, spoil: Any, words: str) -> None:
    """In words that say what to do."""
    spoil(machine)

    with pytest.raises(Unavailable, match=words):
        find(machine)


def test_a_group_shared_with_strangers_is_left_alone(machine: Path) -> None:
    """A shell beside us would be moved, too. It is said once, and workers run on without."""
    (machine / "cg" / "service" / "cgroup.procs").write_text(f"{os.getpid()}\n{os.getppid()}\n")
    log = Log()
    groups = Cgroups(log, lambda: find(machine))

    groups.confine("abc", 4711, LIMITED)
    groups.confine("def", 4712, LIMITED)

    assert len(log.said) == 1
    assert f"process {os.getppid()} shares the group" in log.said[0]
    assert not (machine / "cg" / "service" / "theater-abc").exists()
