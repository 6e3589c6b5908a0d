"""The verbs that read what was recorded: events, verify, logs. The store is faked; the events are real."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import supervisor.store
from proto import info
from tests.cli.conftest import Cli, Said
from tests.client.faketree import FakeTree
from tests.guests import wat
from tests.guests.pack import u32
from theater import cgrf, values
from theater.chain import ChainEvent, encode_frame, event_hash, files, payload, verify

FUNCTION = "a:b/c.add"


class Known:
    """An actor in the fake store."""

    def __init__(self, path: str, events: list[ChainEvent]) -> None:
        self.id = f"id-of-{path.strip('/')}"
        self.path = path
        self.chain = events
        self.events = len(events)
        self.last_seq = len(events) - 1
        self.head_hash = events[-1].hash if events else None


class FakeReader:
    """A store that holds what the test says."""

    known: list[Known] = []
    opened: list[str] = []

    def __init__(self, directory: str) -> None:
        self.opened.append(directory)

    def __enter__(self) -> FakeReader:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def actors(self) -> list[Known]:
        return self.known

    def find(self, target: str) -> Known | None:
        return next((actor for actor in self.known if target in (actor.path, actor.id)), None)

    def events(
        self, actor: str, since: Any = None, types: Any = None, limit: Any = None, reverse: bool = False
    ) -> Iterator[ChainEvent]:
        found = self.find(actor)
        assert found is not None
        chosen = [e for e in found.chain if e.seq >= (since or 0) and (not types or e.event_type in types)]
        return iter((chosen[::-1] if reverse else chosen)[:limit])

    def verify(self, actor: str) -> Any:
        found = self.find(actor)
        assert found is not None
        return verify(found.chain)


def chain(*payloads: tuple[str, bytes]) -> list[ChainEvent]:
    """Return a sound chain with these types and data."""
    events: list[ChainEvent] = []
    parent = None
    for seq, (event_type, data) in enumerate(payloads):
        digest = event_hash(parent, event_type, data)
        events.append(ChainEvent(seq, 1_700_000_000_000_000_000 + seq, 1, event_type, data, parent, digest))
        parent = digest
    return events


def add_call(amount: int) -> tuple[str, bytes]:
    return "wasm", payload.call(FUNCTION, cgrf.encode(values.Tuple((values.U32(amount),))))


def log_call(text: str) -> tuple[str, bytes]:
    unit = cgrf.encode(values.Tuple(()))
    return "x:y/z/log", payload.host_call("x:y/z", "log", cgrf.encode(values.String(text)), unit)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> type[FakeReader]:
    """The store, with three events of /counter."""
    monkeypatch.setattr(supervisor.store, "StoreReader", FakeReader)
    FakeReader.known = [Known("/counter", chain(add_call(5), log_call("hello"), add_call(6)))]
    FakeReader.opened = []
    return FakeReader


def rows(said: Said) -> list[dict[str, Any]]:
    assert said.code in (0, 8), said
    return [json.loads(line) for line in said.out.splitlines()]


# -- events -----------------------------------------------------------------------------------------------------


def test_events_of_an_actor(cli: Cli, tree: FakeTree, store: type[FakeReader]) -> None:
    """Every event is a row with what it says in words and as data."""
    first, second, _ = rows(cli("events", "/counter"))

    assert (first["seq"], first["kind"], first["what"]) == (0, "call", f"→ {FUNCTION} (5u32)")
    assert second["fields"]["input"] == "hello"
    assert second["parent"] == first["hash"]


def test_events_are_flushed_first(cli: Cli, tree: FakeTree, store: type[FakeReader]) -> None:
    """While the tree runs, the store is asked only after the actor's events are in it."""
    cli("events", "/counter")

    assert tree.await_seen(info.Flush)[0].target == "/counter"


def test_events_for_people(cli: Cli, tree: FakeTree, store: type[FakeReader]) -> None:
    """For people an event is a line."""
    out = cli("events", "/counter", "-o", "table", "-n", "1").out

    assert out == f"     2  22:13:20.000  1  wasm  → {FUNCTION} (6u32)\n"


@pytest.mark.parametrize(
    ("options", "numbers"),
    [
        (("--since", "1"), [1, 2]),
        (("--type", "wasm"), [0, 2]),
        (("-n", "2"), [1, 2]),
        (("--since", "0", "-n", "2"), [0, 1]),
        (("-n", "0"), []),
    ],
)
def test_events_chosen(
    cli: Cli, tree: FakeTree, store: type[FakeReader], options: tuple[str, ...], numbers: list[int]
) -> None:
    """since, type and limit choose; limit alone means the newest."""
    assert [row["seq"] for row in rows(cli("events", "/counter", *options))] == numbers


def test_events_lists_actors(cli: Cli, tree: FakeTree, store: type[FakeReader]) -> None:
    """Without an actor, those with a history are listed."""
    (row,) = rows(cli("events"))

    assert (row["path"], row["events"]) == ("/counter", 3)


