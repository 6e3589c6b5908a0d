"""Contents as files: ``objects/ab/abcd…``, named by the SHA-256 of what is in them. Knows no stores and no labels.

A file appears as a whole, with its bytes and its name on the disk, or not at all; it is never changed. Writers need no
lock: whoever writes the same content writes the same bytes.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from secrets import token_hex
from typing import Final

from theater.content.errors import Damaged
from theater.content.names import is_ref, ref_of

OBJECTS: Final = "objects"
NEW: Final = "new"
"""Directory of files that are being written, on the same file system."""
_FLAGS: Final = os.O_CLOEXEC | os.O_NOFOLLOW


class Files:
    """The contents below a directory."""

    def __init__(self, directory: str) -> None:
        self._objects = os.path.join(directory, OBJECTS)
        self._new = os.path.join(directory, NEW)
        for each in (directory, self._objects, self._new):
            os.makedirs(each, mode=0o700, exist_ok=True)

    def keep(self, ref: str, data: bytes) -> None:
        """Have the content on the disk when this returns. A file that was damaged is replaced."""
        if self._holds(ref, data):
            sync(os.path.dirname(self._path(ref)))  # whoever wrote it may not have come so far yet
            return
        directory = self._directory(ref)
        new = os.path.join(self._new, f"{ref}.{token_hex(8)}")
        try:
            _write(new, data)
            os.replace(new, self._path(ref))
        except BaseException:
            _remove(new)
            raise
        sync(directory)

    def get(self, ref: str) -> bytes:
        """The content, checked.

        Raises:
            Damaged: its file is gone, or has changed.
        """
        data = self._read(ref)
        if data is None:
            raise Damaged(f"content {ref} is damaged: its file is gone")
        found = ref_of(data)
        if found != ref:
            raise Damaged(f"content {ref} is damaged: its file has {len(data)} bytes with the SHA-256 {found}")
        return data

    def has(self, ref: str) -> bool:
        """Whether there is a file."""
        return os.path.exists(self._path(ref))

    def remove(self, ref: str) -> int:
        """Remove the file; return its size, 0 if there was none."""
        return _remove(self._path(ref))

    def refs_before(self, age_s: float) -> Iterator[str]:
        """Every content whose file is older than that."""
        before = time.time() - age_s
        for part in sorted(os.listdir(self._objects)):
            for entry in list(os.scandir(os.path.join(self._objects, part))):
                if is_ref(entry.name) and entry.stat(follow_symlinks=False).st_mtime < before:
                    yield entry.name

    def remove_unfinished(self, age_s: float) -> None:
        """Remove what killed writers have left."""
        before = time.time() - age_s
        for entry in list(os.scandir(self._new)):
            if entry.stat(follow_symlinks=False).st_mtime < before:
                _remove(entry.path)

    def _path(self, ref: str) -> str:
        return os.path.join(self._objects, ref[:2], ref)

    def _directory(self, ref: str) -> str:
        directory = os.path.join(self._objects, ref[:2])
        if not os.path.isdir(directory):
            os.makedirs(directory, mode=0o700, exist_ok=True)
            sync(self._objects)
        return directory

    def _holds(self, ref: str, data: bytes) -> bool:
        return self._read(ref) == data

    def _read(self, ref: str) -> bytes | None:
        """The bytes there, None if there is no file. A link is nothing of ours, and not followed."""
        try:
            fd = os.open(self._path(ref), os.O_RDONLY | _FLAGS)
        except OSError as error:
            if isinstance(error, FileNotFoundError) or os.path.islink(self._path(ref)):
                return None
            raise
        with open(fd, "rb") as file:
            return file.read()


def _write(path: str, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _FLAGS, 0o600)
    with open(fd, "wb", buffering=0) as file:
        view = memoryview(data)
        while view:
            view = view[file.write(view) :]
        os.fsync(fd)


def _remove(path: str) -> int:
    try:
        size = os.lstat(path).st_size
        os.unlink(path)
    except FileNotFoundError:
        return 0
    return size


def sync(directory: str) -> None:
    """Have the names in a directory on the disk."""
    fd = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
