"""How events travel and are stored: a batch is frames one behind the other, oldest first.

A frame is the MessagePack array [seq, time_ns, event_type, data, hash]. The parent's hash is not repeated: it is the
hash of the frame before, or what the carrier of the batch says comes before it. A frame ends with its 32-byte hash.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from struct import error as StructError
from typing import Final

import msgspec

from theater.chain.events import ChainError, ChainEvent

Frame = tuple[int, int, str, bytes, bytes]

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Frame]).decode
_FRAME: Final = 0x95
"""MessagePack's byte for an array of five."""
_ARRAY: Final = Struct(">BI").pack
_U16: Final = Struct(">H").unpack_from
_U32: Final = Struct(">I").unpack_from
_DECODED_FRAMES_MAX: Final = 4096
"""So many frames are decoded at once, whatever a batch holds."""


def encode_frame(seq: int, time_ns: int, event_type: str, data: bytes, digest: bytes) -> bytes:
    """Return the frame of one event."""
    return _encode((seq, time_ns, event_type, data, digest))


def frame_seq(frame: bytes) -> int:
    """Return the number of the event in a frame.

    Raises:
        ChainError: it is not a frame.
    """
    try:
        if frame[0] != _FRAME:
            raise ChainError(f"expected a frame, got a first byte 0x{frame[0]:02x}")
        width = _uint_width(frame, 1)
        frame[width]  # the number's last byte is there
    except IndexError:
        raise ChainError(f"expected a frame, got {len(frame)} bytes") from None
    return frame[1] if width == 1 else int.from_bytes(frame[2 : 1 + width], "big")


def iter_batch(batch: bytes, prev_hash: bytes | None, *, incarnation: int = 0) -> Iterator[ChainEvent]:
    """Yield the events of a batch, oldest first. ``prev_hash`` is the hash of the event before the first.

    Nothing is verified: hashes are the recorded ones, and each event's parent is the event before it.

    Raises:
        ChainError: the bytes are not a batch; events before the bad place have been yielded, some perhaps not.
    """
    for seq, time_ns, event_type, data, digest in iter_frames(batch):
        yield ChainEvent(seq, time_ns, incarnation, event_type, data, prev_hash, digest)
        prev_hash = digest


def iter_frames(batch: bytes) -> Iterator[Frame]:
    """Yield the frames of a batch, decoded: (seq, time_ns, event_type, data, hash)."""
    start, end = 0, len(batch)
    while start < end:
        at, count = start, 0
        while at < end and count < _DECODED_FRAMES_MAX:
            at = frame_end(batch, at)
            count += 1
        try:
            yield from _decode(_ARRAY(0xDD, count) + batch[start:at])
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise ChainError(f"a batch is broken between byte {start} and {at}: {error}") from None
        start = at


def frame_end(batch: bytes, start: int) -> int:
    """Return where the frame that begins at ``start`` ends.

    Raises:
        ChainError: no frame begins there, or it is cut short.
    """
    try:
        if batch[start] != _FRAME:
            raise ChainError(f"byte {start}: expected a frame, got 0x{batch[start]:02x}")
        at = start + 1
        at += _uint_width(batch, at)
        at += _uint_width(batch, at)
        at = _text_end(batch, at)
        at = _bytes_end(batch, _bytes_end(batch, at))
    except (IndexError, StructError):
        raise ChainError(f"byte {start}: a frame is cut short") from None
    if at > len(batch):
        raise ChainError(f"byte {start}: a frame is cut short")
    return at


_UINT_WIDTHS: Final = {0xCC: 2, 0xCD: 3, 0xCE: 5, 0xCF: 9}
"""Bytes an unsigned number takes, by its first byte; small ones are that byte."""


def _uint_width(data: bytes, at: int) -> int:
    tag = data[at]
    width = 1 if tag < 0x80 else _UINT_WIDTHS.get(tag)
    if width is None:
        raise ChainError(f"byte {at}: expected an unsigned number, got 0x{tag:02x}")
    return width


def _text_end(data: bytes, at: int) -> int:
    tag = data[at]
    if 0xA0 <= tag < 0xC0:
        return at + 1 + (tag & 0x1F)
    if tag == 0xD9:
        return at + 2 + data[at + 1]
    if tag == 0xDA:
        return at + 3 + int(_U16(data, at + 1)[0])
    if tag == 0xDB:
        return at + 5 + int(_U32(data, at + 1)[0])
    raise ChainError(f"byte {at}: expected a text, got 0x{tag:02x}")


def _bytes_end(data: bytes, at: int) -> int:
    tag = data[at]
    if tag == 0xC4:
        return at + 2 + data[at + 1]
    if tag == 0xC5:
        return at + 3 + int(_U16(data, at + 1)[0])
    if tag == 0xC6:
        return at + 5 + int(_U32(data, at + 1)[0])
    raise ChainError(f"byte {at}: expected bytes, got 0x{tag:02x}")
