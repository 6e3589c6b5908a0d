"""The upward stream: what every worker tells without being asked. Chain events in batches, and log records.

Events are acknowledged by the position up to which the root's store holds them; the worker then reuses that part of
its ring (design D7). Log records are bounded, rate-limited and unacknowledged.
"""

from __future__ import annotations

from typing import Any

import msgspec

from proto.envelope import Codec, Message, MessageClass


class EventBatch(Message, tag="batch", frozen=True):
    """Events first_seq..last_seq. Body 0: their frames as in the ring (theater.chain batch)."""

    first_seq: int
    last_seq: int
    prev_hash: bytes | None
    """Hash of the event before first_seq (None at the origin)."""
    head_hash: bytes
    """Hash of the event last_seq."""


class LogRecord(Message, tag="log", frozen=True):
    """One log line of a worker or its guest: ``origin`` is ``guest`` or ``worker``, ``level`` a logging level."""

    time_ns: int
    level: str
    origin: str
    message: str
    fields: dict[str, Any] = msgspec.field(default_factory=dict)
    dropped: int = 0
    """Records dropped by the rate limit since the last one."""


class Ack(Message, tag="ack", frozen=True):
    """The store holds everything up to and including ``last_seq``."""

    last_seq: int


Up = EventBatch | LogRecord
UP = Codec(MessageClass.STREAM, Up)
DOWN = Codec(MessageClass.STREAM, Ack)
