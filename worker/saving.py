"""Saving the retained chain to a file: written aside, synced, renamed, so that nothing is ever half there (8.5)."""

from __future__ import annotations

import json
import os
from typing import Final

import msgspec

from theater.chain import ChainEvent
from worker.actor_store import ActorStore

FORMATS: Final = ("theater", "theater-json")


class ChainRef(msgspec.Struct, frozen=True):
    """Where a chain was saved, how many events, and the hash of the last one."""

    path: str
    count: int
    head: bytes | None


def save(store: ActorStore, path: str, form: str) -> ChainRef:
    """Write what is retained: ``theater`` is our framed MessagePack, ``theater-json`` Theater's four-field JSON array.

    Raises:
        OSError: it cannot be written; nothing is left behind under ``path``.
    """
    part = store.part()
    events = store.get_all_events() if form == "theater-json" else []
    data = _json(events) if form == "theater-json" else part.batch
    os.makedirs(os.path.dirname(path) or ".", mode=0o700, exist_ok=True)
    aside = f"{path}.{os.getpid()}.new"
    try:
        with open(aside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except OSError:
        _forget(aside)
        raise
    return ChainRef(path, part.count, store.head_hash())


def _json(events: list[ChainEvent]) -> bytes:
    rows = [
        {
            "hash": list(event.hash),
            "parent_hash": None if event.parent_hash is None else list(event.parent_hash),
            "event_type": event.event_type,
            "data": list(event.data),
        }
        for event in events
    ]
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":")).encode()


def _forget(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