def test_events_of_a_stopped_tree(cli: Cli, store: type[FakeReader]) -> None:
    """With --store no supervisor is needed."""
    assert len(rows(cli("events", "/counter", "--store", "/some/store"))) == 3
    assert store.opened == ["/some/store"]


def test_events_of_the_store_of_a_tree_file(cli: Cli, store: type[FakeReader], tmp_path: Path) -> None:
    """--tree finds the store that belongs to a tree file."""
    (tmp_path / "fleet.yaml").write_text("version: 1\nname: fleet\nchildren: []\n")
    cli("events", "/counter", "--tree", str(tmp_path / "fleet.yaml"))

    assert store.opened == [str(tmp_path / ".theater" / "fleet")]


def test_events_without_a_supervisor(cli: Cli, store: type[FakeReader], monkeypatch: pytest.MonkeyPatch) -> None:
    """When nothing runs, the way to the history of a stopped tree is told."""
    said = cli("events", "/counter")

    assert said.code == 3
    assert "--tree FILE or --store DIR" in said.err


def test_events_of_nobody(cli: Cli, tree: FakeTree, store: type[FakeReader]) -> None:
    """An actor without a history is exit code 4."""
    assert cli("events", "/nobody").code == 4


def test_no_store(cli: Cli, tmp_path: Path) -> None:
    """A directory that is no store is an error in words."""
    said = cli("events", "--store", str(tmp_path))

    assert said.code == 1
    assert str(tmp_path) in said.err


def test_events_follow(cli: Cli, tree: FakeTree, store: type[FakeReader]) -> None:
    """--follow goes on with what comes, tells of gaps, and ends with the actor."""
    more = chain(add_call(5), log_call("hello"), add_call(6), add_call(7), add_call(8))[3:]
    batch = b"".join(encode_frame(e.seq, e.time_ns, e.event_type, e.data, e.hash) for e in more)
    tree.on_subscribe = [
        (info.Events(1, 1, 3, 4), [batch]),
        (info.Gap(1, 5, 9), []),
        (info.SubscriptionEnded(1, {"kind": "completed"}), []),
    ]
    said = cli("events", "/counter", "-n", "1", "--follow")

    assert [row["seq"] for row in rows(said)] == [2, 3, 4]
    assert "events 5 to 9 were not delivered" in said.err
    assert "/counter has ended: completed" in said.err
    assert tree.await_seen(info.Subscribe)[0].since == 3


# -- verify -----------------------------------------------------------------------------------------------------


def test_verify_all(cli: Cli, tree: FakeTree, store: type[FakeReader]) -> None:
    """Without arguments every chain is checked."""
    said = cli("verify")

    assert said.code == 0
    assert [(row["chain"], row["result"], row["events"]) for row in rows(said)] == [("/counter", "ok", 3)]


def test_verify_finds_a_change(cli: Cli, tree: FakeTree, store: type[FakeReader]) -> None:
    """A changed event is named, and the exit code is 8."""
    events = store.known[0].chain
    store.known[0].chain[1] = ChainEvent(
        1, 0, 1, events[1].event_type, add_call(500)[1], events[1].parent_hash, events[1].hash
    )
    said = cli("verify", "/counter")

    assert said.code == 8
    assert rows(said)[0]["first_bad"]["seq"] == 1


def test_verify_a_saved_file(cli: Cli, store: type[FakeReader], tmp_path: Path) -> None:
    """A chain that was saved is checked without any supervisor."""
    saved = tmp_path / "counter.chain"
    events = store.known[0].chain
    saved.write_bytes(b"".join(encode_frame(e.seq, e.time_ns, e.event_type, e.data, e.hash) for e in events))

    assert rows(cli("verify", str(saved)))[0]["events"] == 3
    saved.write_bytes(saved.read_bytes().replace(b"hello", b"hullo"))
    assert cli("verify", str(saved)).code == 8


def test_verify_a_saved_part(cli: Cli, store: type[FakeReader], tmp_path: Path) -> None:
    """A saved chain that begins in the middle is checked from there on."""
    saved = tmp_path / "counter.chain"
    events = store.known[0].chain[1:]
    saved.write_bytes(b"".join(encode_frame(e.seq, e.time_ns, e.event_type, e.data, e.hash) for e in events))

    assert rows(cli("verify", str(saved)))[0]["result"] == "ok"


THEATER_CHAIN = (
    ("c51a538adfbb5569f67898f2c8e57da4be236459", "wasm", [1, 2, 3]),
    ("0228ce0058058af82293b539923df6bacf31270f", "theater:simple/runtime/log", []),
    ("ac86d9f809cde4860433e871dd9d2d89e0d2d7b9", "shutdown", [255]),
)


def theater_json(chain: tuple[tuple[str, str, list[int]], ...]) -> str:
    entries, parent = [], None
    for digest, event_type, data in chain:
        own = list(bytes.fromhex(digest))
        entries.append({"hash": own, "parent_hash": parent, "event_type": event_type, "data": data})
        parent = own
    return json.dumps(entries)


