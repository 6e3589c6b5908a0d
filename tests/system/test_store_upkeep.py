"""The store is looked after while a real tree writes to it: nobody waits, nothing is lost, everything verifies."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from supervisor.store import StoreReader
from tests.system.running import RunningTree, running_tree, until

TREE = """
version: 1
name: upkeep
intensity: 1000
children:
  - {id: busy, actor: counter.wasm, grants: {runtime: {}}}
  - {id: rebuilt, actor: counter.wasm, grants: {runtime: {}}, recover: replay}
"""
CALLS = 400


@pytest.fixture
def tree(home: Path) -> Iterator[RunningTree]:
    """Two counters."""
    with running_tree(home, TREE) as tree:
        yield tree


@pytest.fixture
def bounded(home: Path) -> Iterator[RunningTree]:
    """Counters whose history is kept within bounds, but for one."""
    text = TREE + "  - {id: kept, actor: counter.wasm, grants: {runtime: {}}}\n"
    text += "retention: {events: 20, every: 100ms, except: [{path: /kept}]}\n"
    with running_tree(home, text) as tree:
        yield tree


def theater(tree: RunningTree, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "supervisor", *arguments]
    return subprocess.run(command, env=tree.env(), capture_output=True, text=True, timeout=60, check=False)


def test_vacuum_and_doctor_beside_a_busy_tree(tree: RunningTree) -> None:
    """Calls go on meanwhile; what replay needs stays; the rest verifies from its base."""
    busy, rebuilt = tree.actor("/busy"), tree.actor("/rebuilt")
    for _ in range(5):
        rebuilt.call("bump", (1,))
    answers: list[int] = []
    slowest = [0.0]

    def keep_calling() -> None:
        for _ in range(CALLS):
            began = time.monotonic()
            answers.append(busy.call("bump", (1,)))
            slowest[0] = max(slowest[0], time.monotonic() - began)

    calling = threading.Thread(target=keep_calling)
    calling.start()
    until(lambda: len(answers) > 50, "some calls")
    looked = theater(tree, "doctor")
    trimmed = theater(tree, "vacuum", "--events", "20")
    calling.join(60)
    again = theater(tree, "vacuum", "--events", "20")

    assert (looked.returncode, looked.stdout) == (0, ""), looked
    assert (trimmed.returncode, again.returncode) == (0, 0), (trimmed, again)
    assert answers == list(range(1, CALLS + 1))
    assert slowest[0] < 5
    assert theater(tree, "verify").returncode == 0
    with StoreReader(str(tree.store_dir)) as reader:
        trimmed_actor, kept_actor = reader.find("/busy"), reader.find("/rebuilt")
        assert trimmed_actor is not None
        assert kept_actor is not None
        assert trimmed_actor.base_seq > 0
        assert kept_actor.base_seq == -1


def test_a_live_actors_history_goes_out_and_into_another_store(tree: RunningTree, tmp_path: Path) -> None:
    """With everything that was answered before."""
    for _ in range(10):
        tree.actor("/busy").call("bump", (1,))
    file = tmp_path / "busy.jsonl"
    out = theater(tree, "export", "/busy", str(file))
    verified = theater(tree, "verify", str(file))
    tree.stop()
    back = theater(tree, "import", str(file), "--as", "/imported", "--store", str(tree.store_dir))
    replayed = theater(
        tree, "replay", "/imported", "--store", str(tree.store_dir), "--package", str(tree.home / "counter.wasm")
    )

    assert (out.returncode, verified.returncode, back.returncode) == (0, 0, 0), (out, verified, back)
    assert replayed.returncode == 0, replayed
    assert "events verified" in replayed.stdout


def test_retention_of_the_tree_file_holds_while_it_runs(bounded: RunningTree) -> None:
    """The oldest events go by themselves, the log says so, the rest verifies; an exception keeps its own bounds."""
    for name in ("/busy", "/kept"):
        for _ in range(60):
            bounded.actor(name).call("bump", (1,))

    def base_of(path: str) -> int:
        with StoreReader(str(bounded.store_dir)) as reader:
            found = reader.find(path)
            assert found is not None
            return found.base_seq

    until(lambda: base_of("/busy") > 0, "the oldest events to go")
    until(lambda: bounded.log_lines("history_trimmed"), "the log to say so")

    assert base_of("/kept") == -1
    assert bounded.actor("/busy").call("bump", (1,)) == 61
    assert theater(bounded, "verify").returncode == 0
