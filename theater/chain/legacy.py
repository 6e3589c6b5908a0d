"""Chains the Rust Theater recorded: their hash rule (pack-abi 12.1, lifecycle 8.3)."""

from __future__ import annotations

import hashlib
import json


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
