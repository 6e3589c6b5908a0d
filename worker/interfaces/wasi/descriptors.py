"""Descriptors of ``wasi:filesystem``: what the guest holds open, what it may do with it, and how errors are told."""

from __future__ import annotations

import errno
import os
import stat as modes
from collections.abc import Callable
from typing import Any, Final

from theater.values import U32, Value
from worker.beneath import Outside, open_beneath
from worker.interfaces.context import Context
from worker.interfaces.wasi.declaring import Failure, enum
from worker.interfaces.wasi.resources import resources

ERRORS: Final = enum(
    "error-code",
    "access would-block already bad-descriptor busy deadlock quota exist file-too-large illegal-byte-sequence "
    "in-progress interrupted invalid io is-directory loop too-many-links message-size name-too-long no-device no-entry "
    "no-lock insufficient-memory insufficient-space not-directory not-empty not-recoverable unsupported no-tty "
    "no-such-device overflow not-permitted pipe read-only invalid-seek text-file-busy cross-device",
)
OF_ERRNO: Final[dict[int, str]] = {
    errno.EACCES: "access",
    errno.EAGAIN: "would-block",
    errno.EBADF: "bad-descriptor",
    errno.EBUSY: "busy",
    errno.EDQUOT: "quota",
    errno.EEXIST: "exist",
    errno.EFBIG: "file-too-large",
    errno.EILSEQ: "illegal-byte-sequence",
    errno.EINTR: "interrupted",
    errno.EINVAL: "invalid",
    errno.EISDIR: "is-directory",
    errno.ELOOP: "loop",
    errno.EMLINK: "too-many-links",
    errno.ENAMETOOLONG: "name-too-long",
    errno.ENODEV: "no-device",
    errno.ENOENT: "no-entry",
    errno.ENOMEM: "insufficient-memory",
    errno.ENOSPC: "insufficient-space",
    errno.ENOTDIR: "not-directory",
    errno.ENOTEMPTY: "not-empty",
    errno.ENOTSUP: "unsupported",
    errno.ENXIO: "no-such-device",
    errno.EOVERFLOW: "overflow",
    errno.EPERM: "not-permitted",
    errno.EXDEV: "cross-device",
    errno.EROFS: "read-only",
    errno.ETXTBSY: "text-file-busy",
}
READ, WRITE, FILE_SYNC, DATA_SYNC, MUTATE = 1, 2, 4, 8, 32
"""descriptor-flags"""
FOLLOW: Final = 1
"""path-flags"""
CREATE, DIRECTORY, EXCLUSIVE, TRUNCATE = 1, 2, 4, 8
"""open-flags"""
NEW_FILE: Final = 0o666


class Descriptor:
    """An open file or directory: of the system, with what the guest may do with it."""

    def __init__(self, fd: int, flags: int, may_write: bool) -> None:
        self.fd = fd
        self.flags = flags
        self.may_write = may_write
        """The directory it was found in is granted for writing."""
        self.is_directory = modes.S_ISDIR(os.fstat(fd).st_mode)

    def close(self) -> None:
        """Give it back."""
        os.close(self.fd)


def told(call: Callable[..., Value]) -> Callable[..., Value]:
    """Have errors of the system told as those of WASI."""

    def served(*given: Any) -> Value:
        try:
            return call(*given)
        except OSError as error:
            raise _failure(error) from None

    return served


def _failure(error: OSError) -> Failure:
    if isinstance(error, Outside):
        return Failure("not-permitted" if error.errno == errno.EXDEV else "invalid")
    return Failure(OF_ERRNO.get(error.errno or 0, "io"))


def descriptor(context: Context, handle: U32) -> Descriptor:
    """What a handle of the guest's stands for."""
    return resources(context).get(handle, Descriptor)


def file(context: Context, handle: U32, flag: int) -> Descriptor:
    """A file that is open for this."""
    found = descriptor(context, handle)
    if found.is_directory:
        raise Failure("is-directory")
    if not found.flags & flag:
        raise Failure("bad-descriptor")
    return found


def directory(context: Context, handle: U32) -> Descriptor:
    """A directory."""
    found = descriptor(context, handle)
    if not found.is_directory:
        raise Failure("not-directory")
    return found


def changing(context: Context, handle: U32) -> Descriptor:
    """A directory that the guest may change."""
    found = directory(context, handle)
    if not (found.may_write and found.flags & MUTATE):
        raise Failure("read-only")
    return found


def open_below(base: Descriptor, path_flags: int, path: str, open_flags: int, flags: int) -> Descriptor:
    """Open something below a directory: a plain file or a directory, and nothing else."""
    changes = bool(open_flags & (CREATE | TRUNCATE) or flags & (WRITE | MUTATE))
    if changes and not base.may_write:
        raise Failure("read-only")
    how = os.O_NONBLOCK | os.O_NOCTTY | (0 if path_flags & FOLLOW else os.O_NOFOLLOW)
    how |= (os.O_RDWR if flags & READ else os.O_WRONLY) if flags & WRITE else os.O_RDONLY
    how |= os.O_CREAT * bool(open_flags & CREATE) | os.O_EXCL * bool(open_flags & EXCLUSIVE)
    how |= os.O_TRUNC * bool(open_flags & TRUNCATE) | os.O_DIRECTORY * bool(open_flags & DIRECTORY)
    how |= os.O_SYNC * bool(flags & FILE_SYNC) | os.O_DSYNC * bool(flags & DATA_SYNC)
    found = Descriptor(open_beneath(base.fd, path, how, NEW_FILE), flags, base.may_write)
    if not found.is_directory and not modes.S_ISREG(os.fstat(found.fd).st_mode):
        found.close()  # devices, pipes and sockets are no files to us
        raise Failure("not-permitted")
    return found
