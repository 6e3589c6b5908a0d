"""Chains in files: ours as ``save_chain`` writes them, and Theater's own (SHA-1) from recorded runs.

The forms are told apart by how they begin: a JSON array of events with four fields (Theater's form; which hash rule
holds is seen from the length of the hashes), and our framed MessagePack.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from theater.chain import ChainEvent, Report, event_hash, iter_batch, verify
from theater.errors import TheaterError

THEATER_HASH_BYTES = 20
FILE_BYTES_MAX = 1 << 30
OURS = "sha256"
THEATER = "theater-sha1"


class ChainFileError(TheaterError):
    """The file is not a chain; the text says what was expected."""


class _Entry(msgspec.Struct):
    hash: list[int]
    parent_hash: list[int] | None
    event_type: str
    data: list[int]


def verify_file(path: str) -> tuple[Report, str]:
    """Check a chain in a file; returns the report and the hash rule that was used.

    Raises:
        ChainFileError: it is no chain.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        data = file.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        raise ChainFileError(f"{path}: larger than {FILE_BYTES_MAX} bytes")
    try:
        is_json = data.lstrip()[:1] == b"["
        events = list(_from_json(data) if is_json else iter_batch(data, None))
    except (ValueError, msgspec.MsgspecError) as error:
        raise ChainFileError(f"{path}: expected a chain (a JSON array of events, or a saved chain): {error}") from None
    if events and len(events[0].hash) == THEATER_HASH_BYTES:
        return _verify_theater(events), THEATER
    return _verify_ours(events), OURS


def _from_json(data: bytes) -> Iterator[ChainEvent]:
    """Events in a JSON array have no number: their place is their number."""
    for seq, entry in enumerate(msgspec.json.decode(data, type=list[_Entry])):
        parent = None if entry.parent_hash is None else bytes(entry.parent_hash)
        yield ChainEvent(seq, 0, 0, entry.event_type, bytes(entry.data), parent, bytes(entry.hash))


def _verify_theater(events: list[ChainEvent]) -> Report:
    from theater.chain.legacy import theater_hash

    return verify(events, events[0].parent_hash, rule=theater_hash)


def _verify_ours(events: list[ChainEvent]) -> Report:
    """Check a chain of ours. One that begins in the middle may not say what was before; its first event is believed."""
    if not events or events[0].seq == 0 or events[0].parent_hash is not None:
        return verify(events, events[0].parent_hash if events else None, rule=event_hash)
    report = verify(events[1:], events[0].hash, base_seq=events[0].seq)
    return msgspec.structs.replace(report, events=report.events + 1)
