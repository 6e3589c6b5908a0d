"""The hash rules (lifecycle 8.3): ours, and the one of chains recorded by the Rust Theater."""

from __future__ import annotations

import hashlib
import json
from typing import Final

import msgspec

RULE: Final = 1
HASH_BYTES: Final = 32
OURS: Final = "sha256"
THEATER: Final = "theater-sha1"

_encode = msgspec.msgpack.Encoder().encode
_sha256 = hashlib.sha256


def event_hash(parent: bytes | None, event_type: str, data: bytes) -> bytes:
    """SHA-256 over the MessagePack array ``[1, parent or nil, event_type, data]``.

    Actor, number and time stay outside, so that a replay by another actor reproduces the hashes.
    """
    return _sha256(_encode((RULE, parent, event_type, data))).digest()


def theater_hash(parent: bytes | None, event_type: str, data: bytes) -> bytes:
    """SHA-1 over the compact JSON object the Rust Theater hashes (pack-abi 12.1)."""
    preimage = {
        "hash": [],
        "parent_hash": None if parent is None else list(parent),
        "event_type": event_type,
        "data": list(data),
    }
    text = json.dumps(preimage, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha1(text.encode("utf-8", "surrogatepass"), usedforsecurity=False).digest()


HASHES: Final = {OURS: event_hash, THEATER: theater_hash}
