"""Chains in files: Theater's JSON arrays, and the text form (pack-abi 12.3)."""

from __future__ import annotations

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chain.chains import VECTORS, chain, fields, vector_events
from theater.chain import ChainError, ChainEvent, payload, payloads, verify
from theater.chain.legacy import read_json, theater_hash
from theater.chain.textform import read, write


def as_json(events: list[ChainEvent]) -> bytes:
    rows = [
        {
            "hash": list(event.hash),
            "parent_hash": None if event.parent_hash is None else list(event.parent_hash),
            "event_type": event.event_type,
            "data": list(event.data),
            "timestamp_unix_ms": 5,
        }
        for event in events
    ]
    return json.dumps(rows).encode()


def as_text(events: list[ChainEvent]) -> str:
    out = io.StringIO(newline="\n")
    write(events, out.write)
    return out.getvalue()


def from_text(text: str) -> list[ChainEvent]:
    return list(read(io.StringIO(text, newline="\n")))


# -- JSON --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(4))
def test_theaters_json_is_read(number: int) -> None:
    """What was saved comes back, numbered by its place, and verifies."""
    events = vector_events(number)
    found = read_json(as_json(events))

    assert list(map(fields, events)) == list(map(fields, found))
    assert verify(found, rule=theater_hash).ok


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (b"", "truncated"),
        (b"{}", "array"),
        (b"[1]", r"\$\[0\]"),
        (b'[{"hash":[256],"parent_hash":null,"event_type":"wasm","data":[]}]', r"\$\[0\]\.hash\[0\]"),
        (b'[{"hash":[],"parent_hash":null,"event_type":"wasm"}]', "data"),
        (b"[\xff]", "malformed"),
    ],
)
def test_other_json_is_refused(text: bytes, place: str) -> None:
    """The error names the place."""
    with pytest.raises(ChainError, match=place):
        read_json(text)


# -- text --------------------------------------------------------------------------------------------------------------


def test_the_text_of_an_event() -> None:
    """The lines are pinned: people read them, other programs too."""
    data = payload.error("a/b.c", "no\nway")
    event = ChainEvent(4, 1764, 2, "wasm", data, b"\1" * 32, b"\2" * 32)

    assert as_text([event]) == (
        "---\n"
        f"hash: {'02' * 32}\n"
        f"parent: {'01' * 32}\n"
        "type: wasm\n"
        "seq: 4\n"
        "time: 1764\n"
        "incarnation: 2\n"
        f"data: {data.hex()}\n"
        "chain-event-payload::wasm(wasm-event-data::wasm-error("
        'wasm-error{function-name: "a/b.c", message: "no\\nway"}))\n'
    )


@pytest.mark.parametrize("number", range(4))
def test_recorded_chains_come_back(number: int) -> None:
    """Nothing is lost, whatever the payload."""
    events = vector_events(number)

    assert list(map(fields, events)) == list(map(fields, from_text(as_text(events))))


@given(
    st.text(st.characters(exclude_categories=("Cs",)), max_size=20),
    st.one_of(st.binary(max_size=30), st.builds(lambda m: payload.error("f", m), st.text(max_size=20))),
)
def test_any_event_comes_back(event_type: str, data: bytes) -> None:
    """Types and texts with line ends and quotes in them, data that are no payload."""
    event = ChainEvent(0, 5, 1, event_type, data, None, b"\2" * 32)

    assert [fields(event), fields(event)] == list(map(fields, from_text(as_text([event, event]))))


def test_the_text_theater_writes_is_put_together_again() -> None:
    """Without type and data lines: they follow from the text, and the hashes prove it."""
    found = from_text(VECTORS[0]["text"])

    assert found == vector_events(0)[: len(found)]
    assert len(found) > 5
    assert verify(found, rule=theater_hash).ok


def test_what_the_text_has_lost_shows_in_the_hash() -> None:
    """A variant's number inside the values cannot be recovered: verification says so, not silence."""
    lines = ["---", f"hash: {'00' * 20}", "parent: root", 'wasm-call{function-name: "f", params: a::b}']
    (event,) = read(lines)

    assert isinstance(payloads.read(event.data), payloads.Call)
    assert not verify([event], rule=theater_hash).ok


def test_unknown_lines_are_skipped() -> None:
    """Later versions may say more."""
    text = as_text(chain(2)).replace("seq: 0\n", "seq: 0\nweather: fine\n")

    assert [fields(e)[3:] for e in chain(2)] == [fields(e)[3:] for e in from_text(text)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("hello\n", "line 1: expected '---'"),
        ("---\nparent: root\ntype: wasm\ndata: 00\n", "line 1: the event has no line 'hash'"),
        ("---\nhash: 00\ntype: wasm\ndata: 00\n", "line 1: the event has no line 'parent'"),
        ("---\nhash: 0\nparent: root\ntype: wasm\ndata: 00\n", "line 1: the event cannot be read"),
        ("---\nhash: 00\nparent: root\n", "line 1: the event cannot be read: its data are not there"),
        ("---\nhash: 00\nparent: root\nraw: 5 bytes\n", "its data are not there"),
        ("---\nhash: 00\nparent: root\ndata: 00\n", "its type is not there"),
        ("\n---\nhash: 00\nparent: root\ntype: \"\ndata: 00\n", "line 2"),
    ],
)
def test_other_text_is_refused(text: str, message: str) -> None:
    """The error names the line where the event begins."""
    with pytest.raises(ChainError, match=message):
        from_text(text)
