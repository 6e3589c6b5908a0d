"""Retention: the oldest goes, what stays verifies from its base, and nobody is held up (docs/store.md)."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supervisor.store import StoreReader
from supervisor.store.journal import Batch, Journal, NewActor, Note, State
from supervisor.store.results import Trimmed
from supervisor.store.schema import open_for_writing
from supervisor.store.trimming import give_back, replay_begins, trim
from tests.chain.chains import batch, chain
from tests.store.conftest import Store
from tests.store.histories import DAY_NS, NOW_NS, keeping, lives
from theater.chain import ChainEvent
from theater.retention import Bounds, Retention


def database(directory: Path) -> sqlite3.Connection:
    directory.mkdir(mode=0o700, exist_ok=True)
    return open_for_writing(str(directory))


def fill(
    db: sqlite3.Connection, sizes: list[int], path: str = "/a", events: list[ChainEvent] | None = None
) -> list[ChainEvent]:
    """An actor with batches of so many events, stored a day apart, the last one now."""
    journal, actor = Journal(db), path.strip("/")
    events = events or chain(sum(sizes))
    journal.commit([NewActor(actor, path, 0)])
    at = 0
    for place, count in enumerate(sizes):
        part = events[at : at + count]
        at += count
        head = part[-1]
        journal.commit([Batch(actor, 1, part[0].seq, head.seq, part[0].parent_hash, head.hash, batch(part))])
        age_ns = (len(sizes) - 1 - place) * DAY_NS
        sql = "UPDATE batches SET stored_ns = ? WHERE actor = ? AND first_seq = ?"
        journal.commit([Note(sql, (NOW_NS - age_ns, actor, part[0].seq))])
    return events


def trimmed(db: sqlite3.Connection, retention: Retention, **other: Any) -> list[Trimmed]:
    return [step for step in trim(db, retention, NOW_NS, **other) if step is not None]


def kept(directory: Path, actor: str = "a") -> list[int]:
    with StoreReader(str(directory)) as reader:
        report = reader.verify(actor)
        seqs = [event.seq for event in reader.events(actor)]
        assert report.ok, report
        assert report.events == len(seqs)
        return seqs


@pytest.mark.parametrize(
    ("bounds", "first"),
    [
        ({"events": 6}, 4),
        ({"events": 5}, 4),  # a batch goes as a whole or not at all
        ({"events": 4}, 6),
        ({"events": 1}, 8),  # the last batch always stays
        ({"events": 100}, 0),
        ({"age_ms": 2 * 86_400_000}, 4),
        ({"age_ms": 1}, 8),
        ({"size_bytes": 10**9}, 0),
        ({"size_bytes": 1}, 8),
        ({"events": 100, "age_ms": 3 * 86_400_000}, 2),  # the first bound reached holds
        ({}, 0),
    ],
)
def test_bounds(tmp_path: Path, bounds: dict[str, int], first: int) -> None:
    """At least what a bound keeps stays; it verifies from the base."""
    db = database(tmp_path)
    fill(db, [2, 2, 2, 2, 2])
    trimmed(db, keeping(**bounds))

    assert kept(tmp_path) == list(range(first, 10))


def test_a_size_keeps_as_many_bytes(tmp_path: Path) -> None:
    """The oldest batches go as long as the others together are enough."""
    db = database(tmp_path)
    events = fill(db, [2] * 5)
    size = len(batch(events[:2]))
    trimmed(db, keeping(size_bytes=2 * size + 1))

    assert kept(tmp_path) == list(range(4, 10))


def test_what_went_is_told(tmp_path: Path) -> None:
    """Once an actor, with numbers; nothing is told of actors that keep everything."""
    db = database(tmp_path)
    events = fill(db, [2, 2, 2])
    fill(db, [2], "/b")

    assert trimmed(db, keeping(events=2)) == [Trimmed("/a", 4, len(batch(events[:4])))]


def test_many_batches_go_in_many_steps(tmp_path: Path) -> None:
    """No transaction is long."""
    db = database(tmp_path)
    fill(db, [1] * 100)
    steps = sum(1 for _ in trim(db, keeping(events=1), NOW_NS))

    assert steps >= 4
    assert kept(tmp_path) == [99]


def test_a_pass_may_be_left_in_the_middle(tmp_path: Path) -> None:
    """After every step the store is sound, and another pass goes on."""
    db = database(tmp_path)
    fill(db, [1] * 100)
    for _ in trim(db, keeping(events=10), NOW_NS):
        assert kept(tmp_path)[-1] == 99
        break
    trimmed(db, keeping(events=10))

    assert kept(tmp_path) == list(range(90, 100))


def test_two_may_trim_at_once(tmp_path: Path) -> None:
    """Each sees what the other has removed."""
    db, other = database(tmp_path), database(tmp_path)
    fill(db, [1] * 100)
    passes = [trim(db, keeping(events=5), NOW_NS), trim(other, keeping(events=20), NOW_NS)]
    while passes:
        passes = [steps for steps in passes if next(steps, "end") != "end"]
    trimmed(db, keeping(events=5))

    assert kept(tmp_path) == list(range(95, 100))


def test_only_those_named(tmp_path: Path) -> None:
    """By id."""
    db = database(tmp_path)
    fill(db, [1] * 5)
    fill(db, [1] * 5, "/b")
    trimmed(db, keeping(events=1), only=frozenset("b"))

    assert (kept(tmp_path, "a"), kept(tmp_path, "b")) == ([0, 1, 2, 3, 4], [4])


def test_exceptions_have_bounds_of_their_own(tmp_path: Path) -> None:
    """One without bounds keeps everything."""
    db = database(tmp_path)
    fill(db, [1] * 5)
    fill(db, [1] * 5, "/b")
    trimmed(db, Retention(bounds=Bounds(events=1), exceptions=(("/b", Bounds()),)))

    assert (kept(tmp_path, "a"), kept(tmp_path, "b")) == ([4], [0, 1, 2, 3, 4])


def test_a_trimmed_chain_goes_on(tmp_path: Path, store: Store) -> None:
    """The writer continues it, though it has it in its memory as it was."""
    actor, events = store.actor(), chain(12)
    for at in range(0, 10, 2):
        store.append(actor, events[at : at + 2])
        store.stored(actor, at + 1)
    db = open_for_writing(store.directory)
    trimmed(db, keeping(events=2))
    db.close()
    store.append(actor, events[10:])
    store.stored(actor, 11)

    assert kept(Path(store.directory), actor) == [8, 9, 10, 11]
    store.close()
    again = Store(store.directory)
    assert again.writer.actor_for("/a") == (actor, 12, events[-1].hash)
    again.close()


def test_a_page_of_a_trimmed_chain_begins_with_what_is_there(tmp_path: Path) -> None:
    """With the hash of the event before it."""
    db = database(tmp_path)
    events = fill(db, [2, 2, 2])
    trimmed(db, keeping(events=2))
    with StoreReader(str(tmp_path)) as reader:
        facts, body = reader.page("a", 0, 10)
        actor = reader.find("/a")

    assert facts == {"count": 2, "first_seq": 4, "base_hash": events[3].hash}
    assert body == batch(events[4:])
    assert actor is not None
    assert (actor.events, actor.last_seq, actor.base_seq) == (2, 5, 3)


def test_a_base_that_was_changed_is_found(tmp_path: Path) -> None:
    """Verification begins with its hash."""
    db = database(tmp_path)
    fill(db, [2, 2])
    trimmed(db, keeping(events=2))
    db.execute("UPDATE bases SET hash = zeroblob(32)")
    with StoreReader(str(tmp_path)) as reader:
        report = reader.verify("a")

    assert report.first_bad is not None
    assert (report.events, report.first_bad.what) == (0, "parent")


def test_states_of_removed_events_go_but_the_newest(tmp_path: Path) -> None:
    """`recover: last` begins from that one."""
    db = database(tmp_path)
    fill(db, [2, 2, 2])
    Journal(db).commit([State("a", seq, b"s%d" % seq) for seq in (1, 3, 5)])
    trimmed(db, keeping(events=2))
    with StoreReader(str(tmp_path)) as reader:
        assert [seq for seq, *_ in reader.states("a")] == [5]
    Journal(db).commit([Note("DELETE FROM states WHERE seq = 5", ()), State("a", 2, b"old")])
    trimmed(db, keeping(events=1))

    with StoreReader(str(tmp_path)) as reader:
        assert reader.state_at("a") == (2, b"old")


# -- what replay needs -------------------------------------------------------------------------------------------------


def fill_lives(db: sqlite3.Connection, *recovered: str) -> None:
    events = lives(*recovered)
    fill(db, [1] * len(events), events=events)
    for number in range(len(recovered)):
        values = ("a", number, b"r%d" % number, "p", "m", number * 3, 0)
        Journal(db).commit([Note("INSERT INTO incarnations VALUES (?, ?, ?, ?, ?, ?, ?, NULL, NULL)", values)])


@pytest.mark.parametrize(
    ("recovered", "begins"),
    [
        (("initial",), 0),
        (("initial", "initial"), 3),
        (("initial", "replay"), 0),
        (("initial", "last", "replay", "replay"), 3),
        (("initial", "replay", "last"), 6),
    ],
)
def test_where_a_replay_would_begin(tmp_path: Path, recovered: tuple[str, ...], begins: int) -> None:
    """As the reader says it, from the marks of the lives alone."""
    db = database(tmp_path)
    fill_lives(db, *recovered)
    with StoreReader(str(tmp_path)) as reader:
        assert (replay_begins(db, "a"), reader.recovery_begins("a")) == (begins, begins)


def test_what_replay_needs_stays(tmp_path: Path) -> None:
    """Of actors that have to stay replayable, whatever the bounds say."""
    db = database(tmp_path)
    fill_lives(db, "initial", "last", "last")
    trimmed(db, Retention(bounds=Bounds(events=1), replayable=("/*",)))

    assert kept(tmp_path) == [6, 7, 8]


def test_an_actor_that_was_rebuilt_stays_replayable(tmp_path: Path) -> None:
    """Though nobody says so: guests spawn actors that no tree file knows."""
    db = database(tmp_path)
    fill_lives(db, "initial", "last", "replay")
    trimmed(db, keeping(events=1))

    assert kept(tmp_path) == [3, 4, 5, 6, 7, 8]


# -- space, and the writer ---------------------------------------------------------------------------------------------


def test_space_is_given_back(tmp_path: Path) -> None:
    """Once there is much of it, a little at a time."""
    db = database(tmp_path)
    fill(db, [10] * 40, events=chain(400, size=4000))
    pages = db.execute("PRAGMA page_count").fetchone()[0]
    trimmed(db, keeping(events=10))
    steps = sum(1 for _ in give_back(db))

    assert steps >= 2
    assert db.execute("PRAGMA page_count").fetchone()[0] < pages / 4
    assert kept(tmp_path) == list(range(390, 400))
    assert list(give_back(db)) == []


def until(fact: Callable[[], bool], poll: Callable[[], object]) -> None:
    deadline = time.monotonic() + 10
    while not fact():
        assert time.monotonic() < deadline
        poll()


def test_the_writer_trims_by_itself_while_it_stores(tmp_path: Path) -> None:
    """And says what has gone; what it acknowledges goes on meanwhile."""
    store = Store(str(tmp_path / "store"), Retention(bounds=Bounds(events=10), every_ms=20))
    actor, events = store.actor(), chain(300)
    for at in range(0, 300, 10):
        store.append(actor, events[at : at + 10])
        store.stored(actor, at + 9)
    store.until(Trimmed)
    gone = lambda: sum(result.events for result in store.results if isinstance(result, Trimmed))  # noqa: E731
    until(lambda: gone() == 290, lambda: store.wait(0.05))

    assert kept(tmp_path / "store", actor) == list(range(290, 300))
    assert store.close()


@settings(max_examples=40, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 5), min_size=1, max_size=12),
    rounds=st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "events": st.integers(1, 40),
                "age_ms": st.integers(1, 12 * 86_400_000),
                "size_bytes": st.integers(1, 4000),
            },
        ),
        max_size=3,
    ),
)
def test_whatever_is_trimmed_the_rest_verifies(
    tmp_path_factory: pytest.TempPathFactory, sizes: list[int], rounds: list[dict[str, int]]
) -> None:
    """What stays is the end of the chain, without a gap, and at least what each bound keeps."""
    directory = tmp_path_factory.mktemp("store")
    db = database(directory)
    events = fill(db, sizes)
    were = len(events)
    for bounds in rounds:
        trimmed(db, keeping(**bounds))
        seqs = kept(directory)
        assert seqs == list(range(seqs[0], len(events)))
        assert len(seqs) >= sizes[-1]
        if list(bounds) == ["events"]:
            assert len(seqs) >= min(bounds["events"], were)
        were = len(seqs)
    db.close()
