"""A saved chain as a sequence of events that are decoded when they are looked at: memory for a long chain stays small.

The file is mapped, only the places of its frames are kept (8 bytes an event), and the last few blocks decoded.
"""

from __future__ import annotations

import mmap
from array import array
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Final, overload

from theater.chain.batch import frame_end, iter_batch
from theater.chain.events import ChainError, ChainEvent

BLOCK: Final = 256
"""Events decoded at once."""
BLOCKS_KEPT: Final = 8
BLOCKS_PER_FORGET: Final = 64
FORGET_BYTES: Final = 8 << 20
HASH_BYTES: Final = 32


class FramesFile(Sequence[ChainEvent]):
    """The events of a file of frames, oldest first.

    Raises:
        ChainError: where a frame is broken; also while events are looked at.
        OSError: the file cannot be read.
    """

    def __init__(self, path: str) -> None:
        with open(path, "rb") as file:
            file.seek(0, 2)
            size = file.tell()
            self._bytes: mmap.mmap | bytes = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ) if size else b""
        self._starts = array("Q")
        self._blocks: OrderedDict[int, list[ChainEvent]] = OrderedDict()
        at = forgotten = 0
        while at < size:
            self._starts.append(at)
            at = frame_end(self._bytes, at)  # type: ignore[arg-type]
            if at - forgotten > FORGET_BYTES:
                self._forget()
                forgotten = at
        self._starts.append(at)
        self._forget()

    def __len__(self) -> int:
        return len(self._starts) - 1

    @overload
    def __getitem__(self, index: int) -> ChainEvent: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ChainEvent]: ...
    def __getitem__(self, index: int | slice) -> ChainEvent | Sequence[ChainEvent]:
        if isinstance(index, slice):
            return _Part(self, range(len(self))[index])
        place = range(len(self))[index]
        return self._block(place // BLOCK)[place % BLOCK]

    def __iter__(self) -> Iterator[ChainEvent]:
        for number in range((len(self) + BLOCK - 1) // BLOCK):
            yield from self._block(number)

    def _forget(self) -> None:
        """Give back what of the file was looked at: it is read again should it be needed."""
        if isinstance(self._bytes, mmap.mmap):
            self._bytes.madvise(mmap.MADV_DONTNEED)

    def _block(self, number: int) -> list[ChainEvent]:
        known = self._blocks.get(number)
        if known is None:
            known = self._blocks[number] = self._decoded(number * BLOCK)
            if len(self._blocks) > BLOCKS_KEPT:
                self._blocks.popitem(last=False)
        return known

    def _decoded(self, first: int) -> list[ChainEvent]:
        start, end = self._starts[first], self._starts[min(first + BLOCK, len(self))]
        before = bytes(self._bytes[start - HASH_BYTES : start]) if first else None  # a frame ends with its hash
        events = list(iter_batch(bytes(self._bytes[start:end]), before))
        if not first // BLOCK % BLOCKS_PER_FORGET:
            self._forget()
        if len(events) != min(BLOCK, len(self) - first):
            raise ChainError(f"byte {start}: expected {BLOCK} frames, found {len(events)}")
        return events


class _Part(Sequence[ChainEvent]):
    """Some of them, one behind the other."""

    def __init__(self, whole: FramesFile, places: range) -> None:
        self._whole = whole
        self._places = places

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, index: int) -> ChainEvent: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ChainEvent]: ...
    def __getitem__(self, index: int | slice) -> ChainEvent | Sequence[ChainEvent]:
        if isinstance(index, slice):
            return _Part(self._whole, self._places[index])
        return self._whole[self._places[index]]
