"""The states of an incarnation, the moves between them, and the rules it lives by (lifecycle sections 1, 12)."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import msgspec

from theater.cause import Cause

WAITING_CALLERS_MAX: Final = 10_000
"""Callers that may wait for room in a full queue; one more gets mailbox_full whatever it asked for."""


class State(IntEnum):
    """Where an incarnation is in its life. Values are the columns of the table."""

    STARTING = 0
    IDLE = 1
    PROCESSING = 2
    PAUSED = 3
    SHUTTING_DOWN = 4
    STOPPED = 5


MOVES: Final[dict[State, frozenset[State]]] = {
    State.STARTING: frozenset((State.IDLE, State.PROCESSING, State.PAUSED, State.SHUTTING_DOWN, State.STOPPED)),
    State.IDLE: frozenset((State.PROCESSING, State.PAUSED, State.SHUTTING_DOWN, State.STOPPED)),
    State.PROCESSING: frozenset(
        (State.IDLE, State.PROCESSING, State.PAUSED, State.SHUTTING_DOWN, State.STOPPED)
    ),
    State.PAUSED: frozenset((State.IDLE, State.PROCESSING, State.SHUTTING_DOWN, State.STOPPED)),
    State.SHUTTING_DOWN: frozenset((State.STOPPED,)),
    State.STOPPED: frozenset(),
}
"""Allowed moves, and no others (section 1; L1)."""

TEXTS: Final = ("Starting", "Running", "Running", "Paused", "Shutting Down", "Stopped")
"""Status texts, by state (Theater's)."""


class BrokenInvariant(Exception):
    """Something arrived that cannot happen in this state: a defect of ours, never of a guest or a caller."""


class Rules(msgspec.Struct, frozen=True):
    """The switches and bounds of ActorOptions that the machine obeys."""

    operation_queue_max: int = 100
    waiting_callers_max: int = WAITING_CALLERS_MAX
    child_notices_max: int = 1000
    shutdown_ms: int | None = 5000
    orphan_ms: int = 5000
    reject_when_paused: bool = False
    crash_on_decline: bool = False


class Stop(msgspec.Struct, frozen=True):
    """A graceful stop that has been asked for. The first cause is kept, the earliest deadline counts (L5)."""

    cause: Cause
    deadline_ns: int | None
