"""Budgets and limits of real workers: what happens when each is used up."""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.guests import wat
from tests.guests.pack import none, ok, text, tup, u32
from tests.system import guests
from tests.system.running import RunningTree, until
from theater.chain import payloads
from theater.errors import ActorError, InternalError, LimitExceeded, OperationTimeout

API = "test:limits/api"
PLAIN = "(state: u32) -> result<tuple<u32>, string>"
BUMP = "(state: u32, by: u32) -> result<tuple<u32, u32>, string>"
MEASURED = 300_000_000
"""Rounds of computing that take some hundred milliseconds at most."""

LIMITS = {
    "time-throttle": "{guest_time: 50ms per 1s}",
    "time-error": "{guest_time: 20ms per 5s or error}",
    "time-stop": "{guest_time: 300ms or stop}",
    "calls-throttle": "{host_calls: 3 per 1s}",
    "calls-error": "{host_calls: 3 per 10s or error}",
    "calls-stop": "{host_calls: 3}",
    "out-error": "{outgoing: 100B per 10s or error}",
    "chain-throttle": "{chain_events: 12 per 2s}",
    "chain-error": "{chain_bytes: 3KiB or error}",
    "chain-stop": "{chain_events: 20}",
    "chain-log": "{chain_events: 100}",
    "few-children": "{children: 2}",
    "few-files": "{files: 64}",
    "small": "{process_memory: 96MiB, memory: 1GiB}",
    "plain": "{}",
}


def tree_of(limits: dict[str, str]) -> str:
    children = "\n".join(
        f"  - {{id: {name}, actor: limited.wasm, restart: temporary, limits: {what}, "
        "grants: {runtime: {}, supervisor: {}, links: {}}}"
        for name, what in limits.items()
    )
    return f"version: 1\nname: limits\nchildren:\n{children}\n"


def limited() -> bytes:
    """Computes, logs, spawns, grows; says what the host answers."""
    log = wat.calls(wat.LOG, text("a line"))
    spawn = wat.calls(wat.SPAWN, tup(text("child.toml"), none(), none()))
    again = f"(loop $again {log.code} (br $again))"
    return wat.build(
        functions=[
            wat.starts(u32(0)),
            wat.Function(f"{API}.bump", BUMP, wat.adds()),
            wat.Function(f"{API}.compute", PLAIN, [wat.computes(MEASURED), wat.returns(ok(u32(0)))]),
            wat.Function(f"{API}.spin", PLAIN, wat.spins()),
            wat.Function(f"{API}.log", PLAIN, [log, wat.returns(ok(u32(7)))]),
            wat.Function(f"{API}.log-for-ever", PLAIN, wat.Behaviour(again, log.canned)),
            wat.Function(f"{API}.list", PLAIN, [wat.calls(wat.LIST_CHILDREN), wat.returns_host_answer()]),
            wat.Function(f"{API}.hire", PLAIN, [spawn, wat.returns(ok(u32(1)))]),
            wat.Function(f"{API}.try", PLAIN, [spawn, wat.returns_host_answer()]),
            wat.Function(f"{API}.grow", PLAIN, wat.grows()),
        ],
        imports=[wat.LOG, wat.SPAWN, wat.LIST_CHILDREN],
    )


@pytest.fixture(scope="module")
def tree() -> Iterator[RunningTree]:
    """One actor for each limit."""
    home = Path(tempfile.mkdtemp(prefix="th-"))
    guests.write_all(home)
    (home / "limited.wasm").write_bytes(limited())
    (home / "child.toml").write_text('name = "child"\npackage = "bare.wasm"\n')
    (home / "bare.wasm").write_bytes(wat.build(functions=[wat.starts(u32(0))]))
    running = RunningTree(home, tree_of(LIMITS))
    yield running
    running.clean_up()
    shutil.rmtree(home, ignore_errors=True)


def limit_events(tree: RunningTree, path: str) -> list[str]:
    events = [e for e in tree.actor(path).get_chain() if e.event_type == "theater-runtime/limit"]
    return [str(payloads.read(event.data)) for event in events]


