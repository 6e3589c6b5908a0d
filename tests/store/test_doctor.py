"""Doctor: everything that is wrong is found and said; what is repaired is safe, said, and stays repaired."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from supervisor.store import StoreError, StoreReader
from supervisor.store.doctor import ERROR, NOTE, WARNING, Finding, examine
from supervisor.store.journal import Journal, State
from supervisor.store.repairing import repair
from supervisor.store.schema import open_for_writing
from supervisor.store.trimming import trim
from tests.chain.chains import batch, chain
from tests.store.conftest import Store
from tests.store.histories import NOW_NS, keeping, leave_ring
from theater.chain import ChainEvent, encode_frame, event_hash, payload

EVENTS = chain(30)
FUNCTION = "a:b/c.d"


@pytest.fixture
def actor(store: Store) -> str:
    """An actor with ten events in two batches, in a store that is stopped."""
    actor = store.actor("/a")
    store.append(actor, EVENTS[:5])
    store.append(actor, EVENTS[5:10])
    store.stored(actor, 9)
    store.close()
    return actor


def change(store: Store, sql: str, *values: object) -> None:
    db = sqlite3.connect(os.path.join(store.directory, "theater.db"))
    with db:
        db.execute(sql, values)
    db.close()


def findings(store: Store) -> list[Finding]:
    return list(examine(store.directory))


def only(store: Store) -> Finding:
    (finding,) = findings(store)
    return finding


def repaired(store: Store) -> list[str]:
    return list(repair(store.directory))


def seqs(store: Store, path: str = "/a") -> list[int]:
    with StoreReader(store.directory) as reader:
        actor = reader.find(path)
        assert actor is not None
        assert reader.verify(actor.id).ok
        return [event.seq for event in reader.events(actor.id)]


def test_a_sound_store_has_no_findings(store: Store, actor: str) -> None:
    """And nothing to be repaired."""
    assert findings(store) == []
    assert repaired(store) == []


def test_a_sound_store_that_is_written_to_has_no_findings(store: Store) -> None:
    """Rings and living incarnations are as they should be then."""
    actor = store.actor("/a")
    store.writer.begin_incarnation(actor, 1, routing=b"r", package="p", manifest="m", first_seq=0)
    store.append(actor, EVENTS[:3])
    store.stored(actor, 2)
    leave_ring(store, "r", actor, EVENTS[3:5])

    assert findings(store) == []


def test_a_store_in_use_is_not_repaired(store: Store) -> None:
    """Its supervisor would not know."""
    with pytest.raises(StoreError, match="stop it first"):
        repaired(store)


def test_a_trimmed_store_is_sound(store: Store, actor: str) -> None:
    """Its chains verify from their bases."""
    db = open_for_writing(store.directory)
    assert [step for step in trim(db, keeping(events=5), NOW_NS) if step]
    db.close()

    assert findings(store) == []
    assert seqs(store) == [5, 6, 7, 8, 9]


def test_no_store(tmp_path: Path) -> None:
    """It says how one is named."""
    with pytest.raises(StoreError, match="--tree"):
        list(examine(str(tmp_path)))


# -- the file ----------------------------------------------------------------------------------------------------------


def test_a_file_that_is_no_database(store: Store, actor: str) -> None:
    """An error, with what to do."""
    Path(store.directory, "theater.db").write_bytes(b"x" * 10_000)

    assert (only(store).severity, only(store).kind) == (ERROR, "database")
    assert ".recover" in only(store).text


def test_another_database(store: Store, actor: str) -> None:
    """One without our tables is not a store."""
    path = Path(store.directory, "theater.db")
    path.unlink()
    sqlite3.connect(path).execute("CREATE TABLE other (x)").connection.close()
    path.chmod(0o600)

    assert findings(store)[0].kind == "schema"
    assert findings(store)[0].severity == ERROR


def test_a_damaged_page(store: Store, actor: str) -> None:
    """Wherever SQLite notices."""
    path = Path(store.directory, "theater.db")
    data = bytearray(path.read_bytes())
    data[3 * 8192 : 4 * 8192] = b"\xee" * 8192
    path.write_bytes(data)

    assert "database" in {finding.kind for finding in findings(store) if finding.severity == ERROR}


def test_an_older_store_is_brought_up_to_date(store: Store, actor: str) -> None:
    """It can be looked at before; with the repair its states get their column."""
    change(store, "UPDATE meta SET value = '1' WHERE key = 'schema'")
    change(store, "DROP TABLE bases")
    change(store, "DROP TABLE imports")
    change(store, "ALTER TABLE states DROP COLUMN digest")
    change(store, "INSERT INTO states VALUES (?, 9, x'00')", actor)

    assert (only(store).severity, only(store).kind) == (NOTE, "schema")
    repaired(store)
    assert findings(store) == []
    with StoreReader(store.directory) as reader:
        assert reader.state_at(actor) == (9, b"\0")


def test_a_store_that_is_open_to_others(store: Store, actor: str) -> None:
    """History may hold secrets."""
    os.chmod(store.directory, 0o755)

    assert only(store).kind == "mode"
    assert len(repaired(store)) == 1
    assert findings(store) == []


# -- chains ------------------------------------------------------------------------------------------------------------


def test_a_changed_event(store: Store, actor: str) -> None:
    """It is named, and never repaired away."""
    data = batch(EVENTS[5:10]).replace(EVENTS[7].data, b"?" * len(EVENTS[7].data))
    change(store, "UPDATE batches SET events = ? WHERE first_seq = 5", data)

    assert (only(store).severity, only(store).kind, only(store).where) == (ERROR, "chain", "/a")
    assert "event 7: its data" in only(store).text
    assert "7 events before that are good" in only(store).text
    assert only(store).repair is None
    assert repaired(store) == []
    assert len(findings(store)) == 1


def test_a_missing_batch(store: Store, actor: str) -> None:
    """Its absence is seen, and stays so."""
    change(store, "DELETE FROM batches WHERE first_seq = 0")

    assert "events before it are missing" in only(store).text
    assert repaired(store) == []


@pytest.mark.parametrize("cut", [1, 40, 90])
def test_a_torn_end_is_cut_off_and_kept(store: Store, actor: str, cut: int) -> None:
    """The events before are all there, what was cut is in a file, and the chain can go on."""
    whole = batch(EVENTS[5:10])
    change(store, "UPDATE batches SET events = ? WHERE first_seq = 5", whole[:-cut])
    assert only(store).repair is not None
    assert any("cut its torn end off" in line for line in repaired(store))
    found = seqs(store)

    assert findings(store) == []
    assert found == list(range(found[-1] + 1))
    assert found[-1] in (7, 8)
    (kept,) = Path(store.directory, "cut").iterdir()
    assert whole.find(kept.read_bytes()) > 0
    again = Store(store.directory)
    assert again.writer.actor_for("/a")[1:] == (found[-1] + 1, EVENTS[found[-1]].hash)
    again.close()


def test_a_batch_that_is_torn_from_its_beginning_goes_wholly(store: Store, actor: str) -> None:
    """The one before is the last then."""
    change(store, "UPDATE batches SET events = x'00' WHERE first_seq = 5")
    repaired(store)

    assert seqs(store) == [0, 1, 2, 3, 4]


def test_a_batch_torn_in_the_middle_of_the_chain_stays(store: Store, actor: str) -> None:
    """What follows it would hang in the air."""
    change(store, "UPDATE batches SET events = substr(events, 1, 50) WHERE first_seq = 0")

    assert only(store).repair is None
    assert repaired(store) == []


# -- what belongs to nobody --------------------------------------------------------------------------------------------


def test_events_of_an_actor_that_is_not_known_get_a_path(store: Store, actor: str) -> None:
    """Nothing that can be read is thrown away."""
    change(store, "DELETE FROM actors")

    assert (only(store).severity, only(store).where) == (ERROR, actor)
    repaired(store)
    assert findings(store) == []
    assert seqs(store, f"/lost/{actor}") == list(range(10))


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO states VALUES ('nobody', 1, x'00', NULL)",
        "INSERT INTO dead_letters VALUES ('nobody', 1, '', '', 1, 1)",
        "INSERT INTO bases VALUES ('nobody', 1, x'00', 1)",
        "INSERT INTO names VALUES ('nobody', 'n', 'unique', 1)",
        "INSERT INTO incarnations VALUES ('nobody', 1, x'00', '', '', 0, 0, 0, NULL)",
    ],
)
def test_rows_of_an_actor_that_is_not_there(store: Store, actor: str, sql: str) -> None:
    """They mean nothing, and go."""
    change(store, sql)

    assert (only(store).severity, only(store).where) == (WARNING, "nobody")
    assert len(repaired(store)) == 1
    assert findings(store) == []


def test_what_an_interrupted_import_left(store: Store, actor: str) -> None:
    """It was never seen, and goes."""
    change(store, "INSERT INTO imports VALUES ('x', 'file', 'sha256', NULL, 0, NULL)")
    columns = "0, 4, 1, NULL, head_hash, events, 0"
    change(store, f"INSERT INTO batches SELECT 'x', {columns} FROM batches WHERE first_seq = 0")

    assert (only(store).kind, only(store).severity) == ("import", WARNING)
    repaired(store)
    assert findings(store) == []
    assert seqs(store) == list(range(10))


def test_lives_that_never_ended(store: Store) -> None:
    """Their supervisor was killed: a note, and the next start writes it down; so does the repair."""
    store.writer.begin_incarnation(store.actor("/a"), 1, routing=b"r", package="p", manifest="m", first_seq=0)
    store.close()

    assert (only(store).kind, only(store).severity) == ("incarnations", NOTE)
    repaired(store)
    assert findings(store) == []


# -- states ------------------------------------------------------------------------------------------------------------


def with_state(store: Store, actor: str, said: bytes, kept: bytes, seq: int = 10) -> None:
    """A result event that speaks of one state, and another one that is kept."""
    data = payload.result(FUNCTION, said, payload.state_hash(b""))
    digest = event_hash(EVENTS[9].hash, "wasm", data)
    event = ChainEvent(10, 0, 1, "wasm", data, EVENTS[9].hash, digest)
    again = Store(store.directory)
    frame = encode_frame(10, 0, "wasm", data, digest)
    again.writer.append(actor, 1, 10, 10, event.parent_hash, digest, frame)
    again.stored(actor, 10)
    again.close()
    db = open_for_writing(store.directory)
    Journal(db).commit([State(actor, seq, kept)])
    db.close()


def test_the_state_its_event_speaks_of(store: Store, actor: str) -> None:
    """Is fine."""
    with_state(store, actor, b"one", b"one")

    assert findings(store) == []


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        (lambda store, actor: with_state(store, actor, b"one", b"two"), "is not the one its event speaks of"),
        (lambda store, actor: with_state(store, actor, b"one", b"one", seq=99), "an event that is not there"),
    ],
)
def test_a_state_nobody_should_begin_from(
    store: Store, actor: str, damage: Callable[[Store, str], None], problem: str
) -> None:
    """It is removed: `recover: last` takes an earlier one then, or begins anew."""
    damage(store, actor)

    assert problem in only(store).text
    assert (only(store).severity, only(store).kind) == (ERROR, "states")
    assert len(repaired(store)) == 1
    assert findings(store) == []


def test_a_state_that_was_changed(store: Store, actor: str) -> None:
    """Its digest tells."""
    with_state(store, actor, b"one", b"one")
    change(store, "UPDATE states SET state = x'ff'")

    assert "was changed" in only(store).text


# -- rings -------------------------------------------------------------------------------------------------------------


def test_rings_that_were_left(store: Store, actor: str) -> None:
    """They are read in; the chain is longer then."""
    leave_ring(store, "r1", actor, EVENTS[10:12])

    assert (only(store).severity, only(store).kind) == (WARNING, "ring")
    assert "events 10 to 11" in only(store).text
    assert any("read in (2 events)" in line for line in repaired(store))
    assert findings(store) == []
    assert seqs(store) == list(range(12))


def test_a_torn_ring_is_read_as_far_as_it_goes_and_kept(store: Store, actor: str) -> None:
    """Nothing is thrown away, and it is said."""
    path = leave_ring(store, "r1", actor, EVENTS[10:13])
    with open(path, "r+b") as ring:
        data = bytearray(ring.read())
        at = data.rindex(EVENTS[12].hash)
        data[at] ^= 0xFF
        ring.seek(0)
        ring.write(data)

    assert "ends early" in only(store).text
    lines = repaired(store)
    assert any("kept as r1.ring.kept" in line for line in lines)
    assert seqs(store) == list(range(12))
    assert [(finding.severity, finding.kind) for finding in findings(store)] == [(NOTE, "ring")]


def test_files_beside_rings_that_have_gone(store: Store, actor: str) -> None:
    """Of no use to anybody."""
    rings = Path(store.directory, "rings")
    rings.mkdir(exist_ok=True)
    (rings / "r9.state").write_bytes(b"")
    (rings / "r9.ring.5.spill").write_bytes(b"")

    assert [finding.severity for finding in findings(store)] == [NOTE, NOTE]
    assert len(repaired(store)) == 2
    assert findings(store) == []


def test_what_cannot_be_written_is_said(store: Store, actor: str) -> None:
    """A repair that fails ends with an error of the store."""
    change(store, "CREATE TRIGGER no BEFORE DELETE ON states BEGIN SELECT raise(ABORT, 'no'); END")
    change(store, "INSERT INTO states VALUES (?, 99, x'00', NULL)", actor)
    with pytest.raises(StoreError, match="cannot be written: no"):
        repaired(store)


def test_progress_is_told(store: Store, actor: str) -> None:
    """For whoever waits."""
    told: list[tuple[str, int, int]] = []
    list(examine(store.directory, lambda *what: told.append(what)))

    assert told[-1] == ("/a", 10, 10)


