"""Reading a store, while it is written and when it is not."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor.store import StoreError, StoreReader
from tests.chain.chains import batch, chain, fields, frame
from tests.store.conftest import Store
from theater.chain import iter_batch, verify

EVENTS = chain(100)
ROWS = (1, 10, 11, 40, 41, 42, 90, 100)
"""Where rows end."""


@pytest.fixture
def filled(store: Store) -> Store:
    """One actor with a hundred events in rows of different lengths, and one without any."""
    actor, begin = store.actor("/a"), 0
    store.actor("/b")
    for end in ROWS:
        store.append(actor, EVENTS[begin:end])
        begin = end
    store.stored(actor, 99)
    return store


@pytest.fixture
def reader(filled: Store) -> StoreReader:
    return StoreReader(filled.directory)


@pytest.fixture
def actor(filled: Store) -> str:
    return filled.actor("/a")


def test_actors_are_listed_by_path(reader: StoreReader, actor: str) -> None:
    """With how much there is of each."""
    first, second = reader.actors()

    assert (first.path, first.id, first.events, first.last_seq) == ("/a", actor, 100, 99)
    assert first.head_hash == EVENTS[-1].hash
    assert (second.path, second.events, second.last_seq, second.head_hash) == ("/b", 0, -1, None)


def test_an_actor_is_found_by_path_and_by_id(reader: StoreReader, actor: str) -> None:
    """Strangers are None."""
    assert reader.find("/a") == reader.find(actor) == reader.actors()[0]
    assert reader.find("/c") is None


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("since", [None, 0, 5, 10, 41, 99, 100])
@pytest.mark.parametrize("until", [None, 0, 10, 41, 99, 500])
@pytest.mark.parametrize("limit", [None, 0, 3])
def test_events_are_chosen(
    reader: StoreReader, actor: str, since: int | None, until: int | None, limit: int | None, reverse: bool
) -> None:
    """By first and last number, both included, by direction, by count."""
    expected = EVENTS[since or 0 : 1000 if until is None else until + 1]
    expected = expected[::-1] if reverse else expected
    found = reader.events(actor, since, until, None, limit, reverse)

    assert list(map(fields, expected[:limit])) == list(map(fields, found))


def test_events_are_chosen_by_type(store: Store) -> None:
    """Exactly these types."""
    actor, events = store.actor(), chain(6)
    store.append(actor, events)
    store.stored(actor, 5)
    reader = StoreReader(store.directory)

    assert list(reader.events(actor, types=["was"])) == []
    assert list(reader.events(actor, types=["x", "wasm"], limit=2)) == events[:2]


def test_an_unknown_actor_has_no_events(reader: StoreReader) -> None:
    """Nothing, rather than an error: whether it exists is another question."""
    assert list(reader.events("nobody")) == []


def test_a_reader_sees_what_is_written_meanwhile(filled: Store, reader: StoreReader, actor: str) -> None:
    """It holds no transaction open between rows."""
    events = reader.events(actor)
    next(events)
    more = chain(5, first_seq=100, base=EVENTS[-1].hash)
    filled.append(actor, more)
    filled.stored(actor, 104)

    assert [event.seq for event in events] == list(range(1, 105))


@pytest.mark.parametrize("since", [None, 0, 5, 10, 41, 99, 100])
@pytest.mark.parametrize("count", [0, 1, 7, 1000])
def test_a_page_is_a_batch_that_verifies(reader: StoreReader, actor: str, since: int | None, count: int) -> None:
    """Cut out of the rows without decoding them, with the hash it follows."""
    about, data = reader.page(actor, since, count)
    begin = max(0, 100 - count) if since is None else since
    expected = EVENTS[begin : begin + count]

    assert data == b"".join(map(frame, expected))
    assert about["count"] == len(expected)
    if expected:
        assert about["first_seq"] == expected[0].seq
        assert verify(iter_batch(data, about["base_hash"]), about["base_hash"]).ok


# -- verification ------------------------------------------------------------------------------------------------------


def test_a_stored_chain_verifies(reader: StoreReader, actor: str) -> None:
    """All of it."""
    report = reader.verify(actor)

    assert (report.ok, report.events, report.head) == (True, 100, EVENTS[-1].hash)


def test_no_events_verify(reader: StoreReader) -> None:
    """An empty chain is good."""
    assert reader.verify("nobody").ok


Spoil = Callable[[sqlite3.Connection], object]


def set_events(first_seq: int, data: bytes) -> Spoil:
    return lambda db: db.execute("UPDATE batches SET events = ? WHERE first_seq = ?", (data, first_seq))


def run(sql: str) -> Spoil:
    return lambda db: db.execute(sql)


CHANGED = batch(EVENTS[11:15]) + frame(EVENTS[15]).replace(b"\0\0\0\x0f", b"\0\0\0\x0e") + batch(EVENTS[16:40])


@pytest.mark.parametrize(
    ("spoil", "seq", "what", "good"),
    [
        (set_events(11, CHANGED), 15, "data", 15),
        (set_events(11, batch(EVENTS[11:15] + EVENTS[16:40])), 16, "missing", 15),
        (set_events(11, batch([*EVENTS[11:20], EVENTS[21], EVENTS[20], *EVENTS[22:40]])), 21, "missing", 20),
        (set_events(11, batch(EVENTS[11:30])), 30, "missing", 30),
        (set_events(11, b"\xc1"), 11, "data", 11),
        (set_events(11, b""), 11, "missing", 11),
        (run("UPDATE batches SET prev_hash = x'01' WHERE first_seq = 11"), 11, "parent", 11),
        (run("UPDATE batches SET head_hash = x'01' WHERE first_seq = 11"), 39, "data", 40),
        (run("UPDATE batches SET last_seq = 50 WHERE first_seq = 11"), 40, "missing", 40),
        (run("DELETE FROM batches WHERE first_seq = 11"), 40, "missing", 11),
        (run("DELETE FROM batches WHERE first_seq = 0"), 1, "missing", 0),
    ],
)
def test_what_was_changed_is_found(filled: Store, actor: str, spoil: Spoil, seq: int, what: str, good: int) -> None:
    """The first bad event, what is wrong with it, and how many were good."""
    filled.close()
    db = sqlite3.connect(os.path.join(filled.directory, "theater.db"))
    spoil(db)
    db.commit()
    db.close()
    with StoreReader(filled.directory) as reader:
        report = reader.verify(actor)

    assert report.first_bad is not None
    assert (report.ok, report.first_bad.seq, report.first_bad.what, report.events) == (False, seq, what, good)


def test_a_row_that_cannot_be_read_is_an_error(filled: Store, actor: str) -> None:
    """With its place, and the verb that says more."""
    filled.close()
    db = sqlite3.connect(os.path.join(filled.directory, "theater.db"))
    set_events(11, b"\xc1")(db)
    db.commit()
    db.close()
    with StoreReader(filled.directory) as reader, pytest.raises(StoreError, match=r"batch 11\.\.39 cannot be read"):
        list(reader.events(actor))


# -- opening -----------------------------------------------------------------------------------------------------------


def test_a_store_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    """And none is made."""
    with pytest.raises(StoreError, match="no such store"):
        StoreReader(str(tmp_path))

    assert os.listdir(tmp_path) == []


def test_reading_does_not_write(filled: Store, actor: str) -> None:
    """A reader cannot change anything."""
    with StoreReader(filled.directory) as reader, pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader._db.execute("DELETE FROM batches")


def test_a_stopped_store_in_a_read_only_directory_is_read(filled: Store, actor: str) -> None:
    """A backup, an image: nothing may be created beside it."""
    filled.close()
    os.chmod(filled.directory, 0o500)
    try:
        with StoreReader(filled.directory) as reader:
            assert reader.verify(actor).events == 100
    finally:
        os.chmod(filled.directory, 0o700)


def test_names_that_are_special_in_addresses(tmp_path: Path) -> None:
    """Question marks, percent signs and spaces in a path are its own."""
    store = Store(str(tmp_path / "a ?b#c%20"))
    actor = store.actor()
    store.append(actor, EVENTS)
    store.close()
    with StoreReader(store.directory) as reader:
        assert reader.verify(actor).events == 100
