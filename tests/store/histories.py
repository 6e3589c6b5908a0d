"""Rings and histories as lives leave them, and what is kept of them."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from tests.chain.chains import frame
from tests.store.conftest import Store
from theater.chain import ChainEvent, event_hash, payload
from theater.retention import Bounds, Retention
from theater.ring import RingWriter

DAY_NS = 86_400 * 10**9
NOW_NS = 1_000 * DAY_NS


def leave_ring(
    store: Store, name: str, actor: str, events: list[ChainEvent], incarnation: int = 1, words: Any = None
) -> str:
    """A ring as a worker leaves it."""
    directory = os.path.join(store.directory, "rings")
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, name + ".ring")
    ring = RingWriter.create(path, 8192, actor_id=actor, incarnation=incarnation)
    for event in events:
        ring.append(frame(event))
    if words is not None:
        ring.last_words(msgspec.msgpack.encode(words))
    ring.close()
    return path


def keeping(**bounds: int) -> Retention:
    return Retention(bounds=Bounds(**bounds))


def lives(*recovered: str) -> list[ChainEvent]:
    """A chain of lives of three events each, rebuilt as said."""
    events: list[ChainEvent] = []
    for number, how in enumerate(recovered, 1):
        marker = (
            ("genesis", payload.genesis("p", "1", "m", b""))
            if number == 1
            else ("incarnation", payload.incarnation(number, "p", "1", "m", b"", None, how))
        )
        for event_type, data in (marker, ("wasm", b"x"), ("wasm", b"y")):
            parent = events[-1].hash if events else None
            digest = event_hash(parent, event_type, data)
            events.append(ChainEvent(len(events), 0, number, event_type, data, parent, digest))
    return events
