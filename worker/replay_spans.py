"""What is recorded of one call: where it ends, whether it ended by itself, and how long it took."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from theater.chain import ChainEvent, payloads
from worker import replay_words as words
from worker.engine.clock import ticks

BEGINNINGS: Final = ("genesis", "incarnation")
BETWEEN: Final = (*BEGINNINGS, payloads.START_REFUSED)
"""What is recorded between two lives: a call is over there, if it had no end."""
CUT_SHORT_MS: Final = 500
"""Computing time after the last that is recorded of a call that was stopped: nobody waits for its deadline again."""
SLOWER_MAX: Final = 10
"""A replay may take so many times as long as the call did: the machine may be a slower one, or a busy one."""


class Span(msgspec.Struct, frozen=True):
    """The events of one call, from its beginning to its end: that, the next life, or the record's end."""

    begins_at: int
    ends_at: int
    is_killed: bool
    """The incarnation was killed in the middle of it."""
    was_stopped: bool
    """It did not end by itself: killed, or by its deadline, or cancelled."""
    words: str = ""
    """Of the error it has ended with."""
    fuel: int | None = None
    """What it had, if it has ended for lack of fuel: with as much it ends there again, without a deadline."""

    @property
    def is_empty(self) -> bool:
        """Nothing in it can be compared, and it may have run for as long as it liked."""
        return self.is_killed and self.ends_at == self.begins_at + 1

    @property
    def cut_at(self) -> int | None:
        """Where the record of the call ends, if the call did not end by itself."""
        return self.ends_at if self.was_stopped else None


def span(events: Sequence[ChainEvent], begins_at: int) -> Span:
    """What is recorded of the call that begins there."""
    at = begins_at + 1
    while at < len(events) and events[at].event_type not in ("wasm", *BETWEEN):
        at += 1
    is_killed = at == len(events) or events[at].event_type in BETWEEN
    if is_killed:
        return Span(begins_at, at, True, True)
    end = payloads.read(events[at].data)
    return Span(begins_at, at, False, words.is_stop(end), words.told(end))


def fueled(events: Sequence[ChainEvent], call: Span) -> Span:
    """The same for an engine that counts fuel.

    Only the last call of a life may have ended for lack of it: a guest may decline with such words.
    """
    later = events[call.ends_at + 1 : call.ends_at + 2]
    if call.is_killed or (later and later[0].event_type not in BETWEEN):
        return call
    fuel = words.fuel_had(payloads.read(events[call.ends_at].data))
    return call if fuel is None else msgspec.structs.replace(call, fuel=fuel, was_stopped=False)


def budget(events: Sequence[ChainEvent], call: Span, limit: int | None) -> int | None:
    """Computing time in ticks up to the next thing recorded of a call: the limit, or more.

    Callers may give a call more time than the actor's limit, and the machine may be a slower one now. The times of
    events are not under their hashes: a wrong one can make a replay longer, but not another.
    """
    if limit is None:
        return None
    last = min(call.ends_at - call.was_stopped, len(events) - 1)
    taken_ms = (events[last].time_ns - events[call.begins_at].time_ns) // 1_000_000
    return max(limit, ticks(SLOWER_MAX * taken_ms) or 0) if taken_ms > 0 else limit


def cut_short(budget: int | None) -> int | None:
    """The budget behind the last thing that is recorded of a call that was stopped."""
    short = ticks(CUT_SHORT_MS)
    return short if budget is None or short is None else min(budget, short)
