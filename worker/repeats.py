"""Calls that must not be executed twice: the keys seen, and what they were answered with. Guest thread only."""

from __future__ import annotations

import os
import time
from typing import Any, Final

import msgspec

from theater import cgrf
from theater.chain.keyed import Repeat
from theater.committed import operation_digest
from worker import machine_notices as n

BYTES_MAX: Final = 16 << 20
"""Answers kept; the oldest go first."""
DIRECTORY: Final = "keyed"


class Repeats:
    """The window of one incarnation, begun with what the chain says of earlier ones."""

    def __init__(self, known: list[Repeat], keys_max: int, window_ms: int, marker: str) -> None:
        self._keys_max = keys_max
        self._window_ns = window_ms * 1_000_000
        self._marker: str | None = marker
        self._known: dict[str, Repeat] = {}
        self._bytes = 0
        for repeat in known:
            self._put(repeat)

    def answer(self, operation: n.Call) -> Any:
        """The notice that answers a repeated call, None if it is to be executed."""
        self._mark()
        key = operation.idempotency_key
        known = self._known.get(key) if key is not None else None
        if known is None or known.time_ns < time.time_ns() - self._window_ns:
            return None
        if known.digest != _digest(operation):
            text = f"{operation.function}: the idempotency key was used for another call"
            return n.Rejected("unexpected", (text,))
        if known.error is not None:
            return n.Declined(known.error)
        return n.Returned(known.response)

    def note(self, operation: n.Call, notice: Any) -> None:
        """Remember how a call ended. One that was stopped in the middle may be executed again."""
        key = operation.idempotency_key
        assert key is not None
        match notice:
            case n.Returned(response=response):
                self._put(Repeat(key, _digest(operation), time.time_ns(), response=response))
            case n.Declined(text=text):
                self._put(Repeat(key, _digest(operation), time.time_ns(), error=text))

    def _mark(self) -> None:
        """Leave a sign that this actor's chain has keys, before the first is used: the next life must look for them."""
        if self._marker is not None:
            os.makedirs(os.path.dirname(self._marker), mode=0o700, exist_ok=True)
            os.close(os.open(self._marker, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._marker = None

    def _put(self, repeat: Repeat) -> None:
        self._drop(repeat.key)
        self._known[repeat.key] = repeat
        self._bytes += _size(repeat)
        while self._known and (len(self._known) > self._keys_max or self._bytes > BYTES_MAX):
            self._drop(next(iter(self._known)))

    def _drop(self, key: str) -> None:
        gone = self._known.pop(key, None)
        if gone is not None:
            self._bytes -= _size(gone)


def load(path: str | None) -> list[Repeat]:
    """Read what the root has found in the chain, and remove the file."""
    if path is None:
        return []
    with open(path, "rb") as file:
        known = msgspec.msgpack.decode(file.read(), type=list[Repeat])
    os.unlink(path)
    return known


def marker_of(ring: str, actor_id: str) -> str:
    """The sign that an actor's chain has keys, in the store's directory."""
    return os.path.join(os.path.dirname(os.path.dirname(ring)), DIRECTORY, actor_id)


def _digest(operation: n.Call) -> str:
    return operation_digest(operation.function, cgrf.canonical(operation.payload))


def _size(repeat: Repeat) -> int:
    return len(repeat.key) + len(repeat.response or b"") + len(repeat.error or "")
