"""``theater:simple/store``: what it declares, contents and labels."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.interfaces.store.kit import DATA, REF, VECTORS, Actor, plain
from theater import cgrf, interfaces, types
from theater.grants import STORE
from theater.values import List, String, Tuple
from worker.interfaces.registry import known

# -- the declaration ---------------------------------------------------------------------------------------------------


def test_standard_hash() -> None:
    """What we declare is the standard's interface (pack-abi 10.5)."""
    functions = {item.name: item.variants[0].parsed for item in known()[STORE].functions}
    expected = json.loads(VECTORS.read_text())["standard_interfaces"][STORE]

    assert interfaces.interface_hash(STORE, functions).hex() == expected["hash"]
    assert {name: interfaces.function_hash(one).hex() for name, one in functions.items()} == {
        name: one["hash"] for name, one in expected["functions"].items()
    }


def test_every_function_is_described() -> None:
    """A function without words is not finished."""
    for item in known()[STORE].functions:
        assert item.doc.endswith("."), item.name


# -- contents ----------------------------------------------------------------------------------------------------------


def test_a_content_ref_is_the_sha256(actor: Actor, store: str) -> None:
    """Lower-case, hexadecimal; the same bytes again are the same content."""
    assert actor("store", store, DATA) == REF
    assert actor("store", store, DATA) == REF
    assert actor("list-all-content", store) == [REF]


@pytest.mark.parametrize("data", [b"", DATA, bytes(range(256)) * 4096])
def test_what_is_stored_comes_back(actor: Actor, store: str, data: bytes) -> None:
    """Any bytes, none at all included."""
    assert actor("get", store, actor("store", store, data)) == data


def test_an_empty_list_of_anything_is_no_bytes(actor: Actor, store: str) -> None:
    """An empty list fits every list type (pack-abi 9.4)."""
    given = cgrf.encode(Tuple((String(store), List(types.STRING, ()))))
    answer: Any = cgrf.decode(actor.dispatcher.answer(STORE, "store", given))

    assert plain(answer.value) == sha256(b"").hexdigest()


def test_exists(actor: Actor, store: str) -> None:
    """In this store, not in any."""
    other = actor("new")
    actor("store", other, DATA)

    assert actor("exists", other, REF) is True
    assert actor("exists", store, REF) is False


def test_what_another_store_has_is_not_in_this_one(actor: Actor, store: str) -> None:
    """Though its file is there."""
    actor("store", actor("new"), DATA)

    assert actor.refusal("get", store, REF) == f"the store has no content {REF}"


def test_total_size_counts_a_content_once(actor: Actor, store: str) -> None:
    """However often it was stored."""
    for data in (DATA, DATA, b"12345"):
        actor("store", store, data)

    assert actor("calculate-total-size", store) == len(DATA) + 5


def test_lists_are_sorted(actor: Actor, store: str) -> None:
    """Replays of an actor see the same answers, whatever the order of storing."""
    refs = [actor("store-at-label", store, label, label.encode()) for label in ("b", "a", "c")]

    assert actor("list-all-content", store) == sorted(refs)
    assert actor("list-labels", store) == ["a", "b", "c"]


def test_contents_outlive_the_actor(actor: Actor, store: str, directory: Path) -> None:
    """A later incarnation has the same stores."""
    actor("store", store, DATA)
    actor.context.close()
    later = Actor(directory)

    assert later("get", store, REF) == DATA


# -- labels ------------------------------------------------------------------------------------------------------------


def test_labels(actor: Actor, store: str) -> None:
    """A label names one content, a content may have many."""
    actor("store", store, DATA)
    for label in ("one", "päth/to/two"):
        assert actor("label", store, label, REF) is None

    assert actor("get-by-label", store, "päth/to/two") == REF
    assert actor("list-labels", store) == ["one", "päth/to/two"]


def test_a_missing_label_is_none(actor: Actor, store: str) -> None:
    """No error: asking is how one finds out."""
    assert actor("get-by-label", store, "nothing") is None


@pytest.mark.parametrize("function", ["label", "replace-at-label"])
def test_a_label_moves(actor: Actor, store: str, function: str) -> None:
    """The content that had it stays, without it."""
    first = actor("store-at-label", store, "it", b"first")
    actor("store", store, DATA)
    actor(function, store, "it", REF)

    assert actor("get-by-label", store, "it") == REF
    assert actor("get", store, first) == b"first"


@pytest.mark.parametrize("function", ["store-at-label", "replace-content-at-label"])
def test_storing_at_a_label(actor: Actor, store: str, function: str) -> None:
    """Both at once, whether there was something at the label or not."""
    actor(function, store, "it", b"first")

    assert actor(function, store, "it", DATA) == REF
    assert actor("get-by-label", store, "it") == REF
    assert actor("list-labels", store) == ["it"]


def test_removing_a_label(actor: Actor, store: str) -> None:
    """The content stays; a second time changes nothing."""
    actor("store-at-label", store, "it", DATA)
    for _ in range(2):
        assert actor("remove-label", store, "it") is None

    assert actor("get-by-label", store, "it") is None
    assert actor("get", store, REF) == DATA


@pytest.mark.parametrize("function", ["label", "replace-at-label"])
def test_a_label_needs_a_content(actor: Actor, store: str, function: str) -> None:
    """Of this store."""
    assert actor.refusal(function, store, "it", REF) == f"the store has no content {REF}"


@pytest.mark.parametrize(
    "label",
    ["", "x" * 256, "ö" * 128, "../../etc/passwd", "a/../b", "/etc/passwd", "a//b", "a/", ".", "..", "a\0b", "a\nb"],
)
@pytest.mark.parametrize(
    ("function", "rest"),
    [("label", (REF,)), ("replace-at-label", (REF,)), ("get-by-label", ()), ("remove-label", ()),
     ("store-at-label", (DATA,)), ("replace-content-at-label", (DATA,))],
)  # fmt: skip
def test_bad_labels(actor: Actor, store: str, function: str, rest: Any, label: str) -> None:
    """Too short, too long, control characters, and whatever climbs in a file system."""
    actor("store", store, DATA)

    assert actor.refusal(function, store, label, *rest).startswith("expected a label ")
    assert actor("list-labels", store) == []


def test_a_label_of_255_bytes_is_fine(actor: Actor, store: str) -> None:
    """The bound itself."""
    actor("store-at-label", store, "x" * 255, DATA)

    assert actor("get-by-label", store, "x" * 255) == REF


@pytest.mark.parametrize(
    "ref", ["", "abc", REF.upper(), REF[:-1], REF + "0", REF[:-1] + "\n", "../" * 20 + REF[:4], "/etc/passwd", "a" * 40]
)
@pytest.mark.parametrize("function", ["get", "exists", "label", "replace-at-label"])
def test_bad_content_refs(actor: Actor, store: str, function: str, ref: str) -> None:
    """Nothing but 64 lower-case hexadecimal digits comes near the file system."""
    arguments = (store, "it", ref) if "label" in function else (store, ref)

    assert actor.refusal(function, *arguments).startswith("expected a content-ref of 64 lower-case hexadecimal digits")
