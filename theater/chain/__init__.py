"""The chain: the hash-linked history of one actor across its incarnations (lifecycle section 8, docs/chain.md).

Recording takes ``payload`` (what an event says), ``event_hash`` and ``encode_frame``; reading takes ``iter_batch`` and
``verify``. Files, the text form and chains of the Rust Theater are in modules of their own, for the few who need them.
"""

from __future__ import annotations

from theater.chain.batch import encode_frame, frame_seq, iter_batch
from theater.chain.events import ChainError, ChainEvent
from theater.chain.hashing import event_hash
from theater.chain.verifying import Bad, Report, verify

verify_events = verify

__all__ = [
    "Bad", "ChainError", "ChainEvent", "Report", "encode_frame", "event_hash", "frame_seq", "iter_batch", "verify",
    "verify_events",
]  # fmt: skip
