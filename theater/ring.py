"""The ring: a memory-mapped file in which a worker records events before anybody hears of them (design D7).

One writer process; the root reads it after the writer's death. What was published survives the end of both, because
the page cache does. Layout (little-endian):

    0      magic "THRING1\\n", u32 version, u32 data offset, u64 capacity
    24     u64 head: position behind the last published record; written last, so a record is whole or not there
    32     u64 tail: position up to which the store holds everything
    40     u32 incarnation, u32 length of actor id, actor id (UTF-8)
    4096   last words: u32 length, u32 crc32, bytes
    69632  records, at position modulo capacity: u32 length, u32 crc32, frame

Positions only grow. A record never wraps: where it does not fit before the end, a length of 0xFFFFFFFF sends the
reader to the start. A frame larger than a quarter of the ring lies in a *spill file* beside it, and the record names it.
"""

from __future__ import annotations

import mmap
import os
from collections import deque
from collections.abc import Iterator
from struct import Struct
from struct import error as StructError
from types import TracebackType
from typing import Final
from zlib import crc32

import msgspec

from theater.chain.batch import frame_seq
from theater.chain.events import ChainError

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

_HEAD = Struct("<8sII Q QQ II")
_U64 = Struct("<Q")
_U32 = Struct("<I")
_RECORD = Struct("<II")
_SPILLED = Struct("<BQIQ")
_HEAD_AT: Final = 24
_TAIL_AT: Final = 32
_ID_AT: Final = 48


class RingError(Exception):
    """A file that is not a ring, or not ours to read; says which and why."""


class RingFull(Exception):
    """There is no room until the store has caught up."""


class Unsent(msgspec.Struct, frozen=True):
    """Frames to send: where the next ones begin, the frames as one batch, the numbers of the first and last event."""

    position: int
    data: bytes
    first_seq: int
    last_seq: int


class RingWriter:
    """The worker's side. One thread appends; one other may read ``unsent`` and acknowledge."""

    def __init__(self, path: str, memory: mmap.mmap, capacity: int) -> None:
        self.path = path
        self.capacity = capacity
        self.start = 0
        """Position of the first record."""
        self._memory = memory
        self._head = 0
        self._tail = 0
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
            raise ValueError(f"ring capacity: expected {CAPACITY_BYTES_MIN}..{CAPACITY_BYTES_MAX} bytes, got {capacity}")
        if len(identity) > ACTOR_ID_BYTES_MAX:
            raise ValueError(f"actor id: expected at most {ACTOR_ID_BYTES_MAX} bytes, got {len(identity)}")
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(fd, 0, DATA_AT + capacity)
            memory = mmap.mmap(fd, DATA_AT + capacity)
        except OSError:
            os.unlink(path)
            raise
        finally:
            os.close(fd)
        memory[_ID_AT : _ID_AT + len(identity)] = identity
        _HEAD.pack_into(memory, 0, MAGIC, VERSION, DATA_AT, capacity, 0, 0, incarnation, len(identity))
        return cls(path, memory, capacity)

    def append(self, frame: bytes) -> int:
        """Publish a frame; return the position behind it.

        Raises:
            RingFull: there is no room until something is acknowledged. Nothing was written.
            OSError: a frame too large for the ring could not be spilled.
        """
        if len(frame) > self._spill_over:
            return self._publish(self._spill(frame))
        return self._publish(frame)

    def unsent(self, position: int, max_bytes: int) -> Unsent | None:
        """Return the frames from a position on, at least one and not much more than ``max_bytes``; None if none."""
        head, at, size = self._head, position, 0
        frames: list[bytes] = []
        while at < head and (size < max_bytes or not frames):
            at, record = _record(self._memory, self.capacity, at)
            frame = _unspill(self.path, record) if record[0] == SPILL else record
            frames.append(frame)
            size += len(frame)
        if not frames:
            return None
        last = frame_seq(frames[-1])
        self._sent.append((last, at))
        return Unsent(at, b"".join(frames), frame_seq(frames[0]), last)

    def ack(self, last_seq: int) -> None:
        """The store holds every event up to ``last_seq``: reuse their space (whole batches as ``unsent`` gave them)."""
        sent, tail = self._sent, self._tail
        while sent and sent[0][0] <= last_seq:
            tail = sent.popleft()[1]
        if tail != self._tail:
            _U64.pack_into(self._memory, _TAIL_AT, tail)
            self._tail = tail
        while self._spills and self._spills[0] <= last_seq:
            os.unlink(_spill_path(self.path, self._spills.popleft()))

    def last_words(self, words: bytes) -> None:
        """Leave something for whoever reads the ring after the end. Later words replace earlier ones.

        Raises:
            ValueError: they are too long.
        """
        if len(words) > WORDS_BYTES_MAX - _RECORD.size:
            raise ValueError(f"last words: expected at most {WORDS_BYTES_MAX - _RECORD.size} bytes, got {len(words)}")
        at = WORDS_AT + _RECORD.size
        self._memory[at : at + len(words)] = words
        _RECORD.pack_into(self._memory, WORDS_AT, len(words), crc32(words))

    @property
    def free_bytes(self) -> int:
        """Room for records."""
        return self.capacity - (self._head - self._tail)

    def close(self) -> None:
        """Unmap the file; it stays."""
        self._memory.close()

    def _publish(self, record: bytes) -> int:
        capacity, head = self.capacity, self._head
        size = _RECORD.size + len(record)
        offset = head % capacity
        room = capacity - offset
        if room < size:  # go on at the start
            if head + room + size - self._tail > capacity:
                raise RingFull
            if room >= _U32.size:
                _U32.pack_into(self._memory, DATA_AT + offset, SKIP)
            head, offset = head + room, 0
        elif head + size - self._tail > capacity:
            raise RingFull
        at = DATA_AT + offset
        self._memory[at : at + size] = _RECORD.pack(len(record), crc32(record)) + record
        self._head = head = head + size
        _U64.pack_into(self._memory, _HEAD_AT, head)
        return head

    def _spill(self, frame: bytes) -> bytes:
        """Write a large frame beside the ring, durably enough to survive this process, and return its record."""
        if self.free_bytes < 2 * (_RECORD.size + _SPILLED.size):
            raise RingFull
        seq = frame_seq(frame)
        path = _spill_path(self.path, seq)
        with open(path + ".new", "wb", opener=_private) as file:
            file.write(frame)
        os.replace(path + ".new", path)
        self._spills.append(seq)
        return _SPILLED.pack(SPILL, seq, crc32(frame), len(frame))


