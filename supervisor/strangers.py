"""Ended children that nobody here started: as PID 1, or as a subreaper, we are their parent and must reap them.

A child of ours that has just been forked is nobody's yet, and somebody waits for the exit status of each that is. So a
stranger is a zombie that was there at two looks in a row and is in nobody's books.
"""

from __future__ import annotations

import os

import psutil

from supervisor.loop import Loop

LOOK_MS = 500


class Strangers:
    """Reaps strangers; ``look_soon`` after every SIGCHLD. Some may have ended before anybody listened for that signal,
    so the first look is due from the beginning.
    """

    def __init__(self, loop: Loop, ours: set[int]) -> None:
        self._loop = loop
        self._ours = ours
        self._suspects: set[int] = set()
        self._is_due = False
        self.look_soon()

    def look_soon(self) -> None:
        """Look for zombies in a while."""
        if not self._is_due:
            self._is_due = True
            self._loop.call_later(LOOK_MS, self._look)

    def _look(self) -> None:
        self._is_due = False
        zombies = _zombies() - self._ours
        for pid in zombies & self._suspects:
            _reap(pid)
        self._suspects = zombies - self._suspects
        if self._suspects:
            self.look_soon()


def _zombies() -> set[int]:
    """Pids of our children that have ended. Looking through all processes takes long, so first whether there is any."""
    try:
        if os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            return set()
    except ChildProcessError:
        return set()
    found = set()
    for child in psutil.Process().children():
        try:
            if child.status() == psutil.STATUS_ZOMBIE:
                found.add(child.pid)
        except psutil.NoSuchProcess:
            continue
    return found


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        pass  # somebody has taken it meanwhile
