"""An actor that says what would steer a terminal: no verb passes it on, and JSON holds it exactly."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.guests import wat
from tests.guests.pack import ok, text, tup, u64
from tests.system.running import RunningTree, until
from theater.errors import ActorError

RUDE = "\x1b[2J\x1b]0;mine\x07\u202e\u009b1m\r\nINFO all is well\u2028"
STEERING = set(RUDE) - set("\n") - {each for each in RUDE if each.isprintable()}
API = "test:rude/api"
PLAIN = "(state: u64) -> result<tuple<u64>, string>"
EXIT = wat.Import("theater:simple/links.exit", "(actor: string, reason: string) -> result<_, string>")
REGISTER = wat.Import("theater:simple/names.register", "(name: string) -> result<_, string>")

TREE = """
version: 1
name: rude
intensity: 100
children:
  - {id: a, actor: rude.wasm, grants: {runtime: {}, links: {allow: ["/**"]}, names: {}}}
  - {id: b, actor: rude.wasm, restart: temporary, grants: {runtime: {}, links: {}, names: {}}}
"""


def rude() -> bytes:
    """Logs it, fails with it, ends another with it, and wants it as a name."""
    fine = wat.returns(ok(u64(1)))
    return wat.build(
        functions=[
            wat.starts(u64(1)),
            wat.Function(f"{API}.log", PLAIN, [wat.calls(wat.LOG, text(RUDE)), fine]),
            wat.Function(f"{API}.fail", PLAIN, wat.declines(RUDE)),
            wat.Function(f"{API}.end", PLAIN, [wat.calls(EXIT, tup(text("/b"), text(RUDE))), fine]),
            wat.Function(f"{API}.call-itself", PLAIN, [wat.calls(REGISTER, text(RUDE)), wat.returns_host_answer()]),
        ],
        imports=[wat.LOG, EXIT, REGISTER],
    )


@pytest.fixture
def tree(home: Path, start: Callable[..., RunningTree]) -> RunningTree:
    """One that has said all it can."""
    (home / "rude.wasm").write_bytes(rude())
    tree = start(TREE)
    tree.actor("/a").call(f"{API}.log")
    tree.actor("/a").call(f"{API}.end")
    for refused in ("fail", "call-itself"):
        with pytest.raises(ActorError):
            tree.actor("/a").call(f"{API}.{refused}")
    until(lambda: "ended by an exit signal of /a" in tree.said.read_text(), "the end of /b")
    return tree


def test_no_verb_passes_it_on(tree: RunningTree) -> None:
    """Lines, tables, drawings, YAML, and what the supervisor itself says."""
    verbs = ["logs", "events /a", "events /b", "status", "status /b", "tree", "top --rounds 1", "explain /a"]
    outputs = {verb: tree.cli(*verb.split(), "-o", "table", check=None) for verb in verbs}
    outputs["call"] = tree.cli("call", "/a", "fail", check=None)
    outputs["start"] = tree.said.read_text()

    assert {verb for verb, output in outputs.items() if STEERING & set(output)} == set()
    assert "\\u001b[2J" in outputs["logs"]
    assert "\\u001b[2J" in outputs["events /a"]
    assert "\\u001b[2J" in outputs["start"]


def test_no_line_is_made_up(tree: RunningTree) -> None:
    """An end of a line in what it says is none on the screen."""
    for verb in ("logs", "events /a", "events /b", "tree"):
        assert "\nINFO all" not in tree.cli(*verb.split(), "-o", "table"), verb
    assert "\nINFO all" not in tree.said.read_text()


def test_programs_get_what_was_said(tree: RunningTree) -> None:
    """JSON says it without sending it."""
    logs = tree.cli("logs", "-o", "jsonl")
    events = tree.cli("events", "/a", "-o", "jsonl")

    assert any(json.loads(line)["event"] == RUDE for line in logs.splitlines())
    assert any(json.loads(line)["fields"].get("input") == RUDE for line in events.splitlines())
    assert not STEERING & set(logs + events)
