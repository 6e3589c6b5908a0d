"""Events too large for the ring lie beside it."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from tests.chain.chains import chain, frame
from tests.chain.rings import CAPACITY, fill
from theater import ring as ring_module
from theater.ring import (
    RingFull,
    RingReader,
    RingWriter,
)

LARGE = chain(1, first_seq=7, base=b"\1" * 32, size=10_000)[0]


def test_a_large_event_lies_beside_the_ring(ring: RingWriter, path: str) -> None:
    """Readers and the stream do not notice."""
    ring.append(frame(LARGE))
    unsent = ring.unsent(ring.start, 10)

    assert unsent is not None
    assert (unsent.data, unsent.first_seq, unsent.last_seq) == (frame(LARGE), 7, 7)
    assert [frame(LARGE)] == list(RingReader.open(path).frames())
    assert stat.S_IMODE(os.stat(f"{path}.7.spill").st_mode) == 0o600


def test_a_quarter_of_the_ring_still_fits_in_it(ring: RingWriter, path: str) -> None:
    """The bound, and one byte past it."""
    base = len(frame(chain(1, size=400)[0])) - 400
    fits, spilled = b"x" * (CAPACITY // 4 - base), b"x" * (CAPACITY // 4 - base + 1)
    for seq, data in enumerate((fits, spilled)):
        ring.append(ring_frame(seq, data))

    assert sorted(os.listdir(os.path.dirname(path))) == ["a.ring", "a.ring.1.spill"]


def ring_frame(seq: int, data: bytes) -> bytes:
    from theater.chain import encode_frame

    return encode_frame(seq, 1000, "wasm", data, bytes(32))


def test_an_acknowledged_large_event_is_removed(ring: RingWriter, path: str) -> None:
    """With the space of its record."""
    ring.append(frame(LARGE))
    ring.unsent(ring.start, 10)
    ring.ack(7)

    assert os.listdir(os.path.dirname(path)) == ["a.ring"]
    assert ring.free_bytes == CAPACITY


def test_a_full_ring_spills_nothing(ring: RingWriter, path: str) -> None:
    """Nothing is left behind for an event that was not published."""
    count = fill(ring)
    large = chain(1, first_seq=count, size=10_000)[0]
    with pytest.raises(RingFull):
        while True:
            ring.append(frame(large))

    spills = [name for name in os.listdir(os.path.dirname(path)) if "spill" in name]
    assert len(spills) == len([f for f in RingReader.open(path).frames() if len(f) > 10_000])


@pytest.mark.parametrize(
    ("number", "expected"), [(errno.ENOSPC, RingFull), (errno.EDQUOT, RingFull), (errno.EIO, OSError)]
)
def test_no_room_for_a_large_event_is_a_full_ring(
    ring: RingWriter, path: str, monkeypatch: pytest.MonkeyPatch, number: int, expected: type[Exception]
) -> None:
    """A full disk is waited for like a full ring; other failures are told. Nothing half is left."""

    def fails(file: object, data: bytes) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(ring_module, "_write_all", fails)
    with pytest.raises(expected):
        ring.append(frame(LARGE))

    assert os.listdir(os.path.dirname(path)) == ["a.ring"]
    assert list(RingReader.open(path).frames()) == []


def test_a_damaged_spill_file_cuts_the_ring_there(ring: RingWriter, path: str) -> None:
    """As a damaged record would."""
    events = chain(7)
    for event in events:
        ring.append(frame(event))
    ring.append(frame(LARGE))
    with open(f"{path}.7.spill", "r+b") as file:
        file.seek(100)
        file.write(b"?")
    reader = RingReader.open(path)

    assert list(map(frame, events)) == list(reader.frames())
    assert "event 7 is damaged" in str(reader.torn)


def test_removing_a_ring_removes_what_lies_beside_it(ring: RingWriter, path: str) -> None:
    """And nothing of its neighbours."""
    other = path + "2"
    Path(other).write_bytes(b"")
    ring.append(frame(LARGE))
    Path(path + ".8.spill.new").write_bytes(b"half")
    RingReader.remove(path)
    RingReader.remove(path)

    assert os.listdir(os.path.dirname(path)) == ["a.ring2"]
