"""Files of preview 1 by their descriptors: reading and writing at the position, and what they are."""

from __future__ import annotations

import os
import stat as modes
import time
from struct import Struct
from typing import Final

from theater.values import S64, U8, U16, U32, U64, UNIT, List, String, Tuple, Value, bytes_of
from worker.interfaces.context import Context
from worker.interfaces.wasi.declaring import Failure
from worker.interfaces.wasi.descriptors import READ, WRITE, directory
from worker.interfaces.wasi.file_contents import READ_BYTES_MAX, sync, write_all
from worker.interfaces.wasi.file_facts import listed
from worker.interfaces.wasi.preview1_fds import descriptor_of, fds, file_of, handle_of
from worker.interfaces.wasi.resources import resources

_FILE_TYPES: Final = {
    modes.S_IFBLK: 1, modes.S_IFCHR: 2, modes.S_IFDIR: 3, modes.S_IFREG: 4, modes.S_IFSOCK: 6, modes.S_IFLNK: 7,
}  # fmt: skip
CHARACTER_DEVICE: Final = 2
RIGHTS: Final = (1 << 30) - 1
FD_READ, FD_WRITE = 1 << 1, 1 << 6
APPEND: Final = 1
SET, CURRENT, END = 0, 1, 2
OFFSET_MAX: Final = (1 << 63) - 1
_filestat: Final = Struct("<QQB7xQQQQQ")
_dirent: Final = Struct("<QQIB3x")


# -- reading and writing -----------------------------------------------------------------------------------------------


def fd_write(context: Context, fd: U32, data: List) -> Value:
    """Write at the position, or to the log."""
    found, content = fds(context).get(fd), bytes(data.items)
    if found.stream is not None:
        found.stream.write(content)
        return U32(len(content))
    opened, number = file_of(context, fd, WRITE)
    if opened.flags & APPEND:
        opened.position = os.fstat(number).st_size
    opened.position += write_all(number, content, opened.position)
    return U32(len(content))


def fd_read(context: Context, fd: U32, size: U32) -> Value:
    """Read at the position; standard input is empty."""
    if fd.value == 0 and fds(context).get(fd).handle is None:
        return bytes_of(b"")
    opened, number = file_of(context, fd, READ)
    data = os.pread(number, min(size.value, READ_BYTES_MAX), opened.position)
    opened.position += len(data)
    return bytes_of(data)


def fd_pread(context: Context, fd: U32, size: U32, offset: U64) -> Value:
    """Read somewhere."""
    _, number = file_of(context, fd, READ)
    return bytes_of(os.pread(number, min(size.value, READ_BYTES_MAX), _offset(offset.value)))


def fd_pwrite(context: Context, fd: U32, data: List, offset: U64) -> Value:
    """Write somewhere."""
    _, number = file_of(context, fd, WRITE)
    return U32(write_all(number, bytes(data.items), _offset(offset.value)))


def _offset(offset: int) -> int:
    if not 0 <= offset <= OFFSET_MAX:
        raise Failure("invalid")
    return offset


def fd_seek(context: Context, fd: U32, offset: S64, whence: U8) -> Value:
    """Move the position."""
    found = fds(context).get(fd)
    if found.handle is None:
        raise Failure("invalid-seek")
    opened, number = file_of(context, fd, READ | WRITE)
    base = {SET: 0, CURRENT: opened.position, END: os.fstat(number).st_size}.get(whence.value)
    if base is None:
        raise Failure("invalid")
    opened.position = _offset(base + offset.value)
    return U64(opened.position)


def fd_tell(context: Context, fd: U32) -> Value:
    """The position."""
    return fd_seek(context, fd, S64(0), U8(CURRENT))


def fd_close(context: Context, fd: U32) -> Value:
    """Give it back."""
    found = fds(context).get(fd)
    del fds(context).table[fd.value]
    if found.handle is not None:
        resources(context).drop(found.handle)
    return UNIT


def fd_renumber(context: Context, fd: U32, to: U32) -> Value:
    """Give it another number."""
    found = fds(context).get(fd)
    if to.value in fds(context).table and to.value != fd.value:
        fd_close(context, to)
    del fds(context).table[fd.value]
    fds(context).table[to.value] = found
    return UNIT


