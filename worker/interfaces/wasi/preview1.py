"""``wasi_snapshot_preview1`` as functions on values; worker.engine.preview1 reads and writes the guest's memory.

Errors are the numbers of preview 1. File descriptors 0 to 2 are the standard streams, then come granted directories.
"""

from __future__ import annotations

import os
import stat as modes
import time
from struct import Struct
from typing import Any, Final

from theater import types
from theater.grants import PREVIEW_1, WASI
from theater.values import S64, U8, U16, U32, U64, UNIT, Flags, List, String, Tuple, Value, bytes_of
from worker.beneath import open_beneath
from worker.engine.errors import CONTRACT, Trap
from worker.interfaces.context import Context
from worker.interfaces.sending import GIVEN, Sends
from worker.interfaces.wasi import files, random
from worker.interfaces.wasi.cli import Stderr, Stdout
from worker.interfaces.wasi.declaring import Failure, Maker
from worker.interfaces.wasi.resources import Resources, resources
from worker.interfaces.wasi.waiting import Pollable, Waker

FDS_MAX: Final = 1_000
NUMBERS: Final[dict[str, int]] = {
    "access": 2, "would-block": 6, "already": 7, "bad-descriptor": 8, "busy": 10, "deadlock": 16, "quota": 19,
    "exist": 20, "fault": 21, "file-too-large": 22, "illegal-byte-sequence": 25, "in-progress": 26, "interrupted": 27,
    "invalid": 28, "io": 29, "is-directory": 31, "loop": 32, "too-many-files": 33, "too-many-links": 34,
    "message-size": 35, "name-too-long": 37, "no-device": 43, "no-entry": 44, "no-lock": 46, "insufficient-memory": 48,
    "insufficient-space": 51, "unknown-function": 52, "not-directory": 54, "not-empty": 55, "not-recoverable": 56,
    "unsupported": 58, "no-tty": 59, "no-such-device": 60, "overflow": 61, "not-permitted": 63, "pipe": 64,
    "read-only": 69, "invalid-seek": 70, "text-file-busy": 74, "cross-device": 75, "not-capable": 76,
}  # fmt: skip
_FILE_TYPES: Final = {
    modes.S_IFBLK: 1, modes.S_IFCHR: 2, modes.S_IFDIR: 3, modes.S_IFREG: 4, modes.S_IFSOCK: 6, modes.S_IFLNK: 7,
}  # fmt: skip
CHARACTER_DEVICE: Final = 2
RIGHTS: Final = (1 << 30) - 1
FD_READ, FD_WRITE = 1 << 1, 1 << 6
APPEND: Final = 1
SET, CURRENT, END = 0, 1, 2
REALTIME, MONOTONIC = 0, 1
CLOCK, FD_READ_EVENT, FD_WRITE_EVENT = 0, 1, 2
OFFSET_MAX: Final = (1 << 63) - 1
_filestat: Final = Struct("<QQB7xQQQQQ")
_dirent: Final = Struct("<QQIB3x")
_subscription: Final = Struct("<QB7xI4xQQH6x")
_event: Final = Struct("<QHB5xQH6x")


class Opened:
    """A file descriptor of the guest's."""

    def __init__(self, handle: U32 | None, name: str | None = None, flags: int = 0, stream: Any = None) -> None:
        self.handle = handle
        """The file or directory among the resources; None for a standard stream."""
        self.name = name
        """Of a granted directory."""
        self.flags = flags
        self.position = 0
        self.stream = stream


