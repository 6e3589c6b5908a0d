"""The verbs that look after a store: doctor, vacuum, export, import. The stores are real, and of stopped trees."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from supervisor.store import StoreReader
from tests.chain.chains import chain, fields, vector_events
from tests.cli.conftest import Cli
from tests.client.faketree import FakeTree
from tests.store.conftest import Store
from tests.store.histories import leave_ring
from theater.chain import ChainEvent, forms

EVENTS = chain(40)
AGE_S = 100


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """The store of a stopped tree, with /a and /b; each of their four batches is older than the next."""
    made = Store(str(tmp_path / "store"))
    for path in ("/a", "/b"):
        actor = made.actor(path)
        for at in range(0, 40, 10):
            made.append(actor, EVENTS[at : at + 10])
            made.stored(actor, at + 9)
    made.close()
    db = sqlite3.connect(os.path.join(made.directory, "theater.db"))
    for place, first in enumerate((30, 20, 10, 0)):
        stored_ns = time.time_ns() - place * AGE_S * 10**9
        db.execute("UPDATE batches SET stored_ns = ? WHERE first_seq = ?", (stored_ns, first))
    db.commit()
    db.close()
    return made


def change(store: Store, sql: str) -> None:
    db = sqlite3.connect(os.path.join(store.directory, "theater.db"))
    db.execute(sql)
    db.commit()
    db.close()


def events(store: Store, path: str) -> list[ChainEvent]:
    with StoreReader(store.directory) as reader:
        actor = reader.find(path)
        assert actor is not None
        assert reader.verify(actor.id).ok
        return list(reader.events(actor.id))


def seqs(store: Store, path: str) -> list[int]:
    return [event.seq for event in events(store, path)]


# -- doctor ------------------------------------------------------------------------------------------------------------


def test_a_sound_store(cli: Cli, store: Store) -> None:
    """Nothing is printed but that, for people; for programs nothing at all."""
    said = cli("doctor", "--store", store.directory, "-o", "table")

    assert (said.code, said.out, said.err) == (0, "", f"{store.directory}: all is well\n")
    assert cli("doctor", "--store", store.directory) == (0, "", "")


def test_a_broken_chain_is_exit_code_8(cli: Cli, store: Store) -> None:
    """As for verify."""
    change(store, "UPDATE batches SET events = replace(events, x'00000007', x'00000009')")
    said = cli("doctor", "--store", store.directory)
    rows = [json.loads(line) for line in said.out.splitlines()]

    assert said.code == 8
    assert [(row["severity"], row["kind"], row["where"]) for row in rows] == [
        ("error", "chain", "/a"),
        ("error", "chain", "/b"),
    ]


def test_something_to_do_is_exit_code_7_until_it_is_repaired(cli: Cli, store: Store) -> None:
    """What was done is said."""
    leave_ring(store, "r", "nobody", EVENTS[:1])
    assert cli("doctor", "--store", store.directory).code == 7
    said = cli("doctor", "--store", store.directory, "--repair")

    assert said.code == 0
    assert "kept as r.ring.kept" in said.err
    assert "nothing that could be repaired" in cli("doctor", "--store", store.directory, "--repair").err


def test_a_store_in_use_is_not_repaired(cli: Cli, store: Store) -> None:
    """It says what to do first."""
    again = Store(store.directory)
    said = cli("doctor", "--store", store.directory, "--repair")
    again.close()

    assert said.code == 1
    assert "stop it first (theater stop)" in said.err


def test_the_store_of_the_running_tree(cli: Cli, tree: FakeTree, store: Store) -> None:
    """Without --store or --tree."""
    (tree.run_dir / "store").symlink_to(store.directory)

    assert cli("doctor").code == 0


def test_a_store_that_is_not_there(cli: Cli, tmp_path: Path) -> None:
    """A clear error."""
    said = cli("doctor", "--store", str(tmp_path / "none"))

    assert said.code == 1
    assert "no such store" in said.err


# -- vacuum ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bounds", "first"),
    [
        (("--events", "15"), 20),
        (("--age", f"{AGE_S + 50}s"), 20),
        (("--size", "1B"), 30),
        (("--events", "100"), 0),
    ],
)
def test_old_history_goes(cli: Cli, store: Store, bounds: tuple[str, str], first: int) -> None:
    """What stays verifies; what went is told, and how large the file was and is."""
    said = cli("vacuum", "--store", store.directory, "--unreplayable", *bounds)
    rows = [json.loads(line) for line in said.out.splitlines()]

    assert said.code == 0
    assert seqs(store, "/a") == seqs(store, "/b") == list(range(first, 40))
    expected = [(path, first, 40 - first, first) for path in ("/a", "/b")] if first else []
    assert [(row["actor"], row["removed"], row["kept"], row["begins"]) for row in rows] == expected
    assert "before" in said.err


def test_what_replay_needs_stays_unless_told_otherwise(cli: Cli, store: Store) -> None:
    """Without a tree file nobody knows which actors are rebuilt by replay."""
    cli("vacuum", "--store", store.directory, "--events", "1")

    assert seqs(store, "/a") == list(range(40))


def test_only_some_actors(cli: Cli, store: Store) -> None:
    """By path."""
    cli("vacuum", "/b", "--store", store.directory, "--events", "1", "--unreplayable")

    assert (len(seqs(store, "/a")), len(seqs(store, "/b"))) == (40, 10)


def test_an_unknown_actor(cli: Cli, store: Store) -> None:
    """Nothing is removed."""
    assert cli("vacuum", "/c", "--store", store.directory, "--events", "1").code == 4
    assert len(seqs(store, "/a")) == 40


def test_a_broken_chain_is_left_alone(cli: Cli, store: Store) -> None:
    """It is evidence. The others are trimmed."""
    first = "(SELECT min(rowid) FROM batches WHERE first_seq = 10)"
    change(store, f"UPDATE batches SET prev_hash = zeroblob(32) WHERE rowid = {first}")
    said = cli("vacuum", "--store", store.directory, "--events", "1", "--unreplayable")
    with StoreReader(store.directory) as reader:
        events = sorted(actor.events for actor in reader.actors())

    assert (said.code, events) == (8, [10, 40])
    assert "nothing of it was removed" in said.err


def test_the_tree_file_says_how_much_to_keep(cli: Cli, store: Store, tmp_path: Path) -> None:
    """With its exceptions, and those that have to stay replayable."""
    (tmp_path / "a.wat").write_text("(module)")
    (tmp_path / "tree.yaml").write_text(
        "version: 1\nstore: store\nretention: {events: 5}\n"
        "children: [{id: a, actor: a.wat}, {id: b, actor: a.wat, recover: replay}]\n"
    )
    assert cli("vacuum", "--tree", str(tmp_path / "tree.yaml")).code == 0

    assert (len(seqs(store, "/a")), len(seqs(store, "/b"))) == (10, 40)


def test_a_store_in_use_is_trimmed_beside_its_writer(cli: Cli, store: Store) -> None:
    """Which goes on as if nothing had happened."""
    again = Store(store.directory)
    actor = again.actor("/a")
    said = cli("vacuum", "--store", store.directory, "--events", "10", "--unreplayable")
    more = chain(50)[40:]
    again.append(actor, more)
    again.stored(actor, 49)
    again.close()

    assert said.code == 0
    assert seqs(store, "/a") == list(range(30, 50))


@pytest.mark.parametrize("bound", [("--age", "5"), ("--age", "0s"), ("--size", "5"), ("--events", "-1")])
def test_bounds_need_their_units(cli: Cli, store: Store, bound: tuple[str, str]) -> None:
    """A usage error, and nothing happens."""
    assert cli("vacuum", "--store", store.directory, *bound).code == 2


# -- export and import -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "form"), [("a.txt", forms.TEXT), ("a.jsonl", forms.LINES), ("other", forms.LINES)])
def test_a_round_trip(cli: Cli, store: Store, tmp_path: Path, name: str, form: str) -> None:
    """Out into a file whose name tells the form, and in again under a new path: the same events."""
    file = tmp_path / name
    out = cli("export", "/a", str(file), "--store", store.directory)
    back = cli("import", str(file), "--as", "/imported/a", "--store", store.directory)

    assert (out.code, back.code) == (0, 0)
    with file.open("rb") as opened:
        assert forms.form_of(opened) == form
    assert list(map(fields, events(store, "/imported/a"))) == list(map(fields, events(store, "/a")))
    assert "40 events of /a" in out.err
    assert "events 0 to 39" in back.err
    assert not list(tmp_path.glob("*.new"))
    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("form", [forms.THEATER_JSON, forms.FRAMES])
def test_what_a_form_loses_is_said(cli: Cli, store: Store, tmp_path: Path, form: str) -> None:
    """On both ways."""
    file = str(tmp_path / "a")
    out = cli("export", "/a", file, "--form", form, "--store", store.directory)
    back = cli("import", file, "--as", "/b2", "--store", store.directory)

    assert forms.LOSES[form] in out.err
    assert forms.LOSES[form] in back.err
    assert [event.hash for event in events(store, "/b2")] == [event.hash for event in EVENTS]


def test_a_part_goes_to_standard_output(cli: Cli, store: Store) -> None:
    """By number, both ends included."""
    said = cli("export", "/a", "--since", "5", "--until", "7", "--store", store.directory)

    assert said.code == 0
    assert [json.loads(line)["seq"] for line in said.out.splitlines()] == [5, 6, 7]


def test_a_trimmed_chain_comes_back_with_its_base(cli: Cli, store: Store, tmp_path: Path) -> None:
    """It says that its beginning is not there, and verifies all the same."""
    cli("vacuum", "--store", store.directory, "--events", "10", "--unreplayable")
    file = str(tmp_path / "a.txt")
    out = cli("export", "/a", file, "--store", store.directory)
    cli("import", file, "--as", "/x", "--store", store.directory)

    assert "events 0 to 29 are not kept any more" in out.err
    assert [event.seq for event in events(store, "/x")] == list(range(30, 40))
    assert cli("verify", file).code == 0


def test_a_chain_of_the_rust_theater(cli: Cli, store: Store, tmp_path: Path) -> None:
    """It is verified by its own rule and gets our hashes, which is said."""
    file = tmp_path / "old.json"
    with file.open("wb") as out:
        forms.write(forms.THEATER_JSON, vector_events(0), out.write)
    said = cli("import", str(file), "--as", "/old", "--store", store.directory)

    assert said.code == 0
    assert f"its hashes were Theater's (the last one {vector_events(0)[-1].hash.hex()})" in said.err
    assert len(events(store, "/old")) == len(vector_events(0))


def test_a_chain_that_is_not_valid_is_exit_code_8(cli: Cli, store: Store, tmp_path: Path) -> None:
    """And what is no chain at all; nothing comes in."""
    file = tmp_path / "bad.jsonl"
    with file.open("wb") as out:
        forms.write(forms.LINES, [*EVENTS[:3], replace(EVENTS[3], data=b"?")], out.write)
    broken = cli("import", str(file), "--as", "/x", "--store", store.directory)
    file.write_text("{}")
    none = cli("import", str(file), "--as", "/x", "--store", store.directory)

    assert (broken.code, none.code) == (8, 8)
    assert "event 3: its data" in broken.err
    assert "line 1: expected an event" in none.err
    with StoreReader(store.directory) as reader:
        assert reader.find("/x") is None


def test_a_path_that_is_taken(cli: Cli, store: Store, tmp_path: Path) -> None:
    """Exit code 1, and another one is to be chosen."""
    file = str(tmp_path / "a.txt")
    cli("export", "/a", file, "--store", store.directory)
    said = cli("import", file, "--as", "/b", "--store", store.directory)

    assert said.code == 1
    assert "/b: the store has an actor of that name already" in said.err


def test_an_export_that_fails_leaves_the_file_as_it_was(
    cli: Cli, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is half there."""
    file = tmp_path / "a.txt"
    file.write_text("before")
    change(store, "UPDATE batches SET events = x'00' WHERE first_seq = 30")
    said = cli("export", "/a", str(file), "--store", store.directory)

    assert said.code == 1
    assert file.read_text() == "before"
    assert [path.name for path in tmp_path.iterdir() if "a.txt" in path.name] == ["a.txt"]


def test_an_unknown_actor_is_not_exported(cli: Cli, store: Store, tmp_path: Path) -> None:
    """No file is made."""
    assert cli("export", "/nobody", str(tmp_path / "x.txt"), "--store", store.directory).code == 4
    assert not (tmp_path / "x.txt").exists()


def test_a_file_that_is_not_there(cli: Cli, store: Store) -> None:
    """Exit code 1 and its name."""
    said = cli("import", "none.txt", "--as", "/x", "--store", store.directory)

    assert said.code == 1
    assert "none.txt" in said.err
