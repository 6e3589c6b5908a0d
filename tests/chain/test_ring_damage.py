"""Rings that were cut, damaged, or never were any."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chain.chains import chain, frame
from tests.chain.rings import CAPACITY, drain
from theater.ring import (
    DATA_AT,
    RingError,
    RingReader,
    RingWriter,
)


def patch(path: str, at: int, data: bytes) -> None:
    with open(path, "r+b") as file:
        file.seek(at)
        file.write(data)


def test_a_ring_that_was_never_begun_is_empty(path: str) -> None:
    """Its writer died while making it: no events, no actor, no error."""
    for content in (b"", bytes(100), bytes(DATA_AT + CAPACITY)):
        Path(path).write_bytes(content)
        with RingReader.open(path) as reader:
            assert (list(reader.frames()), reader.last_words(), reader.actor_id) == ([], None, "")


@pytest.mark.parametrize(
    ("at", "data", "message"),
    [
        (0, b"SOMETHIN", "beginning with"),
        (8, b"\7", "version 1, got 7"),
        (16, bytes(8), "does not make sense"),
        (24, b"\xff" * 8, "does not make sense"),
        (44, b"\xff", "expected a ring"),
    ],
)
def test_what_is_no_ring_is_refused(ring: RingWriter, path: str, at: int, data: bytes, message: str) -> None:
    """Magic, version, capacity, positions, id: the error names the file."""
    patch(path, 48, b"\xff" if at == 44 else b"a")
    patch(path, at, data)
    with pytest.raises(RingError, match=message) as caught:
        RingReader.open(path)

    assert path in str(caught.value)


@pytest.mark.parametrize("used", [0, 25])
def test_a_ring_cut_at_every_byte_gives_what_is_whole(ring: RingWriter, path: str, used: int) -> None:
    """A recorded run, from the start and wrapped around, cut short anywhere: always a prefix, and it says so."""
    for event in chain(used):
        ring.append(frame(event))
    drain(ring, ring.start)
    ring.ack(used - 1)
    events = chain(30, first_seq=used)
    for event in events:
        ring.append(frame(event))
    expected = list(map(frame, events))
    image = Path(path).read_bytes()
    seen = set()
    for size in range(DATA_AT, len(image) + 1):
        reader = RingReader(path, image[:size])
        frames = list(reader.frames())
        seen.add(len(frames))
        assert frames == expected[: len(frames)]
        assert (reader.torn is None) == (len(frames) == len(expected))

    assert {0, 5, 10, 30} <= seen


@given(data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_damaged_ring_gives_a_prefix(data: st.DataObject, ring_image: bytes) -> None:
    """Any byte changed to anything: a prefix of the true events, or RingError, nothing else."""
    image = bytearray(ring_image)
    at = data.draw(st.one_of(st.integers(0, 47), st.integers(DATA_AT, len(image) - 1)))
    image[at] = data.draw(st.integers(0, 255))
    try:
        frames = list(RingReader("a.ring", bytes(image)).frames())
    except RingError:
        return

    expected = list(map(frame, chain(20)))
    changed_tail = 32 <= at < 40
    assert changed_tail or frames == expected[: len(frames)]


@pytest.fixture(scope="module")
def ring_image(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("rings") / "a.ring"
    writer = RingWriter.create(str(path), CAPACITY, actor_id="a", incarnation=1)
    for event in chain(20):
        writer.append(frame(event))
    image = path.read_bytes()
    writer.close()
    return image