class Fds:
    """The service that knows them all."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._begin()

    def _begin(self) -> None:
        context = self._context
        self.table: dict[int, Opened] = {
            0: Opened(None),
            1: Opened(None, stream=context.service(Stdout)),
            2: Opened(None, stream=context.service(Stderr)),
        }
        for pair in files.get_directories(context).items:  # type: ignore[attr-defined]
            handle, name = pair.items
            self.table[len(self.table)] = Opened(handle, name.value)

    def renew(self) -> None:
        """A fresh instance of the guest begins anew."""
        self._context.service(Resources).renew()
        self._begin()

    def add(self, opened: Opened) -> int:
        """Keep one; the lowest number that is free."""
        if len(self.table) >= FDS_MAX:
            raise Failure("too-many-files")
        number = next(each for each in range(len(self.table) + 1) if each not in self.table)
        self.table[number] = opened
        return number

    def get(self, fd: U32) -> Opened:
        """One that is open."""
        found = self.table.get(fd.value)
        if found is None:
            raise Failure("bad-descriptor")
        return found


def _fds(context: Context) -> Fds:
    return context.service(Fds)


def _handle(context: Context, fd: U32) -> U32:
    found = _fds(context).get(fd)
    if found.handle is None:
        raise Failure("bad-descriptor")
    return found.handle


def _descriptor(context: Context, fd: U32) -> files.Descriptor:
    return resources(context).get(_handle(context, fd), files.Descriptor)


def _file(context: Context, fd: U32, flag: int) -> tuple[Opened, int]:
    found = _fds(context).get(fd)
    descriptor = _descriptor(context, fd)
    if descriptor.is_directory:
        raise Failure("is-directory")
    if not descriptor.flags & flag:
        raise Failure("not-capable")
    return found, descriptor.fd


# -- arguments, clocks, random numbers ---------------------------------------------------------------------------------


def args_get(context: Context) -> Value:
    """The arguments of the grant."""
    return List(types.STRING, tuple(String(each) for each in context.grant(WASI).get("arguments", ())))


def environ_get(context: Context) -> Value:
    """The environment of the grant, as NAME=value."""
    found = context.grant(WASI).get("environment", {})
    return List(types.STRING, tuple(String(f"{name}={value}") for name, value in found.items()))


def clock_time_get(context: Context, clock: U32, precision: U64) -> Value:
    """Nanoseconds of a clock."""
    match clock.value:
        case 0:
            return U64(time.time_ns())
        case 1:
            return U64(time.monotonic_ns())
        case 2 | 3:
            return U64(time.process_time_ns())
    raise Failure("invalid")


def clock_res_get(context: Context, clock: U32) -> Value:
    """One nanosecond."""
    if clock.value > 3:
        raise Failure("invalid")
    return U64(1)


def random_get(context: Context, size: U32) -> Value:
    """Random bytes."""
    return random.some_bytes(context, U64(size.value))


def proc_exit(context: Context, code: U32) -> Value:
    """Ends the actor's process, as a trap does."""
    raise Trap(f"the guest called proc_exit({code.value})", CONTRACT)


def sched_yield(context: Context) -> Value:
    """There is nobody to yield to."""
    return UNIT


def poll_oneoff(context: Context, data: List) -> Value:
    """Wait for clocks; files are always ready. Takes and gives the structures as they lie in memory."""
    raw = bytes(data.items)
    if not raw or len(raw) % _subscription.size:
        raise Failure("invalid")
    items = [_subscription.unpack_from(raw, at) for at in range(0, len(raw), _subscription.size)]
    pollables = [_pollable(kind, clock, timeout, flags) for _, kind, clock, timeout, _, flags in items]
    ready = context.service(Waker).wait(pollables)
    return bytes_of(b"".join(_event.pack(items[place][0], 0, items[place][1], 0, 0) for place in ready))


def _pollable(kind: int, clock: int, timeout: int, flags: int) -> Pollable:
    if kind != CLOCK:
        return Pollable()
    now = time.time_ns() if clock == REALTIME else time.monotonic_ns()
    left = max(0, timeout - now) if flags & 1 else timeout
    return Pollable(at_ns=min(time.monotonic_ns() + left, OFFSET_MAX))


# -- reading and writing -----------------------------------------------------------------------------------------------


def fd_write(context: Context, fd: U32, data: List) -> Value:
    """Write at the position, or to the log."""
    found, content = _fds(context).get(fd), bytes(data.items)
    if found.stream is not None:
        found.stream.write(content)
        return U32(len(content))
    opened, number = _file(context, fd, files.WRITE)
    if opened.flags & APPEND:
        opened.position = os.fstat(number).st_size
    opened.position += files._write_all(number, content, opened.position)
    return U32(len(content))


