"""What workers of a killed supervisor had recorded goes into the store first (design D7)."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from supervisor.store import StoreError, StoreReader, StoreWriter, leftovers
from supervisor.store import rings as rings_module
from supervisor.store.results import Broken
from tests.chain.chains import chain, frame
from tests.store.conftest import Store
from tests.store.histories import leave_ring
from theater.chain import ChainEvent
from theater.ring import DATA_AT, RingWriter

EVENTS = chain(30)


@pytest.fixture
def actor(store: Store) -> str:
    """An actor of which ten events are stored."""
    actor = store.actor("/a")
    store.writer.begin_incarnation(actor, 1, routing=b"r1", package="aa", manifest="bb", first_seq=0)
    store.append(actor, EVENTS[:10])
    store.stored(actor, 9)
    return actor


def reopened(store: Store) -> Store:
    store.close()
    return Store(store.directory)


def files(store: Store) -> list[str]:
    return sorted(os.listdir(os.path.join(store.directory, "rings")))


def seqs(store: Store, actor: str) -> list[int]:
    with StoreReader(store.directory) as reader:
        assert reader.verify(actor).ok
        return [event.seq for event in reader.events(actor)]


@pytest.mark.parametrize(("first", "last"), [(10, 20), (0, 20), (5, 12), (0, 10), (10, 10)])
def test_the_rest_of_a_ring_is_adopted(store: Store, actor: str, first: int, last: int) -> None:
    """What the store has is not stored twice; the ring goes; the actor continues there."""
    leave_ring(store, "r", actor, EVENTS[first:last])
    again = reopened(store)

    assert again.writer.actor_for("/a") == (actor, last, EVENTS[last - 1].hash)
    assert seqs(again, actor) == list(range(last))
    assert files(again) == []
    again.close()


def test_a_large_event_beside_a_ring_is_adopted(store: Store, actor: str) -> None:
    """And its file goes with the ring."""
    large = chain(1, first_seq=10, base=EVENTS[9].hash, size=20_000)
    leave_ring(store, "r", actor, large)
    again = reopened(store)

    assert seqs(again, actor) == list(range(11))
    assert files(again) == []
    again.close()


def test_several_rings_of_an_actor_are_adopted_in_order(store: Store, actor: str) -> None:
    """By their events, whatever their names."""
    leave_ring(store, "a", actor, EVENTS[20:30], incarnation=3)
    leave_ring(store, "b", actor, EVENTS[10:15], incarnation=1)
    leave_ring(store, "c", actor, EVENTS[15:20], incarnation=2)
    again = reopened(store)

    assert seqs(again, actor) == list(range(30))
    with StoreReader(store.directory) as reader:
        assert [reader_event.incarnation for reader_event in reader.events(actor, since=14, until=20)] == [
            1, 2, 2, 2, 2, 2, 3,
        ]  # fmt: skip
    again.close()


def test_lives_that_were_cut_off_get_an_end(store: Store, actor: str) -> None:
    """The worker's last words where there are any, without its state; else that it ended with its supervisor."""
    second = store.actor("/b")
    store.writer.begin_incarnation(second, 1, routing=b"r2", package="aa", manifest="bb", first_seq=0)
    store.append(second, chain(1))
    store.stored(second, 0)
    leave_ring(store, "r", actor, [], words={"kind": "failed", "text": "trap", "state": b"\0"})
    again = reopened(store)
    with StoreReader(store.directory) as reader:
        (first_life,), (second_life,) = reader.incarnations(actor), reader.incarnations(second)

    assert first_life.cause == {"kind": "failed", "text": "trap"}
    assert second_life.cause == {"kind": "crashed", "text": "ended with its supervisor"}
    assert second_life.ended_ns is not None
    again.close()


def test_a_torn_ring_is_adopted_as_far_as_it_goes_and_kept(store: Store, actor: str) -> None:
    """It is reported, and left for people to look at; the next start does not trip over it."""
    path = leave_ring(store, "r", actor, EVENTS[10:20])
    with open(path, "r+b") as file:
        file.seek(DATA_AT + 5 * (8 + len(frame(EVENTS[10]))) + 20)
        file.write(b"\xff\xff")
    again = reopened(store)
    broken = again.until(Broken, actor=actor)

    assert seqs(again, actor) == list(range(15))
    assert "cut at position" in broken.text
    assert files(again) == ["r.ring.kept"]
    third = reopened(again)
    assert [result for result in third.writer.completed() if isinstance(result, Broken)] == []
    third.close()


@pytest.mark.parametrize(
    ("events", "message"),
    [(EVENTS[12:20], "expected event 10 first"), (chain(5, first_seq=7), None), (chain(20, base=b"\1" * 32)[5:], None)],
)
def test_a_ring_that_does_not_continue_is_kept(
    store: Store, actor: str, events: list[ChainEvent], message: str | None
) -> None:
    """The stored chain stays sound."""
    leave_ring(store, "r", actor, events)
    again = reopened(store)
    if message is not None:
        assert message in again.until(Broken, actor=actor).text
        assert files(again) == ["r.ring.kept"]
        assert seqs(again, actor) == list(range(10))
    again.close()


def test_a_ring_of_an_unknown_actor_is_kept(store: Store) -> None:
    """The database was moved away, the rings were not."""
    leave_ring(store, "r", "nobody", EVENTS)
    again = reopened(store)

    assert "does not know" in again.until(Broken, actor="nobody").text
    assert files(again) == ["r.ring.kept"]
    again.close()


def test_what_is_no_ring_is_kept(store: Store, actor: str) -> None:
    """And reported."""
    path = Path(leave_ring(store, "r", actor, EVENTS[10:12]))
    (path.parent / "x.ring").write_bytes(b"something else entirely" * 10)
    again = reopened(store)

    assert "expected a ring" in again.until(Broken, actor="").text
    assert files(again) == ["x.ring.kept"]
    assert seqs(again, actor) == list(range(12))
    again.close()


def test_a_ring_that_was_never_begun_goes(store: Store, actor: str) -> None:
    """Its worker died while making it."""
    path = leave_ring(store, "r", actor, [])
    Path(path).write_bytes(bytes(5000))
    again = reopened(store)

    assert files(again) == []
    assert again.writer.completed() == []
    again.close()


def test_a_worker_that_still_lives_is_waited_for_then_refused(
    store: Store, actor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two supervisors must not have workers for one chain; what it wrote is not touched."""
    path = os.path.join(store.directory, "rings", "alive.ring")
    os.makedirs(os.path.dirname(path))
    ring = RingWriter.create(path, 8192, actor_id=actor, incarnation=1)
    ring.append(frame(EVENTS[10]))
    store.close()
    monkeypatch.setattr(rings_module, "DYING_S_MAX", 0.05)
    with pytest.raises(StoreError, match="still writes to it"):
        StoreWriter(store.directory)
    ring.close()
    again = Store(store.directory)

    assert seqs(again, actor) == list(range(11))
    again.close()


def test_leftovers_are_listed(store: Store, actor: str) -> None:
    """What the next supervisor will adopt, for people to see."""
    path = leave_ring(store, "r", actor, EVENTS[10:14], incarnation=2)
    (found,) = leftovers(store.directory)

    assert (found.path, found.actor, found.incarnation) == (path, actor, 2)
    assert (found.events, found.first_seq, found.last_seq, found.problem) == (4, 10, 13, None)


def test_no_rings_are_no_leftovers(store: Store, tmp_path: Path) -> None:
    """Nor is a directory that is not there."""
    assert leftovers(store.directory) == leftovers(str(tmp_path / "nowhere")) == []
