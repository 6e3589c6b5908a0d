"""The ring: a memory-mapped file in which a worker records events before anybody hears of them (design D7).

One writer process; the root reads it after the writer's death. What was published survives the end of both, because
the page cache does. Layout (little-endian):

    0      magic "THRING1\\n", u32 version, u32 data offset, u64 capacity
    24     u64 head: position behind the last published record; written last, so a record is whole or not there
    32     u64 tail: position up to which the store holds everything
    40     u32 incarnation, u32 length of actor id, actor id (UTF-8)
    304    u8 1 if there ever was a spill file
    4096   last words: u32 length, u32 crc32, bytes
    69632  records, at position modulo capacity: u32 length, u32 crc32, frame

Positions only grow. A record never wraps: where it does not fit before the end, a length of 0xFFFFFFFF sends the
reader to the start. A frame larger than a quarter of the ring lies in a *spill file* beside it; the record names it.
The magic is written last when a ring is made: a file without it is a ring that was never begun. The writer holds a
flock on the file for as long as its process lives.
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
from collections import deque
from collections.abc import Iterator
from struct import Struct
from struct import error as StructError
from types import TracebackType
from typing import IO, Final
from zlib import crc32

import msgspec

from theater.chain.batch import frame_end, frame_seq
from theater.chain.events import ChainError
from theater.errors import TheaterError

MAGIC: Final = b"THRING1\n"
VERSION: Final = 1
ACTOR_ID_BYTES_MAX: Final = 256
WORDS_AT: Final = 4096
WORDS_BYTES_MAX: Final = 64 * 1024
DATA_AT: Final = WORDS_AT + WORDS_BYTES_MAX
CAPACITY_BYTES_MIN: Final = 4096
CAPACITY_BYTES_MAX: Final = 1 << 30
SPILL_SHARE: Final = 4
"""Frames larger than capacity / SPILL_SHARE are spilled."""
SPILL: Final = 0xC1
"""First byte of a record that names a spill file (never the first byte of a frame)."""
SKIP: Final = 0xFFFFFFFF
HASH_BYTES: Final = 32
"""A frame ends with its event's hash."""

_HEAD: Final = Struct("<8sII Q QQ II")
_U32: Final = Struct("<I")
_RECORD: Final = Struct("<II")
_RECORD_BYTES: Final = _RECORD.size
_pack_record = _RECORD.pack
_SPILLED: Final = Struct("<BQIQ")
_NO_MAGIC: Final = bytes(len(MAGIC))
_HEAD_AT: Final = 24
_ID_AT: Final = 48
_SPILLS_AT: Final = _ID_AT + ACTOR_ID_BYTES_MAX
_DISK_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
LAST_WORDS_BYTES_MAX: Final = WORDS_BYTES_MAX - _RECORD_BYTES


class RingError(TheaterError):
    """A file that is not a ring, or not ours to read; says which and why."""


class RingFull(TheaterError):
    """There is no room until the store has caught up."""


class Unsent(msgspec.Struct, frozen=True):
    """Frames to send: where the next ones begin, the frames as one batch, the numbers of the first and last event."""

    position: int
    data: bytes
    first_seq: int
    last_seq: int


