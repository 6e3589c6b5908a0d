"""Does a chain hold? Links and hashes, and the first place where they do not (lifecycle 8.3)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from theater.chain.hashing import HASHES, OURS


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a verification; true if the chain holds.

    ``bad_seq`` is the first bad event, ``problem`` what is wrong with it, ``expected`` and ``actual`` the hashes (or
    numbers) that differ, in lower-case hex.
    """

    ok: bool
    events: int
    head: bytes | None = None
    bad_seq: int | None = None
    problem: str = ""
    expected: str = ""
    actual: str = ""

    def __bool__(self) -> bool:
        return self.ok

    def __str__(self) -> str:
        if self.ok:
            head = self.head.hex() if self.head else "none"
            return f"ok: {self.events} events, head {head}"
        return f"event {self.bad_seq}: {self.problem}: expected {self.expected}, got {self.actual}"


def verify_events(
    events: Iterable[Any], base_hash: bytes | None = None, first_seq: int | None = None, algorithm: str = OURS
) -> Report:
    """Check that events continue each other, from ``base_hash`` on, and that every hash recomputes.

    Args:
        events: records with seq, event_type, data, hash and, where the source stores it, parent_hash.
        base_hash: hash of the event before the first one; None at the origin of a chain.
        first_seq: number the first event must have; None if any will do.
        algorithm: ``sha256`` (ours) or ``theater-sha1``.
    """
    compute = HASHES[algorithm]
    previous, expected_seq, count = base_hash, first_seq, 0
    for event in events:
        if expected_seq is not None and event.seq != expected_seq:
            what = "events are missing" if event.seq > expected_seq else "events are repeated or swapped"
            return _bad(event.seq, count, what, str(expected_seq), str(event.seq))
        parent = getattr(event, "parent_hash", previous)
        if parent != previous:
            return _bad(event.seq, count, "its parent link is not the event before it", _hex(previous), _hex(parent))
        digest = compute(previous, event.event_type, event.data)
        if digest != event.hash:
            what = "its hash does not match its content (type or data was changed, or the event before it)"
            return _bad(event.seq, count, what, _hex(digest), _hex(event.hash))
        previous, expected_seq, count = event.hash, event.seq + 1, count + 1
    return Report(ok=True, events=count, head=previous)


def verify(events: Iterable[Any], base_hash: bytes | None = None, report: bool = False) -> bool | Report:
    """Check a chain; with ``report`` return the Report instead of a truth value. An empty chain holds."""
    result = verify_events(events, base_hash)
    return result if report else result.ok


def _bad(seq: int, count: int, problem: str, expected: str, actual: str) -> Report:
    return Report(ok=False, events=count, bad_seq=seq, problem=problem, expected=expected, actual=actual)


def _hex(digest: bytes | None) -> str:
    return "none (origin)" if digest is None else digest.hex()
