"""Everything these interfaces answered is in the record: a replay needs no clock, no file, no chance and no program."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.guests import wat
from tests.guests.pack import Value, boolean, encode, listed, none, octets, ok, some, text, tup, u32, u64
from tests.replay import recording
from theater import cgrf
from theater.grants import (
    ASSEMBLER,
    ENVIRONMENT,
    FILESYSTEM,
    LOOP,
    PROCESS,
    RANDOM,
    TERMINAL,
    TIMER,
    TIMING,
)
from worker.engine.contract import Ok
from worker.interfaces.registry import known

NOTHING = tup()
NO_NUMBER = none(b"\x0f")


def texts(*items: str) -> Value:
    return listed(b"\x06", [text(item) for item in items])


CALLS: dict[str, list[tuple[str, Value]]] = {
    TIMER: [
        ("set-interval", tup(text("a"), u64(100))),
        ("set-once", tup(text("b"), u64(100))),
        ("list-timers", NOTHING),
        ("clear-interval", text("a")),
        ("clear-interval", text("a")),
        ("now", NOTHING),
    ],
    RANDOM: [
        ("bytes", u32(16)),
        ("u64", NOTHING),
        ("range", tup(u64(0), u64(1 << 60))),
        ("range", tup(u64(1), u64(0))),
        ("uuid", NOTHING),
    ],
    TIMING: [("now", NOTHING), ("monotonic", NOTHING), ("sleep", u64(1)), ("sleep", u64(1 << 40))],
    ENVIRONMENT: [("get", text("A")), ("get", text("B")), ("exists", text("A")), ("list", NOTHING)],
    FILESYSTEM: [
        ("create-dir", text("/data/d")),
        ("write-file", tup(text("/data/a"), octets(b"abc"))),
        ("append", tup(text("/data/a"), octets(b"def"))),
        ("read-file", text("/data/a")),
        ("read-file", text("/data/../a")),
        ("read-range", tup(text("/data/a"), u64(1), u32(2))),
        ("stat", text("/data/a")),
        ("exists", text("/data/a")),
        ("copy", tup(text("/data/a"), text("/data/b"))),
        ("rename", tup(text("/data/b"), text("/data/c"))),
        ("list-dir", text("/data")),
        ("delete-file", text("/data/c")),
        ("delete-dir", text("/data/d")),
    ],
    LOOP: [("start-loop", octets(b"")), ("start-loop", octets(b"")), ("stop-loop", NOTHING)],
    ASSEMBLER: [("wat-to-wasm", text("(module)")), ("wat-to-wasm", text("("))],
    TERMINAL: [
        ("write-stdout", octets(b"hello\n")),
        ("write-stderr", octets(b"oops\n")),
        ("set-raw-mode", boolean(True)),
        ("get-size", NOTHING),
        ("enable-input", NOTHING),
    ],
    PROCESS: [
        ("run", tup(text("/bin/cat"), texts(), octets(b"hello"), NO_NUMBER)),
        ("run", tup(text("/bin/cat"), texts("-n"), octets(b"hello"), some(u64(5000)))),
        ("run", tup(text("/bin/ls"), texts(), octets(b""), NO_NUMBER)),
        ("spawn", tup(text("/bin/cat"), texts())),
        ("poll", text("proc_1")),
        ("write-stdin", tup(text("proc_1"), octets(b"x"))),
        ("close-stdin", text("proc_1")),
        ("kill", text("proc_1")),
    ],
}


def test_every_function_is_here() -> None:
    """One that is added is to be replayed, too."""
    assert {name: {call for call, _ in calls} for name, calls in CALLS.items()} == {
        name: {each.name for each in known()[name].functions} for name in CALLS
    }


def guest_of(interface: str) -> bytes:
    """An actor with a function for each of the calls."""
    imports = {}
    for each in known()[interface].functions:
        signature = each.variants[0].signature.removeprefix("func")
        for name, type_ in (each.variants[0].names or {}).items():
            fields = ", ".join(f"{field}: {kind}" for field, kind in type_.fields)  # type: ignore[attr-defined]
            signature = signature.replace(name, f"record {name} {{{fields}}}")
        imports[each.name] = wat.Import(f"{interface}.{each.name}", signature)
    functions = [
        wat.Function(f"{recording.API}.c{number}", recording.PLAIN, [wat.calls(imports[name], data), does_well()])
        for number, (name, data) in enumerate(CALLS[interface])
    ]
    return wat.build(functions=[wat.starts(u32(0)), *functions], imports=list(imports.values()))


def does_well() -> wat.Behaviour:
    return wat.returns(encode(ok(u32(1))))


@pytest.mark.parametrize("interface", sorted(CALLS))
def test_recorded_and_replayed(interface: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each call is in the chain with what went in and what came out; a replay goes the same way without a host."""
    options: dict[str, Any] = {
        "variables": {"A": "1"},
        "programs": ["/bin/cat"],
        "directories": [{"host": str(tmp_path), "guest": "/data", "write": True}],
    }
    package = guest_of(interface)
    monkeypatch.setattr(recording, "guest", lambda: package)
    monkeypatch.setattr(recording, "ALL_GRANTS", {interface: options})
    life = recording.Life()
    life.grants[interface] = options
    try:
        for number in range(len(CALLS[interface])):
            assert isinstance(life.call(f"c{number}"), Ok)
    finally:
        life.close()
    recorded = [each.event_type for each in life.chain if each.event_type.startswith(interface)]

    assert recorded == [f"{interface}/{name}" for name, _ in CALLS[interface]]
    summary = recording.replayed(life)
    assert summary.success, str(summary)
    assert cgrf.decode(life.state) is not None
