"""``theater top`` and ``status`` of a real tree: figures of real workers, budgets, a worker that does not answer."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.system.running import RunningTree, Start, until
from tests.system.test_limits import limited

TREE = """\
version: 1
name: shop
children:
  - {id: bounded, actor: limited.wasm, limits: {host_calls: 4 per 1h or error}, grants: {runtime: {}, supervisor: {}}}
  - {id: plain, actor: limited.wasm, grants: {runtime: {}, supervisor: {}}}
"""
Rows = dict[str, dict[str, Any]]


def rows(tree: RunningTree, *options: str) -> Rows:
    return {row["path"]: row for row in json.loads(tree.cli("top", "-o", "json", *options))}


@pytest.fixture
def tree(start: Start, home: Path) -> RunningTree:
    """Two actors; one has made three host calls of the four it may make."""
    (home / "limited.wasm").write_bytes(limited())
    tree = start(TREE)
    for _ in range(3):
        tree.actor("/bounded").call("log")
    return tree


def answered(tree: RunningTree) -> Rows:
    """A round in which every worker has answered twice."""

    def complete() -> Rows:
        found = rows(tree)
        return found if all(row["cpu_percent"] is not None for row in found.values()) else {}

    return until(complete, "two answers of each worker")


def test_figures_of_real_workers(tree: RunningTree) -> None:
    """Process, memory and budgets are those of the worker; an actor without budgets has none."""
    found = answered(tree)
    bounded = found["/bounded"]

    assert bounded["budget"] == "host_calls 75%"
    assert (bounded["limits"]["host_calls"]["used"], bounded["limits"]["host_calls"]["limit"]) == (3, 4)
    assert bounded["pid"] == tree.pid("/bounded")
    assert bounded["memory"] > bounded["guest_memory"] > 0
    assert (found["/plain"]["budget"], found["/plain"]["limits"]) == (None, {})


def test_budgets_for_people(tree: RunningTree) -> None:
    """The fullest in the table, all of them in words in the actor's status."""

    def table() -> str:
        said = tree.cli("top", "/bounded", "--once")
        return said if "%" in said.splitlines()[-1] else ""

    said = until(table, "a table with a budget")
    assert said.splitlines()[2].endswith("host_calls 75%")
    assert "/plain" not in said
    assert "host_calls: 75%, 3 of 4 per 1h or error" in tree.cli("status", "/bounded", "-o", "table")


def test_a_stopped_process_is_shown_and_not_waited_for(tree: RunningTree) -> None:
    """The others' figures are there all the same."""
    answered(tree)
    os.kill(tree.pid("/plain"), signal.SIGSTOP)

    def silent() -> Rows:
        found = rows(tree)
        return found if found["/bounded"]["answers"] else {}

    found = until(silent, "the answer of the other one")
    assert (found["/plain"]["answers"], found["/plain"]["memory"]) == (False, None)
    assert found["/bounded"]["budget"] == "host_calls 75%"
