"""A chain from outside becomes an actor of a stopped store: verified, under a new path, as a whole or not at all."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from supervisor.store import StoreError, StoreReader, StoreWriter
from supervisor.store import importing as importing_module
from supervisor.store.importing import OURS, THEATER, ImportRefused, import_chain, unfinished
from supervisor.store.schema import open_for_writing
from tests.chain.chains import chain, fields, vector_events
from tests.chain.strategies import chains
from tests.store.conftest import Store
from tests.store.histories import lives
from theater.chain import ChainEvent, verify
from theater.chain.legacy import theater_hash


@pytest.fixture
def directory(tmp_path: Path) -> str:
    """A store without actors."""
    open_for_writing(str(tmp_path)).close()
    return str(tmp_path)


def taken(directory: str, path: str = "/new") -> list[ChainEvent]:
    with StoreReader(directory) as reader:
        actor = reader.find(path)
        assert actor is not None
        report = reader.verify(actor.id)
        assert report.ok, report
        return list(reader.events(actor.id))


def take(directory: str, events: Any, path: str = "/new") -> Any:
    return import_chain(directory, path, events, "a file")


def test_a_chain_comes_in_as_it_is(directory: str) -> None:
    """Every field, and what is told of it."""
    events = chain(50)
    done = take(directory, events)

    assert list(map(fields, taken(directory))) == list(map(fields, events))
    assert (done.events, done.first_seq, done.last_seq, done.rule, done.head_hash) == (50, 0, 49, OURS, events[-1].hash)


@settings(max_examples=40, deadline=None)
@given(events=chains().filter(bool), size=st.sampled_from([1, 60, 1 << 18]))
def test_any_sound_chain_comes_in(
    tmp_path_factory: pytest.TempPathFactory, events: list[ChainEvent], size: int
) -> None:
    """However it is cut into batches, and also where its beginning is not there; then it has a base."""
    directory = str(tmp_path_factory.mktemp("store"))
    open_for_writing(directory).close()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(importing_module, "BATCH_BYTES", size)
        take(directory, iter(events))
    found = taken(directory)

    assert [fields(e)[:2] + fields(e)[3:] for e in found] == [fields(e)[:2] + fields(e)[3:] for e in events]
    with StoreReader(directory) as reader:
        actor = reader.actors()[0]
        assert reader.base(actor.id) == (events[0].seq - 1, events[0].parent_hash)


def test_a_chain_of_the_rust_theater_is_hashed_anew(directory: str) -> None:
    """By its rule it is verified, by ours it is kept; its own head is noted."""
    events = vector_events(0)
    done = take(directory, events)
    found = taken(directory)

    assert verify(events, rule=theater_hash).ok
    assert [(e.event_type, e.data) for e in found] == [(e.event_type, e.data) for e in events]
    assert (done.rule, done.origin_head) == (THEATER, events[-1].hash)
    db = sqlite3.connect(f"{directory}/theater.db")
    assert db.execute("SELECT origin, rule, head_hash FROM imports").fetchall() == [
        ("a file", THEATER, events[-1].hash)
    ]
    db.close()


def test_lives_are_known(directory: str) -> None:
    """From their markers, though the file does not say which life recorded an event."""
    take(directory, [replace(event, incarnation=0) for event in lives("initial", "last")])

    assert [event.incarnation for event in taken(directory)] == [1, 1, 1, 2, 2, 2]
    with StoreReader(directory) as reader:
        found = reader.incarnations(reader.actors()[0].id)
    assert [(life.number, life.package, life.first_seq) for life in found] == [(1, "p", 0), (2, "p", 3)]


def test_an_imported_actor_goes_on(directory: str) -> None:
    """A tree that has an actor at that path continues the chain."""
    events = chain(5)
    take(directory, events[:4])
    store = Store(directory)
    actor, next_seq, head = store.writer.actor_for("/new")

    assert (next_seq, head) == (4, events[3].hash)
    store.append(actor, events[4:])
    store.stored(actor, 4)
    store.close()
    assert len(taken(directory)) == 5


def broken_chains() -> Iterator[tuple[str, list[ChainEvent]]]:
    good = chain(6)
    yield "data", [*good[:3], replace(good[3], data=b"other"), *good[4:]]
    yield "missing", [*good[:3], *good[4:]]
    yield "parent", [*good[:3], replace(good[3], parent_hash=bytes(32)), *good[4:]]
    yield "first", [replace(good[0], data=b"other"), *good[1:]]


@pytest.mark.parametrize(("name", "events"), list(broken_chains()))
def test_a_broken_chain_is_refused_and_leaves_nothing(directory: str, name: str, events: list[ChainEvent]) -> None:
    """With the first bad event."""
    with pytest.raises(ImportRefused, match=r"the chain is broken: event \d"):
        take(directory, events)
    db = open_for_writing(directory)

    assert [db.execute(f"SELECT count(*) FROM {table}").fetchone() for table in ("actors", "batches", "imports")] == [
        (0,)
    ] * 3
    db.close()


def test_a_chain_that_does_not_say_what_was_before_is_refused(directory: str) -> None:
    """Its first event could not be verified."""
    with pytest.raises(ImportRefused, match="begins with event 3 and does not say what was before"):
        take(directory, [replace(event, parent_hash=None) for event in chain(5)[3:4]])


@pytest.mark.parametrize("path", ["new", "", "/", "/a//b", "/a/", "/a/../b", "/a\nb", "/" + "x" * 2000])
def test_what_is_no_path_is_refused(directory: str, path: str) -> None:
    """It could never be named again."""
    with pytest.raises(ImportRefused, match="expected a path"):
        take(directory, chain(1), path)


def test_nothing_is_no_chain(directory: str) -> None:
    """An empty file is a mistake."""
    with pytest.raises(ImportRefused, match="no events"):
        take(directory, [])


def test_a_path_that_is_taken_is_refused(directory: str) -> None:
    """Nobody's history is mixed with another's."""
    take(directory, chain(2))
    with pytest.raises(ImportRefused, match="has an actor of that name already"):
        take(directory, chain(3))

    assert len(taken(directory)) == 2


def test_a_store_in_use_is_refused(directory: str) -> None:
    """Its supervisor would not know."""
    writer = StoreWriter(directory)
    with pytest.raises(StoreError, match="stop it first"):
        take(directory, chain(1))
    writer.close(10)


def test_a_store_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    """A slip in a name must not make a directory."""
    with pytest.raises(StoreError, match="no such store"):
        take(str(tmp_path / "other"), chain(1))
    assert not (tmp_path / "other").exists()


def test_an_import_that_was_killed_is_not_seen_and_goes_with_the_next(
    directory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The actor appears last."""
    monkeypatch.setattr(importing_module, "BATCH_EVENTS", 1)
    monkeypatch.setattr(importing_module, "_forget", lambda db, actor: None)  # as a killed process forgets nothing

    def cut_short() -> Iterator[ChainEvent]:
        yield from chain(40)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        take(directory, cut_short())
    monkeypatch.undo()
    with StoreReader(directory) as reader:
        assert reader.actors() == []
    db = open_for_writing(directory)
    assert len(unfinished(db)) == 1
    assert db.execute("SELECT count(*) FROM batches").fetchone()[0] > 0
    db.close()
    take(directory, chain(3))

    db = open_for_writing(directory)
    assert unfinished(db) == []
    assert db.execute("SELECT sum(last_seq + 1 - first_seq) FROM batches").fetchone() == (3,)
    db.close()
