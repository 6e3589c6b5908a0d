"""The children of this process, from the kernel: who they are, and how to be rid of them."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Set
from typing import Final

ROUND_S: Final = 0.001
"""Between two rounds of killing that have found the same processes: they need a moment to die."""


def clear(until_s: float | None, others: Set[int] = frozenset()) -> None:
    """Kill every child of this process but those, and what becomes its child by that, until none is left.

    Only children: nobody else can have their numbers before we reap them. Gives up at that time, if there is one, and
    where all that is left belongs to another user, whom a program has become.
    """
    before: set[int] = set()
    while reap(others) and (until_s is None or time.monotonic() < until_s):
        found = children() - others
        if found and not sum(map(_kill, found)):
            return
        if found <= before:
            select.select([], [], [], ROUND_S)
        before = found


def reap(others: Set[int] = frozenset()) -> bool:
    """Take leave of children that have ended; whether there is any left that is none of the others."""
    if others:
        for pid in children() - others:
            try:
                os.waitpid(pid, os.WNOHANG)
            except ChildProcessError:
                pass
        return bool(children() - others)
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return False
    return True


def _kill(pid: int) -> bool:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return True


def children() -> set[int]:
    """Pids of this process's children, ended ones that were not waited for included."""
    if not os.path.exists("/proc/thread-self/children"):
        return _by_parent(os.getpid())
    found: set[int] = set()
    for task in os.listdir("/proc/self/task"):
        try:
            with open(f"/proc/self/task/{task}/children", encoding="ascii") as listed:
                found.update(map(int, listed.read().split()))
        except FileNotFoundError:
            continue  # the thread has ended meanwhile
    return found


def _by_parent(parent: int) -> set[int]:
    """The same where the kernel has no lists of children: every process is asked."""
    found = set()
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", "rb") as stat:
                if int(stat.read().rpartition(b")")[2].split()[1]) == parent:
                    found.add(int(name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found
