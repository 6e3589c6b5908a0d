"""Beside the ring: a worker's committed state and the operation it is in, to be read after it was killed (design D7).

A worker that is to be recovered writes each state before the event that commits it. The file has two slots, written in
turn, each naming the event its state belongs to: whoever reads it after a death takes the newest one whose event is in
the chain, so state and chain never disagree. Layout (little-endian):

    0      magic "THSTATE1", u64 capacity of a slot
    16     slot 0: u64 sequence number, u64 length, u32 crc32 of both and of the state; slot 1 at 48
    512    operation under way: u64 sequence number of its call event, u32 length, u32 crc32, 32 bytes of digest, name
    4096   bytes of slot 0, then those of slot 1

A state that does not fit moves to a larger file, which takes the place of the old one in one step.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from struct import Struct
from typing import Final
from zlib import crc32

import msgspec

MAGIC: Final = b"THSTATE1"
SUFFIX: Final = ".state"
FIRST_BYTES: Final = 4096
"""Room for one state in a new file."""

_HEAD: Final = Struct("<8sQ")
_SLOT: Final = Struct("<QQI")
_NUMBERS: Final = Struct("<QQ")
_SLOTS_AT: Final = (16, 48)
_DATA_AT: Final = 4096
_UNDERWAY_AT: Final = 512
_UNDERWAY: Final = Struct("<QII32s")
_NAME_BYTES_MAX: Final = 1024
_NOTHING: Final = bytes(_UNDERWAY.size)


class Underway(msgspec.Struct, frozen=True):
    """An operation that had begun and not returned: its call event, its digest, and its function's name."""

    seq: int
    digest: str
    function: str


def operation_digest(function: str, params: bytes) -> str:
    """What two operations that are the same have in common (SHA-256, hex)."""
    return hashlib.sha256(b"%s\0%s" % (function.encode(), params)).hexdigest()


def state_path(ring: str) -> str:
    """Where the state of the worker with that ring is."""
    return os.path.splitext(ring)[0] + SUFFIX


class StateWriter:
    """The worker's side; one thread. Raises OSError when there is no room on the disk: then nothing has changed."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._room = FIRST_BYTES
        self._memory = _create(path, FIRST_BYTES)
        self._turn = 0
        self._newest: tuple[int, bytes] | None = None

    def put(self, seq: int, state: bytes) -> None:
        """Keep the state that event ``seq`` will commit. One that equals the newest is kept already."""
        newest = self._newest
        if newest is not None and newest[1] == state:
            return
        if len(state) > self._room:
            self._grow(len(state))
        self._turn ^= 1
        _fill(self._memory, self._turn, self._room, seq, state)
        self._newest = (seq, state)

    def enter(self, seq: int, function: str, params: bytes) -> None:
        """Note that an operation begins, whose call event will be ``seq``."""
        digest = bytes.fromhex(operation_digest(function, params))
        name = function.encode()[:_NAME_BYTES_MAX]
        at = _UNDERWAY_AT + _UNDERWAY.size
        self._memory[at : at + len(name)] = name
        check = crc32(name, crc32(digest, seq & 0xFFFF))
        _UNDERWAY.pack_into(self._memory, _UNDERWAY_AT, seq, len(name), check, digest)

    def leave(self) -> None:
        """The operation has returned."""
        self._memory[_UNDERWAY_AT : _UNDERWAY_AT + len(_NOTHING)] = _NOTHING

    def close(self) -> None:
        """Let go of the file; it stays."""
        self._memory.close()

    def _grow(self, needed: int) -> None:
        room = self._room
        while room < needed:
            room *= 2
        path = self.path + ".new"
        memory = _create(path, room)
        memory[_UNDERWAY_AT:_DATA_AT] = self._memory[_UNDERWAY_AT:_DATA_AT]
        if self._newest is not None:
            _fill(memory, self._turn, room, *self._newest)
        os.replace(path, self.path)
        self._memory.close()
        self._memory, self._room = memory, room


def committed_at(path: str, last_seq: int) -> tuple[int, bytes] | None:
    """Return the newest (event, state) whose event is not after ``last_seq``; None if there is none to be had."""
    data = _contents(path)
    if data is None:
        return None
    room = _HEAD.unpack_from(data)[1]
    found = [kept for turn in (0, 1) if (kept := _read(data, turn, room)) is not None and kept[0] <= last_seq]
    return max(found, default=None)


def underway_at(path: str) -> Underway | None:
    """Return the operation a worker was in when it ended; None if it was in none, or it cannot be told."""
    data = _contents(path)
    if data is None:
        return None
    seq, length, check, digest = _UNDERWAY.unpack_from(data, _UNDERWAY_AT)
    at = _UNDERWAY_AT + _UNDERWAY.size
    name = data[at : at + min(length, _NAME_BYTES_MAX)]
    if digest == bytes(32) or crc32(name, crc32(digest, seq & 0xFFFF)) != check:
        return None
    return Underway(seq, digest.hex(), name.decode("utf-8", "replace"))


def _contents(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return None
    return data if len(data) >= _DATA_AT and data[: len(MAGIC)] == MAGIC else None


def _create(path: str, room: int) -> mmap.mmap:
    """Create the file with all its blocks, so that writing to it never meets a full disk."""
    size = _DATA_AT + 2 * room
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        os.posix_fallocate(fd, 0, size)
        memory = mmap.mmap(fd, size)
    except BaseException:
        os.unlink(path)
        raise
    finally:
        os.close(fd)
    _HEAD.pack_into(memory, 0, MAGIC, room)
    return memory


def _fill(memory: mmap.mmap, turn: int, room: int, seq: int, state: bytes) -> None:
    at = _DATA_AT + turn * room
    memory[at : at + len(state)] = state
    _SLOT.pack_into(memory, _SLOTS_AT[turn], seq, len(state), _check(seq, state))


def _read(data: bytes, turn: int, room: int) -> tuple[int, bytes] | None:
    seq, length, check = _SLOT.unpack_from(data, _SLOTS_AT[turn])
    at = _DATA_AT + turn * room
    state = data[at : at + length]
    if not check or len(state) != length or length > room or _check(seq, state) != check:
        return None
    return seq, state


def _check(seq: int, state: bytes) -> int:
    return crc32(state, crc32(_NUMBERS.pack(seq, len(state)))) or 1
