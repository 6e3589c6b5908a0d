"""The hash rule of our chains (lifecycle 8.3): SHA-256 over the MessagePack array [1, parent or nil, type, data]."""

from __future__ import annotations

from hashlib import sha256
from typing import Final

import msgspec

HASH_BYTES: Final = 32
RULE: Final = 1
"""First item of what is hashed: another rule would bear another number."""

_encode = msgspec.msgpack.Encoder().encode


def event_hash(parent_hash: bytes | None, event_type: str, data: bytes) -> bytes:
    """Return the hash of an event that follows ``parent_hash`` (None: the first of its chain)."""
    return sha256(_encode((RULE, parent_hash, event_type, data))).digest()
