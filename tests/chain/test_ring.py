"""The ring file: what is published is never lost, what is torn is cut (design D7)."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.chain.chains import batch, chain, frame
from theater import ring as ring_module
from theater.chain import iter_batch
from theater.ring import (
    CAPACITY_BYTES_MAX,
    CAPACITY_BYTES_MIN,
    DATA_AT,
    LAST_WORDS_BYTES_MAX,
    RingError,
    RingFull,
    RingReader,
    RingWriter,
)

CAPACITY = 4096


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "a.ring")


@pytest.fixture
def ring(path: str) -> Iterator[RingWriter]:
    writer = RingWriter.create(path, CAPACITY, actor_id="actor-1", incarnation=3)
    yield writer
    writer.close()


def fill(ring: RingWriter, first_seq: int = 0) -> int:
    """Append until the ring is full; return how many went in."""
    for count, event in enumerate(chain(1000, first_seq)):
        try:
            ring.append(frame(event))
        except RingFull:
            return count
    raise AssertionError("never full")


def drain(ring: RingWriter, position: int) -> tuple[int, bytes]:
    """Take everything unsent."""
    data = b""
    while (unsent := ring.unsent(position, 1000)) is not None:
        position, data = unsent.position, data + unsent.data
    return position, data


# -- the file ----------------------------------------------------------------------------------------------------------


def test_the_file_is_private_and_wholly_allocated(ring: RingWriter, path: str) -> None:
    """Mode 0600, and blocks for all of it: recording never meets a full disk."""
    status = os.stat(path)

    assert stat.S_IMODE(status.st_mode) == 0o600
    assert status.st_size == DATA_AT + CAPACITY
    assert status.st_blocks * 512 >= status.st_size


def test_a_ring_that_exists_is_not_overwritten(ring: RingWriter, path: str) -> None:
    """Two lives never share a ring."""
    with pytest.raises(FileExistsError):
        RingWriter.create(path, CAPACITY, actor_id="b", incarnation=1)


def test_a_full_disk_is_an_error_at_creation(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An OSError there and then, never a SIGBUS later; nothing is left behind."""

    def full(fd: int, offset: int, size: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(OSError, match="No space left"):
        RingWriter.create(path, CAPACITY, actor_id="b", incarnation=1)

    assert not os.path.exists(path)


@pytest.mark.parametrize("capacity", [CAPACITY_BYTES_MIN - 1, CAPACITY_BYTES_MAX + 1])
def test_capacity_has_bounds(path: str, capacity: int) -> None:
    """Just past either bound."""
    with pytest.raises(ValueError, match="ring capacity"):
        RingWriter.create(path, capacity, actor_id="b", incarnation=1)


def test_an_id_has_a_bound(path: str) -> None:
    """It has its place in the header."""
    with pytest.raises(ValueError, match="actor id"):
        RingWriter.create(path, CAPACITY, actor_id="b" * 257, incarnation=1)


def test_a_reader_knows_whose_ring_it_is(ring: RingWriter, path: str) -> None:
    """The next supervisor finds the actor by it."""
    with RingReader.open(path) as reader:
        assert (reader.actor_id, reader.incarnation, reader.capacity) == ("actor-1", 3, CAPACITY)


def test_a_living_writer_is_seen(ring: RingWriter, path: str) -> None:
    """Its lock lives as long as its process."""
    assert RingReader.has_writer(path)


def test_a_writer_that_is_gone_is_seen(path: str) -> None:
    """The kernel lets go of the lock."""
    RingWriter.create(path, CAPACITY, actor_id="a", incarnation=1).close()

    assert not RingReader.has_writer(path)


# -- appending and reading ---------------------------------------------------------------------------------------------


def test_what_was_appended_is_read(ring: RingWriter, path: str) -> None:
    """By another process, in order, in a batch that continues what it has."""
    events = chain(5)
    for event in events:
        ring.append(frame(event))
    with RingReader.open(path) as reader:
        rest = reader.batch_after(1)

    assert rest is not None
    assert (rest.first_seq, rest.last_seq, rest.head_hash) == (2, 4, events[4].hash)
    assert list(iter_batch(rest.payload, events[1].hash)) == events[2:]


def test_nothing_after_the_last_is_nothing(ring: RingWriter, path: str) -> None:
    """Everything is stored already."""
    ring.append(frame(chain(1)[0]))

    assert RingReader.open(path).batch_after(0) is None


def test_a_full_ring_says_so_and_stays_as_it_is(ring: RingWriter, path: str) -> None:
    """The caller waits for an acknowledgement; nothing half is published."""
    count = fill(ring)
    with pytest.raises(RingFull):
        ring.append(frame(chain(count + 1)[count]))
    frames = list(RingReader.open(path).frames())

    assert frames == list(map(frame, chain(count)))


def test_acknowledged_space_is_used_again(ring: RingWriter, path: str) -> None:
    """Round and round: a thousand events through four kilobytes."""
    events, position, data = chain(1000), ring.start, b""
    for event in events:
        try:
            ring.append(frame(event))
        except RingFull:
            position, more = drain(ring, position)
            data += more
            ring.ack(event.seq - 1)
            ring.append(frame(event))
    data += drain(ring, position)[1]

    assert data == batch(events)


def test_unsent_gives_whole_frames_up_to_a_size(ring: RingWriter) -> None:
    """At least one, and not much more than was wanted."""
    events = chain(10)
    for event in events:
        ring.append(frame(event))
    size = len(frame(events[0]))
    one, three = ring.unsent(ring.start, 1), ring.unsent(ring.start, 2 * size + 1)

    assert one is not None
    assert three is not None
    assert (one.data, one.first_seq, one.last_seq) == (frame(events[0]), 0, 0)
    assert (three.data, three.first_seq, three.last_seq) == (batch(events[:3]), 0, 2)


def test_nothing_unsent_is_none(ring: RingWriter) -> None:
    """At the start, and behind the last frame."""
    assert ring.unsent(ring.start, 1000) is None
    position = ring.append(frame(chain(1)[0]))

    assert ring.unsent(position, 1000) is None


def test_an_acknowledgement_inside_a_batch_frees_nothing(ring: RingWriter) -> None:
    """Batches are freed as they were sent."""
    for event in chain(4):
        ring.append(frame(event))
    free = ring.free_bytes
    ring.unsent(ring.start, 10_000)
    ring.ack(2)

    assert ring.free_bytes == free
    ring.ack(3)
    assert ring.free_bytes == CAPACITY


def test_a_reader_begins_behind_what_was_acknowledged(ring: RingWriter, path: str) -> None:
    """That space may be overwritten at any moment."""
    for event in chain(4):
        ring.append(frame(event))
    sent = ring.unsent(ring.start, 1)
    assert sent is not None
    ring.ack(0)

    assert list(map(frame, chain(4)[1:])) == list(RingReader.open(path).frames())


# -- large events ------------------------------------------------------------------------------------------------------

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


# -- last words --------------------------------------------------------------------------------------------------------


def test_last_words_are_read(ring: RingWriter, path: str) -> None:
    """The cause of the end, as its worker saw it; later words replace earlier ones."""
    ring.last_words(b"first and longer")
    ring.last_words(b"cause")

    assert RingReader.open(path).last_words() == b"cause"


def test_no_last_words_are_none(ring: RingWriter, path: str) -> None:
    """It died without a word."""
    assert RingReader.open(path).last_words() is None


def test_last_words_have_a_bound(ring: RingWriter, path: str) -> None:
    """The bound, and one byte past it."""
    ring.last_words(bytes(LAST_WORDS_BYTES_MAX))
    with pytest.raises(ValueError, match="last words"):
        ring.last_words(bytes(LAST_WORDS_BYTES_MAX + 1))

    assert RingReader.open(path).last_words() == bytes(LAST_WORDS_BYTES_MAX)


def test_the_longest_last_words_leave_the_events_alone(ring: RingWriter, path: str) -> None:
    """Their place ends where the records begin."""
    ring.append(frame(chain(1)[0]))
    ring.last_words(b"\xff" * LAST_WORDS_BYTES_MAX)

    assert list(map(frame, chain(1))) == list(RingReader.open(path).frames())


def test_damaged_last_words_are_none(ring: RingWriter, path: str) -> None:
    """Half a cause would mislead."""
    ring.last_words(b"cause")
    patch(path, ring_module.WORDS_AT + 9, b"?")

    assert RingReader.open(path).last_words() is None


# -- damage ------------------------------------------------------------------------------------------------------------


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
