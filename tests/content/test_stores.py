"""The directory with the stores: several processes at once, killed writers, and taking away what nobody wants."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest

from theater.content import collecting, schema
from theater.content.collecting import Collected, collect
from theater.content.errors import NoSuchStore, NotThere, Unusable, told
from theater.content.names import ref_of
from theater.content.quotas import of_grant
from theater.content.stores import Stores

QUOTAS = of_grant({})
PROCESSES = 4
ROUNDS = 25
DEADLINE_S = 60
DAY_MS = 86_400_000
FORK = multiprocessing.get_context("fork")


@pytest.fixture
def stores(tmp_path: Path) -> Iterator[Stores]:
    it = Stores(str(tmp_path / "content"))
    yield it
    it.close()


@pytest.fixture
def store(stores: Stores) -> str:
    return stores.new("me", "/me", QUOTAS)


def files(stores: Stores) -> list[str]:
    """The names of all files with contents."""
    return sorted(path.name for path in Path(stores.directory, "objects").glob("*/*"))


def sums(stores: Stores, store: str) -> tuple[int, int, int]:
    """What the rows add up to: bytes, contents, labels."""
    size, contents = stores.db.execute(
        "SELECT coalesce(sum(size), 0), count(*) FROM contents WHERE store = ?", (store,)
    ).fetchone()
    return size, contents, len(stores.labels(store))


def grow_old(stores: Stores, directory: str = "", days: float = 2) -> None:
    """Make everything older."""
    ago = int(days * 86_400)
    stores.db.execute("UPDATE contents SET touched_ns = touched_ns - ?", (ago * 10**9,))
    stores.db.execute("UPDATE stores SET created_ns = created_ns - ?", (ago * 10**9,))
    for path in Path(stores.directory, "objects").glob("*/*"):
        os.utime(path, (time.time() - ago,) * 2)


# -- several at once ---------------------------------------------------------------------------------------------------


def busy_writer(directory: str, store: str, number: int, say: Connection) -> None:
    """Store, label, read and forget, as several actors would at the same time; say what went wrong."""
    try:
        stores = Stores(directory)
        for turn in range(ROUNDS):
            shared, own = b"of all %d" % turn, b"of %d %d" % (number, turn)
            for data in (shared, own):
                ref = stores.put(store, data, QUOTAS, f"label {turn % 5}")
                assert stores.get(store, ref) == data
            stores.set_label(store, f"own {number}", ref_of(own), QUOTAS)
            if turn % 10 == 9:
                collect(stores, time.time_ns())
        stores.close()
        say.send(None)
    except BaseException as error:
        say.send(repr(error))


def test_several_processes_at_once(tmp_path: Path) -> None:
    """On a directory that is not there at first; nothing is refused, lost or counted twice."""
    directory = str(tmp_path / "content")
    first = Stores(directory)
    store = first.new("me", "/me", QUOTAS)
    first.close()
    pipes = [FORK.Pipe() for _ in range(PROCESSES)]
    workers = [
        FORK.Process(target=busy_writer, args=(directory, store, number, pipe[1])) for number, pipe in enumerate(pipes)
    ]
    for worker in workers:
        worker.start()
    said = [pipe[0].recv() if pipe[0].poll(DEADLINE_S) else "nothing" for pipe in pipes]
    for worker in workers:
        worker.join(DEADLINE_S)

    assert said == [None] * PROCESSES
    stores = Stores(directory)
    found = stores.find(store)
    assert found is not None
    assert found.contents == ROUNDS * (PROCESSES + 1)
    assert (found.bytes, found.contents, found.labels) == sums(stores, store)
    assert files(stores) == stores.refs(store)
    stores.close()


def test_several_open_a_new_directory_at_once(tmp_path: Path) -> None:
    """Whoever comes first makes the database; the others use it."""
    directory = str(tmp_path / "content")
    pipes = [FORK.Pipe() for _ in range(PROCESSES)]

    def open_it(say: Connection) -> None:
        stores = Stores(directory)
        say.send(stores.new("me", "/me", QUOTAS))

    workers = [FORK.Process(target=open_it, args=(pipe[1],)) for pipe in pipes]
    for worker in workers:
        worker.start()
    made = {pipe[0].recv() for pipe in pipes if pipe[0].poll(DEADLINE_S)}
    for worker in workers:
        worker.join(DEADLINE_S)
    stores = Stores(directory)

    assert made == {each.id for each in stores.all()}
    assert len(made) == PROCESSES
    assert os.listdir(os.path.join(directory, "new")) == []
    stores.close()


def endless_writer(directory: str, store: str, say: Connection) -> None:
    stores = Stores(directory)
    number = 0
    while True:
        data = b"%d" % number * 1000
        say.send(stores.put(store, data, QUOTAS, f"label {number % 7}"))
        number += 1


def test_a_killed_writer(stores: Stores, store: str) -> None:
    """What it was told is stored is there, whole; what it was doing is there or not; everybody goes on."""
    told_refs = []
    for _ in range(5):
        ours, theirs = FORK.Pipe(duplex=False)
        writer = FORK.Process(target=endless_writer, args=(stores.directory, store, theirs))
        writer.start()
        theirs.close()
        told_refs += [ours.recv() for _ in range(20)]
        assert writer.pid is not None
        os.kill(writer.pid, signal.SIGKILL)
        writer.join(DEADLINE_S)

    for ref in stores.refs(store):
        stores.get(store, ref)
    assert set(told_refs) <= set(stores.refs(store))
    found = stores.find(store)
    assert found is not None
    assert (found.bytes, found.contents, found.labels) == sums(stores, store)


def test_a_lock_held_for_too_long_is_told(stores: Stores, store: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for ever."""
    monkeypatch.setattr(schema, "BUSY_MS", 10)
    other = Stores(stores.directory)
    stores.db.execute("BEGIN IMMEDIATE")

    with pytest.raises(Unusable, match="database is locked"), told(other.directory):
        other.put(store, b"x", QUOTAS)
    stores.db.execute("ROLLBACK")
    other.put(store, b"x", QUOTAS)
    other.close()


