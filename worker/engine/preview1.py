"""WASI preview 1 for Pack modules: core functions with pointers, turned into host functions on values and back.

Each function is a row: what of its core parameters becomes the input, and where the answer goes. Addresses are checked
against the guest's memory; a bad one is answered with the error ``fault``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from typing import Any, Final

from theater import cgrf
from theater.grants import PREVIEW_1
from theater.values import S64, U8, U16, U32, U64, Result, String, Tuple, Value, bytes_of

SUCCESS: Final = 0
FAULT: Final = 21
ILLEGAL: Final = 25
NAME_TOO_LONG: Final = 37
MESSAGE_SIZE: Final = 35
VECTORS_MAX: Final = 1024
MASK32, MASK64 = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF
SUBSCRIPTION_BYTES: Final = 48
EVENT_BYTES: Final = 32

_u32: Final = Struct("<I")
_u64: Final = Struct("<Q")
_two: Final = Struct("<II")
_prestat: Final = Struct("<B3xI")
_fdstat: Final = Struct("<BxH4xQQ")

Answer = Callable[[str, str, bytes], bytes]
Write = Callable[["Memory", Sequence[int], Any], int]


class Fault(Exception):
    """The guest's parameters cannot be used; ``number`` is the error it is given."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class Memory:
    """The guest's memory, checked."""

    def __init__(self, view: memoryview) -> None:
        self._view = view

    def read(self, at: int, size: int) -> bytes:
        """Copy bytes out."""
        at, size = at & MASK32, size & MASK32
        if at + size > len(self._view):
            raise Fault(FAULT)
        return bytes(self._view[at : at + size])

    def write(self, at: int, data: bytes) -> None:
        """Copy bytes in."""
        at &= MASK32
        if at + len(data) > len(self._view):
            raise Fault(FAULT)
        self._view[at : at + len(data)] = data

    def text(self, at: int, size: int) -> String:
        """A path."""
        try:
            return String(self.read(at, size).decode())
        except UnicodeDecodeError:
            raise Fault(ILLEGAL) from None

    def vectors(self, at: int, count: int) -> list[tuple[int, int]]:
        """Addresses and lengths of several buffers."""
        count &= MASK32
        if count > VECTORS_MAX:
            raise Fault(MESSAGE_SIZE)
        return list(_two.iter_unpack(self.read(at, count * _two.size)))

    def gather(self, at: int, count: int, most: int) -> Value:
        """What is in several buffers."""
        parts = self.vectors(at, count)
        if sum(size for _, size in parts) > most:
            raise Fault(MESSAGE_SIZE)
        return bytes_of(b"".join(self.read(*part) for part in parts))

    def room(self, at: int, count: int) -> U32:
        """How much fits into several buffers."""
        return U32(min(sum(size for _, size in self.vectors(at, count)), MASK32))

    def scatter(self, at: int, count: int, data: bytes) -> None:
        """Fill several buffers."""
        for address, size in self.vectors(at, count):
            part, data = data[:size], data[size:]
            self.write(address, part)


# -- what goes in ------------------------------------------------------------------------------------------------------

_SCALARS: Final[dict[str, Callable[[int], Value]]] = {
    "u": lambda number: U32(number & MASK32),
    "U": lambda number: U64(number & MASK64),
    "s": lambda number: S64(number),
    "h": lambda number: U16(number & 0xFFFF),
    "b": lambda number: U8(number & 0xFF),
}
"""How one core parameter becomes one value. ``p``, ``g`` and ``r`` take two: a path, buffers to gather, or to fill."""
WRITE_BYTES_MAX: Final = 16 << 20


def inputs(memory: Memory, kinds: str, given: Sequence[int]) -> tuple[list[Value], list[int]]:
    """Make the input; return it with the parameters that are left: where the answer goes."""
    found: list[Value] = []
    rest = list(given)
    for kind in kinds:
        first = rest.pop(0)
        if kind == "p":
            found.append(memory.text(first, rest.pop(0)))
        elif kind == "g":
            found.append(memory.gather(first, rest.pop(0), WRITE_BYTES_MAX))
        elif kind == "r":
            count = rest.pop(0)
            found.append(memory.room(first, count))
            rest += [first, count]
        else:
            found.append(_SCALARS[kind](first))
    return found, rest


# -- what comes out ----------------------------------------------------------------------------------------------------


def nothing(memory: Memory, rest: Sequence[int], value: Any) -> int:
    """Only whether it went well."""
    return SUCCESS


def number32(memory: Memory, rest: Sequence[int], value: Any) -> int:
    """A number of 32 bits."""
    memory.write(rest[0], _u32.pack(value.value))
    return SUCCESS


