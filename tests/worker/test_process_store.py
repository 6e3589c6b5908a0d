"""What a worker keeps of its actor: retained events in both orders, bounds, extensions, saving (lifecycle 8.1, 8.5)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from theater import cgrf
from theater.chain import encode_frame, event_hash, iter_batch, payload, payloads
from theater.values import U32, String, Tuple
from worker.actor_store import ActorStore
from worker.saving import save


def store_of(count: int, keep_events: int = 100, keep_bytes: int = 1 << 20) -> ActorStore:
    """A store that has seen so many events, types t0, t1, t0 …"""
    store = ActorStore("an-id", 0, None, keep_events, keep_bytes)
    head = None
    for seq in range(count):
        type_, data = f"t{seq % 2}", bytes([seq])
        digest = event_hash(head, type_, data)
        store.keep(encode_frame(seq, 1000 + seq, type_, data, digest), digest)
        head = digest
    return store


def test_recent_events_are_newest_first_and_all_others_oldest_first() -> None:
    """8.1: as in the seed."""
    store = store_of(4)

    assert [event.seq for event in store.get_all_events()] == [0, 1, 2, 3]
    assert [event.seq for event in store.get_chain()] == [0, 1, 2, 3]
    assert [event.seq for event in store.get_recent_events(3)] == [3, 2, 1]
    assert [event.seq for event in store.get_events_by_type("t1")] == [1, 3]


@pytest.mark.parametrize(("count", "expected"), [(0, 0), (1, 1), (4, 4), (5, 4)])
def test_bounds_of_recent_events(count: int, expected: int) -> None:
    """Never more than there are."""
    assert len(store_of(4).get_recent_events(count)) == expected


def test_a_negative_count_is_a_value_error() -> None:
    """8.1."""
    with pytest.raises(ValueError, match="-1"):
        store_of(1).get_recent_events(-1)


def test_types_match_exactly() -> None:
    """Case counts, and no match is an empty list."""
    store = store_of(2)

    assert store.has_event_type("t1")
    assert not store.has_event_type("T1")
    assert store.get_events_by_type("t") == []


def test_an_empty_store() -> None:
    """Everything has an answer."""
    store = store_of(0)

    assert (store.get_all_events(), store.get_last_event(), store.head_hash()) == ([], None, None)
    assert store.verify_chain()


def test_the_last_event_and_the_head() -> None:
    """They agree."""
    store = store_of(3)
    last = store.get_last_event()

    assert last is not None
    assert (last.seq, last.hash) == (2, store.head_hash())
    assert last.parent_hash == store.get_all_events()[1].hash


def test_a_trimmed_store_still_verifies() -> None:
    """8.5: the base remains; what is forgotten is counted."""
    store = store_of(10, keep_events=3)

    assert [event.seq for event in store.get_all_events()] == [7, 8, 9]
    assert (store.first_seq, store.forgotten) == (7, 7)
    assert store.verify_chain()


def test_the_byte_bound_counts_too() -> None:
    """Whichever is reached first; one event is always kept."""
    assert len(store_of(10, keep_bytes=1).get_all_events()) == 1


def test_parts_begin_where_asked() -> None:
    """GetChain since and limit; the base is the hash of the event before."""
    store = store_of(6)
    part = store.part(since=2, limit=2)

    assert (part.first_seq, part.count) == (2, 2)
    assert part.base_hash == store.get_all_events()[1].hash
    assert [event.seq for event in iter_batch(part.batch, part.base_hash)] == [2, 3]


def test_a_part_before_what_is_retained_begins_with_what_is_retained() -> None:
    """And one after it is empty."""
    store = store_of(6, keep_events=2)

    assert store.part(since=0).first_seq == 4
    assert (store.part(since=99).count, store.part(since=99).first_seq) == (0, 6)


def recording(store: ActorStore) -> ActorStore:
    """A store whose recorder does nothing but hash and keep."""
    head: list[bytes | None] = [None]

    def record(event_type: str, data: bytes) -> None:
        head[0] = event_hash(head[0], event_type, data)
        store.keep(encode_frame(store.first_seq + len(store.get_all_events()), 0, event_type, data, head[0]), head[0])

    store.record = record
    return store


def test_events_of_every_kind_are_recorded() -> None:
    """Each form gives its event, whose data say what was given; the chain verifies."""
    store = recording(store_of(0))
    unit, five = Tuple(()), U32(5)
    found = [
        store.record_call("f", five),
        store.record_host_call("a:b/c", "log", String("x"), unit),
        store.record_result("f", five, unit),
        store.record_error("f", "no"),
        store.record_event("own", cgrf.encode(five)),
        store.record_wasm_event("wasm", payload.call("g", cgrf.encode(unit))),
    ]

    assert [event.event_type for event in found] == ["wasm", "a:b/c/log", "wasm", "wasm", "own", "wasm"]
    assert payloads.read(found[0].data) == payloads.Call("f", five)
    assert payloads.read(found[1].data) == payloads.HostCall("a:b/c", "log", String("x"), unit)
    assert payloads.read(found[3].data) == payloads.Error("f", "no")
    assert store.get_all_events() == found
    assert store.verify_chain()


def test_an_event_of_the_runtime_is_no_call_of_the_guest() -> None:
    """Its type has a prefix, its payload a kind of its own."""
    event = recording(store_of(0)).record_runtime_event("note", String("x"))

    assert event.event_type == "theater-runtime/note"
    assert payloads.read(event.data) == payloads.Runtime("note", String("x"))


def test_the_state_is_a_value() -> None:
    """None before there is one; what is set is what is read."""
    store = store_of(0)

    assert store.get_state() is None
    store.set_state(U32(7))
    assert store.get_state() == U32(7)


def test_the_state_may_be_the_incarnations() -> None:
    """Then there is one state, not two."""
    store, kept = store_of(0), [cgrf.encode(U32(1))]
    store.committed, store.commit = lambda: kept[0], lambda state: kept.__setitem__(0, state)
    store.set_state(U32(2))

    assert kept == [cgrf.encode(U32(2))]
    assert store.get_state() == U32(2)


def test_the_store_saves_its_chain(tmp_path: Path) -> None:
    """As the handle's save_chain does; an unknown form is refused."""
    store = store_of(3)
    saved = store.save_chain(str(tmp_path / "chain"))

    assert (saved.count, saved.head) == (3, store.head_hash())
    with pytest.raises(ValueError, match="expected theater or theater-json"):
        store.save_chain(str(tmp_path / "chain"), "xml")


