"""Chains as JSON lines: one object an event, for programs, and lossless.

    {"seq":4,"time_ns":1764000000000000000,"incarnation":1,"event_type":"wasm","data":"Q0dSRg…",
     "parent_hash":"d1d5…","hash":"5fd6…"}

(on one line). ``data`` is base64, hashes are hexadecimal, ``parent_hash`` is null for the first event of an actor.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Annotated, Final

import msgspec

from theater.chain.events import ChainError, ChainEvent

SEQ_MAX: Final = (1 << 63) - 1


class _Line(msgspec.Struct, gc=False):
    seq: Annotated[int, msgspec.Meta(ge=0, le=SEQ_MAX)]
    event_type: str
    data: bytes
    parent_hash: str | None
    hash: str
    time_ns: Annotated[int, msgspec.Meta(ge=0)] = 0
    incarnation: Annotated[int, msgspec.Meta(ge=0)] = 0


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Line).decode


def format_event(event: ChainEvent) -> bytes:
    """Return the line of one event, with its end."""
    line = {
        "seq": event.seq,
        "time_ns": event.time_ns,
        "incarnation": event.incarnation,
        "event_type": event.event_type,
        "data": event.data,
        "parent_hash": None if event.parent_hash is None else event.parent_hash.hex(),
        "hash": event.hash.hex(),
    }
    return _encode(line) + b"\n"


def read(lines: Iterable[bytes]) -> Iterator[ChainEvent]:
    """Yield the events of a file's lines, oldest first. Empty lines are skipped.

    Raises:
        ChainError: a line is not an event; the error names it.
    """
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            yield _event(_decode(line))
        except (msgspec.MsgspecError, ValueError) as error:
            raise ChainError(f"line {number}: expected an event as JSON: {error}") from None


def _event(line: _Line) -> ChainEvent:
    parent = None if line.parent_hash is None else bytes.fromhex(line.parent_hash)
    digest = bytes.fromhex(line.hash)
    return ChainEvent(line.seq, line.time_ns, line.incarnation, line.event_type, line.data, parent, digest)
