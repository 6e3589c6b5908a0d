"""Chains in files, in every form: round trips, what is lossy, and pieces of any size (docs/store.md)."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chain.chains import chain, fields, vector_events
from tests.chain.strategies import chains
from theater.chain import ChainError, ChainEvent, event_hash, forms, verify
from theater.chain.files import read_file
from theater.chain.legacy import iter_json, theater_hash, write_json

LOSSLESS = (forms.TEXT, forms.LINES)


def written(form: str, events: list[ChainEvent]) -> bytes:
    out = io.BytesIO()
    forms.write(form, events, out.write)
    return out.getvalue()


def read(data: bytes) -> list[ChainEvent]:
    return list(forms.read(io.BytesIO(data)))


def pieces(data: bytes, size: int) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


@pytest.mark.parametrize("form", LOSSLESS)
@given(events=chains())
def test_lossless_forms_lose_nothing(form: str, events: list[ChainEvent]) -> None:
    """Number, time, life, type, data, link and hash: all of it comes back."""
    assert list(map(fields, read(written(form, events)))) == list(map(fields, events))


@given(events=chains())
def test_theaters_form_keeps_what_is_hashed(events: list[ChainEvent]) -> None:
    """Types, data and hashes; so it verifies from its base."""
    found = read(written(forms.THEATER_JSON, events))

    assert [(e.event_type, e.data, e.parent_hash, e.hash) for e in found] == [
        (e.event_type, e.data, e.parent_hash, e.hash) for e in events
    ]
    assert [event.seq for event in found] == list(range(len(events)))
    assert verify(found, events[0].parent_hash if events else None).ok


@given(events=chains())
def test_frames_keep_all_but_the_lives_and_the_base(events: list[ChainEvent]) -> None:
    """As events travel."""
    found = read(written(forms.FRAMES, events))

    assert [(e.seq, e.time_ns, e.event_type, e.data, e.hash) for e in found] == [
        (e.seq, e.time_ns, e.event_type, e.data, e.hash) for e in events
    ]
    assert [event.parent_hash for event in found[1:]] == [event.hash for event in events[:-1]]


@pytest.mark.parametrize("form", forms.FORMS)
@pytest.mark.parametrize("piece", [1, 7, 1000])
def test_files_are_read_in_pieces_of_any_size(form: str, piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However a file is cut, the events are the same."""
    data = written(form, chain(9, size=40))
    monkeypatch.setattr(forms, "PIECE_BYTES", piece)

    assert [event.hash for event in read(data)] == [event.hash for event in chain(9, size=40)]


@pytest.mark.parametrize("form", forms.FORMS)
def test_reading_holds_a_few_events_at_a_time(form: str) -> None:
    """The first event comes long before the file's end is read."""
    file = io.BytesIO(written(form, chain(3000, size=1000)))
    next(iter(forms.read(file)))

    assert file.tell() < len(file.getvalue()) / 2


@pytest.mark.parametrize("form", forms.FORMS)
def test_writing_is_piece_by_piece(form: str) -> None:
    """No piece is much larger than an event."""
    sizes: list[int] = []
    forms.write(form, iter(chain(50, size=1000)), lambda piece: sizes.append(len(piece)))

    assert max(sizes) < 6000


@pytest.mark.parametrize("form", forms.FORMS)
def test_a_form_tells_itself(form: str) -> None:
    """By how the file begins; also with a byte order mark, where it is text."""
    data = written(form, chain(2))

    assert forms.form_of(io.BytesIO(data)) == form
    if form != forms.FRAMES:
        assert [event.seq for event in read(b"\xef\xbb\xbf" + data)] == [0, 1]


@pytest.mark.parametrize("form", forms.FORMS)
def test_small_readers_know_every_form(form: str, tmp_path: object) -> None:
    """`verify FILE` and `replay FILE` take what `export` writes."""
    path = f"{tmp_path}/chain"
    with open(path, "wb") as file:
        file.write(written(form, chain(3)))

    assert [event.hash for event in read_file(path)] == [event.hash for event in chain(3)]