def fd_read(context: Context, fd: U32, size: U32) -> Value:
    """Read at the position; standard input is empty."""
    if fd.value == 0 and _fds(context).get(fd).handle is None:
        return bytes_of(b"")
    opened, number = _file(context, fd, files.READ)
    data = os.pread(number, min(size.value, files.READ_BYTES_MAX), opened.position)
    opened.position += len(data)
    return bytes_of(data)


def fd_pread(context: Context, fd: U32, size: U32, offset: U64) -> Value:
    """Read somewhere."""
    _, number = _file(context, fd, files.READ)
    return bytes_of(os.pread(number, min(size.value, files.READ_BYTES_MAX), _offset(offset.value)))


def fd_pwrite(context: Context, fd: U32, data: List, offset: U64) -> Value:
    """Write somewhere."""
    _, number = _file(context, fd, files.WRITE)
    return U32(files._write_all(number, bytes(data.items), _offset(offset.value)))


def _offset(offset: int) -> int:
    if not 0 <= offset <= OFFSET_MAX:
        raise Failure("invalid")
    return offset


def fd_seek(context: Context, fd: U32, offset: S64, whence: U8) -> Value:
    """Move the position."""
    found = _fds(context).get(fd)
    if found.handle is None:
        raise Failure("invalid-seek")
    opened, number = _file(context, fd, files.READ | files.WRITE)
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
    found = _fds(context).get(fd)
    del _fds(context).table[fd.value]
    if found.handle is not None:
        resources(context).drop(found.handle)
    return UNIT


def fd_renumber(context: Context, fd: U32, to: U32) -> Value:
    """Give it another number."""
    found = _fds(context).get(fd)
    if to.value in _fds(context).table and to.value != fd.value:
        fd_close(context, to)
    del _fds(context).table[fd.value]
    _fds(context).table[to.value] = found
    return UNIT


def fd_sync(context: Context, fd: U32) -> Value:
    """Onto the disk."""
    return files.sync(context, _handle(context, fd))


def fd_ignored(context: Context, *given: Value) -> Value:
    """Hints, which change nothing."""
    assert isinstance(given[0], U32)
    _fds(context).get(given[0])
    return UNIT


def fd_allocate(context: Context, fd: U32, offset: U64, size: U64) -> Value:
    """Not to be had; WASI 0.2 has dropped it."""
    _fds(context).get(fd)
    raise Failure("unsupported")


# -- what things are ---------------------------------------------------------------------------------------------------


def fd_fdstat_get(context: Context, fd: U32) -> Value:
    """Type, flags and rights."""
    found = _fds(context).get(fd)
    if found.handle is None:
        rights = FD_WRITE if found.stream is not None else FD_READ
        return Tuple((U8(CHARACTER_DEVICE), U16(0), U64(rights), U64(0)))
    descriptor = _descriptor(context, fd)
    kind = _FILE_TYPES[modes.S_IFDIR if descriptor.is_directory else modes.S_IFREG]
    rights = RIGHTS
    if not descriptor.is_directory:
        rights &= ~(0 if descriptor.flags & files.READ else FD_READ)
        rights &= ~(0 if descriptor.flags & files.WRITE else FD_WRITE)
    return Tuple((U8(kind), U16(found.flags), U64(rights), U64(RIGHTS if descriptor.is_directory else 0)))


def fd_fdstat_set_flags(context: Context, fd: U32, flags: U16) -> Value:
    """Only appending can be changed."""
    _fds(context).get(fd).flags = flags.value & APPEND
    return UNIT


def _stat(found: os.stat_result) -> Value:
    times = (found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns)
    kind = _FILE_TYPES.get(modes.S_IFMT(found.st_mode), 0)
    return bytes_of(_filestat.pack(0, found.st_ino, kind, found.st_nlink, found.st_size, *times))


def fd_filestat_get(context: Context, fd: U32) -> Value:
    """What it is, as the structure lies in memory."""
    if _fds(context).get(fd).handle is None:
        return bytes_of(_filestat.pack(0, 0, CHARACTER_DEVICE, 1, 0, 0, 0, 0))
    return _stat(os.fstat(_descriptor(context, fd).fd))