def number64(memory: Memory, rest: Sequence[int], value: Any) -> int:
    """A number of 64 bits."""
    memory.write(rest[0], _u64.pack(value.value))
    return SUCCESS


def structure(memory: Memory, rest: Sequence[int], value: Any) -> int:
    """Bytes as they lie in memory."""
    memory.write(rest[0], bytes(value.items))
    return SUCCESS


def buffers(memory: Memory, rest: Sequence[int], value: Any) -> int:
    """Bytes into several buffers, and how many."""
    size, at, count = rest
    memory.scatter(at, count, bytes(value.items))
    memory.write(size, _u32.pack(len(value.items)))
    return SUCCESS


def fdstat(memory: Memory, rest: Sequence[int], value: Any) -> int:
    """What a file descriptor is."""
    memory.write(rest[0], _fdstat.pack(*(each.value for each in value.items)))
    return SUCCESS


def prestat(memory: Memory, rest: Sequence[int], value: Any) -> int:
    """How long the name of a directory is."""
    memory.write(rest[0], _prestat.pack(0, len(value.value.encode())))
    return SUCCESS


def name(memory: Memory, rest: Sequence[int], value: Any) -> int:
    """The name of a directory, for which there must be room."""
    data = value.value.encode()
    if len(data) > rest[1] & MASK32:
        return NAME_TOO_LONG
    memory.write(rest[0], data)
    return SUCCESS


def link(memory: Memory, rest: Sequence[int], value: Any) -> int:
    """A text, cut to the room there is, and its length."""
    data = value.value.encode()[: rest[1] & MASK32]
    memory.write(rest[0], data)
    memory.write(rest[2], _u32.pack(len(data)))
    return SUCCESS


def texts(memory: Memory, rest: Sequence[int], value: Any) -> int:
    """Texts, each ended by a zero, and where each begins."""
    at = rest[1]
    for place, text in enumerate(value.items):
        data = text.value.encode() + b"\0"
        memory.write(rest[0] + 4 * place, _u32.pack(at & MASK32))
        memory.write(at, data)
        at += len(data)
    return SUCCESS


def sizes(memory: Memory, rest: Sequence[int], value: Any) -> int:
    """How many texts there are, and how much room they need."""
    memory.write(rest[0], _u32.pack(len(value.items)))
    memory.write(rest[1], _u32.pack(sum(len(text.value.encode()) + 1 for text in value.items)))
    return SUCCESS


