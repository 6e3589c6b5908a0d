"""The ring file: what is published is never lost, what is torn is cut (design D7)."""

from __future__ import annotations

import errno
import os
import stat

import pytest

from tests.chain.chains import batch, chain, frame
from tests.chain.rings import CAPACITY, drain, fill
from tests.chain.test_ring_damage import patch
from theater import ring as ring_module
from theater.chain import iter_batch
from theater.ring import (
    CAPACITY_BYTES_MAX,
    CAPACITY_BYTES_MIN,
    DATA_AT,
    LAST_WORDS_BYTES_MAX,
    RingFull,
    RingReader,
    RingWriter,
)

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
