"""Where worker processes come from. Two ways behind one interface: ``zygote`` (fork a template) and ``exec``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

Answer = Callable[["int | str"], None]
"""Receives the new process's pid, or a text saying why there is none."""


class Spawner(Protocol):
    """Starts worker processes that are children of this process and die with it."""

    spares: int
    """Processes worth keeping ready for the next start."""

    def preload(self, artefact: str) -> None:
        """Have a compiled artefact mapped before it is needed (a hint)."""

    def learn(self, metadata: bytes) -> None:
        """Have the metadata of a package decoded before it is needed (a hint)."""

    def spawn(self, boot: dict[str, Any], stderr: str, answer: Answer) -> None:
        """Start one worker; ``answer`` is called once, later, from the loop.

        Args:
            boot: what the worker must know to say hello (worker.process).
            stderr: path of the file that takes what the process writes to standard error.
        """

    def close(self) -> None:
        """Start no more workers. Running ones are not touched."""