class RingWriter:
    """The worker's side. One thread appends; one other may read ``unsent`` and acknowledge.

    They share no lock: each position is written by one of them only, and after what it speaks of.
    """

    def __init__(self, path: str, fd: int, memory: mmap.mmap, capacity: int) -> None:
        self.path = path
        self.capacity = capacity
        self.start = 0
        """Position of the first record."""
        self._fd = fd
        self._memory = memory
        self._marks = memoryview(memory)[_HEAD_AT : _HEAD_AT + 16].cast("Q")
        """Head and tail in the file. An item is stored in one move, which death cannot divide."""
        self._head = 0
        self._tail = 0
        self._at = DATA_AT
        """Offset in the file that belongs to ``_head``."""
        self._end = DATA_AT + capacity
        self._spill_over = capacity // SPILL_SHARE
        self._sent: deque[tuple[int, int]] = deque()
        """(last event, position behind it) of what ``unsent`` has given out and nobody acknowledged."""
        self._spills: deque[int] = deque()
        """Events in spill files, oldest first."""

    @classmethod
    def create(cls, path: str, capacity: int, *, actor_id: str, incarnation: int) -> RingWriter:
        """Create the file with all its blocks, so that recording never meets a full disk.

        Raises:
            OSError: it exists, cannot be created, or the disk is full.
            ValueError: the capacity or the id is out of bounds.
        """
        identity = actor_id.encode()
        if not CAPACITY_BYTES_MIN <= capacity <= CAPACITY_BYTES_MAX:
            bounds = f"{CAPACITY_BYTES_MIN}..{CAPACITY_BYTES_MAX}"
            raise ValueError(f"ring capacity: expected {bounds} bytes, got {capacity}")
        if len(identity) > ACTOR_ID_BYTES_MAX:
            raise ValueError(f"actor id: expected at most {ACTOR_ID_BYTES_MAX} bytes, got {len(identity)}")
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.posix_fallocate(fd, 0, DATA_AT + capacity)
            memory = mmap.mmap(fd, DATA_AT + capacity)
        except BaseException:
            os.close(fd)
            os.unlink(path)
            raise
        memory[_ID_AT : _ID_AT + len(identity)] = identity
        _HEAD.pack_into(memory, 0, _NO_MAGIC, VERSION, DATA_AT, capacity, 0, 0, incarnation, len(identity))
        memory[: len(MAGIC)] = MAGIC
        return cls(path, fd, memory, capacity)

    def append(self, frame: bytes) -> int:
        """Publish a frame; return the position behind it.

        Raises:
            RingFull: there is no room until something is acknowledged (or, for a frame that has to be spilled, until
                there is room on the disk). Nothing was written.
            OSError: a frame too large for the ring could not be spilled.
        """
        length, at = len(frame), self._at
        behind, head = at + length + _RECORD_BYTES, self._head + length + _RECORD_BYTES
        if length > self._spill_over or behind > self._end or head - self._tail > self.capacity:
            return self._append_with_care(frame)
        self._memory[at:behind] = _pack_record(length, crc32(frame)) + frame
        self._marks[0] = head
        self._at = behind
        self._head = head
        return head

    def unsent(self, position: int, max_bytes: int) -> Unsent | None:
        """Return the frames from a position on, at least one and not much more than ``max_bytes``; None if none."""
        head, at, room = self._head, position, max_bytes
        memory, capacity = self._memory, self.capacity
        frames: list[bytes] = []
        while at < head and room > 0:
            offset, at = _place(memory, capacity, at)
            length = _U32.unpack_from(memory, offset)[0]
            begin = offset + _RECORD_BYTES
            frame = memory[begin : begin + length]
            if frame[0] == SPILL:
                frame = _unspill(self.path, frame)
            frames.append(frame)
            at += _RECORD_BYTES + length
            room -= len(frame)
        if not frames:
            return None
        last = frame_seq(frames[-1])
        self._sent.append((last, at))
        return Unsent(at, b"".join(frames), frame_seq(frames[0]), last)

    def ack(self, last_seq: int) -> None:
        """The store holds every event up to ``last_seq``: reuse their space (whole batches as ``unsent`` gave them)."""
        sent, freed_seq = self._sent, -1
        tail = self._tail
        while sent and sent[0][0] <= last_seq:
            freed_seq, tail = sent.popleft()
        if tail == self._tail:
            return
        # In this order: what a reader finds is whole at any moment, with the spill files that belong to it.
        self._marks[1] = tail
        self._tail = tail
        while self._spills and self._spills[0] <= freed_seq:
            _forget(_spill_path(self.path, self._spills.popleft()))

    def last_words(self, words: bytes) -> None:
        """Leave something for whoever reads the ring after the end. Later words replace earlier ones.

        Raises:
            ValueError: they are too long.
        """
        if len(words) > LAST_WORDS_BYTES_MAX:
            raise ValueError(f"last words: expected at most {LAST_WORDS_BYTES_MAX} bytes, got {len(words)}")
        at = WORDS_AT + _RECORD_BYTES
        self._memory[at : at + len(words)] = words
        _RECORD.pack_into(self._memory, WORDS_AT, len(words), crc32(words))

    @property
    def free_bytes(self) -> int:
        """Room for records."""
        return self.capacity - (self._head - self._tail)

    def close(self) -> None:
        """Unmap the file and let go of it; it stays."""
        self._marks.release()
        self._memory.close()
        os.close(self._fd)

    def _append_with_care(self, frame: bytes) -> int:
        """Append where the record must be spilled, or does not fit before the end, or does not fit at all."""
        is_large = len(frame) > self._spill_over
        size = _RECORD_BYTES + (_SPILLED.size if is_large else len(frame))
        room = self._end - self._at
        skipped = room if room < size else 0
        if self._head + skipped + size - self._tail > self.capacity:
            raise RingFull
        record = self._spill(frame) if is_large else frame
        if room < size:
            if room >= _RECORD_BYTES:
                _U32.pack_into(self._memory, self._at, SKIP)
            self._at = DATA_AT  # also from the very end, where nothing is skipped
        self._memory[self._at : self._at + size] = _pack_record(len(record), crc32(record)) + record
        self._at += size
        self._marks[0] = head = self._head + skipped + size
        self._head = head
        return head

    def _spill(self, frame: bytes) -> bytes:
        """Write a large frame beside the ring, complete before the ring names it, and return its record."""
        seq = frame_seq(frame)
        path = _spill_path(self.path, seq)
        self._memory[_SPILLS_AT] = 1
        try:
            with open(path + ".new", "wb", buffering=0, opener=_private) as file:
                _write_all(file, frame)
            os.replace(path + ".new", path)
        except OSError as error:
            _forget(path + ".new")
            if error.errno in _DISK_FULL:
                raise RingFull from None
            raise
        self._spills.append(seq)
        return _SPILLED.pack(SPILL, seq, crc32(frame), len(frame))


