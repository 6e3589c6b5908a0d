"""Chains in files, of whichever form: told apart by how they begin.

A JSON array of events with four fields (Theater's form; the length of its hashes tells the rule they follow), JSON
lines (theater.chain.jsonlines), the text form (theater.chain.textform), or our framed MessagePack, as ``save_chain``
writes it. ``theater.chain.forms`` reads longer ones, event by event.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Final

import msgspec

from theater.chain.batch import iter_batch
from theater.chain.events import ChainError, ChainEvent
from theater.chain.hashing import event_hash
from theater.chain.verifying import Report, verify
from theater.errors import TheaterError

FILE_BYTES_MAX: Final = 1 << 30
FRAME: Final = b"\x95"
"""How a frame begins: MessagePack's array of five."""
OURS: Final = "sha256"
THEATER: Final = "theater-sha1"


class ChainFileError(TheaterError):
    """The file is not a chain; the text says what was expected."""


def read_file(path: str) -> list[ChainEvent]:
    """Return the events of a chain in a file.

    Raises:
        ChainFileError: it is no chain.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        data = file.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        raise ChainFileError(f"{path}: larger than {FILE_BYTES_MAX} bytes")
    try:
        return _read(data)
    except (ValueError, msgspec.MsgspecError) as error:
        forms = "a JSON array of events, JSON lines, the text form, or a saved chain"
        raise ChainFileError(f"{path}: expected a chain ({forms}): {error}") from None


def open_file(path: str) -> Sequence[ChainEvent]:
    """Return the events of a chain in a file; of our framed form, the longest one, without holding them in memory.

    Raises:
        ChainFileError: it is no chain.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        start = file.read(1)
    if start and start != FRAME:
        return read_file(path)
    from theater.chain.framesfile import FramesFile

    try:
        return FramesFile(path)
    except ChainError as error:
        raise ChainFileError(f"{path}: expected a saved chain: {error}") from None


def rule_of(events: Sequence[ChainEvent]) -> str:
    """Which hash rule a chain follows: ours, or that of the Rust Theater."""
    from theater.chain.legacy import THEATER_HASH_BYTES

    return THEATER if events and len(events[0].hash) == THEATER_HASH_BYTES else OURS


def verify_events(events: Sequence[ChainEvent]) -> Report:
    """Check every link and hash of a chain by the rule it follows.

    One of ours that begins in the middle may not say what was before; its first event is believed then.
    """
    if rule_of(events) == THEATER:
        from theater.chain.legacy import theater_hash

        return verify(events, events[0].parent_hash, rule=theater_hash)
    if not events or events[0].seq == 0 or events[0].parent_hash is not None:
        return verify(events, events[0].parent_hash if events else None, rule=event_hash)
    report = verify(events[1:], events[0].hash, base_seq=events[0].seq)
    return msgspec.structs.replace(report, events=report.events + 1)


def _read(data: bytes) -> list[ChainEvent]:
    start = data.lstrip()[:3]
    if start[:1] == b"[":
        from theater.chain.legacy import read_json

        return read_json(data)
    if start[:1] == b"{":
        from theater.chain import jsonlines

        return list(jsonlines.read(io.BytesIO(data)))
    if start == b"---":
        from theater.chain import textform

        try:
            text = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise ChainError(f"text in UTF-8: {error}") from None
        return list(textform.read(io.StringIO(text, newline="\n")))
    return list(iter_batch(data, None))
