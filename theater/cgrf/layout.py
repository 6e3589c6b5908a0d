"""Numbers, headers and limits of CGRF (pack-abi sections 2.1 and 2.5)."""

from __future__ import annotations

from struct import Struct
from typing import Final

import msgspec

MAGIC: Final = b"CGRF"
VERSION: Final = 2
HEADER_BYTES: Final = 16
NODE_BYTES: Final = 8

BOOL: Final = 0x01
STRING: Final = 0x06
LIST: Final = 0x07
VARIANT: Final = 0x08
RECORD: Final = 0x09
OPTION: Final = 0x0A
TUPLE: Final = 0x0B
CHAR: Final = 0x12
RESULT: Final = 0x14
ARRAY: Final = 0x15

HEADER: Final = Struct("<4sHHII")
"""Magic, version, flags, number of nodes, index of the root."""
NODE: Final = Struct("<BxxxI")
"""Kind and payload length; flags and reserved bytes are written 0 and not looked at."""
U32: Final = Struct("<I")

CODE_POINT_MAX: Final = 0x10FFFF
SURROGATES: Final = range(0xD800, 0xE000)


class Limits(msgspec.Struct, frozen=True):
    """What a buffer may claim. Nodes and bytes are counted *expanded*: a node shared by two parents counts twice.

    An item takes at least a byte of its payload, so the ancestor's limit on items (128 Mi) is the one on payloads.
    """

    buffer_bytes_max: int = 256 << 20
    nodes_max: int = 10_000_000
    payload_bytes_max: int = 128 << 20
    depth_max: int = 512


DEFAULT: Final = Limits()


class CgrfError(ValueError):
    """Bytes that are not CGRF, or a value that has no CGRF. ``offset`` and ``node`` say where, when known."""

    def __init__(self, problem: str, *, offset: int | None = None, node: int | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.offset = offset
        self.node = node

    def __str__(self) -> str:
        places = [f"{name} {at}" for name, at in (("node", self.node), ("byte", self.offset)) if at is not None]
        return f"CGRF: {', '.join(places)}: {self.problem}" if places else f"CGRF: {self.problem}"


def is_char(code: int) -> bool:
    """Whether a number is a Unicode scalar value."""
    return 0 <= code <= CODE_POINT_MAX and code not in SURROGATES
