"""``theater:simple/store``: whose a store is, who may use it, and how much it may hold."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.interfaces.store.kit import DATA, NOWHERE, REF, Actor, file_of
from theater.grants import STORE
from worker.interfaces.registry import known

# -- whose store -------------------------------------------------------------------------------------------------------

USES: list[tuple[str, tuple[str | bytes, ...], bool]] = [
    ("store", (DATA,), True),
    ("get", (REF,), False),
    ("exists", (REF,), False),
    ("label", ("it", REF), True),
    ("get-by-label", ("it",), False),
    ("remove-label", ("it",), True),
    ("store-at-label", ("it", DATA), True),
    ("replace-content-at-label", ("it", DATA), True),
    ("replace-at-label", ("it", REF), True),
    ("list-all-content", (), False),
    ("calculate-total-size", (), False),
    ("list-labels", (), False),
]
"""Every function that takes a store, its other arguments, and whether it changes something."""


def test_the_table_is_complete() -> None:
    """Each function is in the tests of who may use what."""
    assert {name for name, _, _ in USES} | {"new"} == {item.name for item in known()[STORE].functions}


@pytest.mark.parametrize(("function", "rest", "_writes"), USES)
def test_no_such_store(actor: Actor, function: str, rest: Any, _writes: bool) -> None:
    """A fresh UUID, and what is none."""
    for id_ in (NOWHERE, "", "x", "../" + NOWHERE, NOWHERE.upper(), NOWHERE + "\n", "' OR 1=1 --", "\0" * 500):
        assert actor.refusal(function, id_, *rest).startswith("no such store, or not for this actor: ")


@pytest.mark.parametrize(("function", "rest", "_writes"), USES)
def test_the_store_of_another_actor_is_refused_like_none(
    actor: Actor, store: str, directory: Path, function: str, rest: Any, _writes: bool
) -> None:
    """The id alone opens nothing, and who tries ids learns nothing; the refusal is in the chain."""
    actor("store-at-label", store, "it", DATA)
    thief = Actor(directory, "/fleet/thief", shared=[{"owner": "/library", "write": True}, {"owner": "/fleet/it/*"}])
    to_nothing = thief.refusal(function, NOWHERE, *rest)

    assert thief.refusal(function, store, *rest) == to_nothing.replace(NOWHERE, store)
    assert actor("get-by-label", store, "it") == REF


@pytest.mark.parametrize(("function", "rest", "writes"), USES)
@pytest.mark.parametrize("may_write", [False, True])
def test_a_shared_store(
    actor: Actor, store: str, directory: Path, function: str, rest: Any, writes: bool, may_write: bool
) -> None:
    """With the id and a grant that names the owner: reading, and writing if the grant says so."""
    actor("store-at-label", store, "it", DATA)
    guest = Actor(directory, "/reader", shared=[{"owner": "/fleet/it", "write": may_write}])

    if writes and not may_write:
        assert guest.refusal(function, store, *rest) == f"not permitted: writing to the store {store} of /fleet/it"
    else:
        guest(function, store, *rest)


def test_sharing_is_not_mutual(actor: Actor, directory: Path) -> None:
    """The owner of a shared store gets nothing of the one it is shared with."""
    guest = Actor(directory, "/reader", shared=[{"owner": "*", "write": True}])

    assert actor.refusal("list-labels", guest("new")).startswith("no such store")


def test_parents_and_children(actor: Actor, store: str, directory: Path) -> None:
    """A child may be granted its parent's stores, a parent those of its children, without knowing any path."""
    child = Actor(directory, "/fleet/it/child", shared=[{"owner": "parent"}])
    parent = Actor(directory, "/fleet/it/child/..", shared=[{"owner": "parent"}])
    nosy = Actor(directory, "/fleet", shared=[{"owner": "children"}])

    assert child("list-labels", store) == []
    assert nosy("list-labels", store) == []
    assert actor.refusal("list-labels", child("new")).startswith("no such store")
    assert parent.refusal("list-labels", store).startswith("no such store")


def test_without_a_place(directory: Path) -> None:
    """A host without a store directory says so."""
    actor = Actor(directory)
    actor.context.content = ""

    assert actor.refusal("list-labels", NOWHERE) == "this host has no place for contents"


# -- quotas ------------------------------------------------------------------------------------------------------------


def test_bytes_are_bounded(directory: Path) -> None:
    """What fits exactly fits; a byte more does not, and leaves nothing behind."""
    actor = Actor(directory, bytes_max=10)
    store = actor("new")
    actor("store", store, b"123456789")

    assert "9 bytes, 2 more do not fit in 10 (max_size)" in actor.refusal("store", store, b"12")
    assert actor("exists", store, sha256(b"12").hexdigest()) is False
    assert not file_of(directory, sha256(b"12").hexdigest()).exists()
    actor("store", store, b"1")
    actor("store", store, b"123456789")
    assert actor("calculate-total-size", store) == 10


def test_a_content_is_bounded(directory: Path) -> None:
    """One byte more than max_content."""
    actor = Actor(directory, content_bytes_max=4)
    store = actor("new")
    actor("store", store, b"1234")

    assert actor.refusal("store", store, b"12345") == "expected at most 4 bytes (max_content), got 5"


def test_contents_are_bounded(directory: Path) -> None:
    """One content more than max_contents; the same once more is none more."""
    actor = Actor(directory, contents_max=1)
    store = actor("new")
    actor("store", store, b"1")
    actor("store", store, b"1")

    assert "1 contents" in actor.refusal("store", store, b"2")


def test_labels_are_bounded(directory: Path) -> None:
    """One label more than max_labels; one that moves is none more. What is refused at a label is not stored either."""
    actor = Actor(directory, labels_max=1)
    store = actor("new")
    actor("store-at-label", store, "one", DATA)
    actor("store-at-label", store, "one", b"2")

    assert "(max_labels)" in actor.refusal("label", store, "two", REF)
    assert "(max_labels)" in actor.refusal("store-at-label", store, "two", b"3")
    assert actor("exists", store, sha256(b"3").hexdigest()) is False


def test_stores_are_bounded(directory: Path) -> None:
    """Each actor has so many; others' do not count."""
    for path in ("/a", "/b"):
        actor = Actor(directory, path, stores_max=1)
        actor("new")

        assert actor.refusal("new") == "this actor has 1 stores, the most that it may have (max_stores)"


def test_the_bounds_are_those_of_who_writes(actor: Actor, store: str, directory: Path) -> None:
    """A guest in somebody's store fills it no further than its own grant says."""
    guest = Actor(directory, "/guest", bytes_max=3, shared=[{"owner": "/fleet/it", "write": True}])
    actor("store", store, b"123")

    assert "(max_size)" in guest.refusal("store", store, b"4")


def test_a_full_store_makes_room(directory: Path) -> None:
    """What has been without a label for longer than the grant keeps it goes first; what has one stays."""
    actor = Actor(directory, bytes_max=4, unlabelled_ms=0)
    store = actor("new")
    actor("store", store, b"12")
    actor("store-at-label", store, "kept", b"34")
    actor("store", store, b"56")

    assert actor("list-all-content", store) == sorted(sha256(data).hexdigest() for data in (b"34", b"56"))
    assert not file_of(directory, sha256(b"12").hexdigest()).exists()
