"""Replay: a position in a recorded chain, how a replay went, and where it left the record (lifecycle section 11).

Strict: nothing is skipped, inputs are compared, and the first difference is named. The engine that drives a guest along
the record is the worker's (``worker.replaying``); nothing here runs anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec

from theater import cgrf
from theater.chain import ChainError, ChainEvent, payloads
from theater.values import Record, Value

HASH: Final = "hash"
UNEXPECTED_CALL: Final = "unexpected_call"
MISSING_CALL: Final = "missing_call"
INPUT: Final = "input"
OUTPUT_TYPE: Final = "output_type"
RESULT: Final = "result"
STATE: Final = "state"
ERROR: Final = "error"
EXTRA_EVENT: Final = "extra_event"
MISSING_EVENT: Final = "missing_event"
WRONG_PACKAGE: Final = "wrong_package"

VERIFIED: Final = "verified"
DIVERGED: Final = "diverged"
INCOMPATIBLE: Final = "incompatible"
FAILED: Final = "error"
STOPPED: Final = "stopped"

SHOWN_CHARS_MAX: Final = 200
HEX_SHOWN_MAX: Final = 16

INNER: Final = ("items", "payload", "value")
"""Fields of values that hold other values; where another field differs (the case, the type), the whole does."""


class ReplayError(ValueError):
    """The record does not say, at this position, what is asked of it."""


class ReplayState:
    """A position in a recorded chain (seed: ReplayState)."""

    def __init__(self, events: Sequence[ChainEvent]) -> None:
        self._events = events
        self._position = 0

    def current_event(self) -> ChainEvent | None:
        """The event at the position, None past the end."""
        return self._events[self._position] if self._position < len(self._events) else None

    def current_output(self) -> Value | None:
        """What the host answered, if the event at the position is a host call."""
        event = self.current_event()
        if event is None:
            return None
        try:
            payload = payloads.read(event.data)
        except ChainError:
            return None
        return payload.output if isinstance(payload, payloads.HostCall) else None

    def advance(self) -> None:
        """Go on to the next event."""
        self._position += 1

    def current_position(self) -> int:
        """How many events are behind."""
        return self._position

    def total_events(self) -> int:
        """How many events there are."""
        return len(self._events)

    def is_complete(self) -> bool:
        """Every event is behind."""
        return self._position >= len(self._events)

    def interfaces(self) -> list[str]:
        """The interfaces whose functions were called, in order of their first call."""
        found = (event.event_type.rpartition("/")[0] for event in self._events if "/" in event.event_type)
        return list(dict.fromkeys(found))

    def verify_hash(self, digest: bytes) -> None:
        """Compare a hash with that of the event at the position.

        Raises:
            ReplayError: it differs, or there is no event.
        """
        event = self.current_event()
        if event is None:
            raise ReplayError(f"No expected event at position {self._position}")
        if event.hash != digest:
            raise ReplayError(
                f"Hash mismatch at position {self._position}: expected {event.hash.hex()}, got {digest.hex()}"
            )


class ReplayHandler:
    """Stands for every host interface at once while a chain is replayed (seed: ReplayHandler)."""

    name = "replay"
    imports = "any"
    exports: tuple[str, ...] = ()

    def __init__(self, events: Sequence[ChainEvent]) -> None:
        self.state = ReplayState(events)

    def progress(self) -> tuple[int, int]:
        """Return (events behind, events in all)."""
        return self.state.current_position(), self.state.total_events()

    def interfaces(self) -> list[str]:
        """None of its own: it answers for whatever the guest imports."""
        return []


class Divergence(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how a replay left the record. ``expected`` and ``actual`` are texts for people."""

    index: int
    kind: str
    event_type: str = ""
    expected_hash: str | None = None
    actual_hash: str | None = None
    field: str = ""
    """Path of the first difference, such as ``params[0].text``."""
    expected: str = ""
    actual: str = ""

    def __str__(self) -> str:
        at = f" [{self.event_type}]" if self.event_type else ""
        words = f"Divergence at event {self.index}{at}: {self.kind}"
        if self.field:
            words += f": {self.field}"
        if self.expected or self.actual:
            words += f": expected {self.expected or 'nothing'}, got {self.actual or 'nothing'}"
        if self.expected_hash and self.actual_hash:
            words += f" (hash {shorten(self.expected_hash)} became {shorten(self.actual_hash)})"
        return words


