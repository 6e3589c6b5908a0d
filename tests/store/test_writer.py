"""The store's writer: nothing that does not continue the chain, nothing acknowledged that is lost, nobody held up."""

from __future__ import annotations

import os
import sqlite3
import stat
import time

import pytest
from msgspec.structs import replace

from supervisor.store import StoreError, StoreReader, StoreWriter
from supervisor.store.results import Broken, Recovered, Stored, Trouble
from tests.chain.chains import batch, chain, fields
from tests.store.conftest import Store


def stored_events(store: Store, actor: str) -> list[int]:
    with StoreReader(store.directory) as reader:
        return [event.seq for event in reader.events(actor)]


# -- identities --------------------------------------------------------------------------------------------------------


def test_a_new_actor_begins_at_the_origin(store: Store) -> None:
    """No events, no head."""
    _, next_seq, head = store.writer.actor_for("/a")

    assert (next_seq, head) == (0, None)


def test_a_path_keeps_its_id(store: Store) -> None:
    """At once, before anything is committed; and other paths have others."""
    assert store.actor("/a") == store.actor("/a") != store.actor("/b")


def test_a_path_keeps_its_id_over_restarts(store: Store) -> None:
    """With the place where its chain goes on."""
    actor, events = store.actor(), chain(3)
    store.append(actor, events)
    store.close()
    again = Store(store.directory)

    assert again.writer.actor_for("/a") == (actor, 3, events[-1].hash)
    again.close()


def test_an_actor_goes_on_where_it_was_appended_to(store: Store) -> None:
    """Though nothing of it may be committed yet."""
    actor, events = store.actor(), chain(3)
    store.append(actor, events)

    assert store.writer.actor_for("/a") == (actor, 3, events[-1].hash)


def test_an_actor_goes_on_where_it_was_stored(store: Store) -> None:
    """Once everything is committed the memory of it is given up, and the database asked."""
    actor, events = store.actor(), chain(3)
    store.append(actor, events)
    store.stored(actor, 2)

    assert store.writer.actor_for("/a") == (actor, 3, events[-1].hash)


# -- batches -----------------------------------------------------------------------------------------------------------


def test_what_was_appended_is_stored(store: Store) -> None:
    """And reported when it is."""
    actor, events = store.actor(), chain(10)
    store.append(actor, events[:4])
    store.append(actor, events[4:])
    store.stored(actor, 9)

    with StoreReader(store.directory) as reader:
        assert list(map(fields, events)) == list(map(fields, reader.events(actor)))


def test_only_the_newest_of_an_actors_acknowledgements_is_told(store: Store) -> None:
    """One watermark each is all a worker needs."""
    actor, events = store.actor(), chain(50)
    for event in events:
        store.append(actor, [event])
    store.close()
    told = [result for result in store.writer.completed() if isinstance(result, Stored)]

    assert told == [Stored(actor, 49)]


def test_a_batch_said_twice_is_acknowledged_and_stored_once(store: Store) -> None:
    """A worker that did not hear us says it again."""
    actor, events = store.actor(), chain(4)
    store.append(actor, events)
    store.stored(actor, 3)
    store.results.clear()
    store.append(actor, events[:2])
    store.stored(actor, 3)

    assert stored_events(store, actor) == [0, 1, 2, 3]


def test_what_overlaps_is_cut(store: Store) -> None:
    """Only the new part of it is stored."""
    actor, events = store.actor(), chain(8)
    store.append(actor, events[:5])
    store.append(actor, events[3:])
    store.stored(actor, 7)

    assert stored_events(store, actor) == list(range(8))
    with StoreReader(store.directory) as reader:
        assert reader.verify(actor).ok