def path_filestat_get(context: Context, fd: U32, flags: U32, path: String) -> Value:
    """What something below a directory is."""
    base = files._directory(context, _handle(context, fd))
    return _stat(files._stat_at(base, Flags(flags.value & 1), path))


def fd_filestat_set_size(context: Context, fd: U32, size: U64) -> Value:
    """Cut a file, or make it longer."""
    _, number = _file(context, fd, files.WRITE)
    os.ftruncate(number, _offset(size.value))
    return UNIT


def _utime(number: int, access: U64, modification: U64, flags: U16) -> Value:
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
    descriptor = _descriptor(context, fd)
    if not descriptor.may_write:
        raise Failure("read-only")
    return _utime(descriptor.fd, access, modification, flags)


def path_filestat_set_times(
    context: Context, fd: U32, lookup: U32, path: String, access: U64, modification: U64, flags: U16
) -> Value:
    """Set the times of something below a directory."""
    base = files._directory(context, _handle(context, fd), changes=True)
    how = os.O_RDONLY | os.O_NONBLOCK | (0 if lookup.value & 1 else os.O_NOFOLLOW)
    number = open_beneath(base.fd, path.value, how)
    try:
        return _utime(number, access, modification, flags)
    finally:
        os.close(number)


def fd_prestat_get(context: Context, fd: U32) -> Value:
    """The name of a granted directory."""
    name = _fds(context).get(fd).name
    if name is None:
        raise Failure("bad-descriptor")
    return String(name)


