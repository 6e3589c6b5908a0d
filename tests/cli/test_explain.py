"""``theater explain`` of actors in a tree file: the packages are real, nothing runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import pytest

from supervisor.cli import exits
from supervisor.cli.main import main
from tests.system import guests

TREE = """\
version: 1
name: it
children:
  - id: granted
    actor: counter.wasm
    pass: {others: disallow, links: {allow: ["/a/b"]}}
    limits: {guest_time: 90s per 1h, host_calls: 1000 or stop, outgoing: 1MiB per 1s or error}
    grants:
      runtime: {}
      links: {allow: ["/a/*"]}
      http-client:
        allow: ["https://a.example"]
        secrets: {TOKEN: topsecret}
  - id: bare
    actor: counter.wasm
  - id: sheet
    actor: sheet.toml
  - id: bounded
    actor: counter.wasm
    grants:
      timer: {min_interval: 90s}
      process: {programs: [/bin/cat], timeout: 20s, max_input: 2KiB, max_processes: 2}
"""
SHEET = """\
name = "sheet"
package = "counter.wasm"

[[handler]]
type = "runtime"
"""


@pytest.fixture
def tree(tmp_path: Path) -> str:
    (tmp_path / "counter.wasm").write_bytes(guests.counter())
    (tmp_path / "sheet.toml").write_text(SHEET)
    (tmp_path / "tree.yaml").write_text(TREE)
    return str(tmp_path / "tree.yaml")


def explain(capsys: pytest.CaptureFixture[str], tree: str, path: str) -> dict[str, Any]:
    arguments = ["explain", path, "--tree", tree, "-o", "json", "--cache", str(Path(tree).parent / "cache")]
    assert main(arguments) == exits.OK
    found: dict[str, Any] = msgspec.json.decode(capsys.readouterr().out)
    return found


def test_each_grant_and_where_it_is_written(tree: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With its options, the defaults among them, what the package uses of it, and what children may have."""
    found = explain(capsys, tree, "/granted")

    runtime, links, client = found["may"]
    assert (runtime["grant"], runtime["from"], runtime["used"], runtime["children"]) == (
        "runtime", f"{tree}:9", True, "disallow",
    )  # fmt: skip
    assert links["options"] == {"allow": ["/a/*"], "monitor": "none (default)"}
    assert (links["used"], links["children"]) == (False, {"allow": ["/a/b"]})
    assert client["options"]["max_body"] == "16MiB (default)"
    assert found["limits"]["memory"] == "64MiB"


def test_options_as_they_would_be_written(tree: str, capsys: pytest.CaptureFixture[str]) -> None:
    """With the units of their kinds, whatever they are called."""
    timer, process = explain(capsys, tree, "/bounded")["may"]

    assert timer["options"] == {"min_interval": "90s", "max_timers": "64 (default)"}
    assert {key: process["options"][key] for key in ("timeout", "max_input", "max_processes", "max_output")} == {
        "timeout": "20s",
        "max_input": "2KiB",
        "max_processes": 2,
        "max_output": "1MiB (default)",
    }


def test_limits_as_they_would_be_written(tree: str, capsys: pytest.CaptureFixture[str]) -> None:
    """In the largest units; none where there is none."""
    limits = explain(capsys, tree, "/granted")["limits"]

    assert {key: limits[key] for key in ("guest_time", "host_calls", "outgoing", "chain_events")} == {
        "guest_time": "90s per 1h or throttle",
        "host_calls": "1000 or stop",
        "outgoing": "1MiB per 1s or error",
        "chain_events": "none",
    }


def test_what_opens_each_import(tree: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The line that grants it."""
    found = explain(capsys, tree, "/granted")

    assert {item["import"]: item["why"] for item in found["imports"]} == {
        "theater:simple/runtime.log": f"granted at {tree}:9",
        "theater:simple/runtime.shutdown": f"granted at {tree}:9",
    }
    assert found["refused"] == []


def test_what_is_refused(tree: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Deny by default; the grant that would open it is named."""
    found = explain(capsys, tree, "/bare")

    assert found["may"] == []
    assert found["refused"][0] == "theater:simple/runtime.log: nobody grants it: grants: {runtime: {}} would"


def test_a_grant_of_a_manifest(tree: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The manifest's line is named, not the tree's."""
    (grant,) = explain(capsys, tree, "/sheet")["may"]

    assert grant["from"] == f"{Path(tree).parent / 'sheet.toml'}:5"


def test_secrets_are_not_shown(tree: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Their names are."""
    main(["explain", "/granted", "--tree", tree, "-o", "table"])
    said = capsys.readouterr().out

    assert "topsecret" not in said
    assert 'secrets: {"TOKEN":"(hidden)"}' in said


def test_an_unknown_actor(tree: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Is an unknown name."""
    assert main(["explain", "/nobody", "--tree", tree]) == exits.UNKNOWN_NAME
    assert "/nobody" in capsys.readouterr().err