@pytest.mark.parametrize(
    ("first", "other", "message"),
    [
        (4, {}, "expected event 3 first"),
        (3, {"prev_hash": b"\1" * 32}, "expected it to follow"),
        (3, {"prev_hash": None}, "follows nothing"),
        (3, {"head_hash": b"\1" * 32}, "does not end with the event it says"),
        (2, {"payload": b"junk"}, "is not what it says"),
    ],
)
def test_what_does_not_continue_is_refused(store: Store, first: int, other: dict[str, object], message: str) -> None:
    """By number, by link, by its own head; the chain stays as it is, and the right batch is taken afterwards."""
    actor, events = store.actor(), chain(8)
    store.append(actor, events[:3])
    store.append(actor, events[first:], **other)
    broken = store.until(Broken, actor=actor)
    store.append(actor, events[3:])
    store.stored(actor, 7)

    assert message in broken.text
    assert stored_events(store, actor) == list(range(8))


def test_an_overlap_with_another_history_is_refused(store: Store) -> None:
    """The same numbers with other hashes are not a repetition."""
    actor, events = store.actor(), chain(8)
    store.append(actor, events[:3])
    store.append(actor, chain(6, first_seq=1, base=b"\1" * 32))

    assert "expected it to follow" in store.until(Broken, actor=actor).text


def test_one_actors_broken_batch_is_nobody_elses(store: Store) -> None:
    """In the same transaction, the others are stored."""
    first, second = store.actor("/a"), store.actor("/b")
    store.append(first, chain(4)[2:])
    store.append(second, chain(4))
    store.stored(second, 3)

    assert store.until(Broken, actor=first)


def test_lives_are_noted(store: Store) -> None:
    """Number, packages, first event, and the cause of the end."""
    actor = store.actor()
    store.writer.begin_incarnation(actor, 1, routing=b"r1", package="aa", manifest="bb", first_seq=0)
    store.writer.begin_incarnation(actor, 2, routing=b"r2", package="aa", manifest="bb", first_seq=5)
    store.writer.end_incarnation(actor, b"r1", '{"kind":"crashed","signal":9}')
    store.close()
    with StoreReader(store.directory) as reader:
        first, second = reader.incarnations(actor)

    assert (first.number, first.package, first.cause) == (1, "aa", {"kind": "crashed", "signal": 9})
    assert (second.number, second.first_seq, second.cause, second.ended_ns) == (2, 5, None, None)


# -- trouble -----------------------------------------------------------------------------------------------------------


def limit_pages(store: Store, pages: int) -> None:
    store.writer._journal.db.execute(f"PRAGMA max_page_count = {pages}")


def test_a_full_store_keeps_the_work_and_goes_on_when_there_is_room(store: Store) -> None:
    """Trouble is told once, nothing is acknowledged meanwhile, everything is stored afterwards, in order."""
    actor, events = store.actor(), chain(600, size=4000)
    store.append(actor, events[:1])
    store.stored(actor, 0)
    limit_pages(store, 40)
    for event in events[1:]:
        store.append(actor, [event])
    trouble = store.until(Trouble)
    acknowledged = max(result.last_seq for result in store.results if isinstance(result, Stored))
    assert stored_events(store, actor) == list(range(acknowledged + 1))
    limit_pages(store, 1 << 30)
    store.until(Recovered)
    store.stored(actor, 599)

    assert "database or disk is full" in trouble.text
    assert [type(r) for r in store.results if isinstance(r, Trouble | Recovered)] == [Trouble, Recovered]
    with StoreReader(store.directory) as reader:
        assert reader.verify(actor).events == 600


def test_appending_never_waits_for_the_disk(store: Store) -> None:
    """However long the store is in trouble."""
    actor, events = store.actor(), chain(600, size=4000)
    limit_pages(store, 20)
    store.append(actor, events[:100])
    store.until(Trouble)
    began = time.monotonic()
    for event in events[100:]:
        store.append(actor, [event])
    identity = store.writer.actor_for("/a")
    took_s = time.monotonic() - began
    limit_pages(store, 1 << 30)

    assert took_s < 0.5
    assert identity == (actor, 600, events[-1].hash)
    store.stored(actor, 599)


