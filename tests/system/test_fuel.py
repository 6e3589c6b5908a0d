"""Limits of fuel of real workers: both kinds of guests, every action, and the right artefact in all that follows."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.component import wit
from tests.guests import wat
from tests.guests.pack import u32
from tests.homes import new_home
from tests.system import guests
from tests.system.running import RunningTree, running_tree
from tests.system.test_limits import limit_events, limited, usage
from theater.errors import InternalError, LimitExceeded

CALL = 1_000_000
SPENT = f"limit call_fuel: {CALL} is used up"
LIMITS = {
    "module": f"actor: counter.wasm, limits: {{call_fuel: {CALL}, init_fuel: 100000}}, recover: replay",
    "component": f"actor: counter.component.wat, state: 0, limits: {{call_fuel: {CALL}}}, recover: replay",
    "twin": "actor: counter.wasm",
    "stops": "actor: counter.wasm, limits: {fuel: 100000000 per 1h or stop}",
    "refuses": "actor: counter.wasm, limits: {fuel: 400 per 1h or error}",
    "waits": "actor: counter.wasm, limits: {fuel: 400 per 1s}",
    "boss": f"actor: limited.wasm, limits: {{call_fuel: {CALL}, init_fuel: 5000}}",
}
TREE = "version: 1\nname: fuel\nintensity: 100000\nperiod: 1s\nchildren:\n" + "".join(
    f"  - {{id: {name}, {what}, grants: {{runtime: {{}}, supervisor: {{}}}}}}\n" for name, what in LIMITS.items()
)


def write_all(home: Path) -> None:
    guests.write_all(home)
    (home / "counter.component.wat").write_text(wit.LISTING)
    (home / "limited.wasm").write_bytes(limited())
    (home / "child.toml").write_text('name = "child"\npackage = "bare.wasm"\n')
    bump = wat.Function(f"{guests.API}.bump", "(state: u32, by: u32) -> result<tuple<u32, u32>, string>", wat.adds())
    (home / "bare.wasm").write_bytes(wat.build(functions=[wat.starts(u32(0)), bump]))
    (home / "second.wasm").write_bytes(guests.counter() + b"\x00\x02\x01x")  # a custom section more


@pytest.fixture(scope="module")
def tree() -> Iterator[RunningTree]:
    """One actor for each thing to see, and a twin of one that has no limits."""
    with new_home() as home:
        write_all(home)
        with running_tree(home, TREE) as tree:
            yield tree


def replay(tree: RunningTree, path: str) -> str:
    return tree.cli("replay", path, "--cache", str(tree.home / "cache"))


@pytest.mark.parametrize("path", ["/module", "/component"])
def test_a_call_that_needs_too_much(tree: RunningTree, path: str) -> None:
    """It is ended, and with it the life; the next goes on where that was, rebuilt from the history; replays agree."""
    actor = tree.actor(path)
    before = tree.status(path).incarnation
    assert actor.call("bump", (2,)) == 2
    with pytest.raises(InternalError, match=SPENT):
        actor.call("spin")
    tree.wait_incarnation(path, before + 1)

    assert actor.call("bump", (3,)) == 5
    assert any(SPENT in str(event.data) for event in actor.get_chain())
    tree.cli("verify", path)
    assert "Replay complete" in replay(tree, path)


def test_the_same_package_without_limits(tree: RunningTree) -> None:
    """It is compiled without counting, and has nothing to tell of it."""
    actor = tree.actor("/twin")
    actor.call("compute")

    assert actor.get_metrics().limits == {}
    assert "Replay complete" in replay(tree, "/twin")


def test_what_calls_use_is_told(tree: RunningTree) -> None:
    """The most of one; the same calls on another day tell the same."""
    actor = tree.actor("/module")
    for _ in range(3):
        actor.call("bump", (0,))
    told = actor.get_metrics().limits["call_fuel"]

    assert (told["limit"], told["then"]) == (CALL, "stop")
    assert 100 < told["used"] < 1_000
    row = json.loads(tree.cli("top", "/module", "-o", "json"))[0]
    assert row["budget"].endswith("_fuel 0%")
    assert f"call_fuel: 0%, {told['used']} of {CALL} or stop" in tree.cli("status", "/module", "-o", "table")


def test_used_up_in_the_middle_of_a_call(tree: RunningTree) -> None:
    """``or stop``: the record says what the call had, and the replay gives it as much."""
    actor = tree.actor("/stops")
    assert actor.call("bump", (1,)) == 1
    before = tree.status("/stops").incarnation
    with pytest.raises(InternalError, match=r"limit fuel: 100000000 per 3600000 ms is used up \(this call had 99999"):
        actor.call("compute")
    tree.wait_incarnation("/stops", before + 1)

    assert actor.call("bump", (1,)) == 1
    assert "Replay complete" in replay(tree, "/stops")


def test_refused(tree: RunningTree) -> None:
    """``or error``: the call that runs past it finishes; callers are told, the actor lives, ``top`` shows it."""
    actor = tree.actor("/refuses")
    counted = 0

    def is_full() -> bool:
        nonlocal counted
        try:
            counted = actor.call("bump", (1,))
        except LimitExceeded as error:
            assert "limit fuel: 400 per 3600000 ms is used up" in str(error)
            return True
        return False

    while not is_full():
        assert counted < 10
    assert is_full()
    assert usage(tree, "/refuses", "fuel")["refused"] == 2
    assert len(limit_events(tree, "/refuses")) == 1
    percent = json.loads(tree.cli("top", "/refuses", "-o", "json"))[0]["budget"].removeprefix("fuel ")
    assert 100 <= int(percent.rstrip("%")) < 200
    assert "Replay complete" in replay(tree, "/refuses")


def test_throttled(tree: RunningTree) -> None:
    """Without a word: what is too much waits."""
    actor = tree.actor("/waits")
    began = time.monotonic()
    assert [actor.call("bump", (1,)) for _ in range(8)][-1] == 8

    assert time.monotonic() - began > 0.8
    assert usage(tree, "/waits", "fuel")["waited_ns"] > 0


def test_children_have_the_limits_of_their_parent(tree: RunningTree) -> None:
    """And code compiled for them."""
    tree.actor("/boss").call("hire")
    (child,) = [row["path"] for row in json.loads(tree.cli("top", "/boss", "-o", "json")) if row["path"] != "/boss"]

    assert tree.actor(child).call("bump", (1,)) == 1
    limits = tree.actor(child).get_metrics().limits
    assert {name: limits[name]["limit"] for name in limits} == {"call_fuel": CALL, "init_fuel": 5000}


def test_a_fork_has_them(tree: RunningTree) -> None:
    """It is what the other one is."""
    last = tree.actor("/module").get_chain()[-1].seq
    tree.cli("fork", "/module", "--at", str(last), "--as", "copy")

    assert tree.actor("/copy").get_metrics().limits["call_fuel"]["limit"] == CALL
    with pytest.raises(InternalError, match=SPENT):
        tree.actor("/copy").call("spin")
    assert "Replay complete" in replay(tree, "/copy")


def test_an_update_keeps_them(tree: RunningTree) -> None:
    """The new package is rehearsed and compiled for them, and held to them."""
    actor = tree.actor("/module")
    sums = actor.call("bump", (0,))
    number = actor.get_status().incarnation
    package = str(tree.home / "second.wasm")
    tree.cli("update", "/module", "--package", package, "--rehearse", "--cache", str(tree.home / "cache"))

    tree.wait_incarnation("/module", number + 1)
    assert actor.call("bump", (1,)) == sums + 1
    with pytest.raises(InternalError, match=SPENT):
        actor.call("spin")
    tree.wait_incarnation("/module", number + 2)
    assert actor.call("bump", (1,)) == sums + 2


def test_a_killed_one_goes_on(tree: RunningTree) -> None:
    """The template has the module that counts."""
    number = tree.actor("/component").get_status().incarnation
    os.kill(tree.pid("/component"), signal.SIGKILL)
    tree.wait_incarnation("/component", number + 1)

    assert tree.actor("/component").get_metrics().limits["call_fuel"]["limit"] == CALL


# -- starts --------------------------------------------------------------------------------------------------------

ONE = "version: 1\nname: one\nchildren:\n  - {{id: it, actor: {actor}, {more}, grants: {{runtime: {{}}}}}}\n"


def test_check_looks_at_what_would_run(home: Path) -> None:
    """A package whose own start needs more than it may have is refused before it is started."""
    write_all(home)
    for more, code in ((f"limits: {{call_fuel: {CALL}}}", 0), ("limits: {init_fuel: 1}", 2)):
        (home / "tree.yaml").write_text(ONE.format(actor="counter.wasm", more=more))
        done = subprocess.run(
            [sys.executable, "-m", "supervisor", "check", str(home / "tree.yaml"), "--cache", str(home / "cache")],
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, done.stdout + done.stderr
    assert "counter.wasm: instantiate: limit init_fuel: 1 is used up" in done.stderr


def test_without_a_template(start: Callable[..., RunningTree], home: Path) -> None:
    """A worker with an interpreter of its own makes its own engine."""
    write_all(home)
    tree = start(ONE.format(actor="counter.wasm", more=f"limits: {{call_fuel: {CALL}}}"), "--spawner", "exec")
    actor: Any = tree.actor("/it")

    assert actor.call("bump", (1,)) == 1
    with pytest.raises(InternalError, match=SPENT):
        actor.call("spin")
