"""A component that uses WASI, in a tree: granted, recorded, replayed, rebuilt with the file it had open."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.component import wasi
from tests.system.running import RunningTree, running_tree, until

TREE = """
version: 1
name: wasi
intensity: 100000
period: 1s
children:
  - id: it
    actor: it.wat
    state: 0
    recover: replay
    grants: {wasi: {directories: [{host: files, guest: /files}]}}
"""


@pytest.fixture
def tree(home: Path) -> Iterator[RunningTree]:
    """The component, with a directory it may read."""
    (home / "it.wat").write_text(wasi.WASI)
    (home / "files").mkdir()
    (home / "files" / "note").write_text("from outside")
    with running_tree(home, TREE) as tree:
        yield tree


def test_all_of_it_is_recorded_and_replays(tree: RunningTree) -> None:
    """Clock and random numbers are those of the machine; standard output is in the log; a replay finds the same."""
    it = tree.actor("/it")
    before = time.monotonic_ns()
    assert before <= it.call("now") <= time.monotonic_ns()
    assert it.call("random") != it.call("random")
    it.call("hello")
    assert it.call("open") == 0
    assert it.call("read") == b"from outside"

    until(lambda: "hello" in tree.cli("logs", "/it"), "the log line")
    assert "Replay complete" in tree.cli("replay", "/it")


def test_what_was_open_is_open_again(tree: RunningTree) -> None:
    """A guest rebuilt by replay reads from the file that the one before it opened, as the file is now."""
    it = tree.actor("/it")
    assert it.call("open") == 0
    os.kill(tree.pid("/it"), signal.SIGKILL)
    tree.wait_incarnation("/it", 2)
    (tree.home / "files" / "note").write_text("changed since")

    assert it.call("read") == b"changed since"
    assert "Replay complete" in tree.cli("replay", "/it")


def test_without_the_grant_it_does_not_start(tree: RunningTree) -> None:
    """``check`` names the imports and the grant that would open them."""
    (tree.home / "bare.yaml").write_text("version: 1\nname: bare\nchildren:\n  - {id: it, actor: it.wat}\n")
    command = [sys.executable, "-m", "supervisor", "check", str(tree.home / "bare.yaml")]
    done = subprocess.run(command, env=tree.env(), capture_output=True, text=True, timeout=60)
    said = done.stdout + done.stderr
    assert done.returncode == 2
    assert "wasi:random/random.get-random-u64 is not granted" in said and "wasi: {}" in said
