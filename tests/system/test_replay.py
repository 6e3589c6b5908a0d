"""``theater replay`` on histories that real workers have recorded."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from tests.examples.terminal import steps, terminal_beside
from tests.system import guests
from tests.system.running import RunningTree, running_tree
from theater.errors import InternalError, OperationTimeout

ROOT = Path(__file__).parents[2]
TREE = """
version: 1
name: replays
intensity: 100000
period: 1s
children:
  - {id: counter, actor: counter.wasm, grants: {runtime: {}}, recover: last, limits: {call_deadline: 500ms}}
"""


@pytest.fixture
def tree(home: Path) -> Iterator[RunningTree]:
    """A counter that has lived through everything that can happen to one."""
    with running_tree(home, TREE) as tree:
        live_through_everything(tree)
        yield tree


def live_through_everything(tree: RunningTree) -> None:
    counter = tree.actor("/counter")
    for by in (1, 2, 3):
        counter.call("bump", (by,))
    counter.call("log")
    for function in ("fail", "trap", "spin"):
        with pytest.raises(InternalError):
            counter.call(function)
        tree.wait_incarnation("/counter", 1)
        counter.call("bump", (1,))
    with pytest.raises(OperationTimeout):
        counter.call("spin", timeout=0.05)
    tree.kill("/counter")
    counter.call("bump", (1,))


def test_it_verifies_a_running_actor_and_a_stopped_tree(tree: RunningTree) -> None:
    """Traps, deadlines and a SIGKILL in the middle of a call included; the state comes out as it was."""
    state = tree.actor("/counter").get_state()
    live = tree.cli("replay", "/counter")
    at_the_end = tree.cli("replay", "/counter", "--until", "100000")
    tree.stop()
    stopped = tree.cli("replay", "/counter", "--tree", str(tree.tree_file), "--store", str(tree.store_dir))

    assert "Replay complete" in live
    assert f"state: {state}u32" in at_the_end
    assert "Replay complete" in stopped


def test_it_stops_where_it_is_told_and_shows_the_state(tree: RunningTree) -> None:
    """By number and by hash; in the middle of a call the state is that before it."""
    events = msgspec.json.decode(tree.cli("events", "/counter", "--output", "json"))
    returned = [event for event in events if event["type"] == "wasm"][3]  # init, then bump(1)
    seq = returned["seq"]

    assert "state: 0u32" in tree.cli("replay", "/counter", "--until", str(seq))
    assert "in a call of test:counter/api.bump" in tree.cli("replay", "/counter", "--until", str(seq))
    assert "state: 1u32" in tree.cli("replay", "/counter", "--until", str(seq + 1))
    assert "state: 0u32" in tree.cli("replay", "/counter", "--until", returned["hash"][:12])


def test_another_package_is_refused_or_diverges(tree: RunningTree) -> None:
    """Exit code 2, and 1 when forced; the summary is there as JSON in either case."""
    other = str(ROOT / "examples" / "counter" / "counter.wasm")
    refused = msgspec.json.decode(tree.cli("replay", "/counter", "--package", other, "--json", check=2))
    forced = msgspec.json.decode(tree.cli("replay", "/counter", "--package", other, "--force", "--json", check=1))

    assert refused["summary"]["status"] == "incompatible"
    assert forced["summary"]["divergence"]["index"] > 0


def test_inspect_and_diff_show_states(tree: RunningTree) -> None:
    """As data, for programs and for people."""
    looked = msgspec.json.decode(tree.cli("inspect", "/counter", "--at", "4", "--output", "json"))
    changed = msgspec.json.decode(tree.cli("diff", "/counter", "4", "8", "--output", "json"))

    assert looked == {"events": 4, "call": "test:counter/api.bump", "state": 0}
    assert changed == [{"place": "state", "before": 0, "after": 3}]


def test_a_new_package_is_rehearsed(tree: RunningTree) -> None:
    """The same code is identical; other code diverges, and where is told."""
    same = tree.home / "same.wasm"
    same.write_bytes(guests.counter() + b"\x00\x02\x01x")  # a custom section more
    other = str(ROOT / "examples" / "counter" / "counter.wasm")

    identical = msgspec.json.decode(tree.cli("rehearse", "--package", str(same), "/counter", "--output", "json"))
    diverged = tree.cli("rehearse", "--package", other, "/counter", "--output", "json", check=1)

    assert [row["verdict"] for row in identical] == ["identical"]
    assert msgspec.json.decode(diverged)[0]["verdict"] == "diverged"


@pytest.mark.parametrize(
    ("content", "problem"),
    [(b"", "complete: 0/0"), (b"[1]", "JSON array"), (b"\x81", "expected a chain"), (b"---\nx", "expected a chain")],
    ids=["empty", "other JSON", "garbage", "bad text"],
)
def test_a_file_that_is_no_chain(tmp_path: Path, content: bytes, problem: str) -> None:
    """Named, never a traceback."""
    file = tmp_path / "chain"
    file.write_bytes(content)
    package = str(ROOT / "examples" / "counter" / "counter.wasm")
    done = subprocess.run(
        [sys.executable, "-m", "supervisor", "replay", str(file), "--package", package, "--cache", str(tmp_path / "c")],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert done.returncode == (2 if content else 0)
    assert problem in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("name", ["hello", "counter", "bank", "nested"])
def test_the_examples_replay(name: str) -> None:
    """Every actor of an example, after what its README does."""
    example = ROOT / "examples" / name
    with terminal_beside(example) as terminal:
        for command, _ in steps(example / "README.md"):
            if command.startswith(("theater start", "theater call", "theater stop")):
                terminal.run(command)
        code, actors = terminal.run("theater verify --tree tree.yaml --output jsonl")
        paths = [msgspec.json.decode(line)["chain"] for line in actors]
        assert code == 0 and paths
        for path in paths:
            code, said = terminal.run(f"theater replay {path} --tree tree.yaml")
            assert code == 0, said