def fd_readdir(context: Context, fd: U32, cookie: U64, size: U32) -> Value:
    """Entries of a directory from a place on, as they lie in memory; the last one may be cut off."""
    base = files._directory(context, _handle(context, fd))
    number = open_beneath(base.fd, ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        with os.scandir(number) as entries:
            found = sorted((each.name, each.inode(), each.stat(follow_symlinks=False).st_mode) for each in entries)
    finally:
        os.close(number)
    room, parts = min(size.value, files.READ_BYTES_MAX), bytearray()
    for place in range(min(cookie.value, len(found)), len(found)):
        name, inode, mode = found[place]
        data = os.fsencode(name)
        parts += _dirent.pack(place + 1, inode, len(data), _FILE_TYPES.get(modes.S_IFMT(mode), 0)) + data
        if len(parts) >= room:
            break
    return bytes_of(bytes(parts[:room]))


# -- paths -------------------------------------------------------------------------------------------------------------


def path_open(
    context: Context, fd: U32, lookup: U32, path: String, how: U16, rights: U64, inherited: U64, flags: U16
) -> Value:
    """Open something below a directory."""
    handle, wanted = _open(context, fd, lookup, path, how.value, rights, flags)
    return U32(_fds(context).add(Opened(handle, flags=wanted)))


def _open(
    context: Context, fd: U32, lookup: U32, path: String, how: int, rights: U64, flags: U16
) -> tuple[U32, int]:
    base = files._directory(context, _handle(context, fd))
    wanted = 0
    if rights.value & FD_READ or not rights.value & FD_WRITE:
        wanted |= files.READ
    if rights.value & FD_WRITE and not how & files.DIRECTORY:
        wanted |= files.WRITE
    if base.may_write and not wanted & files.WRITE:
        wanted |= files.MUTATE
    if wanted & files.WRITE and not base.may_write and not how & (files.CREATE | files.TRUNCATE):
        wanted = files.READ  # libraries ask for every right they may get
    try:
        opened = files._open(base, lookup.value & 1, path.value, how, wanted)
    except IsADirectoryError:
        opened = files._open(base, lookup.value & 1, path.value, how, files.READ | (wanted & files.MUTATE))
    return resources(context).add(opened), flags.value & APPEND


def path_create_directory(context: Context, fd: U32, path: String) -> Value:
    """Make a directory."""
    return files.create_directory_at(context, _handle(context, fd), path)


def path_remove_directory(context: Context, fd: U32, path: String) -> Value:
    """Remove an empty directory."""
    return files.remove_directory_at(context, _handle(context, fd), path)


def path_unlink_file(context: Context, fd: U32, path: String) -> Value:
    """Remove a file."""
    return files.unlink_file_at(context, _handle(context, fd), path)


def path_readlink(context: Context, fd: U32, path: String) -> Value:
    """What a symbolic link says."""
    return files.readlink_at(context, _handle(context, fd), path)


def path_symlink(context: Context, target: String, fd: U32, path: String) -> Value:
    """Make a symbolic link."""
    return files.symlink_at(context, _handle(context, fd), target, path)


def path_rename(context: Context, fd: U32, old: String, new_fd: U32, new: String) -> Value:
    """Move something."""
    return files.rename_at(context, _handle(context, fd), old, _handle(context, new_fd), new)


def path_link(context: Context, fd: U32, lookup: U32, old: String, new_fd: U32, new: String) -> Value:
    """Another name for a file."""
    return files.link_at(context, _handle(context, fd), Flags(lookup.value), old, _handle(context, new_fd), new)


def no_sockets(context: Context, *given: Value) -> Value:
    """There are none."""
    raise Failure("unsupported")


# -- what a guest rebuilt by replay still has --------------------------------------------------------------------------


def _value(answer: Any) -> Any:
    """The payload of ``ok``, or None."""
    return answer.value if getattr(answer, "is_ok", False) else None


def _revive_open(context: Context, given: tuple[Any, ...], answer: Value) -> None:
    number = _value(answer)
    if number is None:
        return
    fd, lookup, path, how, rights, _, flags = given
    try:
        kept = how.value & files.DIRECTORY
        handle, wanted = _open(context, fd, lookup, path, kept, rights, flags)
    except Exception:  # it is no more: who uses it is told
        return
    _fds(context).table[number.value] = Opened(handle, flags=wanted)


def _revive_position(context: Context, given: tuple[Any, ...], answer: Value) -> None:
    value, opened = _value(answer), _fds(context).table.get(given[0].value)
    if opened is None or value is None:
        return
    if isinstance(value, U64):
        opened.position = value.value
    else:
        opened.position += len(value.items) if isinstance(value, List) else value.value


def _again(call: Any) -> Any:
    """Do the same again, as far as it can be done."""

    def revive(context: Context, given: tuple[Any, ...], answer: Value) -> None:
        try:
            call(context, *given)
        except (Failure, OSError):
            return

    return revive


_DONE: Final = "result<_, u16>"
_TABLE: Final = (
    ("args_get", "() -> list<string>", args_get, None),
    ("environ_get", "() -> list<string>", environ_get, None),
    ("clock_time_get", "(id: u32, precision: u64) -> result<u64, u16>", clock_time_get, None),
    ("clock_res_get", "(id: u32) -> result<u64, u16>", clock_res_get, None),
    ("random_get", "(len: u32) -> list<u8>", random_get, None),
    ("proc_exit", "(code: u32)", proc_exit, None),
    ("sched_yield", f"() -> {_DONE}", sched_yield, None),
    ("poll_oneoff", "(subscriptions: list<u8>) -> result<list<u8>, u16>", poll_oneoff, None),
    ("fd_write", "(fd: u32, data: list<u8>) -> result<u32, u16>", fd_write, _revive_position),
    ("fd_read", "(fd: u32, len: u32) -> result<list<u8>, u16>", fd_read, _revive_position),
    ("fd_pread", "(fd: u32, len: u32, offset: u64) -> result<list<u8>, u16>", fd_pread, None),
    ("fd_pwrite", "(fd: u32, data: list<u8>, offset: u64) -> result<u32, u16>", fd_pwrite, None),
    ("fd_seek", "(fd: u32, offset: s64, whence: u8) -> result<u64, u16>", fd_seek, _revive_position),
    ("fd_tell", "(fd: u32) -> result<u64, u16>", fd_tell, None),
    ("fd_close", f"(fd: u32) -> {_DONE}", fd_close, _again(fd_close)),
    ("fd_renumber", f"(fd: u32, to: u32) -> {_DONE}", fd_renumber, _again(fd_renumber)),
    ("fd_sync", f"(fd: u32) -> {_DONE}", fd_sync, None),
    ("fd_datasync", f"(fd: u32) -> {_DONE}", fd_sync, None),
    ("fd_advise", f"(fd: u32, offset: u64, len: u64, advice: u8) -> {_DONE}", fd_ignored, None),
    ("fd_allocate", f"(fd: u32, offset: u64, len: u64) -> {_DONE}", fd_allocate, None),
    ("fd_fdstat_get", "(fd: u32) -> result<tuple<u8, u16, u64, u64>, u16>", fd_fdstat_get, None),
    ("fd_fdstat_set_flags", f"(fd: u32, flags: u16) -> {_DONE}", fd_fdstat_set_flags, _again(fd_fdstat_set_flags)),
    ("fd_fdstat_set_rights", f"(fd: u32, base: u64, inheriting: u64) -> {_DONE}", fd_ignored, None),
    ("fd_filestat_get", "(fd: u32) -> result<list<u8>, u16>", fd_filestat_get, None),
    ("fd_filestat_set_size", f"(fd: u32, size: u64) -> {_DONE}", fd_filestat_set_size, None),
    (
        "fd_filestat_set_times",
        f"(fd: u32, access: u64, modification: u64, flags: u16) -> {_DONE}",
        fd_filestat_set_times,
        None,
    ),
    ("fd_prestat_get", "(fd: u32) -> result<string, u16>", fd_prestat_get, None),
    ("fd_readdir", "(fd: u32, cookie: u64, len: u32) -> result<list<u8>, u16>", fd_readdir, None),
    ("path_create_directory", f"(fd: u32, path: string) -> {_DONE}", path_create_directory, None),
    ("path_remove_directory", f"(fd: u32, path: string) -> {_DONE}", path_remove_directory, None),
    ("path_unlink_file", f"(fd: u32, path: string) -> {_DONE}", path_unlink_file, None),
    ("path_readlink", "(fd: u32, path: string) -> result<string, u16>", path_readlink, None),
    ("path_symlink", f"(target: string, fd: u32, path: string) -> {_DONE}", path_symlink, None),
    ("path_rename", f"(fd: u32, old: string, new-fd: u32, new: string) -> {_DONE}", path_rename, None),
    ("path_link", f"(fd: u32, lookup: u32, old: string, new-fd: u32, new: string) -> {_DONE}", path_link, None),
    ("path_filestat_get", "(fd: u32, lookup: u32, path: string) -> result<list<u8>, u16>", path_filestat_get, None),
    (
        "path_filestat_set_times",
        f"(fd: u32, lookup: u32, path: string, access: u64, modification: u64, flags: u16) -> {_DONE}",
        path_filestat_set_times,
        None,
    ),
    (
        "path_open",
        "(fd: u32, lookup: u32, path: string, oflags: u16, rights: u64, inherited: u64, flags: u16) "
        "-> result<u32, u16>",
        path_open,
        _revive_open,
    ),
    ("sock_accept", "(fd: u32, flags: u16) -> result<u32, u16>", no_sockets, None),
    ("sock_recv", "(fd: u32, len: u32, flags: u16) -> result<list<u8>, u16>", no_sockets, None),
    ("sock_send", "(fd: u32, data: list<u8>, flags: u16) -> result<u32, u16>", no_sockets, None),
    ("sock_shutdown", f"(fd: u32, how: u8) -> {_DONE}", no_sockets, None),
)


def _numbered(call: Any) -> Any:
    """Failures as the numbers of preview 1."""
    served = files._files(call)

    def answering(*given: Any) -> Value:
        try:
            return served(*given)  # type: ignore[no-any-return]
        except Failure as failure:
            raise Failure(U16(NUMBERS[str(failure.what)])) from None

    return answering


def _made() -> Maker:
    made = Maker({})
    for name, signature, call, revive in _TABLE:
        made.add(name, signature, _numbered(call), revive)
    return made


def _written(context: Context, fd: U32, data: List) -> int | None:
    """Files stay; standard output leaves."""
    found = _fds(context).table.get(fd.value)
    return len(data.items) if found is not None and found.stream is not None else None


_SENDS: Final = {"fd_write": Sends(_written), "sock_send": GIVEN}
INTERFACES: Final = (_made().interface(PREVIEW_1, "WASI preview 1, for modules of the Pack ABI.", _SENDS),)