class Rest(msgspec.Struct, frozen=True):
    """Events found in a ring, as one batch."""

    first_seq: int
    last_seq: int
    head_hash: bytes
    payload: bytes


class RingReader:
    """A ring after its writer's death. ``torn`` says where and why it ends early, None if it is whole.

    A ring that was never begun (its writer died while making it) has no events and no actor: ``actor_id`` is empty.
    """

    def __init__(self, path: str, memory: bytes) -> None:
        self.path = path
        self.torn: str | None = None
        self.actor_id = ""
        self.incarnation = 0
        self.capacity = CAPACITY_BYTES_MIN
        self._memory = memory
        self._head = self._tail = 0
        if memory[: len(MAGIC)].strip(b"\0"):
            self._read_header(path, memory)

    def _read_header(self, path: str, memory: bytes) -> None:
        try:
            magic, version, data_at, self.capacity, self._head, self._tail, self.incarnation, length = (
                _HEAD.unpack_from(memory)
            )
            self.actor_id = memory[_ID_AT : _ID_AT + length].decode()
        except (StructError, UnicodeDecodeError):
            raise RingError(f"{path}: expected a ring of at least {DATA_AT} bytes, got {len(memory)}") from None
        if magic != MAGIC:
            raise RingError(f"{path}: expected a ring beginning with {MAGIC!r}, got {magic!r}")
        if version != VERSION or data_at != DATA_AT:
            raise RingError(f"{path}: expected ring version {VERSION}, got {version}")
        if not CAPACITY_BYTES_MIN <= self.capacity <= CAPACITY_BYTES_MAX or not (
            self._tail <= self._head <= self._tail + self.capacity
        ):
            raise RingError(f"{path}: its header does not make sense (capacity {self.capacity}, head {self._head})")

    @classmethod
    def open(cls, path: str) -> RingReader:
        """Read a ring file.

        Raises:
            FileNotFoundError: there is none.
            RingError: it is not a ring.
        """
        with open(path, "rb") as file:
            return cls(path, file.read(DATA_AT + CAPACITY_BYTES_MAX))

    @staticmethod
    def has_writer(path: str) -> bool:
        """Say whether the process that made a ring still lives."""
        with open(path, "rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
        return False

    @staticmethod
    def remove(path: str) -> None:
        """Remove a ring file and its spill files."""
        try:
            with open(path, "rb") as file:
                has_spills = os.pread(file.fileno(), 1, _SPILLS_AT) != b"\0"
        except FileNotFoundError:
            has_spills = True
        if has_spills:
            directory, name = os.path.split(path)
            for entry in os.listdir(directory or "."):
                if entry.startswith(name + ".") and entry.endswith((".spill", ".spill.new")):
                    _forget(os.path.join(directory, entry))
        _forget(path)

    def frames(self, after_seq: int = -1) -> Iterator[bytes]:
        """Yield the frames of events after a number, oldest first, up to the first bad record."""
        at = self._tail
        while at < self._head:
            try:
                behind, record = _record(self._memory, self.capacity, at)
                frame = _unspill(self.path, record) if record[0] == SPILL else record
                seq = frame_seq(frame)
                if behind > self._head or frame_end(frame, 0) != len(frame):
                    raise RingError(f"the record at position {at} goes on too long")
            except (RingError, ChainError, OSError, StructError) as error:
                self.torn = f"{self.path}: cut at position {at} of {self._head}: {error}"
                return
            at = behind
            if seq > after_seq:
                yield frame

    def batch_after(self, after_seq: int) -> Rest | None:
        """Return everything after an event as one batch, None if there is nothing."""
        frames = list(self.frames(after_seq))
        if not frames:
            return None
        last = frames[-1]
        return Rest(frame_seq(frames[0]), frame_seq(last), last[-HASH_BYTES:], b"".join(frames))

    def last_words(self) -> bytes | None:
        """What the writer left for us, None if nothing whole."""
        try:
            length, checksum = _RECORD.unpack_from(self._memory, WORDS_AT)
        except StructError:
            return None
        words = self._memory[WORDS_AT + _RECORD_BYTES : WORDS_AT + _RECORD_BYTES + length]
        return words if length and len(words) == length and crc32(words) == checksum else None

    def __enter__(self) -> RingReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._memory = b""


def _place(memory: mmap.mmap | bytes, capacity: int, at: int) -> tuple[int, int]:
    """Return where in the file the record at a position begins, and its position once the unused end is skipped."""
    offset = at % capacity
    room = capacity - offset
    if room < _RECORD_BYTES or _U32.unpack_from(memory, DATA_AT + offset)[0] == SKIP:
        return DATA_AT, at + room
    return DATA_AT + offset, at


def _record(memory: bytes, capacity: int, at: int) -> tuple[int, bytes]:
    """Return the position behind a record, and the record.

    Raises:
        RingError, struct.error: there is no whole record.
    """
    offset, at = _place(memory, capacity, at)
    length, checksum = _RECORD.unpack_from(memory, offset)
    begin = offset + _RECORD_BYTES
    record = memory[begin : min(begin + length, DATA_AT + capacity)]
    if not record or len(record) != length:
        raise RingError(f"expected a record of {length} bytes, there are {len(record)}")
    if crc32(record) != checksum:
        raise RingError("its checksum does not match")
    return at + _RECORD_BYTES + length, record


def _unspill(ring: str, record: bytes) -> bytes:
    _, seq, checksum, length = _SPILLED.unpack(record)
    with open(_spill_path(ring, seq), "rb") as file:
        frame = file.read(length + 1)
    if len(frame) != length or crc32(frame) != checksum:
        raise RingError(f"the spill file of event {seq} is damaged")
    return frame


def _spill_path(ring: str, seq: int) -> str:
    return f"{ring}.{seq}.spill"


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_CLOEXEC, 0o600)


def _write_all(file: IO[bytes], data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[file.write(rest) :]


def _forget(path: str) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        pass
