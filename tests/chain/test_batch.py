"""Events as they travel: frames and batches."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chain.chains import batch, chain, fields, frame
from theater.chain import ChainError, ChainEvent, encode_frame, event_hash, frame_seq, iter_batch

DIGEST = bytes(range(32))


def test_the_hash_is_sha256_over_the_msgpack_array() -> None:
    """Lifecycle 8.3: [1, parent or nil, event_type, data]."""
    preimage = msgspec.msgpack.encode([1, DIGEST, "wasm", b"abc"])

    assert hashlib.sha256(preimage).digest() == event_hash(DIGEST, "wasm", b"abc")


def test_the_first_event_has_the_parent_nil() -> None:
    """The bytes that are hashed are pinned: changing them would orphan every chain there is."""
    preimage = b"\x94\x01\xc0\xa4wasm\xc4\x03abc"

    assert hashlib.sha256(preimage).digest() == event_hash(None, "wasm", b"abc")


def test_a_frame_has_these_bytes() -> None:
    """The stored form is pinned."""
    expected = b"\x95\x07\xcd\x03\xe8\xa4wasm\xc4\x03abc\xc4\x20" + DIGEST

    assert expected == encode_frame(7, 1000, "wasm", b"abc", DIGEST)


def test_a_batch_gives_its_events_back() -> None:
    """Everything but the incarnation travels in the frames or follows from their order."""
    events = chain(5)

    assert list(map(fields, events)) == [fields(e) for e in iter_batch(batch(events), None, incarnation=1)]


def test_the_parent_of_the_first_is_what_the_carrier_says() -> None:
    """Parents are implied: a batch from the middle links to the hash before it."""
    events = chain(3, first_seq=9, base=DIGEST)

    assert next(iter_batch(batch(events), DIGEST)).parent_hash == DIGEST


def test_more_frames_than_are_decoded_at_once() -> None:
    """A long batch is read in pieces; nothing is lost between them."""
    events = chain(9000, size=4)

    assert [e.seq for e in events] == [e.seq for e in iter_batch(batch(events), None)]


def test_an_empty_batch_has_no_events() -> None:
    """Nothing is a batch, too."""
    assert list(iter_batch(b"", None)) == []


@given(
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**64 - 1),
    st.text(st.characters(exclude_categories=("Cs",)), max_size=400),
    st.sampled_from([0, 1, 255, 256, 65535, 65536, 70000]),
)
def test_frames_of_every_width_come_back(seq: int, time_ns: int, event_type: str, size: int) -> None:
    """Each length prefix of MessagePack is understood."""
    data = bytes(size)
    frames = encode_frame(seq, time_ns, event_type, data, DIGEST)
    expected = (seq, time_ns, 3, event_type, data, None, DIGEST)

    assert frame_seq(frames) == seq
    assert [expected, expected] == [
        (*fields(e)[:5], None, e.hash) for e in iter_batch(frames + frames, None, incarnation=3)
    ]


def test_every_cut_of_a_batch_is_refused() -> None:
    """A batch that ends inside a frame is an error, never a short answer."""
    events = chain(3)
    whole, borders = batch(events), {0}
    for event in events:
        borders.add(max(borders) + len(frame(event)))

    for cut in set(range(len(whole))) - borders:
        with pytest.raises(ChainError):
            list(iter_batch(whole[:cut], None))


@given(st.data())
def test_a_changed_batch_gives_events_or_a_chain_error(data: st.DataObject) -> None:
    """Whatever a byte is changed to, nothing but ChainError comes out."""
    changed = bytearray(batch(chain(3)))
    changed[data.draw(st.integers(0, len(changed) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert all(isinstance(event, ChainEvent) for event in iter_batch(bytes(changed), None))
    except ChainError:
        pass


@pytest.mark.parametrize("junk", [b"", b"\x94", b"\x95", b"\x95\xa1", b"\x95\xcf\0"])
def test_what_is_no_frame_has_no_number(junk: bytes) -> None:
    """frame_seq reads no further than it must, and refuses what is not a frame."""
    with pytest.raises(ChainError):
        frame_seq(junk)


def test_events_are_equal_when_their_hashes_are() -> None:
    """Lifecycle 8.2: number, time and incarnation do not count."""
    (event,) = chain(1)
    other = ChainEvent(5, 6, 7, event.event_type, event.data, None, event.hash)

    assert (event, hash(event)) == (other, hash(other))
    assert event != chain(2)[1]
    assert event != "an event"