def events(memory: Memory, rest: Sequence[int], value: Any) -> int:
    """Structures, and how many."""
    memory.write(rest[0], bytes(value.items))
    memory.write(rest[1], _u32.pack(len(value.items) // EVENT_BYTES))
    return SUCCESS


def filled(memory: Memory, rest: Sequence[int], value: Any) -> int:
    """Bytes, and how many."""
    memory.write(rest[0], bytes(value.items))
    memory.write(rest[1], _u32.pack(len(value.items)))
    return SUCCESS


TABLE: Final[dict[str, tuple[str, str, Write]]] = {
    "args_get": ("args_get", "", texts),
    "args_sizes_get": ("args_get", "", sizes),
    "environ_get": ("environ_get", "", texts),
    "environ_sizes_get": ("environ_get", "", sizes),
    "clock_time_get": ("clock_time_get", "uU", number64),
    "clock_res_get": ("clock_res_get", "u", number64),
    "proc_exit": ("proc_exit", "u", nothing),
    "sched_yield": ("sched_yield", "", nothing),
    "fd_write": ("fd_write", "ug", number32),
    "fd_read": ("fd_read", "ur", buffers),
    "fd_pread": ("fd_pread", "urU", buffers),
    "fd_pwrite": ("fd_pwrite", "ugU", number32),
    "fd_seek": ("fd_seek", "usb", number64),
    "fd_tell": ("fd_tell", "u", number64),
    "fd_close": ("fd_close", "u", nothing),
    "fd_renumber": ("fd_renumber", "uu", nothing),
    "fd_sync": ("fd_sync", "u", nothing),
    "fd_datasync": ("fd_datasync", "u", nothing),
    "fd_advise": ("fd_advise", "uUUb", nothing),
    "fd_allocate": ("fd_allocate", "uUU", nothing),
    "fd_fdstat_get": ("fd_fdstat_get", "u", fdstat),
    "fd_fdstat_set_flags": ("fd_fdstat_set_flags", "uh", nothing),
    "fd_fdstat_set_rights": ("fd_fdstat_set_rights", "uUU", nothing),
    "fd_filestat_get": ("fd_filestat_get", "u", structure),
    "fd_filestat_set_size": ("fd_filestat_set_size", "uU", nothing),
    "fd_filestat_set_times": ("fd_filestat_set_times", "uUUh", nothing),
    "fd_prestat_get": ("fd_prestat_get", "u", prestat),
    "fd_prestat_dir_name": ("fd_prestat_get", "u", name),
    "path_create_directory": ("path_create_directory", "up", nothing),
    "path_remove_directory": ("path_remove_directory", "up", nothing),
    "path_unlink_file": ("path_unlink_file", "up", nothing),
    "path_readlink": ("path_readlink", "up", link),
    "path_symlink": ("path_symlink", "pup", nothing),
    "path_rename": ("path_rename", "upup", nothing),
    "path_link": ("path_link", "uupup", nothing),
    "path_filestat_get": ("path_filestat_get", "uup", structure),
    "path_filestat_set_times": ("path_filestat_set_times", "uupUUh", nothing),
    "path_open": ("path_open", "uuphUUh", number32),
    "sock_accept": ("sock_accept", "uh", number32),
    "sock_shutdown": ("sock_shutdown", "ub", nothing),
}
"""Core function → host function, parameters that are its input, where the answer goes."""


def _random(memory: Memory, given: Sequence[int]) -> tuple[str, list[Value], list[int], Write]:
    memory.read(*given)  # the room must be there
    return "random_get", [U32(given[1] & MASK32)], [given[0]], structure


def _readdir(memory: Memory, given: Sequence[int]) -> tuple[str, list[Value], list[int], Write]:
    fd, at, size, cookie, used = given
    return "fd_readdir", [U32(fd & MASK32), U64(cookie & MASK64), U32(size & MASK32)], [at, used], filled


def _poll(memory: Memory, given: Sequence[int]) -> tuple[str, list[Value], list[int], Write]:
    subscriptions, at, count, used = given
    if count & MASK32 > VECTORS_MAX:
        raise Fault(MESSAGE_SIZE)
    data = memory.read(subscriptions, (count & MASK32) * SUBSCRIPTION_BYTES)
    return "poll_oneoff", [bytes_of(data)], [at, used], events


def _receive(memory: Memory, given: Sequence[int]) -> tuple[str, list[Value], list[int], Write]:
    return "sock_recv", [U32(given[0] & MASK32), U32(0), U16(0)], list(given[3:]), nothing


def _send(memory: Memory, given: Sequence[int]) -> tuple[str, list[Value], list[int], Write]:
    return "sock_send", [U32(given[0] & MASK32), bytes_of(b""), U16(0)], list(given[4:]), nothing


_OTHERS: Final = {
    "random_get": _random,
    "fd_readdir": _readdir,
    "poll_oneoff": _poll,
    "sock_recv": _receive,
    "sock_send": _send,
}
_OTHER_TYPES: Final = {
    "random_get": "(i32, i32) -> i32",
    "fd_readdir": "(i32, i32, i32, i64, i32) -> i32",
    "poll_oneoff": "(i32, i32, i32, i32) -> i32",
    "sock_recv": "(i32, i32, i32, i32, i32, i32) -> i32",
    "sock_send": "(i32, i32, i32, i32, i32) -> i32",
    "proc_exit": "(i32) -> ()",
}
_CORE: Final = {"U": ["i64"], "s": ["i64"], "p": ["i32"] * 2, "g": ["i32"] * 2, "r": ["i32"] * 2}
_PLACES: Final[dict[Write, int]] = {nothing: 0, name: 2, link: 3, texts: 2, sizes: 2}
"""Parameters that say where the answer goes, where that is not one."""


def core_type(function: str) -> str | None:
    """The type under which a module may import a function, as text; None if there is no such function."""
    if function in _OTHER_TYPES:
        return _OTHER_TYPES[function]
    if function not in TABLE:
        return None
    _, kinds, write = TABLE[function]
    params = [each for kind in kinds for each in _CORE.get(kind, ["i32"])] + ["i32"] * _PLACES.get(write, 1)
    return f"({', '.join(params)}) -> i32"


def host_function(function: str) -> str:
    """The function of the host that serves an imported one."""
    return TABLE[function][0] if function in TABLE else function


def call(function: str, view: Callable[[], memoryview], answer: Answer, given: Sequence[int]) -> int:
    """Serve one call of the guest's; return the error number, 0 if there is none."""
    try:
        memory = Memory(view())
        row = TABLE.get(function)
        if row is not None:
            name_, kinds, write = row
            values, rest = inputs(memory, kinds, given)
        else:
            name_, values, rest, write = _OTHERS[function](memory, given)
        encoded = cgrf.encode(values[0] if len(values) == 1 else Tuple(tuple(values)))
        value: Any = cgrf.decode(answer(PREVIEW_1, name_, encoded))
        if isinstance(value, Result):
            if not value.is_ok:
                return int(value.value.value)  # type: ignore[attr-defined]
            value = value.value
        return write(Memory(view()), rest, value)
    except Fault as fault:
        return fault.number
