"""An actor in a running tree that does what a test tells it, and writes down what it is told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.system.running import DEADLINE_S, RunningTree, until
from theater.errors import InternalError


class Noting:
    """What the guests of the system tests have in common (see ``asked.h``)."""

    api = ""
    """The interface of its functions, with a dot behind it; empty where their names are enough."""

    def __init__(self, tree: RunningTree, path: str) -> None:
        self.tree = tree
        self.path = path
        self.actor = tree.actor(path)

    @property
    def id(self) -> str:
        return str(self.actor.actor_id)

    def ask(self, function: str, *arguments: Any, timeout: float = DEADLINE_S) -> Any:
        """Have it do something; its answer."""
        return self.actor.call(f"{self.api}{function}", arguments, timeout=timeout)

    def refused(self, function: str, *arguments: Any) -> str:
        """The error it answered with."""
        with pytest.raises(InternalError) as caught:
            self.ask(function, *arguments)
        return str(caught.value)

    def notes(self) -> list[str]:
        """What it was told."""
        return list(self.ask("notes"))

    def wait_notes(self, *expected: str) -> None:
        """Wait until it was told this and nothing else."""
        until(lambda: self.notes() == list(expected), f"the notes {expected}, not {self.notes()}")

    def wait_note(self, note: str) -> None:
        """Wait until it was told this, among others."""
        until(lambda: note in self.notes(), f"the note {note!r}; there are {self.notes()}")
