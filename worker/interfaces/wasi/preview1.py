"""``wasi_snapshot_preview1`` as functions on values; worker.engine.preview1 reads and writes the guest's memory.

Errors are the numbers of preview 1. File descriptors 0 to 2 are the standard streams, then come granted directories.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from struct import Struct
from typing import Any, Final

from theater import types
from theater.grants import PREVIEW_1
from theater.grants.wasi import GRANT
from theater.values import U16, U32, U64, UNIT, List, String, Value, bytes_of
from worker.engine.errors import CONTRACT, Trap
from worker.interfaces.context import Context
from worker.interfaces.sending import GIVEN, Sends
from worker.interfaces.wasi import file_changes as changes
from worker.interfaces.wasi import preview1_files as files
from worker.interfaces.wasi import preview1_paths as paths
from worker.interfaces.wasi import random
from worker.interfaces.wasi.declaring import Failure, Maker
from worker.interfaces.wasi.descriptors import DIRECTORY, told
from worker.interfaces.wasi.preview1_fds import fds
from worker.interfaces.wasi.waiting import Pollable, Waker

NUMBERS: Final[dict[str, int]] = {
    "access": 2, "would-block": 6, "already": 7, "bad-descriptor": 8, "busy": 10, "deadlock": 16, "quota": 19,
    "exist": 20, "fault": 21, "file-too-large": 22, "illegal-byte-sequence": 25, "in-progress": 26, "interrupted": 27,
    "invalid": 28, "io": 29, "is-directory": 31, "loop": 32, "too-many-files": 33, "too-many-links": 34,
    "message-size": 35, "name-too-long": 37, "no-device": 43, "no-entry": 44, "no-lock": 46, "insufficient-memory": 48,
    "insufficient-space": 51, "unknown-function": 52, "not-directory": 54, "not-empty": 55, "not-recoverable": 56,
    "unsupported": 58, "no-tty": 59, "no-such-device": 60, "overflow": 61, "not-permitted": 63, "pipe": 64,
    "read-only": 69, "invalid-seek": 70, "text-file-busy": 74, "cross-device": 75, "not-capable": 76,
}  # fmt: skip
REALTIME: Final = 0
CLOCK: Final = 0
"""The kind of subscription that is not of a file."""
_subscription: Final = Struct("<QB7xI4xQQH6x")
_event: Final = Struct("<QHB5xQH6x")


# -- arguments, clocks, random numbers ---------------------------------------------------------------------------------


def args_get(context: Context) -> Value:
    """The arguments of the grant."""
    return List(types.STRING, tuple(map(String, GRANT.held_by(context)["arguments"])))


def environ_get(context: Context) -> Value:
    """The environment of the grant, as NAME=value."""
    found = GRANT.held_by(context)["environment"]
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
    return Pollable(at_ns=min(time.monotonic_ns() + left, files.OFFSET_MAX))


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
        found = paths.opened(context, fd, lookup, path, how.value & DIRECTORY, rights, flags)
    except Exception:  # it is no more: who uses it is told
        return
    fds(context).table[number.value] = found


def _revive_position(context: Context, given: tuple[Any, ...], answer: Value) -> None:
    value, opened = _value(answer), fds(context).table.get(given[0].value)
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
    ("fd_write", "(fd: u32, data: list<u8>) -> result<u32, u16>", files.fd_write, _revive_position),
    ("fd_read", "(fd: u32, len: u32) -> result<list<u8>, u16>", files.fd_read, _revive_position),
    ("fd_pread", "(fd: u32, len: u32, offset: u64) -> result<list<u8>, u16>", files.fd_pread, None),
    ("fd_pwrite", "(fd: u32, data: list<u8>, offset: u64) -> result<u32, u16>", files.fd_pwrite, None),
    ("fd_seek", "(fd: u32, offset: s64, whence: u8) -> result<u64, u16>", files.fd_seek, _revive_position),
    ("fd_tell", "(fd: u32) -> result<u64, u16>", files.fd_tell, None),
    ("fd_close", f"(fd: u32) -> {_DONE}", files.fd_close, _again(files.fd_close)),
    ("fd_renumber", f"(fd: u32, to: u32) -> {_DONE}", files.fd_renumber, _again(files.fd_renumber)),
    ("fd_sync", f"(fd: u32) -> {_DONE}", files.fd_sync, None),
    ("fd_datasync", f"(fd: u32) -> {_DONE}", files.fd_sync, None),
    ("fd_advise", f"(fd: u32, offset: u64, len: u64, advice: u8) -> {_DONE}", files.fd_ignored, None),
    ("fd_allocate", f"(fd: u32, offset: u64, len: u64) -> {_DONE}", files.fd_allocate, None),
    ("fd_fdstat_get", "(fd: u32) -> result<tuple<u8, u16, u64, u64>, u16>", files.fd_fdstat_get, None),
    (
        "fd_fdstat_set_flags",
        f"(fd: u32, flags: u16) -> {_DONE}",
        files.fd_fdstat_set_flags,
        _again(files.fd_fdstat_set_flags),
    ),
    ("fd_fdstat_set_rights", f"(fd: u32, base: u64, inheriting: u64) -> {_DONE}", files.fd_ignored, None),
    ("fd_filestat_get", "(fd: u32) -> result<list<u8>, u16>", files.fd_filestat_get, None),
    ("fd_filestat_set_size", f"(fd: u32, size: u64) -> {_DONE}", files.fd_filestat_set_size, None),
    (
        "fd_filestat_set_times",
        f"(fd: u32, access: u64, modification: u64, flags: u16) -> {_DONE}",
        files.fd_filestat_set_times,
        None,
    ),
    ("fd_prestat_get", "(fd: u32) -> result<string, u16>", files.fd_prestat_get, None),
    ("fd_readdir", "(fd: u32, cookie: u64, len: u32) -> result<list<u8>, u16>", files.fd_readdir, None),
    ("path_create_directory", f"(fd: u32, path: string) -> {_DONE}", paths.below(changes.create_directory_at), None),
    ("path_remove_directory", f"(fd: u32, path: string) -> {_DONE}", paths.below(changes.remove_directory_at), None),
    ("path_unlink_file", f"(fd: u32, path: string) -> {_DONE}", paths.below(changes.unlink_file_at), None),
    ("path_readlink", "(fd: u32, path: string) -> result<string, u16>", paths.below(changes.readlink_at), None),
    ("path_symlink", f"(target: string, fd: u32, path: string) -> {_DONE}", paths.path_symlink, None),
    ("path_rename", f"(fd: u32, old: string, new-fd: u32, new: string) -> {_DONE}", paths.path_rename, None),
    ("path_link", f"(fd: u32, lookup: u32, old: string, new-fd: u32, new: string) -> {_DONE}", paths.path_link, None),
    (
        "path_filestat_get",
        "(fd: u32, lookup: u32, path: string) -> result<list<u8>, u16>",
        paths.path_filestat_get,
        None,
    ),
    (
        "path_filestat_set_times",
        f"(fd: u32, lookup: u32, path: string, access: u64, modification: u64, flags: u16) -> {_DONE}",
        paths.path_filestat_set_times,
        None,
    ),
    (
        "path_open",
        "(fd: u32, lookup: u32, path: string, oflags: u16, rights: u64, inherited: u64, flags: u16) "
        "-> result<u32, u16>",
        paths.path_open,
        _revive_open,
    ),
    ("sock_accept", "(fd: u32, flags: u16) -> result<u32, u16>", no_sockets, None),
    ("sock_recv", "(fd: u32, len: u32, flags: u16) -> result<list<u8>, u16>", no_sockets, None),
    ("sock_send", "(fd: u32, data: list<u8>, flags: u16) -> result<u32, u16>", no_sockets, None),
    ("sock_shutdown", f"(fd: u32, how: u8) -> {_DONE}", no_sockets, None),
)


def _numbered(call: Callable[..., Value]) -> Callable[..., Value]:
    """Failures as the numbers of preview 1."""
    served = told(call)

    def answering(*given: Any) -> Value:
        try:
            return served(*given)
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
    found = fds(context).table.get(fd.value)
    return len(data.items) if found is not None and found.stream is not None else None


_SENDS: Final = {"fd_write": Sends(_written), "sock_send": GIVEN}
INTERFACES: Final = (_made().interface(PREVIEW_1, "WASI preview 1, for modules of the Pack ABI.", _SENDS),)
