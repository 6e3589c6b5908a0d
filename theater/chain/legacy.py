"""Chains the Rust Theater recorded: their hash rule and their files (pack-abi 12.1 and 12.3, lifecycle 8.3).

Events of such a chain have no number and no time: their place is their number. Verify them with ``rule=theater_hash``.
Theater's text files are read by ``theater.chain.textform``, like ours.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Final

import msgspec

from theater.chain.events import ChainError, ChainEvent

THEATER_HASH_BYTES: Final = 20

_Byte = Annotated[int, msgspec.Meta(ge=0, le=255)]


def theater_hash(parent_hash: bytes | None, event_type: str, data: bytes) -> bytes:
    """SHA-1 over the compact JSON object the Rust Theater hashes."""
    preimage = {
        "hash": [],
        "parent_hash": None if parent_hash is None else list(parent_hash),
        "event_type": event_type,
        "data": list(data),
    }
    text = json.dumps(preimage, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha1(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()


class _Entry(msgspec.Struct):
    hash: list[_Byte]
    parent_hash: list[_Byte] | None
    event_type: str
    data: list[_Byte]


def read_json(text: bytes) -> list[ChainEvent]:
    """Return the events of a saved chain: a JSON array of objects with hash, parent_hash, event_type and data.

    The hashes may be Theater's (20 bytes) or ours (32 bytes).

    Raises:
        ChainError: the text is not such an array; the error names the place.
    """
    try:
        entries = msgspec.json.decode(text, type=list[_Entry])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ChainError(f"expected a JSON array of events: {error}") from None
    return [_event(seq, entry) for seq, entry in enumerate(entries)]


def _event(seq: int, entry: _Entry) -> ChainEvent:
    parent = None if entry.parent_hash is None else bytes(entry.parent_hash)
    return ChainEvent(seq, 0, 0, entry.event_type, bytes(entry.data), parent, bytes(entry.hash))