class Rest(msgspec.Struct, frozen=True):
    """Events found in a ring, as one batch."""

    first_seq: int
    last_seq: int
    head_hash: bytes
    payload: bytes


class RingReader:
    """A ring after its writer's death. ``torn`` says where and why it ends early, None if it is whole."""

    def __init__(self, path: str, memory: bytes) -> None:
        self.path = path
        self.torn: str | None = None
        self._memory = memory
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
    def remove(path: str) -> None:
        """Remove a ring file and its spill files."""
        directory, name = os.path.split(path)
        for entry in os.listdir(directory):
            if entry.startswith(name):
                try:
                    os.unlink(os.path.join(directory, entry))
                except FileNotFoundError:
                    pass

    def frames(self, after_seq: int = -1) -> Iterator[bytes]:
        """Yield the frames of events after a number, oldest first, up to the first bad record."""
        at = self._tail
        while at < self._head:
            try:
                at, record = _record(self._memory, self.capacity, at)
                frame = _unspill(self.path, record) if record[0] == SPILL else record
                seq = frame_seq(frame)
            except (RingError, ChainError, OSError, IndexError, StructError) as error:
                self.torn = f"{self.path}: cut at position {at} of {self._head}: {error}"
                return
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
        words = self._memory[WORDS_AT + _RECORD.size : WORDS_AT + _RECORD.size + length]
        return words if length and len(words) == length and crc32(words) == checksum else None

    def __enter__(self) -> RingReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._memory = b""


def _record(memory: mmap.mmap | bytes, capacity: int, at: int) -> tuple[int, bytes]:
    """Return the record at a position and the position behind it.

    Raises:
        RingError: there is no whole record.
    """
    offset = at % capacity
    room = capacity - offset
    if room < _RECORD.size or _U32.unpack_from(memory, DATA_AT + offset)[0] == SKIP:
        at, offset, room = at + room, 0, capacity
    length, checksum = _RECORD.unpack_from(memory, DATA_AT + offset)
    begin = DATA_AT + offset + _RECORD.size
    record = bytes(memory[begin : begin + length]) if 0 < length <= room - _RECORD.size else b""
    if not record or len(record) != length:
        raise RingError(f"expected a record of at most {room - _RECORD.size} bytes, its length says {length}")
    if crc32(record) != checksum:
        raise RingError("its checksum does not match")
    return at + _RECORD.size + length, record


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
