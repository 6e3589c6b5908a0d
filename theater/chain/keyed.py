"""Calls with idempotency keys, found again in a chain: what a repeated key is answered with (docs/chain.md)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from theater import cgrf
from theater.chain import payloads
from theater.chain.events import ChainEvent
from theater.committed import operation_digest

KEY_CHARS_MAX: Final = 128
SCANNED_MAX: Final = 200_000
"""Events looked at, from the newest back."""


class Repeat(msgspec.Struct, frozen=True, array_like=True):
    """What is known of a key: which operation it was, when it returned, and with what (response or error text)."""

    key: str
    digest: str
    time_ns: int
    response: bytes | None = None
    error: str | None = None


def repeats(newest_first: Iterable[ChainEvent], keys_max: int, since_ns: int) -> list[Repeat]:
    """Return the newest keys of a chain, oldest first.

    A call that was stopped in the middle has committed nothing: it is not among them, and is executed again. So is one
    that declined as the last thing of its life: nobody can tell the two apart, and it has changed nothing either.
    """
    found: dict[str, Repeat] = {}
    end: tuple[payloads.Result | payloads.Error, int] | None = None
    has_later = False
    for count, event in enumerate(newest_first):
        if count >= SCANNED_MAX or len(found) >= keys_max or event.time_ns < since_ns:
            break
        said = payloads.read(event.data) if event.event_type == "wasm" else None
        match said:
            case payloads.Result():
                end = (said, event.time_ns)
            case payloads.Error():
                end = (said, event.time_ns) if has_later else None
            case payloads.Call():
                if said.idempotency_key is not None and end is not None and said.idempotency_key not in found:
                    found[said.idempotency_key] = _repeat(said, said.idempotency_key, *end)
                end = None
        has_later = event.event_type not in ("genesis", "incarnation", "shutdown", payloads.START_REFUSED)
    return list(reversed(found.values()))


def _repeat(call: payloads.Call, key: str, end: payloads.Result | payloads.Error, time_ns: int) -> Repeat:
    digest = operation_digest(call.function, cgrf.encode(call.params))
    if isinstance(end, payloads.Error):
        return Repeat(key, digest, time_ns, error=end.message)
    return Repeat(key, digest, time_ns, response=cgrf.encode(end.response))