def usage(tree: RunningTree, path: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = tree.actor(path).get_metrics().limits[name]
    return found


def test_guest_time_throttled(tree: RunningTree) -> None:
    """The second operation waits until the window has room; the wait is in the chain and in the metrics."""
    actor = tree.actor("/time-throttle")
    began = time.monotonic()
    for _ in range(3):
        actor.call("compute")
    actor.call("bump", (1,))

    assert time.monotonic() - began > 0.8
    used = usage(tree, "/time-throttle", "guest_time")
    assert used["waited_ns"] > 0
    assert (used["limit"], used["per_ms"], used["then"]) == (50, 1000, "throttle")
    assert "limit guest_time: 50 ms per 1000 ms is used up" in limit_events(tree, "/time-throttle")[0]


def test_callers_of_a_throttled_actor_keep_their_own_time(tree: RunningTree) -> None:
    """A time-out is a time-out; the actor can be stopped while an operation waits."""
    actor = tree.actor("/time-throttle")
    for _ in range(2):
        actor.call("compute")

    with pytest.raises(OperationTimeout):
        actor.call("bump", (1,), timeout=0.05)
    assert actor.get_status().state == "processing"
    report = actor.shutdown(timeout=5)
    assert (report.forced, report.cause.kind) == (False, "stopped")


def test_guest_time_refused(tree: RunningTree) -> None:
    """``or error``: callers are told, the actor lives."""
    actor = tree.actor("/time-error")
    actor.call("compute")

    for _ in range(3):
        with pytest.raises(LimitExceeded, match="limit guest_time: 20 ms per 5000 ms is used up"):
            actor.call("bump", (1,))
    assert usage(tree, "/time-error", "guest_time")["refused"] == 3
    assert len(limit_events(tree, "/time-error")) == 1


def test_guest_time_used_up_in_the_middle_of_a_call(tree: RunningTree) -> None:
    """``or stop``: the call is ended, and with it the actor."""
    actor = tree.actor("/time-stop")
    with pytest.raises(InternalError, match="limit guest_time: 300 ms is used up"):
        actor.call("spin")

    assert actor.monitor(10).kind == "failed"


def test_host_calls_throttled(tree: RunningTree) -> None:
    """They wait; the waiting is not the guest's computing time."""
    actor = tree.actor("/calls-throttle")
    began = time.monotonic()
    for _ in range(7):
        actor.call("log")

    assert time.monotonic() - began > 1.5
    assert usage(tree, "/calls-throttle", "host_calls")["waited_ns"] > 1e9


def test_host_calls_refused(tree: RunningTree) -> None:
    """The function's own error, recorded; nothing was done. A function without errors ends the guest."""
    actor = tree.actor("/calls-error")
    for _ in range(3):
        actor.call("log")

    with pytest.raises(InternalError, match="limit host_calls: 3 per 10000 ms is used up"):
        actor.call("list")
    recorded = [event.event_type for event in actor.get_chain()]
    assert recorded[-2] == "theater:simple/supervisor/list-children"
    with pytest.raises(InternalError, match="limit host_calls"):
        actor.call("log")
    assert actor.monitor(10).kind == "failed"


def test_host_calls_used_up(tree: RunningTree) -> None:
    """Without a time: so many in one incarnation, then it ends."""
    actor = tree.actor("/calls-stop")
    for _ in range(3):
        actor.call("log")
    with pytest.raises(ActorError, match="limit host_calls: 3 is used up"):
        actor.call("log")

    assert actor.monitor(10).kind == "failed"


def test_chain_growth_throttled(tree: RunningTree) -> None:
    """Further operations wait."""
    actor = tree.actor("/chain-throttle")
    began = time.monotonic()
    for _ in range(12):
        actor.call("bump", (1,))

    assert time.monotonic() - began > 1.5
    assert usage(tree, "/chain-throttle", "chain_events")["waited_ns"] > 0


def test_chain_growth_refused(tree: RunningTree) -> None:
    """Operations are refused; refusals do not make it grow."""
    actor = tree.actor("/chain-error")

    def full() -> bool:
        try:
            actor.call("bump", (1,))
        except LimitExceeded:
            return True
        return False

    until(full, "the chain to be full")
    events = len(actor.get_chain())
    for _ in range(5):
        assert full()
    assert len(actor.get_chain()) == events


@pytest.mark.parametrize(("path", "function"), [("/chain-stop", "bump"), ("/chain-log", "log-for-ever")])
def test_chain_growth_used_up(tree: RunningTree, path: str, function: str) -> None:
    """Between operations, and in the middle of one that logs for ever."""
    actor = tree.actor(path)

    def ended() -> bool:
        try:
            actor.call(function, (1,) if function == "bump" else ())
        except ActorError as error:
            assert "limit chain_events" in str(error)
            return True
        return False

    until(ended, "the chain to be full")
    assert actor.monitor(10).kind == "failed"


def test_children(tree: RunningTree) -> None:
    """One more than allowed is refused."""
    actor = tree.actor("/few-children")
    for _ in range(2):
        actor.call("hire")

    with pytest.raises(InternalError, match="limit children: an actor has at most 2 children"):
        actor.call("try")


def test_limits_of_the_process(tree: RunningTree) -> None:
    """As the kernel says them; no worker leaves core files unless told to."""

    def row(path: str, name: str) -> list[str]:
        lines = Path(f"/proc/{tree.pid(path)}/limits").read_text().splitlines()
        return next(line for line in lines if line.startswith(name)).removeprefix(name).split()[:2]

    assert row("/few-files", "Max open files") == ["64", "64"]
    assert row("/small", "Max data size") == [str(96 << 20)] * 2
    assert row("/plain", "Max core file size") == ["0", "0"]


def test_memory_of_the_process(tree: RunningTree) -> None:
    """A guest that may have 1 GiB gets no more than its process may: growing is refused, which it takes as its end."""
    actor = tree.actor("/small")
    assert actor.call("bump", (1,)) == 1
    with pytest.raises(ActorError):
        actor.call("grow")

    assert tree.actor("/plain").call("bump", (1,)) == 1


def test_answers_are_outgoing(tree: RunningTree) -> None:
    """When they have been more than it may send, calls are refused, and that is in the chain."""
    actor = tree.actor("/out-error")
    with pytest.raises(LimitExceeded, match="limit outgoing: 100 per 10000 ms is used up"):
        for _ in range(100):
            actor.call("bump", (1,))

    used = usage(tree, "/out-error", "outgoing")
    assert used["used"] > 100 and used["refused"] == 1
    assert len(limit_events(tree, "/out-error")) == 1


def test_an_actor_without_budgets_says_nothing_of_them(tree: RunningTree) -> None:
    """Nor pays for them."""
    assert tree.actor("/plain").get_metrics().limits == {}


def test_stopped_calls_replay(tree: RunningTree) -> None:
    """A call that a budget has ended is a stop in the record, and replays as one."""
    tree.actor("/plain").call("bump", (1,))
    for path in ("/time-stop", "/calls-stop"):
        tree.cli("replay", path, "--cache", str(tree.home / "cache"))
