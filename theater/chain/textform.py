"""Chains as text: for people, for exchange, and lossless (pack-abi 12.3).

An event is a few lines::

    ---
    hash: 5fd6…
    parent: d1d5…            (or root)
    type: wasm
    seq: 4
    time: 1764000000000000000
    incarnation: 1
    data: 43475246…
    chain-event-payload::wasm(wasm-event-data::wasm-call(wasm-call{function-name: "a/b.c", params: (5u32)}))

The last line is for reading; ``type`` and ``data`` make the text lossless. The Rust Theater writes neither: what its
files say is put together again from the last line, as far as that goes; where it does not, the hash will show it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from typing import Final

import msgspec

from theater import cgrf, text
from theater.chain.events import ChainError, ChainEvent
from theater.chain.payloads import event_type_of
from theater.values import Value, Variant

BEGIN: Final = "---"
ROOT: Final = "root"
RAW: Final = "raw: "

_TAGS: Final = {
    ("chain-event-payload", "host-function"): 0,
    ("chain-event-payload", "wasm"): 1,
    ("chain-event-payload", "replay-summary"): 2,
    ("wasm-event-data", "wasm-call"): 0,
    ("wasm-event-data", "wasm-result"): 1,
    ("wasm-event-data", "wasm-error"): 2,
    ("wasm-event-data", "wasm-component-creation-error"): 3,
}
"""Numbers of the cases, which the text form of values does not have."""


def write(events: Iterable[ChainEvent], put: Callable[[str], object]) -> None:
    """Write events, one after the other, through ``put`` (a file's ``write``)."""
    for event in events:
        put(format_event(event))


def format_event(event: ChainEvent) -> str:
    """Return the lines of one event."""
    parent = ROOT if event.parent_hash is None else event.parent_hash.hex()
    lines = (
        BEGIN,
        f"hash: {event.hash.hex()}",
        f"parent: {parent}",
        f"type: {_quoted(event.event_type)}",
        f"seq: {event.seq}",
        f"time: {event.time_ns}",
        f"incarnation: {event.incarnation}",
        f"data: {event.data.hex()}",
        _payload_line(event.data),
    )
    return "\n".join(lines) + "\n"


def read(lines: Iterable[str]) -> Iterator[ChainEvent]:
    """Yield the events of a text, line by line (a file opened with ``newline="\\n"``), oldest first.

    Raises:
        ChainError: it is not the text of a chain; the error names the line.
    """
    block: _Block | None = None
    for number, line in enumerate(lines, 1):
        line = line.rstrip("\r\n") if line.endswith("\n") else line
        if line == BEGIN:
            if block is not None:
                yield block.event()
            block = _Block(number, 0 if block is None else block.next_seq)
        elif block is not None:
            block.take(line)
        elif line.strip():
            raise ChainError(f"line {number}: expected {BEGIN!r}, where an event begins, got {line[:40]!r}")
    if block is not None:
        yield block.event()


class _Block(msgspec.Struct):
    """The lines of one event so far."""

    begins: int
    seq: int
    facts: dict[str, str] = {}
    payload: str = ""

    @property
    def next_seq(self) -> int:
        return self.seq + 1

    def take(self, line: str) -> None:
        """Take in a line; what nobody knows is skipped."""
        name, colon, rest = line.partition(": ")
        if colon and name in _FACTS:
            self.facts[name] = rest
        elif not self.payload:
            self.payload = line

    def event(self) -> ChainEvent:
        """Return the event, now that its lines are together."""
        facts = self.facts
        try:
            self.seq = int(facts.get("seq", self.seq))
            data = bytes.fromhex(facts["data"]) if "data" in facts else _rebuilt(self.payload)
            event_type = _unquoted(facts["type"]) if "type" in facts else event_type_of(data)
            if event_type is None:
                raise ValueError("its type is not there, and its data do not say")
            parent = None if facts["parent"] == ROOT else bytes.fromhex(facts["parent"])
            time_ns, incarnation = int(facts.get("time", 0)), int(facts.get("incarnation", 0))
            return ChainEvent(
                self.seq, time_ns, incarnation, event_type, data, parent, bytes.fromhex(facts["hash"])
            )
        except KeyError as error:
            raise ChainError(f"line {self.begins}: the event has no line {error.args[0]!r}") from None
        except (ValueError, TypeError) as error:
            raise ChainError(f"line {self.begins}: the event cannot be read: {error}") from None


_FACTS: Final = frozenset(("hash", "parent", "type", "seq", "time", "incarnation", "data", "raw"))


def _payload_line(data: bytes) -> str:
    try:
        return text.format(cgrf.decode(data))
    except ValueError:
        return f"{RAW}{len(data)} bytes"


def _rebuilt(line: str) -> bytes:
    """Return the data of an event of which only the text is there."""
    if not line:
        raise ValueError("its data are not there")
    return cgrf.encode(_numbered(text.parse(line)))


def _numbered(value: Value) -> Value:
    """Give the outer variants their numbers back."""
    if not isinstance(value, Variant) or (value.type_name, value.case) not in _TAGS:
        return value
    tag = _TAGS[value.type_name, value.case]
    return Variant(value.type_name, value.case, tag, tuple(map(_numbered, value.payload)))


def _quoted(event_type: str) -> str:
    """Types are written as they are, unless a line could not hold them."""
    return event_type if event_type.isprintable() and not event_type.startswith('"') else json.dumps(event_type)


def _unquoted(event_type: str) -> str:
    if not event_type.startswith('"'):
        return event_type
    found = json.loads(event_type)
    if not isinstance(found, str):
        raise TypeError(f"expected a text for its type, got {event_type}")
    return found
