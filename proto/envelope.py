"""Frames on the wire: a fixed prefix (magic, version, class), one encoded record, and raw body frames.

A message is a list of frames. The first holds ``b"TH"``, the protocol version, the class byte and a MessagePack array
(tag, fields...) of one record of that class. Bodies (encoded values, event batches, wasm bytes) follow as frames of
their own, so that whoever forwards a message never copies or decodes them. See docs/protocol.md, section 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Final

import msgspec

from proto import limits

if TYPE_CHECKING:
    from typing import TypeAlias

MAGIC: Final = b"TH"
VERSION: Final = 1
PREFIX_BYTES: Final = 4


class MessageClass(IntEnum):
    """What kind of message a frame carries."""

    OPERATION = 1
    INFO = 2
    CONTROL = 3
    STREAM = 4


class Message(msgspec.Struct, frozen=True, array_like=True, tag=True, gc=False):
    """Base of every record on the wire. ``id`` of a request is chosen by the asker and comes back in its answer."""


Frames: TypeAlias = "Sequence[bytes]"


class WireError(ValueError):
    """A frame the other side should not have sent. ``reason`` is a short stable word for counters."""

    reason = "malformed"


class ForeignFrame(WireError):
    """The frame does not begin with our magic: somebody else's protocol."""

    reason = "foreign"


class UnknownVersion(WireError):
    """The frame is ours but of a version we do not speak."""

    reason = "version"


class MalformedFrame(WireError):
    """The record does not decode as a message of its class."""

    reason = "malformed"


class OversizedFrame(WireError):
    """A frame is larger, or there are more frames, than the limits allow."""

    reason = "oversized"


class Codec:
    """Encodes and decodes the messages of one class.

    ``kinds`` is the union of its record types. Decoding checks magic, version, class, sizes and field types, and raises
    a WireError that says what was wrong; it never raises anything else.
    """

    __slots__ = ("_decode", "_encode", "_prefix", "message_class")

    def __init__(self, message_class: MessageClass, kinds: Any) -> None:
        self.message_class = message_class
        self._prefix = MAGIC + bytes((VERSION, message_class))
        self._encode = msgspec.msgpack.Encoder().encode
        self._decode = msgspec.msgpack.Decoder(kinds).decode

    def encode(self, message: Message) -> bytes:
        """Return the header frame of a message."""
        return self._prefix + self._encode(message)

    def decode(self, header: bytes) -> Any:
        """Return the record in a header frame.

        Raises:
            WireError: foreign, of another version or class, too large, or not decodable.
        """
        if header[:PREFIX_BYTES] != self._prefix or len(header) > limits.HEADER_BYTES_MAX:
            raise self._refusal(header)
        try:
            return self._decode(memoryview(header)[PREFIX_BYTES:])
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise MalformedFrame(f"{self.message_class.name.lower()} message: {error}") from None

    def _refusal(self, header: bytes) -> WireError:
        if header[:2] != MAGIC:
            return ForeignFrame(f"expected a frame beginning with {MAGIC!r}, got {header[:4]!r}")
        if len(header) < PREFIX_BYTES:
            return MalformedFrame(f"expected at least {PREFIX_BYTES} bytes, got {len(header)}")
        if header[2] != VERSION:
            return UnknownVersion(f"expected protocol version {VERSION}, got {header[2]}")
        if len(header) > limits.HEADER_BYTES_MAX:
            return OversizedFrame(f"expected a header of at most {limits.HEADER_BYTES_MAX} bytes, got {len(header)}")
        return MalformedFrame(f"expected a message of class {self.message_class.name.lower()}, got class {header[3]}")


def class_of(header: bytes) -> MessageClass | None:
    """Return the class named in a header frame, or None if the frame is not ours."""
    if header[:2] != MAGIC or len(header) < PREFIX_BYTES:
        return None
    try:
        return MessageClass(header[3])
    except ValueError:
        return None


def check_bodies(bodies: Frames) -> None:
    """Raise OversizedFrame if there are more or larger body frames than the limits allow."""
    if len(bodies) > limits.BODIES_MAX:
        raise OversizedFrame(f"expected at most {limits.BODIES_MAX} body frames, got {len(bodies)}")
    for body in bodies:
        if len(body) > limits.BODY_BYTES_MAX:
            raise OversizedFrame(f"expected a body of at most {limits.BODY_BYTES_MAX} bytes, got {len(body)}")
