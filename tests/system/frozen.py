"""The template process stands still: whoever is to be forked waits."""

from __future__ import annotations

import os
import signal
from typing import Self

import psutil

from tests.system.running import RunningTree


class Frozen:
    """While it is entered, nothing is forked; what was forked ahead may still be taken."""

    def __init__(self, tree: RunningTree) -> None:
        self._tree = tree
        template = [pid for pid in tree.workers() if "worker.zygote" in psutil.Process(pid).cmdline()]
        self._template = template[0]

    def __enter__(self) -> Self:
        os.kill(self._template, signal.SIGSTOP)
        return self

    def __exit__(self, *_: object) -> None:
        os.kill(self._template, signal.SIGCONT)
