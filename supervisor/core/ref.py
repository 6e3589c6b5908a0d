"""What names a process of the tree."""

from __future__ import annotations

import msgspec


class Ref(msgspec.Struct, frozen=True):
    """One attempt to start a process at a path, and the process that came of it (OTP: a pid).

    ``serial`` counts the attempts of the whole tree from 1, so a later process at the same path is never mistaken for
    an earlier one.
    """

    path: str
    serial: int

    def __str__(self) -> str:
        return f"{self.path}#{self.serial}"


def join(path: str, name: str) -> str:
    """The path of the child ``name`` of the supervisor at ``path``."""
    return f"/{name}" if path == "/" else f"{path}/{name}"
