"""Numbers of CGRF, the encoding of values between actors: kinds of nodes, and types of what containers hold.

A type is written as the number of the node that a value of it is, followed by what it consists of.
"""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct
from typing import Final

MAGIC: Final = b"CGRF"
VERSION: Final = 2
HEADER: Final = Struct("<4sHHII")
"""Magic, version, flags, number of nodes, number of the root."""
NODE: Final = Struct("<BxxxI")
"""Kind, and bytes of the payload."""
COUNT: Final = Struct("<I")
DEPTH_MAX: Final = 150
"""Levels of nesting: Python's own stack bounds them."""

BOOL, STRING, LIST, VARIANT, RECORD, OPTION, TUPLE = 0x01, 0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B
CHAR, FLAGS, RESULT, ARRAY = 0x12, 0x13, 0x14, 0x15
NUMBERS: Final = {
    "bool": (BOOL, Struct("<?")), "s32": (0x02, Struct("<i")), "s64": (0x03, Struct("<q")),
    "f32": (0x04, Struct("<f")), "f64": (0x05, Struct("<d")), "u8": (0x0C, Struct("<B")),
    "u16": (0x0D, Struct("<H")), "u32": (0x0E, Struct("<I")), "u64": (0x0F, Struct("<Q")),
    "s8": (0x10, Struct("<b")), "s16": (0x11, Struct("<h")), "char": (CHAR, Struct("<I")),
    "flags": (FLAGS, Struct("<Q")),
}  # fmt: skip
"""By WIT name, what has a fixed width: a list of it is one array."""
WIDTHS: Final = dict(NUMBERS.values())
BYTES: Final = bytes((LIST, NUMBERS["u8"][0]))
"""The type ``list<u8>``."""
UNIT: Final = bytes((TUPLE, 0, 0, 0, 0))
"""The type ``tuple<>``; stands for a type that nobody knows, too."""


class ValueFormError(ValueError):
    """A Python object that no value can be made of, or bytes that are no value."""


def text(words: str) -> bytes:
    """A text with its length before it."""
    data = words.encode()
    return COUNT.pack(len(data)) + data


def tuple_of(types: Iterable[bytes]) -> bytes:
    """The type of a tuple."""
    items = list(types)
    return bytes((TUPLE,)) + COUNT.pack(len(items)) + b"".join(items)


def named(kind: int, name: str) -> bytes:
    """The type of a record or variant."""
    return bytes((kind,)) + text(name)
