"""Opening files below a directory and nowhere else: no ``..``, absolute path or symbolic link leads out (openat2(2)).

The kernel resolves the path and refuses to leave the directory, so there is no moment between a check and a use. Where
it cannot (before Linux 5.6, or under a filter that refuses the call) the path is walked step by step, and symbolic
links are not followed at all.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from struct import Struct
from typing import Final

SYS_OPENAT2: Final = 437
"""The same on every architecture."""
RESOLVE_NO_MAGICLINKS: Final = 0x02
RESOLVE_BENEATH: Final = 0x08
TRIES: Final = 100
"""The kernel gives up when somebody renames meanwhile; then it is asked again."""
UNAVAILABLE: Final = (errno.ENOSYS, errno.EPERM)
NAME_BYTES_MAX: Final = 4096

_how = Struct("<QQQ")
_libc = ctypes.CDLL(None, use_errno=True)
_state: dict[str, bool] = {}


class Outside(OSError):
    """The path leads out of its directory."""


def open_beneath(directory: int, path: str, flags: int, mode: int = 0) -> int:
    """Open ``path`` below the directory with this descriptor; return the new descriptor.

    Raises:
        Outside: it leads out, or is absolute.
        OSError: as open(2).
    """
    data = os.fsencode(path)
    if path.startswith("/") or "\0" in path or len(data) > NAME_BYTES_MAX:
        raise Outside(errno.EXDEV, "expected a path below the directory", path)
    flags |= os.O_CLOEXEC
    if _state.get("walks"):
        return _walk(directory, path, flags, mode)
    try:
        return _openat2(directory, data or b".", flags, mode)
    except OSError as error:
        if error.errno == errno.EXDEV:
            raise Outside(errno.EXDEV, "leads out of the directory", path) from None
        if error.errno in UNAVAILABLE and not _has_openat2():
            _state["walks"] = True
            return _walk(directory, path, flags, mode)
        raise


def open_parent(directory: int, path: str) -> tuple[int, str]:
    """Open the directory that holds what ``path`` names; return its descriptor and the name in it."""
    head, _, name = path.rstrip("/").rpartition("/")
    if name in ("", ".", ".."):
        raise Outside(errno.EINVAL, "expected a name below the directory", path)
    if path.startswith("/") or "\0" in path or len(os.fsencode(path)) > NAME_BYTES_MAX:
        raise Outside(errno.EXDEV, "expected a path below the directory", path)
    return open_beneath(directory, head or ".", os.O_PATH | os.O_DIRECTORY), name


def _openat2(directory: int, path: bytes, flags: int, mode: int) -> int:
    how = _how.pack(flags, mode if flags & os.O_CREAT else 0, RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS)
    for _ in range(TRIES):
        fd = int(_openat2_call(ctypes.c_long(directory), path, how, ctypes.c_size_t(len(how))))
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
            os.close(_openat2(root, b".", os.O_PATH, 0))
        finally:
            os.close(root)
    except OSError:
        return False
    return True


def _walk(directory: int, path: str, flags: int, mode: int) -> int:
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise Outside(errno.EXDEV, "leads out of the directory", path)
    current = os.dup(directory)
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=current)
            os.close(current)
            current = inner
        name = parts[-1] if parts else "."
        fd = os.open(name, flags | os.O_NOFOLLOW, mode, dir_fd=current)
    finally:
        os.close(current)
    if flags & os.O_PATH and not flags & os.O_NOFOLLOW and stat.S_ISLNK(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    return fd
