"""Batches: how events travel and are stored. A batch is the concatenation of frames, one an event.

A frame is the MessagePack array ``[seq, time_ns, event_type, data, hash]``; the parent hash is implied by the frame
before it. A frame always ends with the 32 bytes of its event's hash.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final

import msgspec

from theater.chain.events import ChainEvent
from theater.chain.hashing import HASH_BYTES

FRAME: Final = 0x95
"""First byte of every frame: a MessagePack array of five."""
_UINTS: Final = {0xCC: Struct(">B"), 0xCD: Struct(">H"), 0xCE: Struct(">I"), 0xCF: Struct(">Q")}
_ARRAY32: Final = Struct(">BI")
_TEXTS: Final = {0xD9: Struct(">B"), 0xDA: Struct(">H"), 0xDB: Struct(">I")}
_BYTES: Final = {0xC4: Struct(">B"), 0xC5: Struct(">H"), 0xC6: Struct(">I")}


class BatchError(ValueError):
    """Bytes that are not a batch; says where."""


class _Frame(msgspec.Struct, frozen=True, array_like=True, gc=False, forbid_unknown_fields=True):
    seq: int
    time_ns: int
    event_type: str
    data: bytes
    hash: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode_all = msgspec.msgpack.Decoder(list[_Frame]).decode


def encode_frame(seq: int, time_ns: int, event_type: str, data: bytes, digest: bytes) -> bytes:
    """Return the frame of one event."""
    return _encode((seq, time_ns, event_type, data, digest))


def frame_seq(frame: bytes | memoryview) -> int:
    """Return the event number at the beginning of a frame.

    Raises:
        BatchError: it is no frame.
    """
    try:
        if frame[0] == FRAME:
            kind = frame[1]
            return kind if kind < 0x80 else int(_UINTS[kind].unpack_from(frame, 2)[0])
    except (KeyError, IndexError, ValueError, ArithmeticError):
        pass
    except Exception as error:  # struct.error has no useful base
        raise BatchError(f"frame is cut short: {error}") from None
    raise BatchError("expected the frame of an event")


def count_frames(batch: bytes) -> int:
    """Count the frames of a batch by walking over them."""
    at = count = 0
    while at < len(batch):
        at = _end_of_frame(batch, at)
        count += 1
    return count


def decode_frames(batch: bytes, count: int | None = None) -> list[_Frame]:
    """Return the frames of a batch as records with seq, time_ns, event_type, data and hash.

    ``count`` saves the walk where it is known (a stored row says it).

    Raises:
        BatchError: the bytes are not that many frames.
    """
    wanted = count_frames(batch) if count is None else count
    try:
        return _decode_all(_ARRAY32.pack(0xDD, wanted) + batch)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise BatchError(f"expected {wanted} event frames: {error}") from None


def iter_batch(
    batch: bytes, prev_hash: bytes | None = None, incarnation: int = 0, count: int | None = None
) -> Iterator[ChainEvent]:
    """Yield the events of a batch; ``prev_hash`` is the hash of the event before the first one.

    Raises:
        BatchError: the bytes are not a batch.
    """
    parent = prev_hash
    for frame in decode_frames(batch, count):
        yield ChainEvent(
            frame.seq, frame.time_ns, frame.event_type, frame.data, frame.hash, parent, incarnation
        )
        parent = frame.hash


def encode_batch(events: list[ChainEvent]) -> bytes:
    """Return the batch of some events in a row."""
    return b"".join(encode_frame(e.seq, e.time_ns, e.event_type, e.data, e.hash) for e in events)


def _end_of_frame(batch: bytes, at: int) -> int:
    start = at
    try:
        if batch[at] != FRAME:
            raise BatchError(f"byte {at}: expected the frame of an event")
        at += 1
        for _ in range(2):
            kind = batch[at]
            at += 1 if kind < 0x80 else 1 + _UINTS[kind].size
        kind = batch[at]
        at = at + 1 + (kind & 0x1F) if 0xA0 <= kind <= 0xBF else _after(batch, at, _TEXTS)
        at = _after(batch, at, _BYTES)
        at = _after(batch, at, _BYTES)
    except BatchError:
        raise
    except Exception:  # KeyError, IndexError, struct.error: all say the same
        raise BatchError(f"byte {start}: frame is cut short or malformed") from None
    if at > len(batch):
        raise BatchError(f"byte {start}: frame is cut short")
    return at


def _after(batch: bytes, at: int, kinds: dict[int, Struct]) -> int:
    size = kinds[batch[at]]
    return at + 1 + size.size + int(size.unpack_from(batch, at + 1)[0])


__all__ = [
    "HASH_BYTES",
    "BatchError",
    "count_frames",
    "decode_frames",
    "encode_batch",
    "encode_frame",
    "frame_seq",
    "iter_batch",
]
