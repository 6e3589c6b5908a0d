"""What is in files: reading and writing, at once or as streams."""

from __future__ import annotations

import os
from typing import Final

from theater.values import U32, U64, UNIT, Bool, List, Tuple, Value, bytes_of
from worker.interfaces.context import Context
from worker.interfaces.wasi.descriptors import READ, WRITE, descriptor, file
from worker.interfaces.wasi.resources import resources
from worker.interfaces.wasi.streams import CHUNK_BYTES, InputStream, OutputStream, StreamClosed, StreamFailed

READ_BYTES_MAX: Final = 1 << 20
"""One ``read`` gives at most so much; it may always give less than asked for."""


class FileReader(InputStream):
    """A file, from an offset on."""

    def __init__(self, fd: int, offset: int) -> None:
        self._fd = os.dup(fd)
        self._offset = offset

    def read(self, size: int) -> bytes:
        """The next bytes."""
        try:
            data = os.pread(self._fd, size, self._offset)
        except OSError as error:
            raise StreamFailed(str(error)) from None
        if size and not data:
            raise StreamClosed
        self._offset += len(data)
        return data

    def close(self) -> None:
        """Give it back."""
        os.close(self._fd)


class FileWriter(OutputStream):
    """A file, from an offset on, or at its end."""

    leaves = False

    def __init__(self, fd: int, offset: int | None) -> None:
        self._fd = os.dup(fd)
        self._offset = offset

    def room(self) -> int:
        """Files take what they are given."""
        return CHUNK_BYTES

    def write(self, data: bytes) -> None:
        """Write all of it."""
        try:
            at = os.fstat(self._fd).st_size if self._offset is None else self._offset
            written = write_all(self._fd, data, at)
        except OSError as error:
            raise StreamFailed(str(error)) from None
        if self._offset is not None:
            self._offset += written

    def close(self) -> None:
        """Give it back."""
        os.close(self._fd)


def write_all(fd: int, data: bytes, at: int) -> int:
    """Write all of it from an offset on; return how many bytes that were."""
    rest = memoryview(data)
    while rest:
        size = os.pwrite(fd, rest, at)
        rest, at = rest[size:], at + size
    return len(data)


def read_via_stream(context: Context, handle: U32, offset: U64) -> Value:
    """A stream of a file's contents."""
    return resources(context).add(FileReader(file(context, handle, READ).fd, offset.value))


def write_via_stream(context: Context, handle: U32, offset: U64) -> Value:
    """A stream into a file."""
    return resources(context).add(FileWriter(file(context, handle, WRITE).fd, offset.value))


def append_via_stream(context: Context, handle: U32) -> Value:
    """A stream to the end of a file."""
    return resources(context).add(FileWriter(file(context, handle, WRITE).fd, None))


def read(context: Context, handle: U32, length: U64, offset: U64) -> Value:
    """Bytes of a file, and whether it ends there."""
    size = min(length.value, READ_BYTES_MAX)
    data = os.pread(file(context, handle, READ).fd, size, offset.value)
    return Tuple((bytes_of(data), Bool(bool(size) and not data)))


def write(context: Context, handle: U32, data: List, offset: U64) -> Value:
    """Write into a file."""
    return U64(write_all(file(context, handle, WRITE).fd, bytes(data.items), offset.value))


def set_size(context: Context, handle: U32, size: U64) -> Value:
    """Cut a file, or make it longer."""
    os.ftruncate(file(context, handle, WRITE).fd, size.value)
    return UNIT


def sync(context: Context, handle: U32) -> Value:
    """Onto the disk."""
    os.fsync(descriptor(context, handle).fd)
    return UNIT
