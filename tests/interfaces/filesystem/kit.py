"""Directories of an actor, and what is around them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.interfaces.local import Calls
from theater.values import UNIT, String, bytes_of

RACE_S = 0.4
SECRET = b"outside"


class Place:
    """A directory to read and write, /data; one in it for reading only, /data/fixed; and what is around them."""

    def __init__(self, home: Path) -> None:
        self.data, self.fixed, self.outside = home / "data", home / "fixed", home / "outside"
        for each in (self.data, self.fixed, self.outside):
            each.mkdir()
        (self.outside / "secret").write_bytes(SECRET)
        (self.fixed / "known").write_bytes(b"known")

    def options(self, **more: Any) -> dict[str, Any]:
        directories = [
            {"host": str(self.data), "guest": "/data", "write": True},
            {"host": str(self.fixed), "guest": "/data/fixed", "write": False},
        ]
        return {"directories": directories, **more}


def at(path: str) -> String:
    return String(path)


def write(files: Calls, path: str, data: bytes = b"") -> None:
    assert files.ok("write-file", at(path), bytes_of(data)) == UNIT