class ReplaySummary(msgspec.Struct, frozen=True):
    """How a replay went."""

    total_events: int
    events_replayed: int
    mismatches: int
    success: bool
    error: str | None = None
    status: str = VERIFIED
    divergence: Divergence | None = None

    @classmethod
    def succeeded(cls, total: int, replayed: int) -> ReplaySummary:
        """Everything was as recorded."""
        return cls(total, replayed, 0, True)

    @classmethod
    def with_mismatches(cls, total: int, replayed: int, mismatches: int) -> ReplaySummary:
        """So many events differed."""
        error = f"{mismatches} hash mismatches detected" if mismatches else None
        return cls(total, replayed, mismatches, not mismatches, error, DIVERGED if mismatches else VERIFIED)

    @classmethod
    def failure(cls, total: int, replayed: int, text: str, status: str = FAILED) -> ReplaySummary:
        """It could not be done."""
        return cls(total, replayed, 0, False, text, status)

    def __str__(self) -> str:
        match self.status:
            case "verified" if self.events_replayed == self.total_events:
                return f"Replay complete: {self.events_replayed}/{self.total_events} events verified"
            case "verified" | "stopped":
                return f"Replay stopped: {self.events_replayed}/{self.total_events} events verified"
            case "diverged":
                return str(self.divergence) if self.divergence else str(self.error)
            case _:
                return f"Replay failed: {self.error}"


def same(expected: Any, actual: Any) -> bool:
    """Whether two values are equal, however deep they are."""
    try:
        return bool(expected == actual)
    except RecursionError:
        if isinstance(expected, tuple) and isinstance(actual, tuple):
            return len(expected) == len(actual) and all(map(same, expected, actual))
        return cgrf.encode(expected) == cgrf.encode(actual)


def first_difference(expected: Any, actual: Any, path: str = "") -> str | None:
    """Return the path of the first difference between two values, None if they are equal.

    Fields as ``.name``; items, bytes and characters as ``[3]``; where the shapes differ, the path of the whole.
    """
    if same(expected, actual):
        return None
    while True:
        for name, ours, theirs in _parts(expected, actual):
            if not same(ours, theirs):
                path, expected, actual = path + name, ours, theirs
                break
        else:
            return path or "value"


def _parts(expected: Any, actual: Any) -> Iterable[tuple[str, Any, Any]]:
    """The parts of two values of one shape, with their names; nothing where they have none in common."""
    if type(expected) is not type(actual):
        return ()
    if isinstance(expected, str | bytes):
        return _place(expected, actual)
    if isinstance(expected, tuple | list) and len(expected) == len(actual):
        return ((f"[{at}]", *pair) for at, pair in enumerate(zip(expected, actual, strict=True)))
    if isinstance(expected, Record):
        return _fields(expected, actual)
    if isinstance(expected, msgspec.Struct):
        fields = [(name, getattr(expected, name), getattr(actual, name)) for name in expected.__struct_fields__]
        if all(ours == theirs for name, ours, theirs in fields if name not in INNER):
            return [("", ours, theirs) for name, ours, theirs in fields if name in INNER]
    return ()


def _place(expected: Any, actual: Any) -> list[tuple[str, Any, Any]]:
    """Where two texts, or two runs of bytes, differ first; one may be the beginning of the other."""
    shorter = min(len(expected), len(actual))
    if not shorter or max(len(expected), len(actual)) == 1:
        return []
    at = next((at for at in range(shorter) if expected[at] != actual[at]), shorter)
    return [(f"[{at}]", expected[at : at + 1], actual[at : at + 1])]


def _fields(expected: Record, actual: Record) -> list[tuple[str, Any, Any]]:
    if [name for name, _ in expected.fields] != [name for name, _ in actual.fields]:
        return []
    return [(f".{ours[0]}", ours[1], theirs[1]) for ours, theirs in zip(expected.fields, actual.fields, strict=True)]


def shorten(text: str) -> str:
    """First and last eight digits of a long hash."""
    return text if len(text) <= HEX_SHOWN_MAX else f"{text[:8]}..{text[-8:]}"


def shown(value: Any) -> str:
    """A value as people read it, cut to a line."""
    text = str(value)
    return text if len(text) <= SHOWN_CHARS_MAX else text[: SHOWN_CHARS_MAX - 1] + "…"