def test_extensions_are_kept_by_exact_type() -> None:
    """One slot a type; a subclass does not match; what is given out is a copy."""

    class Base(list[int]):
        pass

    class Derived(Base):
        pass

    store = store_of(0)
    store.set_extension(Base([1]))
    store.set_extension(Base([2]))

    assert store.get_extension(Base) == [2]
    assert store.get_extension(Base) is not store.get_extension(Base)
    assert not store.has_extension(Derived)
    assert store.remove_extension(Base) == [2]
    assert store.get_extension(Base) is None


def test_saving_in_theaters_form(tmp_path: Path) -> None:
    """A JSON array of the four fields."""
    saved = save(store_of(2), str(tmp_path / "chain.json"), "theater-json")
    rows = json.loads(Path(saved.path).read_text())

    assert [sorted(row) for row in rows] == [["data", "event_type", "hash", "parent_hash"]] * 2
    assert rows[1]["parent_hash"] == rows[0]["hash"]
    assert bytes(rows[1]["hash"]) == saved.head


def test_saving_in_our_form(tmp_path: Path) -> None:
    """The frames as they travel."""
    saved = save(store_of(2), str(tmp_path / "chain"), "theater")

    assert [event.seq for event in iter_batch(Path(saved.path).read_bytes(), None)] == [0, 1]


def test_a_save_that_fails_leaves_nothing_behind(tmp_path: Path) -> None:
    """8.5: nothing is half written."""
    (tmp_path / "chain").mkdir()
    with pytest.raises(OSError, match="chain"):
        save(store_of(2), str(tmp_path / "chain"), "theater")

    assert [path.name for path in tmp_path.iterdir()] == ["chain"]
