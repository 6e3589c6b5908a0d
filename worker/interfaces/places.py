"""Where paths of an actor lead: below which granted directory, and to which names there."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

from worker.beneath import HOLD, NO_LINKS, open_beneath
from worker.interfaces.registry import Refusal
from worker.interfaces.roots import open_root

PATH_BYTES_MAX: Final = 4096


class Root:
    """One directory of the grant. Held open from its first use, so a path means the same for a whole life."""

    def __init__(self, directory: Mapping[str, Any]) -> None:
        self.guest = "/" + directory["guest"].strip("/")
        self.names = names_of(directory["guest"])
        self.is_writable = bool(directory.get("write"))
        self._directory = directory
        self._fd: int | None = None

    @property
    def fd(self) -> int:
        """A descriptor of the directory."""
        if self._fd is None:
            self._fd = open_root(self._directory, os.O_PATH)
        return self._fd

    def close(self) -> None:
        """Let go of the directory."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


class Place:
    """Where a path leads: the names below one of the directories."""

    def __init__(self, path: str, root: Root, names: Sequence[bytes]) -> None:
        self.path = path
        self.root = root
        self.names = names

    @property
    def name(self) -> bytes:
        """The last name; the directory itself has none."""
        if not self.names:
            raise Refusal(f"{self.path} is the granted directory itself")
        return self.names[-1]

    def open(self, flags: int, mode: int = 0) -> int:
        """A descriptor of what is there."""
        return open_beneath(self.root.fd, b"/".join(self.names), flags, mode, NO_LINKS)

    @contextmanager
    def parent(self) -> Iterator[int]:
        """Hold the directory that has it."""
        fd = open_beneath(self.root.fd, b"/".join(self.names[:-1]), HOLD, resolve=NO_LINKS)
        try:
            yield fd
        finally:
            os.close(fd)


class Roots:
    """The directories of a grant."""

    def __init__(self, directories: Iterable[Mapping[str, Any]]) -> None:
        self._roots = sorted(map(Root, directories), key=lambda root: -len(root.names))

    def close(self) -> None:
        """Let go of all of them."""
        for root in self._roots:
            root.close()

    def place(self, path: str, *, write: bool = False) -> Place:
        """Where a path leads. The innermost directory that has it counts."""
        if "\0" in path or len(path.encode()) > PATH_BYTES_MAX:
            raise Refusal(f"expected a path without null characters of at most {PATH_BYTES_MAX} bytes")
        names = names_of(path)
        if not path.startswith("/") or b".." in names:
            raise Refusal(f"{path}: expected an absolute path without ..")
        for root in self._roots:
            if names[: len(root.names)] == root.names:
                if write and not root.is_writable:
                    raise Refusal(f"{path}: {root.guest} is granted for reading only")
                return Place(path, root, names[len(root.names) :])
        granted = ", ".join(sorted(root.guest for root in self._roots)) or "none"
        raise Refusal(f"{path}: in none of the granted directories ({granted})")


def names_of(path: str) -> list[bytes]:
    """The names of a path as the system has them: UTF-8, whatever the locale says."""
    return [name for name in path.encode().split(b"/") if name not in (b"", b".")]
