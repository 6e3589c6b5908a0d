"""Messages that were not delivered, in the store."""

from __future__ import annotations

import sqlite3
import time

import pytest

from supervisor.store import StoreReader, writer
from supervisor.store.reader import Undelivered
from supervisor.store.schema import path_of
from tests.store.conftest import DEADLINE_S, Store

HANDLE = "theater:simple/message-server-client.handle-send"


def kept(store: Store, target: str | None = None) -> list[Undelivered]:
    with StoreReader(store.directory) as reader:
        return reader.undelivered(target)


def wait_kept(store: Store, numbers: list[int]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while [each.number for each in kept(store)] != numbers:
        assert time.monotonic() < deadline, kept(store)


def test_letters_are_found_by_path_id_and_name(store: Store) -> None:
    """Sender and receiver by their paths; whoever is not known, as he was called."""
    a, b = store.actor("/a"), store.actor("/b")
    store.writer.undelivered(a, b, HANDLE, None, b"hello", "gone")
    store.writer.undelivered(a, "planner", HANDLE, "ch_1", None, "nobody")
    wait_kept(store, [1, 2])

    (letter,) = kept(store, "/b")
    assert (letter.sender, letter.path, letter.message, letter.reason) == ("/a", "/b", b"hello", "gone")
    assert kept(store, b) == [letter]
    (named,) = kept(store, "planner")
    assert (named.path, named.channel, named.message) == ("planner", "ch_1", None)
    assert kept(store, "/c") == []


def test_a_letter_is_dropped_by_its_number(store: Store) -> None:
    """Which is not given to another."""
    a = store.actor("/a")
    for _ in range(2):
        store.writer.undelivered(a, a, HANDLE, None, b"", "gone")
    wait_kept(store, [1, 2])
    assert store.writer.drop_undelivered(2)
    wait_kept(store, [1])
    assert not store.writer.drop_undelivered(2)
    store.writer.undelivered(a, a, HANDLE, None, b"", "gone")

    wait_kept(store, [1, 3])


def test_the_oldest_make_room(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """One more than are kept."""
    monkeypatch.setattr(writer, "UNDELIVERED_MAX", 3)
    a = store.actor("/a")
    for _ in range(4):
        store.writer.undelivered(a, a, HANDLE, None, b"", "gone")

    wait_kept(store, [2, 3, 4])


def test_a_store_of_before_has_none(store: Store) -> None:
    """It lacks the table until it is opened for writing."""
    store.actor("/a")
    store.close()
    with sqlite3.connect(path_of(store.directory)) as db:
        db.execute("DROP TABLE undelivered")

    assert kept(store) == []
