"""``theater:simple/store``: every function, whose store is whose, quotas, damage, and any value in any order."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.homes import new_home
from tests.worker.enginekit import FakeContext
from theater import cgrf, interfaces, types
from theater.grants import STORE
from theater.values import U64, Bool, List, Option, Result, String, Tuple, bytes_of
from worker.interfaces.registry import Dispatcher, known

VECTORS = Path(__file__).parents[1] / "vectors" / "pack-vectors.json"
NOWHERE = "6f1c0d9e-7d0a-4a50-9c61-5f5b0f1d2c3b"
DATA = b"some content"
REF = sha256(DATA).hexdigest()
OTHER = sha256(b"something else").hexdigest()


class Actor:
    """An actor that calls the store's functions, as its guest would."""

    def __init__(self, directory: Path, path: str = "/fleet/it", **grant: Any) -> None:
        self.context = FakeContext()
        self.context.actor_id = f"id of {path}"
        self.context.path = path
        self.context.content = str(directory)
        self.context.grants[STORE] = grant
        self.dispatcher = Dispatcher(self.context)
        self.dispatcher.bind({(STORE, f.name): f.variants[0] for f in known()[STORE].functions})

    def answer(self, function: str, *arguments: str | bytes) -> Result:
        given = [String(each) if isinstance(each, str) else bytes_of(each) for each in arguments]
        data = given[0] if len(given) == 1 else Tuple(tuple(given))
        answer = cgrf.decode(self.dispatcher.answer(STORE, function, cgrf.encode(data)))
        assert isinstance(answer, Result)
        return answer

    def __call__(self, function: str, *arguments: str | bytes) -> Any:
        """The answer's payload; it has to be ok."""
        answer = self.answer(function, *arguments)
        assert answer.is_ok, answer
        return plain(answer.value)

    def refusal(self, function: str, *arguments: str | bytes) -> str:
        """The answer's error; it has to be one, and to be in the chain."""
        before = len(self.context.recorded)
        answer = self.answer(function, *arguments)
        assert not answer.is_ok, answer
        assert isinstance(answer.value, String)
        [(_, name, _, output)] = self.context.recorded[before:]
        assert (name, cgrf.decode(output)) == (function, answer)
        return answer.value.value


def plain(value: Any) -> Any:
    match value:
        case Tuple(items=()):
            return None
        case Option(value=inner):
            return plain(inner)
        case List(element=types.U8, items=bytes(data)):
            return data
        case List(items=items):
            return [plain(item) for item in items]
        case String(value=it) | Bool(value=it) | U64(value=it):
            return it
    return value


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "content"


@pytest.fixture
def actor(directory: Path) -> Iterator[Actor]:
    it = Actor(directory)
    yield it
    it.context.close()


@pytest.fixture
def store(actor: Actor) -> str:
    return str(actor("new"))


def file_of(directory: Path, ref: str) -> Path:
    return directory / "objects" / ref[:2] / ref


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