def test_verify_a_chain_of_theater(cli: Cli, tmp_path: Path) -> None:
    """Chains that the Rust Theater recorded (SHA-1) are checked by their own rule."""
    file = tmp_path / "theater.json"
    file.write_text(theater_json(THEATER_CHAIN))
    (row,) = rows(cli("verify", str(file)))

    assert (row["result"], row["events"], row["algorithm"]) == ("ok", 3, files.THEATER)


def test_verify_a_changed_chain_of_theater(cli: Cli, tmp_path: Path) -> None:
    """And a change in them is found."""
    file = tmp_path / "theater.json"
    file.write_text(theater_json(THEATER_CHAIN).replace("[255]", "[254]"))

    assert cli("verify", str(file)).code == 8


@pytest.mark.parametrize("content", [b"", b"[", b"[{}]", b"\xc1\xc1", b"plain text"])
def test_verify_what_is_no_chain(cli: Cli, tmp_path: Path, content: bytes) -> None:
    """A file that is no chain is an error in words; an empty one is an empty chain."""
    file = tmp_path / "no.chain"
    file.write_bytes(content)
    said = cli("verify", str(file))

    assert said.code == (0 if content == b"" else 1)
    assert "Traceback" not in said.err


# -- logs -------------------------------------------------------------------------------------------------------


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """A store with some log lines, in a file and the one before it."""
    lines = [
        {"timestamp": "2026-01-02T03:04:05.678901Z", "level": level, "event": f"line {number}", "actor": actor}
        for number, (level, actor) in enumerate(
            [("info", "/a"), ("debug", "/a"), ("warning", "/b"), ("error", "/a"), ("info", None)]
        )
    ]
    texts = [json.dumps({key: value for key, value in line.items() if value is not None}) for line in lines]
    (tmp_path / "logs.jsonl.1").write_text("\n".join(texts[:2]) + "\n")
    (tmp_path / "logs.jsonl").write_text("\n".join(texts[2:]) + '\nnot json\n{"event": "half a li')
    return tmp_path


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        ((), [0, 1, 2, 3, 4]),
        (("-n", "2"), [3, 4]),
        (("-n", "4"), [1, 2, 3, 4]),
        (("-n", "0"), []),
        (("--actor", "/a"), [0, 1, 3]),
        (("--level", "warning"), [2, 3]),
        (("--actor", "/a", "--level", "info", "-n", "1"), [3]),
    ],
)
def test_logs_chosen(cli: Cli, logs: Path, options: tuple[str, ...], lines: list[int]) -> None:
    """Lines are chosen by actor, level and number, across files; half lines and garbage are left out."""
    said = cli("logs", "--store", str(logs), *options)

    assert [row["event"] for row in rows(said)] == [f"line {number}" for number in lines]


def test_logs_for_people(cli: Cli, logs: Path) -> None:
    """For people a line has its time, level, actor and words."""
    out = cli("logs", "--store", str(logs), "-n", "2", "-o", "table").out

    assert out == "03:04:05.678 error   /a line 3\n03:04:05.678 info    line 4\n"


def test_no_logs(cli: Cli, tmp_path: Path) -> None:
    """A store without logs is an error in words."""
    assert "logs.jsonl" in cli("logs", "--store", str(tmp_path)).err


# -- check ------------------------------------------------------------------------------------------------------


def test_check_tells_all_problems(cli: Cli, tmp_path: Path) -> None:
    """All problems of a file are told with their places; exit code 2."""
    file = tmp_path / "tree.yaml"
    file.write_text("version: 1\nstrategy: one_for_nobody\nchildren:\n  - id: a\n    actor: missing.wasm\n")
    said = cli("check", str(file))

    assert said.code == 2
    assert f"{file}:2:11: strategy" in said.err
    assert "missing.wasm" in said.err


def test_check_looks_into_packages(cli: Cli, tmp_path: Path) -> None:
    """A package that is no WebAssembly is found without starting it."""
    (tmp_path / "a.wasm").write_bytes(b"not wasm at all")
    file = tmp_path / "tree.yaml"
    file.write_text("version: 1\nchildren:\n  - {id: a, actor: a.wasm}\n")
    said = cli("check", str(file), "--cache", str(tmp_path / "cache"))

    assert said.code == 2
    assert "a.wasm" in said.err
    assert cli("check", str(file), "--quick").code == 0


@pytest.mark.parametrize(("state", "code"), [("5", 0), ("'five'", 2), ("{count: 5}", 2), ("-1", 2)])
def test_check_compares_the_state_with_what_the_package_takes(
    cli: Cli, tmp_path: Path, state: str, code: int
) -> None:
    """Before anything is started."""
    types = "(state: u32) -> result<tuple<u32>, string>"
    init = wat.Function("theater:simple/actor.init", types, wat.returns(wat.ok(u32(0))))
    (tmp_path / "counter.wasm").write_bytes(wat.build(functions=[init]))
    file = tmp_path / "tree.yaml"
    child = f"{{id: a, actor: counter.wasm, state: {state}}}"
    file.write_text(f"version: 1\nchildren:\n  - {child}\n")
    said = cli("check", str(file), "--cache", str(tmp_path / "cache"))

    assert said.code == code, said
    assert ("its state does not fit" in said.err) == (code != 0)
