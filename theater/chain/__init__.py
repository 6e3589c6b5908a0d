"""The chain: the hash-linked history of one actor over all its incarnations (lifecycle section 8, docs/chain.md)."""

from __future__ import annotations

from theater.chain.batch import decode_frames, encode_frame, iter_batch
from theater.chain.events import ChainEvent
from theater.chain.hashing import event_hash
from theater.chain.verify import Report, verify, verify_events

__all__ = [
    "ChainEvent",
    "Report",
    "decode_frames",
    "encode_frame",
    "event_hash",
    "iter_batch",
    "verify",
    "verify_events",
]
