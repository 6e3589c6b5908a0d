"""Deep and wide trees."""

from __future__ import annotations

import time

from supervisor.core import actions as act
from supervisor.core import notices as note
from tests.core.shell import Shell, supervisor, worker
from theater.spec import ChildSpec

DEPTH = 1000


def chain(depth: int) -> ChildSpec:
    """Supervisors below supervisors, with a worker at the end."""
    child = worker("w")
    for _ in range(depth):
        child = supervisor("s", child, intensity=0)
    return child


def test_deep_tree_lives_and_ends() -> None:
    """A thousand nested supervisors start, are shown, give up one after the other, and are gone."""
    shell = Shell(chain(DEPTH), intensity=0).begin()
    node, depth = shell.tree.snapshot(), 0
    while node.get("children"):
        node, depth = node["children"][0], depth + 1

    shell.exit("/s" * DEPTH + "/w")

    assert depth == DEPTH + 1
    assert node["state"] == "running"
    assert isinstance(shell.actions[-1], act.Down)


def test_deep_tree_is_stopped() -> None:
    """Stopping is not recursive either."""
    shell = Shell(chain(DEPTH)).begin()

    shell.feed(note.Stop())

    assert isinstance(shell.actions[-1], act.Down)


def test_deep_tree_is_killed() -> None:
    """Nor is dying of a death far above."""
    shell = Shell(chain(DEPTH)).begin()

    shell.feed(note.Kill("/"))

    assert isinstance(shell.actions[-1], act.Down)


def life_of(count: int) -> float:
    """Seconds a wide tree takes to start, lose all children at once, restart them, and stop."""
    began = time.perf_counter()
    shell = Shell(*(worker(f"w{number}") for number in range(count)), intensity=count).begin()
    shell.feed(*(note.WorkerExited(shell.refs[f"/w{number}"], "crash") for number in range(count)))
    shell.feed(note.Stop())
    assert isinstance(shell.actions[-1], act.Down)
    return time.perf_counter() - began


def test_wide_tree_scales_linearly() -> None:
    """Ten times as many children take about ten times as long."""
    life_of(100)

    small, large = min(life_of(500) for _ in range(3)), life_of(5000)

    assert large < 40 * small


def dynamic_life_of(count: int) -> float:
    """The same for dynamic children that end for good."""
    began = time.perf_counter()
    shell = Shell(worker("c", restart="temporary"), strategy="simple_one_for_one").begin()
    for number in range(count):
        shell.call(note.StartChild, "/", name=f"x{number}")
    shell.feed(*(note.WorkerExited(shell.refs[f"/x{number}"], "crash") for number in range(0, count, 2)))
    shell.feed(note.Stop())
    assert isinstance(shell.actions[-1], act.Down)
    return time.perf_counter() - began


def test_dynamic_children_scale_linearly() -> None:
    """Ten times as many dynamic children take about ten times as long."""
    dynamic_life_of(100)

    small, large = min(dynamic_life_of(500) for _ in range(3)), dynamic_life_of(5000)

    assert large < 40 * small
