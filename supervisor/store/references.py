"""Events of children that a parent's guest was given: its chain says which, the children's chains what they said.

(``handle-child-event``, lifecycle 10.3: by reference, else chains would grow by a level with every generation.)
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

import msgspec

from theater.chain import ChainEvent, iter_batch, payloads
from theater.values import U64, List, Record, String, Tuple

if TYPE_CHECKING:
    from supervisor.store.reader import StoreReader

FUNCTION: Final = "theater:simple/supervisor-handlers.handle-child-event"
_MARK: Final = b"handle-child-event"

Given = dict[bytes, tuple[str, bytes]]
"""Type and data of events, by hash."""


class Reference(msgspec.Struct, frozen=True):
    """One event of a child."""

    child: str
    seq: int
    hash: bytes


def references(batches: Iterable[bytes]) -> Iterator[Reference]:
    """Yield the events of children that the calls in these batches were given."""
    for batch in batches:
        if _MARK in batch:
            for event in iter_batch(batch, None):
                found = _reference(event) if event.event_type == "wasm" and _MARK in event.data else None
                if found is not None:
                    yield found


def given(reader: StoreReader, wanted: Iterable[Reference], others: Iterable[Iterable[ChainEvent]] = ()) -> Given:
    """Find referenced events in the store, or among the events of other chains. What is not found is left out."""
    missing = {each.hash: each for each in wanted}
    found: Given = {}
    for each in list(missing.values()):
        event = next(reader.events(each.child, each.seq, each.seq), None)
        if event is not None and event.hash == each.hash:
            found[each.hash] = (event.event_type, event.data)
            del missing[each.hash]
    for chain in others:
        for event in chain if missing else ():
            if missing.pop(event.hash, None) is not None:
                found[event.hash] = (event.event_type, event.data)
    return found


def _reference(event: ChainEvent) -> Reference | None:
    said = payloads.read(event.data)
    if not isinstance(said, payloads.Call) or said.function != FUNCTION:
        return None
    match said.params:
        case Tuple(items=(String(value=child), Record(name="event-ref", fields=((_, U64(value=seq)), (_, digest))))):
            octets = digest.items if isinstance(digest, List) else None
            return Reference(child, seq, octets) if isinstance(octets, bytes) else None
        case _:
            return None
