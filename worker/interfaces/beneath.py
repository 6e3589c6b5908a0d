"""Opening files below a directory, whatever is done to the names meanwhile: nothing is checked first and opened later.

No symbolic link is ever followed, so a path means the same however it is resolved: by the kernel in one step
(openat2(2), Linux 5.6), or by opening one directory after the other where that call is missing or forbidden.
"""

from __future__ import annotations

import ctypes
import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

OPENAT2: Final = 437
"""The number of the system call; the same on all machines since 5.6."""
RESOLVE_NO_MAGICLINKS: Final = 0x02
RESOLVE_NO_SYMLINKS: Final = 0x04
RESOLVE_BENEATH: Final = 0x08
RESOLVE: Final = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS
NEVER: Final = os.O_CLOEXEC | os.O_NOFOLLOW
"""Never inherited, never through a link."""
HOLD: Final = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC | os.O_NOFOLLOW


class _How(ctypes.Structure):
    """struct open_how."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


class Opener:
    """Opens files below directories. ``at_once`` False: does without openat2, as where there is none."""

    def __init__(self, *, at_once: bool = True) -> None:
        self._at_once = at_once
        self._libc: Any = None

    def open(self, root: int, parts: Sequence[bytes], flags: int, mode: int = 0) -> int:
        """Return a descriptor of what these names lead to below ``root``; without names, of ``root``. Raises OSError.

        The names are plain: no slash, not empty, neither ``.`` nor ``..``.
        """
        if not parts:
            return os.open(".", flags | NEVER, dir_fd=root)
        if self._at_once:
            fd = self._openat2(root, b"/".join(parts), flags | NEVER, mode if flags & os.O_CREAT else 0)
            if fd is not None:
                return fd
        return _walk(root, parts, flags | NEVER, mode)

    @contextmanager
    def parent(self, root: int, parts: Sequence[bytes]) -> Iterator[int]:
        """Hold the directory that the last of these names is in."""
        fd = self.open(root, parts[:-1], HOLD)
        try:
            yield fd
        finally:
            os.close(fd)

    def _openat2(self, root: int, path: bytes, flags: int, mode: int) -> int | None:
        """None: not available. It is not asked again."""
        if self._libc is None:
            self._libc = ctypes.CDLL(None, use_errno=True)
        how = _How(flags, mode, RESOLVE)
        while True:
            fd = self._libc.syscall(
                ctypes.c_long(OPENAT2), root, path, ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how))
            )
            if fd >= 0:
                return int(fd)
            number = ctypes.get_errno()
            if number in (errno.ENOSYS, errno.EPERM) and not self._is_there(root):
                self._at_once = False
                return None
            if number not in (errno.EINTR, errno.EAGAIN):  # EAGAIN: something was renamed on the way
                raise OSError(number, os.strerror(number))

    def _is_there(self, root: int) -> bool:
        """Whether the call works at all: EPERM may be the file's, or the sandbox's around us."""
        how = _How(os.O_PATH | os.O_CLOEXEC, 0, RESOLVE)
        fd = self._libc.syscall(
            ctypes.c_long(OPENAT2), root, b".", ctypes.byref(how), ctypes.c_size_t(ctypes.sizeof(how))
        )
        if fd >= 0:
            os.close(fd)
        return bool(fd >= 0)


def _walk(root: int, parts: Sequence[bytes], flags: int, mode: int) -> int:
    at = root
    try:
        for name in parts[:-1]:
            inner = os.open(name, HOLD, dir_fd=at)
            if at != root:
                os.close(at)
            at = inner
        return os.open(parts[-1], flags, mode, dir_fd=at)
    finally:
        if at != root:
            os.close(at)
