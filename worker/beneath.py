"""Opening files below a directory and nowhere else: no ``..``, absolute path or symbolic link leads out (openat2(2)).

The kernel resolves the path and refuses to leave the directory, so there is no moment between a check and a use. Where
it cannot (before Linux 5.6, or under a filter that refuses the call) the path is walked step by step, and symbolic
links are not followed at all.

Two policies for symbolic links: ``INSIDE`` and ``NO_LINKS``.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from struct import Struct
from typing import Final

SYS_OPENAT2: Final = 437
"""The same on every architecture."""
RESOLVE_NO_MAGICLINKS: Final = 0x02
RESOLVE_NO_SYMLINKS: Final = 0x04
RESOLVE_BENEATH: Final = 0x08
INSIDE: Final = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS
"""Symbolic links are followed as long as they stay below the directory: what WASI asks for."""
NO_LINKS: Final = INSIDE | RESOLVE_NO_SYMLINKS
"""No symbolic link is ever followed, so a path means the same however it is resolved."""
HOLD: Final = os.O_PATH | os.O_DIRECTORY
"""Opens a directory only to reach what is in it."""
TRIES: Final = 100
"""The kernel gives up when somebody renames meanwhile; then it is asked again."""
UNAVAILABLE: Final = (errno.ENOSYS, errno.EPERM)
NAME_BYTES_MAX: Final = 4096

_how = Struct("<QQQ")
_libc = ctypes.CDLL(None, use_errno=True)
_state: dict[str, bool] = {}


class Outside(OSError):
    """The path leads out of its directory."""


def open_beneath(directory: int, path: str | bytes, flags: int, mode: int = 0, resolve: int = INSIDE) -> int:
    """Open ``path`` below the directory with this descriptor; return the new descriptor.

    ``resolve`` is ``INSIDE`` or ``NO_LINKS``.

    Raises:
        Outside: it leads out, or is absolute.
        OSError: as open(2).
    """
    data = _below(path) or b"."
    flags |= os.O_CLOEXEC | (os.O_NOFOLLOW if resolve & RESOLVE_NO_SYMLINKS else 0)
    if _state.get("walks"):
        return _walk(directory, data, flags, mode)
    try:
        return _openat2(directory, data, flags, mode, resolve)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise Outside(errno.EXDEV, "leads out of the directory", path) from None
        if error.errno in UNAVAILABLE and not _has_openat2():
            _state["walks"] = True
            return _walk(directory, data, flags, mode)
        raise


@contextmanager
def parent_of(directory: int, path: str) -> Iterator[tuple[int, str]]:
    """Hold the directory that has what ``path`` names: its descriptor, and the name in it."""
    head, _, name = path.rstrip("/").rpartition("/")
    if name in ("", ".", ".."):
        raise Outside(errno.EINVAL, "expected a name below the directory", path)
    _below(path)
    fd = open_beneath(directory, head or ".", HOLD)
    try:
        yield fd, name
    finally:
        os.close(fd)


def _below(path: str | bytes) -> bytes:
    data = os.fsencode(path)
    if data.startswith(b"/") or b"\0" in data or len(data) > NAME_BYTES_MAX:
        raise Outside(errno.EXDEV, "expected a path below the directory", path)
    return data


def _openat2(directory: int, path: bytes, flags: int, mode: int, resolve: int) -> int:
    how = _how.pack(flags, mode if flags & os.O_CREAT else 0, resolve)
    for _ in range(TRIES):
        fd = _openat2_call(ctypes.c_long(directory), path, how, ctypes.c_size_t(len(how)))
        if fd >= 0:
            return fd
        number = ctypes.get_errno()
        if number not in (errno.EAGAIN, errno.EINTR):
            break
    raise OSError(number, os.strerror(number), os.fsdecode(path))


def _openat2_call(*arguments: object) -> int:
    return int(_libc.syscall(ctypes.c_long(SYS_OPENAT2), *arguments))


def _has_openat2() -> bool:
    try:
        root = os.open("/", os.O_PATH | os.O_CLOEXEC)
        try:
            os.close(_openat2(root, b".", os.O_PATH, 0, INSIDE))
        finally:
            os.close(root)
    except OSError:
        return False
    return True


def _walk(directory: int, path: bytes, flags: int, mode: int) -> int:
    *above, name = [part for part in path.split(b"/") if part not in (b"", b".")] or [b"."]
    if b".." in (*above, name):
        raise Outside(errno.EXDEV, "leads out of the directory", path)
    current = os.dup(directory)
    try:
        for part in above:
            inner = os.open(part, HOLD | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=current)
            os.close(current)
            current = inner
        fd = os.open(name, flags | os.O_NOFOLLOW, mode, dir_fd=current)
    finally:
        os.close(current)
    if flags & os.O_PATH and not flags & os.O_NOFOLLOW and stat.S_ISLNK(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    return fd
