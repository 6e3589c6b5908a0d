"""Chains to test with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from theater.chain import ChainEvent, encode_frame, event_hash

VECTORS: list[dict[str, Any]] = json.loads(
    (Path(__file__).resolve().parents[1] / "vectors" / "pack-vectors.json").read_text(encoding="utf-8")
)["chains"]


def chain(count: int, first_seq: int = 0, base: bytes | None = None, size: int = 20) -> list[ChainEvent]:
    """A sound chain; every event says something different."""
    events = []
    for seq in range(first_seq, first_seq + count):
        data = seq.to_bytes(4, "big") * (size // 4)
        digest = event_hash(base, "wasm", data)
        events.append(ChainEvent(seq, 1000 + seq, 1, "wasm", data, base, digest))
        base = digest
    return events


def frame(event: ChainEvent) -> bytes:
    return encode_frame(event.seq, event.time_ns, event.event_type, event.data, event.hash)


def batch(events: list[ChainEvent]) -> bytes:
    return b"".join(map(frame, events))


def vector_events(number: int) -> list[ChainEvent]:
    """A chain recorded by the Rust Theater, or computed from its rules."""
    return [
        ChainEvent(seq, 0, 0, entry["event_type"], vector_data(entry), _digest(entry["parent"]), _known(entry["hash"]))
        for seq, entry in enumerate(VECTORS[number]["events"])
    ]


def vector_data(entry: dict[str, Any]) -> bytes:
    return bytes.fromhex(entry["data_hex"]) if "data_hex" in entry else entry["data_utf8"].encode()


def fields(event: ChainEvent) -> tuple[Any, ...]:
    """Everything in an event: its equality looks at the hash only."""
    return tuple(getattr(event, name) for name in event.__struct_fields__)


def _digest(text: str | None) -> bytes | None:
    return None if text is None else bytes.fromhex(text)


def _known(text: str) -> bytes:
    return bytes.fromhex(text)