def test_a_file_that_is_collected_while_it_is_stored(
    stores: Stores, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is written again: there is no row without its file."""
    keep, kept = stores.files.keep, []

    def keep_and_lose(ref: str, data: bytes) -> None:
        keep(ref, data)
        kept.append(ref)
        if len(kept) == 1:
            collecting.collect_files(stores.db, stores.files, [ref])

    monkeypatch.setattr(stores.files, "keep", keep_and_lose)
    ref = stores.put(store, b"x", QUOTAS)

    assert len(kept) == 2
    assert stores.get(store, ref) == b"x"


def test_a_content_that_is_collected_while_it_is_read(
    stores: Stores, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Is not there any more, rather than damaged."""
    ref = stores.put(store, b"x", QUOTAS)
    get = stores.files.get

    def lose_and_get(ref: str) -> bytes:
        collect(stores, time.time_ns() + 1, 0)
        return get(ref)

    monkeypatch.setattr(stores.files, "get", lose_and_get)

    with pytest.raises(NotThere):
        stores.get(store, ref)


# -- collecting --------------------------------------------------------------------------------------------------------


def test_nothing_expires_by_itself(stores: Stores, store: str) -> None:
    """Without an age, of the store or of the command, every content stays."""
    stores.put(store, b"x", QUOTAS)
    grow_old(stores)

    assert collect(stores, time.time_ns()) == Collected()


def test_an_age(stores: Stores, store: str) -> None:
    """What has no label, and has not been touched for so long, goes; the file with it."""
    stores.put(store, b"old", QUOTAS)
    labelled = stores.put(store, b"old, with a label", QUOTAS, "it")
    grow_old(stores)
    young = stores.put(store, b"young", QUOTAS)

    assert collect(stores, time.time_ns(), DAY_MS) == Collected(contents=1, bytes=3)
    assert stores.refs(store) == files(stores) == sorted((labelled, young))
    assert stores.find(store).bytes == 22  # type: ignore[union-attr]


def test_each_stores_own_age(stores: Stores) -> None:
    """As its owner's grant says, by now."""
    mine, yours = (stores.new(owner, "/" + owner, of_grant({"unlabelled_ms": DAY_MS})) for owner in ("me", "you"))
    for store in (mine, yours):
        stores.put(store, b"x", QUOTAS)
    stores.set_age("you", None)
    grow_old(stores)

    assert collect(stores, time.time_ns()) == Collected(contents=1, bytes=0)
    assert (stores.refs(mine), stores.refs(yours)) == ([], [ref_of(b"x")])


@pytest.mark.parametrize("touch", ["store", "lose its label", "be replaced"])
def test_a_touch_begins_the_time_anew(stores: Stores, store: str, touch: str) -> None:
    """Storing again, and losing a label: whoever has just done that may be about to use it."""
    ref = stores.put(store, b"x", QUOTAS, "it")
    grow_old(stores)
    if touch == "store":
        stores.put(store, b"x", QUOTAS)
        stores.db.execute("DELETE FROM labels")
    elif touch == "lose its label":
        stores.remove_label(store, "it")
    else:
        stores.put(store, b"y", QUOTAS, "it")
    collect(stores, time.time_ns(), DAY_MS)

    assert stores.has(store, ref)


def test_a_file_is_kept_for_other_stores(stores: Stores, store: str) -> None:
    """Contents are files only once, whoever has them."""
    other = stores.new("you", "/you", QUOTAS)
    ref = stores.put(store, b"x", QUOTAS)
    stores.put(other, b"x", QUOTAS, "it")
    grow_old(stores)
    collect(stores, time.time_ns(), DAY_MS)

    assert not stores.has(store, ref)
    assert stores.get(other, ref) == b"x"


def test_only_one_store(stores: Stores, store: str) -> None:
    """The others stay as they are."""
    other = stores.new("you", "/you", QUOTAS)
    for each in (store, other):
        stores.put(each, each.encode(), QUOTAS)
    grow_old(stores)
    collect(stores, time.time_ns(), DAY_MS, store)

    assert (len(stores.refs(store)), len(stores.refs(other))) == (0, 1)


def test_files_that_nothing_speaks_of(stores: Stores, store: str) -> None:
    """Left by killed writers: they go once they are old, and what is no content at all is left alone."""
    stores.put(store, b"x", QUOTAS)
    stores.files.keep(ref_of(b"orphan"), b"orphan")
    directory = Path(stores.directory)
    (directory / "new" / "unfinished").write_bytes(b"?")
    (directory / "objects" / ref_of(b"x")[:2] / "notes").write_bytes(b"?")

    assert collect(stores, time.time_ns()) == Collected()
    grow_old(stores)
    os.utime(directory / "new" / "unfinished", (0, 0))
    assert collect(stores, time.time_ns()) == Collected(bytes=6)
    assert files(stores) == sorted((ref_of(b"x"), "notes"))
    assert os.listdir(directory / "new") == []


def test_empty_stores(stores: Stores, store: str) -> None:
    """Go with an age, when they are older."""
    stores.put(store, b"x", QUOTAS, "it")
    empty = stores.new("me", "/me", QUOTAS)
    grow_old(stores)
    young = stores.new("me", "/me", QUOTAS)

    assert collect(stores, time.time_ns(), DAY_MS) == Collected(stores=1)
    assert stores.find(empty) is None
    assert {each.id for each in stores.all()} == {store, young}


def test_dropping_a_store(stores: Stores, store: str) -> None:
    """With everything in it; its id is nobody's from then on."""
    stores.put(store, b"x", QUOTAS, "it")
    stores.drop(store)

    assert (stores.all(), files(stores)) == ([], [])
    for use in (lambda: stores.put(store, b"x", QUOTAS), lambda: stores.drop(store)):
        with pytest.raises(NoSuchStore):
            use()
    assert files(stores) == []


# -- the database ------------------------------------------------------------------------------------------------------


def test_another_version(stores: Stores) -> None:
    """A database that a newer one has written is left alone."""
    stores.db.execute("PRAGMA user_version = 2")

    with pytest.raises(Unusable, match="expected schema 1, got 2"):
        Stores(stores.directory)


@pytest.mark.parametrize("mode", ["journal_mode", "synchronous"])
def test_what_is_stored_is_on_the_disk(stores: Stores, mode: str) -> None:
    """Write-ahead log, synced with every commit."""
    expected: dict[str, Any] = {"journal_mode": "wal", "synchronous": 2}

    assert stores.db.execute(f"PRAGMA {mode}").fetchone()[0] == expected[mode]


def test_people_may_read_it(stores: Stores, store: str) -> None:
    """With any SQLite, while it is in use."""
    stores.put(store, b"x", QUOTAS, "it")
    db = sqlite3.connect(f"file:{schema.path_of(stores.directory)}?mode=ro", uri=True)

    assert db.execute("SELECT label, ref FROM labels").fetchall() == [("it", ref_of(b"x"))]
    db.close()