def fd_sync(context: Context, fd: U32) -> Value:
    """Onto the disk."""
    return sync(context, handle_of(context, fd))


def fd_ignored(context: Context, *given: Value) -> Value:
    """Hints, which change nothing."""
    assert isinstance(given[0], U32)
    fds(context).get(given[0])
    return UNIT


def fd_allocate(context: Context, fd: U32, offset: U64, size: U64) -> Value:
    """Not to be had; WASI 0.2 has dropped it."""
    fds(context).get(fd)
    raise Failure("unsupported")


# -- what things are ---------------------------------------------------------------------------------------------------


def fd_fdstat_get(context: Context, fd: U32) -> Value:
    """Type, flags and rights."""
    found = fds(context).get(fd)
    if found.handle is None:
        rights = FD_WRITE if found.stream is not None else FD_READ
        return Tuple((U8(CHARACTER_DEVICE), U16(0), U64(rights), U64(0)))
    descriptor = descriptor_of(context, fd)
    kind = _FILE_TYPES[modes.S_IFDIR if descriptor.is_directory else modes.S_IFREG]
    rights = RIGHTS
    if not descriptor.is_directory:
        rights &= ~(0 if descriptor.flags & READ else FD_READ)
        rights &= ~(0 if descriptor.flags & WRITE else FD_WRITE)
    return Tuple((U8(kind), U16(found.flags), U64(rights), U64(RIGHTS if descriptor.is_directory else 0)))


def fd_fdstat_set_flags(context: Context, fd: U32, flags: U16) -> Value:
    """Only appending can be changed."""
    fds(context).get(fd).flags = flags.value & APPEND
    return UNIT


def filestat(found: os.stat_result) -> Value:
    """The structure, as it lies in memory."""
    times = (found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns)
    kind = _FILE_TYPES.get(modes.S_IFMT(found.st_mode), 0)
    return bytes_of(_filestat.pack(0, found.st_ino, kind, found.st_nlink, found.st_size, *times))


def fd_filestat_get(context: Context, fd: U32) -> Value:
    """What it is, as the structure lies in memory."""
    if fds(context).get(fd).handle is None:
        return bytes_of(_filestat.pack(0, 0, CHARACTER_DEVICE, 1, 0, 0, 0, 0))
    return filestat(os.fstat(descriptor_of(context, fd).fd))


def fd_filestat_set_size(context: Context, fd: U32, size: U64) -> Value:
    """Cut a file, or make it longer."""
    _, number = file_of(context, fd, WRITE)
    os.ftruncate(number, _offset(size.value))
    return UNIT


def set_times(number: int, access: U64, modification: U64, flags: U16) -> Value:
    """Set the times that the flags name, to these or to now."""
    found, now = os.fstat(number), time.time_ns()
    times = [found.st_atime_ns, found.st_mtime_ns]
    for place, given in enumerate((access.value, modification.value)):
        if flags.value >> 2 * place & 1:
            times[place] = _offset(given)
        if flags.value >> 2 * place & 2:
            times[place] = now
    os.utime(number, ns=(times[0], times[1]))
    return UNIT


def fd_filestat_set_times(context: Context, fd: U32, access: U64, modification: U64, flags: U16) -> Value:
    """Set the times of a file."""
    descriptor = descriptor_of(context, fd)
    if not descriptor.may_write:
        raise Failure("read-only")
    return set_times(descriptor.fd, access, modification, flags)


def fd_prestat_get(context: Context, fd: U32) -> Value:
    """The name of a granted directory."""
    name = fds(context).get(fd).name
    if name is None:
        raise Failure("bad-descriptor")
    return String(name)


def fd_readdir(context: Context, fd: U32, cookie: U64, size: U32) -> Value:
    """Entries of a directory from a place on, as they lie in memory; the last one may be cut off."""
    found = listed(directory(context, handle_of(context, fd)))
    room, parts = min(size.value, READ_BYTES_MAX), bytearray()
    for place in range(min(cookie.value, len(found)), len(found)):
        name, inode, mode = found[place]
        data = os.fsencode(name)
        parts += _dirent.pack(place + 1, inode, len(data), _FILE_TYPES.get(modes.S_IFMT(mode), 0)) + data
        if len(parts) >= room:
            break
    return bytes_of(bytes(parts[:room]))