def test_closing_in_trouble_gives_up_in_time(store: Store) -> None:
    """What was not acknowledged is still in the rings; closing says that not everything was written."""
    actor = store.actor()
    limit_pages(store, 20)
    store.append(actor, chain(100, size=4000))
    store.until(Trouble)
    began = time.monotonic()
    is_done = store.writer.close(0.3)
    store.is_open = False

    assert not is_done
    assert time.monotonic() - began < 3
    assert stored_events(store, actor) == []


def test_closing_writes_what_is_queued(store: Store) -> None:
    """All of it."""
    actor = store.actor()
    for event in chain(2000):
        store.append(actor, [event])

    assert store.close()
    with StoreReader(store.directory) as reader:
        assert reader.verify(actor).events == 2000


def test_a_mistake_in_the_writer_is_loud(store: Store) -> None:
    """A thread that dies takes the root with it, rather than acknowledging nothing for ever."""
    actor = store.actor()
    store.append(actor, chain(1), payload=None)
    with pytest.raises(StoreError, match="has died"):
        store.until(Stored)


# -- opening -----------------------------------------------------------------------------------------------------------


def test_one_writer_per_directory(store: Store) -> None:
    """The second is refused, whatever process it is in."""
    with pytest.raises(StoreError, match="another supervisor writes to this store"):
        StoreWriter(store.directory)


def test_the_files_are_private(store: Store) -> None:
    """Histories hold what actors were told."""
    store.actor()
    store.append(store.actor(), chain(3))
    store.stored(store.actor(), 2)
    modes = {stat.S_IMODE(os.stat(os.path.join(store.directory, name)).st_mode) for name in os.listdir(store.directory)}

    assert modes == {0o600}
    assert stat.S_IMODE(os.stat(store.directory).st_mode) == 0o700


@pytest.mark.parametrize("opening", [StoreWriter, StoreReader])
def test_a_damaged_file_is_refused_with_advice(store: Store, opening: type) -> None:
    """The error names the file and what can be done."""
    store.close()
    path = os.path.join(store.directory, "theater.db")
    with open(path, "r+b") as file:
        file.write(b"not a database at all")
    with pytest.raises(StoreError, match="recover") as caught:
        opening(store.directory)

    assert path in str(caught.value)


def test_a_damaged_page_is_found_at_opening(store: Store) -> None:
    """Not only the header is looked at."""
    store.append(store.actor(), chain(2000, size=200))
    store.close()
    path = os.path.join(store.directory, "theater.db")
    with open(path, "r+b") as file:
        file.seek(8192)
        file.write(b"\xff" * 4000)
    with pytest.raises(StoreError, match="damaged"):
        StoreWriter(store.directory)


def test_a_store_that_failed_to_open_can_be_opened_later(store: Store) -> None:
    """The lock is let go."""
    store.close()
    path = os.path.join(store.directory, "theater.db")
    os.rename(path, path + ".good")
    with open(path, "wb") as file:
        file.write(b"junk" * 100)
    with pytest.raises(StoreError):
        StoreWriter(store.directory)
    os.replace(path + ".good", path)
    again = Store(store.directory)

    assert again.close()


def test_a_newer_store_is_refused(store: Store) -> None:
    """An older program must not write to it."""
    store.close()
    path = os.path.join(store.directory, "theater.db")
    with sqlite3.connect(path) as db:
        db.execute("UPDATE meta SET value = '99' WHERE key = 'schema'")
    db.close()
    for opening in (StoreWriter, StoreReader):
        with pytest.raises(StoreError, match="expected schema 2 or older, got 99"):
            opening(store.directory)


def test_the_caller_may_be_slow(store: Store) -> None:
    """Results wait until they are taken, and the eventfd stays readable."""
    actor = store.actor()
    events = chain(3)
    store.append(actor, events)
    store.append(actor, [replace(events[2], seq=9)], prev_hash=b"?")
    store.close()
    results = store.writer.completed()

    assert results[0] == Broken(actor, results[0].text)  # type: ignore[union-attr]
    assert results[1:] == [Stored(actor, 2)]
    assert batch(events)