@pytest.mark.parametrize("form", forms.FORMS)
@given(cut=st.integers(0, 10**6))
def test_a_file_that_is_cut_short_is_never_read_wrongly(form: str, cut: int) -> None:
    """Either an error, or fewer events, or one that does not verify: never a chain that was not written."""
    events = chain(4)
    data = written(form, events)
    try:
        found = read(data[: cut % len(data)])
    except ChainError:
        return
    hashes = [event.hash for event in events]
    sound = [event for event in found if event_hash(event.parent_hash, event.event_type, event.data) == event.hash]
    assert [event.hash for event in sound if event.seq > 0 or event.parent_hash is None] == hashes[: len(sound)]


@given(data=st.binary(max_size=200))
def test_any_bytes_are_a_chain_or_a_chain_error(data: bytes) -> None:
    """Nothing else comes out of a file."""
    try:
        read(data)
    except ChainError:
        pass


@pytest.mark.parametrize("number", range(4))
def test_chains_of_the_rust_theater_come_back(number: int) -> None:
    """In its own form, with its own hashes."""
    events = vector_events(number)
    found = read(written(forms.THEATER_JSON, events))

    assert list(map(fields, found)) == list(map(fields, events))
    assert verify(found, rule=theater_hash).ok


def test_names_of_files_speak_of_forms() -> None:
    """And some do not."""
    assert [forms.form_named(name) for name in ("a.txt", "b.JSONL", "c.json", "d.chain", "e")] == [
        forms.TEXT,
        forms.LINES,
        forms.THEATER_JSON,
        forms.FRAMES,
        None,
    ]


def test_an_unknown_form_is_refused() -> None:
    """With those there are."""
    with pytest.raises(ValueError, match="text, jsonl, theater-json, frames"):
        forms.write("xml", [], print)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"", "cut short"),
        (b"[", "expected an event"),
        (b"{}", "byte 0: expected the beginning of a JSON array"),
        (b"[] x", "byte 3: expected nothing after the array"),
        (b"[1]", "byte 1: expected an event"),
        (b"[,]", "byte 1: expected an event"),
        (b'[{"hash":[1]', "cut short: expected the end of an event"),
        (b"[{}]", r"\$\[0\]: expected an event"),
        (b'[{"hash":[],"parent_hash":null,"event_type":"","data":[]} {}]', "byte 58: expected a comma"),
        (b'[{"hash":[300],"parent_hash":null,"event_type":"","data":[]}]', r"\$\[0\]: expected an event"),
    ],
)
@pytest.mark.parametrize("size", [1, 1000])
def test_wrong_json_is_named_by_its_place(text: bytes, problem: str, size: int) -> None:
    """By byte, or by the number of the event."""
    with pytest.raises(ChainError, match=problem):
        list(iter_json(pieces(text, size)))


def test_an_event_may_say_anything() -> None:
    """Brackets, quotes and backslashes in its type do not end it."""
    events = [ChainEvent(0, 0, 0, '}"]\\"{[', b"x", None, bytes(32))]
    out = io.BytesIO()
    write_json(events, out.write)

    assert [event.event_type for event in iter_json(pieces(out.getvalue(), 1))] == ['}"]\\"{[']


def test_an_endless_event_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Not read until the memory is full."""
    from theater.chain import legacy

    monkeypatch.setattr(legacy, "ENTRY_BYTES_MAX", 1000)
    with pytest.raises(ChainError, match="larger than 1000 bytes"):
        list(iter_json([b'[{"a":', *([b"1" * 100] * 100)]))


def test_a_wrong_line_is_named(tmp_path: object) -> None:
    """With its number; empty lines are none."""
    good = written(forms.LINES, chain(1))
    with pytest.raises(ChainError, match="line 3: expected an event"):
        read(good + b"\n" + b'{"seq": -1}\n')
