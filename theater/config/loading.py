"""One load: the problems, variables and files that a tree and the manifests it names have in common."""

from __future__ import annotations

import os
from collections.abc import Mapping

from theater.config.environment import Environment
from theater.config.errors import Problems
from theater.config.limits import OPERATORS, Bounds
from theater.config.node import Node
from theater.config.reader import Reader
from theater.config.source import fault_of, read_file


class Loading:
    """What is shared while one tree or manifest is read. ``environ`` None means the process's variables.

    ``within``: packages lie below this directory; None: anywhere. ``bounds``: what it may cost.
    """

    def __init__(
        self, environ: Mapping[str, str] | None, within: str | None = None, bounds: Bounds = OPERATORS
    ) -> None:
        self.within = within
        self.problems = Problems(bounds)
        self.files: list[str] = []
        self._environment = Environment(os.environ if environ is None else environ)
        self._faults: dict[str, str | None] = {}

    def reader(self, shown: str) -> Reader:
        """A reader for a file; ``shown`` is how messages call it."""
        return Reader(shown, self.problems, self._environment, os.path.dirname(os.path.abspath(shown)))

    def read(self, path: str, shown: str) -> Node | None:
        """The mapping in a file, or None with the reason among the problems."""
        self.files.append(os.path.abspath(path))
        return read_file(path, shown, self.problems)

    def fault_of(self, path: str) -> str | None:
        """What is wrong with a path that should name a file, asked once per path."""
        if path not in self._faults:
            self._faults[path] = fault_of(path)
        return self._faults[path]


def shown_beside(shown: str, path: str) -> str:
    """How messages call a file that another file names by ``path``: relative to where the reader started."""
    return os.path.normpath(os.path.join(os.path.dirname(shown), path))
