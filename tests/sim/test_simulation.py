"""Random lives of random trees. A failure names its seed; ``THEATER_SIM_SEEDS`` says how many are tried."""

from __future__ import annotations

import os
from itertools import pairwise
from typing import Any

import pytest

from supervisor.core import notices as note
from tests.sim.simulation import Simulation, worker_nodes

SEEDS = range(int(os.environ.get("THEATER_SIM_SEEDS", "150")))
REST = {"running", "stopped"}


@pytest.mark.parametrize("seed", SEEDS)
def test_tree_finds_back_to_rest(seed: int) -> None:
    """When the mishaps end, nothing is left half done: all starts, stops and tries are over, all calls answered."""
    sim = Simulation(seed)
    sim.storm(duration_ms=2000)

    sim.calm()

    assert sim.unanswered == {}
    assert {node["state"] for node in worker_nodes(sim.tree.snapshot())} <= REST
    assert sim.starting == {}


@pytest.mark.parametrize("seed", SEEDS)
def test_stop_ends_everything(seed: int) -> None:
    """A stop in the middle of the storm leaves nothing: no worker, no timer, no call without an answer."""
    sim = Simulation(seed)
    sim.storm(duration_ms=500)

    sim.stop()
    sim.run()

    assert sim.verdict is not None
    assert (sim.running, sim.starting, sim.unanswered) == ({}, {}, {})


@pytest.mark.parametrize("seed", SEEDS)
def test_stop_goes_backwards(seed: int) -> None:
    """At rest, a stop ends each child, and all that is below it, before the child started before it is asked."""
    sim = Simulation(seed, gentle=True)
    sim.storm(duration_ms=1000)
    sim.calm()
    snapshot = sim.tree.snapshot()

    sim.stop()
    sim.run()

    assert list(disorder(snapshot, sim)) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_same_seed_same_life(seed: int) -> None:
    """The core is a function of what it is fed: the same life twice gives the same tree twice."""
    first, second = Simulation(seed), Simulation(seed)
    for sim in (first, second):
        sim.storm(duration_ms=300)

    assert first.tree.snapshot() == second.tree.snapshot()
    assert first.tree.feed(note.Stop(), first.now_ns) == second.tree.feed(note.Stop(), second.now_ns)


def disorder(node: dict[str, Any], sim: Simulation) -> list[str]:
    """Children that were asked to stop before those after them were gone."""
    found: list[str] = []
    children = node.get("children", ())
    if node.get("strategy") != "simple_one_for_one":
        for earlier, later in pairwise(children):
            asked = [sim.stop_asked[path] for path in running_below(earlier)]
            ended = [sim.ended_at[path] for path in running_below(later)]
            if asked and ended and min(asked) < max(ended):
                found.append(f"{earlier['path']} before {later['path']}")
    return found + [text for child in children for text in disorder(child, sim)]


def running_below(node: dict[str, Any]) -> list[str]:
    """Workers that run in this part of a tree."""
    return [child["path"] for child in worker_nodes(node) if child["state"] == "running"]
