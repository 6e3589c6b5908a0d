"""The names of actors, in the store."""

from __future__ import annotations

import time

from tests.store.conftest import DEADLINE_S, Store


def wait_names(store: Store, *expected: tuple[str, str, str]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while store.writer.names() != list(expected):
        assert time.monotonic() < deadline, store.writer.names()


def test_names_are_kept_in_the_order_they_were_given(store: Store) -> None:
    """Each with its mode; the same name may be kept for two actors."""
    a, b = store.actor("/a"), store.actor("/b")
    for actor, name, mode in ((b, "z", "unique"), (a, "g", "broadcast"), (b, "g", "broadcast")):
        store.writer.name(actor, name, mode)

    wait_names(store, (b, "z", "unique"), (a, "g", "broadcast"), (b, "g", "broadcast"))


def test_a_name_that_is_lost_is_kept_no_more(store: Store) -> None:
    """Only that one, of that actor."""
    a, b = store.actor("/a"), store.actor("/b")
    for actor, name in ((a, "g"), (a, "h"), (b, "g")):
        store.writer.name(actor, name, "round-robin")
    store.writer.name(a, "g", None)

    wait_names(store, (a, "h", "round-robin"), (b, "g", "round-robin"))


def test_names_outlive_the_supervisor(store: Store) -> None:
    """The next writer of the store finds them."""
    a = store.actor("/a")
    store.writer.name(a, "n", "unique")
    store.close()
    after = Store(store.directory)

    assert after.writer.names() == [(a, "n", "unique")]
    after.close()
