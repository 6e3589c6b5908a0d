"""Control groups of workers (cgroup v2), where the machine allows it: memory, processor share, processes.

Needs a group of our own with the controllers delegated to it, as systemd gives a service with ``Delegate=yes``.
Nothing is touched before the first worker wants such a limit: then every process of our group moves into a leaf of it,
since a group with controllers holds no processes of its own.
"""

from __future__ import annotations

import os
from typing import Any, Final

from theater.actor import ActorOptions

CONTROLLERS: Final = ("cpu", "memory", "pids")
LEAF: Final = "theater-supervisor"
PREFIX: Final = "theater-"
PERIOD_US: Final = 100_000
DELEGATE: Final = "run the supervisor as a service with Delegate=yes"


class Unavailable(Exception):
    """There are no control groups to be had; the text says why."""


def own_group(mounts: str = "/proc/self/mounts", mine: str = "/proc/self/cgroup") -> str:
    """The directory of the group this process is in, if it may make groups below it.

    Raises:
        Unavailable: it may not, or the kernel has no such groups.
    """
    mount = next((line.split()[1] for line in _lines(mounts) if line.split()[2:3] == ["cgroup2"]), None)
    path = next((line[3:] for line in _lines(mine) if line.startswith("0::")), None)
    if mount is None or path is None:
        raise Unavailable("there is no cgroup v2 hierarchy")
    group = os.path.join(mount, path.lstrip("/")).rstrip("/")
    offered = " ".join(_lines(os.path.join(group, "cgroup.controllers"))).split()
    missing = [name for name in CONTROLLERS if name not in offered]
    if missing:
        raise Unavailable(f"the controllers {', '.join(missing)} are not delegated to {group}: {DELEGATE}")
    if not os.access(group, os.W_OK) or not os.access(os.path.join(group, "cgroup.subtree_control"), os.W_OK):
        raise Unavailable(f"no permission to make groups in {group}: {DELEGATE}")
    return group


def wants(options: ActorOptions) -> bool:
    """Whether an actor has limits that only a control group can hold."""
    wanted = (options.cgroup_memory_bytes, options.cgroup_cpu_percent, options.cgroup_processes)
    return any(limit is not None for limit in wanted)


class Cgroups:
    """The groups of this supervisor's workers, by name."""

    def __init__(self, log: Any, find: Any = own_group) -> None:
        self._log = log
        self._find = find
        self._base: str | None = None
        self._is_known = False
        self._made: set[str] = set()

    def confine(self, name: str, pid: int, options: ActorOptions) -> None:
        """Put a worker that wants it into a group of its own. What cannot be had is logged; the worker runs on."""
        if not wants(options):
            return
        base = self._group()
        if base is None:
            return
        directory = os.path.join(base, PREFIX + name)
        try:
            os.makedirs(directory, exist_ok=True)
            self._made.add(name)
            for file, text in _settings(options).items():
                _write(os.path.join(directory, file), text)
            _write(os.path.join(directory, "cgroup.procs"), str(pid))
        except OSError as error:
            self._log.warning("cgroup_limits_failed", pid=pid, group=directory, why=str(error))

    def words(self, name: str) -> str | None:
        """Why the kernel has killed the worker in this group, if its memory was the reason."""
        if name not in self._made or self._base is None:
            return None
        counts = dict(line.split() for line in _lines(os.path.join(self._base, PREFIX + name, "memory.events")))
        return "out of memory (limit cgroup_memory)" if int(counts.get("oom_kill", 0)) else None

    def forget(self, name: str) -> None:
        """Remove the group of a worker that is gone."""
        if name in self._made and self._base is not None:
            self._made.discard(name)
            try:
                os.rmdir(os.path.join(self._base, PREFIX + name))
            except OSError as error:
                self._log.warning("cgroup_left", group=PREFIX + name, why=str(error))

    def _group(self) -> str | None:
        if not self._is_known:
            self._is_known = True
            try:
                self._base = self._find()
                _settle(self._base)
            except (Unavailable, OSError) as error:
                self._base = None
                self._log.warning("cgroup_limits_unavailable", why=str(error))
        return self._base


def _settle(group: str) -> None:
    """Move everybody in a group into a leaf, then give the groups below it their controllers."""
    pids = _lines(os.path.join(group, "cgroup.procs"))
    strangers = [pid for pid in pids if pid.strip() and not _is_ours(int(pid))]
    if strangers:
        raise Unavailable(f"process {strangers[0]} shares the group {group}: {DELEGATE}")
    leaf = os.path.join(group, LEAF)
    os.makedirs(leaf, exist_ok=True)
    for pid in pids:
        _write(os.path.join(leaf, "cgroup.procs"), pid)
    _write(os.path.join(group, "cgroup.subtree_control"), " ".join(f"+{name}" for name in CONTROLLERS))


def _is_ours(pid: int) -> bool:
    """This process, or one below it."""
    while pid > 1:
        if pid == os.getpid():
            return True
        fields = " ".join(_lines(f"/proc/{pid}/stat")).rpartition(")")[2].split()
        pid = int(fields[1]) if len(fields) > 1 else 0
    return pid == os.getpid()


def _settings(options: ActorOptions) -> dict[str, str]:
    found = {}
    if options.cgroup_memory_bytes is not None:
        found["memory.max"] = str(options.cgroup_memory_bytes)
    if options.cgroup_cpu_percent is not None:
        found["cpu.max"] = f"{options.cgroup_cpu_percent * PERIOD_US // 100} {PERIOD_US}"
    if options.cgroup_processes is not None:
        found["pids.max"] = str(options.cgroup_processes)
    return found


def _lines(path: str) -> list[str]:
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().splitlines()
    except OSError:
        return []


def _write(path: str, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
