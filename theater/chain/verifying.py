"""Verification of a chain (lifecycle 8.3): numbers run on, links fit, hashes recompute; what is wrong is named.

The rule for hashes is a parameter, so chains of the Rust Theater (``theater.chain.legacy``) are verified the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from theater.chain.events import ChainEvent
from theater.chain.hashing import event_hash

Rule = Callable[[bytes | None, str, bytes], bytes]
"""Parent's hash, event type, data -> hash."""

DATA: Final = "data"
"""The event's data, or its recorded hash, was changed."""
TYPE: Final = "type"
"""The event's type was changed: with the type its data speaks of, the hash is right."""
PARENT: Final = "parent"
"""The event's link to the one before was changed."""
MISSING: Final = "missing"
"""One or more events before this one are not there."""
ORDER: Final = "order"
"""Events were swapped: the one that belongs here comes later."""

_TEXTS: Final = {
    DATA: "its data do not have the recorded hash",
    TYPE: "its type was changed",
    PARENT: "its link to the event before was changed",
    MISSING: "events before it are missing",
    ORDER: "it is out of order",
}


class Bad(msgspec.Struct, frozen=True):
    """The first bad event: its number, what is wrong (data, type, parent, missing, order), and how one can tell."""

    seq: int
    what: str
    expected: str
    actual: str

    def __str__(self) -> str:
        return f"event {self.seq}: {_TEXTS[self.what]}: expected {self.expected}, got {self.actual}"


class Report(msgspec.Struct, frozen=True):
    """Result of a verification. ``events`` were found good; ``head`` is the hash of the last of them."""

    ok: bool
    events: int
    first_bad: Bad | None
    head: bytes | None


def verify(
    events: Iterable[ChainEvent],
    base_hash: bytes | None = None,
    *,
    base_seq: int | None = None,
    rule: Rule = event_hash,
) -> Report:
    """Verify events, oldest first, up to the first bad one.

    ``base_hash`` is the hash of the event before the first (None at the origin), ``base_seq`` its number, where known:
    without it the first event may have any number. An empty chain is good.
    """
    count, head = 0, base_hash
    expected_seq = None if base_seq is None else base_seq + 1
    rest = iter(events)
    for event in rest:
        if expected_seq is not None and event.seq != expected_seq:
            return Report(False, count, _numbered_wrongly(event, expected_seq), head)
        if event.parent_hash != head or rule(head, event.event_type, event.data) != event.hash:
            return Report(False, count, _diagnosis(event, head, rest, rule), head)
        count, head, expected_seq = count + 1, event.hash, event.seq + 1
    return Report(True, count, None, head)


def _numbered_wrongly(event: ChainEvent, expected_seq: int) -> Bad:
    what = MISSING if event.seq > expected_seq else ORDER
    return Bad(event.seq, what, f"event {expected_seq}", f"event {event.seq}")


def _diagnosis(event: ChainEvent, head: bytes | None, rest: Iterable[ChainEvent], rule: Rule) -> Bad:
    """Say what is wrong with an event that does not follow ``head``."""
    computed = rule(head, event.event_type, event.data)
    if computed == event.hash:
        return Bad(event.seq, PARENT, _shown(head), _shown(event.parent_hash))
    if event.parent_hash != head and rule(event.parent_hash, event.event_type, event.data) == event.hash:
        # The event is sound but follows another one, which was taken out, or comes later.
        what = ORDER if any(later.parent_hash == head for later in rest) else MISSING
        return Bad(event.seq, what, f"an event after {_shown(head)}", f"one after {_shown(event.parent_hash)}")
    spoken = _type_spoken_of(event.data)
    if spoken is not None and spoken != event.event_type and rule(head, spoken, event.data) == event.hash:
        return Bad(event.seq, TYPE, spoken, event.event_type)
    return Bad(event.seq, DATA, event.hash.hex(), computed.hex())


def _shown(digest: bytes | None) -> str:
    return "the origin" if digest is None else digest.hex()


def _type_spoken_of(data: bytes) -> str | None:
    """Return the event type that the data belong to, if they say so."""
    from theater.chain.payloads import event_type_of  # only a broken chain needs it

    return event_type_of(data)
