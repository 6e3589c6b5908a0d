"""The forms a chain can have in a file: writing and reading any of them, one event at a time, however long it is.

| form | is | loses |
|---|---|---|
| text | theater.chain.textform: for people and programs | nothing |
| jsonl | theater.chain.jsonlines: for programs | nothing |
| theater-json | theater.chain.legacy: a JSON array, as Theater saves it | numbers, times, incarnations |
| frames | theater.chain.batch: as events travel; the smallest | incarnations; what was before the first event |

A file tells its form by how it begins.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from typing import BinaryIO, Final

from theater.chain.batch import encode_frame, frame_end, iter_batch
from theater.chain.events import ChainError, ChainEvent

TEXT: Final = "text"
LINES: Final = "jsonl"
THEATER_JSON: Final = "theater-json"
FRAMES: Final = "frames"
FORMS: Final = (TEXT, LINES, THEATER_JSON, FRAMES)

LOSES: Final = {
    TEXT: "",
    LINES: "",
    THEATER_JSON: "the events' numbers, times and incarnations",
    FRAMES: "the events' incarnations, and the hash before the first event",
}
"""What a form does not hold, in words."""

ENDINGS: Final = {".txt": TEXT, ".jsonl": LINES, ".json": THEATER_JSON, ".chain": FRAMES}
"""The form meant by a file's name."""

LOOK_BYTES: Final = 4096
PIECE_BYTES: Final = 1 << 18
LINE_BYTES_MAX: Final = 256 << 20
FRAME_BYTES_MAX: Final = 256 << 20
_BOM: Final = b"\xef\xbb\xbf"

Put = Callable[[bytes], object]


def form_named(path: str) -> str | None:
    """Return the form a file's name speaks of, None if it speaks of none."""
    return ENDINGS.get(os.path.splitext(path)[1].lower())


def write(form: str, events: Iterable[ChainEvent], put: Put) -> None:
    """Write events, oldest first, through ``put`` (a binary file's ``write``).

    Raises:
        ValueError: no such form.
    """
    writer = _WRITERS.get(form)
    if writer is None:
        raise ValueError(f"form of a chain: expected one of {', '.join(FORMS)}, got {form!r}")
    writer(events, put)


def read(file: BinaryIO) -> Iterator[ChainEvent]:
    """Yield the events of a chain in an open file, of whichever form, oldest first. Nothing is verified.

    Raises:
        ChainError: it is no chain; events before the bad place have been yielded.
        OSError: it cannot be read.
    """
    return _READERS[form_of(file)](file)


def form_of(file: BinaryIO) -> str:
    """Return the form of a chain in an open file, which has to be able to seek; it is at its beginning afterwards."""
    begins = file.read(LOOK_BYTES).removeprefix(_BOM)
    file.seek(0)
    first = begins.lstrip()[:3]
    if first == b"---":
        return TEXT
    return {b"{": LINES, b"[": THEATER_JSON}.get(first[:1], FRAMES)


# -- writing -----------------------------------------------------------------------------------------------------------


def _write_text(events: Iterable[ChainEvent], put: Put) -> None:
    from theater.chain import textform

    for event in events:
        put(textform.format_event(event).encode())


def _write_lines(events: Iterable[ChainEvent], put: Put) -> None:
    from theater.chain import jsonlines

    for event in events:
        put(jsonlines.format_event(event))


def _write_theater_json(events: Iterable[ChainEvent], put: Put) -> None:
    from theater.chain import legacy

    legacy.write_json(events, put)


def _write_frames(events: Iterable[ChainEvent], put: Put) -> None:
    for event in events:
        put(encode_frame(event.seq, event.time_ns, event.event_type, event.data, event.hash))


_WRITERS: Final = {
    TEXT: _write_text,
    LINES: _write_lines,
    THEATER_JSON: _write_theater_json,
    FRAMES: _write_frames,
}


# -- reading -----------------------------------------------------------------------------------------------------------


def _read_text(file: BinaryIO) -> Iterator[ChainEvent]:
    from theater.chain import textform

    return textform.read(_decoded(_lines(file)))


def _read_lines(file: BinaryIO) -> Iterator[ChainEvent]:
    from theater.chain import jsonlines

    return jsonlines.read(_lines(file))


def _read_theater_json(file: BinaryIO) -> Iterator[ChainEvent]:
    from theater.chain import legacy

    return legacy.iter_json(_pieces(file))


def _read_frames(file: BinaryIO) -> Iterator[ChainEvent]:
    """Hold what was read until a frame is whole. The first event's parent is not said: None."""
    held, head, passed = b"", None, 0
    for piece in _pieces(file, b""):
        held += piece
        end = _whole_frames(held, passed, is_last=not piece)
        for event in iter_batch(held[:end], head):
            head = event.hash
            yield event
        held, passed = held[end:], passed + end


_READERS: Final = {
    TEXT: _read_text,
    LINES: _read_lines,
    THEATER_JSON: _read_theater_json,
    FRAMES: _read_frames,
}


def _whole_frames(held: bytes, passed: int, *, is_last: bool) -> int:
    """Return where the last whole frame ends."""
    end = 0
    try:
        while end < len(held):
            end = frame_end(held, end)
    except ChainError as error:
        if is_last or not _may_go_on(held, end):
            raise ChainError(f"after byte {passed + end}: {error}") from None
    return end


def _may_go_on(held: bytes, at: int) -> bool:
    """Whether what is held may be the beginning of a frame."""
    return len(held) - at <= FRAME_BYTES_MAX and held[at] == 0x95


def _pieces(file: BinaryIO, *last: bytes) -> Iterator[bytes]:
    if file.read(len(_BOM)) != _BOM:
        file.seek(0)
    while piece := file.read(PIECE_BYTES):
        yield piece
    yield from last


def _lines(file: BinaryIO) -> Iterator[bytes]:
    number = 0
    while line := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(line) > LINE_BYTES_MAX:
            raise ChainError(f"line {number}: longer than {LINE_BYTES_MAX} bytes")
        yield line.removeprefix(_BOM) if number == 1 else line


def _decoded(lines: Iterable[bytes]) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        try:
            yield line.decode()
        except UnicodeDecodeError as error:
            raise ChainError(f"line {number}: expected text in UTF-8: {error}") from None
