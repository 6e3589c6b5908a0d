"""Bounds of a worker by name, beside those of the wire (proto/limits.py) and of the actor (theater/actor.py)."""

from __future__ import annotations

from typing import Final

DRAIN_MAX: Final = 256
"""Requests the post thread takes off the operation socket in one tick."""

CONTROL_DRAIN_MAX: Final = 64
"""Control messages taken in one pass."""

UNACKED_BYTES_MAX: Final = 256 * 1024
"""Event bytes under way to the store; more waits in the ring until something is acknowledged."""

BATCH_BYTES: Final = 128 * 1024
"""Aimed at for one upward batch; a single larger event travels alone."""

LOGS_PER_PASS: Final = 200
"""Log records sent in one pass."""

EXIT_LINGER_MS: Final = 200
"""What was said last may take this long to leave the process."""

EXIT_STORE_MS: Final = 2_000
"""Answers that wait for the store (durability: group) keep an orderly end waiting at most so long."""

KILL_GRACE_MS: Final = 500
"""A stop that overran is ended by the root; should it not, the worker ends itself this much later."""

FLUSHES_MAX: Final = 100
"""Flush questions that may be waiting."""
