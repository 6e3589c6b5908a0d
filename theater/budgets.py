"""Budgets of an actor: so much in a time, or in one incarnation, and what happens when it is used up."""

from __future__ import annotations

import msgspec

ERROR = "error"
THROTTLE = "throttle"
STOP = "stop"
ACTIONS = (ERROR, THROTTLE, STOP)

GUEST_TIME = "guest_time"
FUEL = "fuel"
HOST_CALLS = "host_calls"
OUTGOING = "outgoing"
CHAIN_EVENTS = "chain_events"
CHAIN_BYTES = "chain_bytes"
NAMES = (GUEST_TIME, FUEL, HOST_CALLS, OUTGOING, CHAIN_EVENTS, CHAIN_BYTES)
"""The limits that are budgets."""


class Budget(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``amount`` (milliseconds, bytes, or a number) in any time of ``per_ms``; None: in one incarnation.

    ``then``: ``throttle`` waits for room, ``error`` refuses what is too much, ``stop`` ends the actor as failed.
    """

    amount: int
    per_ms: int | None = None
    then: str = THROTTLE

    def covers(self, other: Budget) -> bool:
        """Whether the other one never allows more than this one."""
        if other.amount > self.amount:
            return False
        if self.per_ms is None or other.per_ms is None:
            return other.per_ms is None
        return other.amount * self.per_ms <= self.amount * other.per_ms
