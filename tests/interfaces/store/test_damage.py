"""``theater:simple/store``: damage is told, never answered with; and any calls in any order."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.homes import new_home
from tests.interfaces.store.kit import DATA, NOWHERE, OTHER, REF, Actor, file_of, plain
from theater import types
from theater.grants import STORE
from theater.values import String
from worker.interfaces.registry import known

# -- damage ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("damage", [b"", b"some c0ntent", DATA + b"!"])
def test_a_changed_file_is_told(actor: Actor, store: str, directory: Path, damage: bytes) -> None:
    """A flipped bit, a cut, a byte too many: an error that says so, never the bytes."""
    actor("store", store, DATA)
    file_of(directory, REF).write_bytes(damage)

    assert actor.refusal("get", store, REF).startswith(f"content {REF} is damaged: its file has {len(damage)} bytes")


def test_a_lost_file_is_told(actor: Actor, store: str, directory: Path) -> None:
    """Not as a content that was never there."""
    actor("store", store, DATA)
    file_of(directory, REF).unlink()

    assert actor.refusal("get", store, REF) == f"content {REF} is damaged: its file is gone"


def test_storing_again_mends(actor: Actor, store: str, directory: Path) -> None:
    """Who has the bytes can put them right."""
    actor("store", store, DATA)
    file_of(directory, REF).write_bytes(b"damage")
    actor("store", store, DATA)

    assert actor("get", store, REF) == DATA


def test_a_link_is_not_followed(actor: Actor, store: str, directory: Path, tmp_path: Path) -> None:
    """A file of a store is a file; what a link points to is nobody's content."""
    secret = tmp_path / "secret"
    secret.write_bytes(DATA)
    actor("store", store, DATA)
    file_of(directory, REF).unlink()
    file_of(directory, REF).symlink_to(secret)

    assert actor.refusal("get", store, REF) == f"content {REF} is damaged: its file is gone"
    actor("store", store, DATA)
    assert actor("get", store, REF) == DATA
    assert not file_of(directory, REF).is_symlink()
    assert secret.read_bytes() == DATA


def test_a_damaged_database_is_told(actor: Actor, store: str, directory: Path) -> None:
    """The guest gets an error and lives."""
    actor.context.close()
    (directory / "content.db").write_bytes(b"no database at all" * 100)

    assert "cannot be used: file is not a database" in actor.refusal("list-labels", store)


def test_a_full_disk_is_told(
    actor: Actor, store: str, directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And leaves nothing half done."""

    def full(fd: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        assert "No space left on device" in actor.refusal("store-at-label", store, "it", DATA)
    assert actor("list-all-content", store) == []
    assert os.listdir(directory / "new") == []


def test_files_are_private(actor: Actor, store: str, directory: Path) -> None:
    """Closed to other users."""
    actor("store", store, DATA)
    found = list(directory.rglob("*"))

    assert len(found) >= 5
    assert [path for path in (directory, *found) if path.stat().st_mode & 0o077] == []


# -- any value, any order ----------------------------------------------------------------------------------------------

TEXTS = st.one_of(st.text(max_size=12), st.sampled_from(["it", "a/b", "../x", REF, OTHER, NOWHERE]))
BLOBS = st.one_of(st.binary(max_size=40), st.just(DATA))
STORES = st.one_of(st.integers(0, 3), TEXTS)
"""A store made before, by its number, or a text."""


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, list[Any]]:
    """A function and arguments of its types."""
    item = draw(st.sampled_from(known()[STORE].functions))
    kinds = [BLOBS if type_ == types.BYTES else TEXTS for type_ in item.variants[0].params]
    return item.name, [draw(kind) for kind in (STORES, *kinds[1:])][: len(kinds)]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(plan=st.lists(st.tuples(st.booleans(), calls()), max_size=15))
def test_any_calls_in_any_order(plan: list[tuple[bool, tuple[str, list[Any]]]]) -> None:
    """Each is answered, with a value of the declared type or a text; what a model of dictionaries has is there."""
    with new_home() as directory:
        _check_plan(directory, plan)


def _check_plan(directory: Path, plan: list[tuple[bool, tuple[str, list[Any]]]]) -> None:
    actors = [
        Actor(directory, "/a", bytes_max=100, labels_max=2, stores_max=3),
        Actor(directory, "/b", shared=[{"owner": "/a", "write": True}]),
    ]
    made: list[str] = []
    stored: dict[tuple[str, str], bytes] = {}
    for is_second, (function, arguments) in plan:
        actor = actors[is_second]
        given = [([*made, NOWHERE] * 4)[each] if isinstance(each, int) else each for each in arguments]
        answer = actor.answer(function, *given)
        if not answer.is_ok:
            assert isinstance(answer.value, String)
            assert answer.value.value
        elif function == "new":
            made.append(plain(answer.value))
        elif isinstance(given[-1], bytes):
            stored[given[0], plain(answer.value)] = given[-1]
    for (store, ref), data in stored.items():
        assert any(plain(actor.answer("get", store, ref).value) == data for actor in actors)
    for actor in actors:
        actor.context.close()
