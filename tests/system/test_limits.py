"""Budgets and limits of real workers: what happens when each is used up."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.guests import wat
from tests.guests.pack import none, octets, ok, text, tup, u32
from tests.homes import new_home
from tests.system import guests
from tests.system.running import RunningTree, running_tree, until
from theater.budgets import NAMES
from theater.chain import payloads
from theater.errors import ActorError, InternalError, LimitExceeded, MailboxFull, OperationTimeout

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
    "out-throttle": "{outgoing: 600B per 1s}",
    "out-error": "{outgoing: 600B per 1h or error}",
    "out-stop": "{outgoing: 600B}",
    "answers-error": "{outgoing: 100B per 1h or error}",
    "chain-throttle": "{chain_events: 12 per 2s}",
    "chain-error": "{chain_bytes: 3KiB or error}",
    "chain-stop": "{chain_events: 20}",
    "events-error": "{chain_events: 12 per 1h or error}",
    "bytes-throttle": "{chain_bytes: 2KiB per 1s}",
    "bytes-stop": "{chain_bytes: 3KiB}",
    "chain-log": "{chain_events: 100}",
    "few-children": "{children: 2}",
    "few-files": "{files: 64}",
    "narrow": "{operation_queue: 1}",
    "small-guest": "{memory: 8MiB}",
    "hasty": "{call_deadline: 200ms}",
    "small": "{process_memory: 96MiB, memory: 1GiB}",
    "plain": "{}",
}


def tree_of(limits: dict[str, str]) -> str:
    children = "\n".join(
        f"  - {{id: {name}, actor: {'sender' if name.startswith('out-') else 'limited'}.wasm, restart: temporary, "
        f"limits: {what}, grants: {{runtime: {{}}, supervisor: {{}}, links: {{}}, message-server: {{}}}}}}"
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


SEND = wat.Import("theater:simple/message-server-host.send", "(actor-id: string, msg: list<u8>) -> result<_, string>")


def sender() -> bytes:
    """Sends a message of 200 bytes to another actor, and says what the host answers."""
    send = wat.calls(SEND, tup(text("/plain"), octets(b"x" * 200)))
    return wat.build(
        functions=[
            wat.starts(u32(0)),
            wat.Function(f"{API}.send", PLAIN, [send, wat.returns(ok(u32(1)))]),
            wat.Function(f"{API}.try", PLAIN, [send, wat.returns_host_answer()]),
        ],
        imports=[SEND],
    )


@pytest.fixture(scope="module")
def tree() -> Iterator[RunningTree]:
    """One actor for each limit."""
    with new_home() as home:
        guests.write_all(home)
        (home / "limited.wasm").write_bytes(limited())
        (home / "sender.wasm").write_bytes(sender())
        (home / "child.toml").write_text('name = "child"\npackage = "bare.wasm"\n')
        (home / "bare.wasm").write_bytes(wat.build(functions=[wat.starts(u32(0))]))
        with running_tree(home, tree_of(LIMITS)) as tree:
            yield tree


def limit_events(tree: RunningTree, path: str) -> list[str]:
    events = [e for e in tree.actor(path).get_chain() if e.event_type == "theater-runtime/limit"]
    return [str(payloads.read(event.data)) for event in events]


def usage(tree: RunningTree, path: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = tree.actor(path).get_metrics().limits[name]
    return found


def test_every_budget_is_in_the_metrics_and_in_top(tree: RunningTree) -> None:
    """With its amount and its action; the fullest stands in the table. (The first test: some actors end in others.)"""
    declared = {
        f"/{name}": {limit for limit in (*NAMES, "children") if f"{limit}:" in what} for name, what in LIMITS.items()
    }

    def rows() -> dict[str, Any]:
        found = {row["path"]: row for row in json.loads(tree.cli("top", "-o", "json"))}
        return found if all(row["memory"] for row in found.values()) else {}

    found = until(rows, "an answer of each worker")
    assert {path: set(row["limits"]) for path, row in found.items()} == declared
    assert {path: bool(row["budget"]) for path, row in found.items()} == {path: bool(declared[path]) for path in found}
    assert found["/time-error"]["limits"]["guest_time"]["then"] == "error"
    assert found["/few-children"]["limits"]["children"] == {
        "used": 0, "limit": 2, "per_ms": None, "then": "error", "refused": 0, "waited_ns": 0,
    }  # fmt: skip


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


def test_outgoing_throttled(tree: RunningTree) -> None:
    """What sends waits until there is room."""
    actor = tree.actor("/out-throttle")
    began = time.monotonic()
    for _ in range(6):
        actor.call("send")

    assert time.monotonic() - began > 0.9
    assert usage(tree, "/out-throttle", "outgoing")["waited_ns"] > 0


def test_outgoing_refused(tree: RunningTree) -> None:
    """The guest gets the function's own error; nothing is sent."""
    actor = tree.actor("/out-error")
    for _ in range(2):
        actor.call("send")

    with pytest.raises(InternalError, match="limit outgoing: 600 per 3600000 ms is used up"):
        actor.call("try")
    used = usage(tree, "/out-error", "outgoing")
    assert (used["used"] > 400, used["refused"]) == (True, 1)
    assert "/out-error" in tree.cli("top", "--once")


def test_outgoing_used_up(tree: RunningTree) -> None:
    """Without a time: so much in one incarnation."""
    actor = tree.actor("/out-stop")
    for _ in range(2):
        actor.call("send")
    with pytest.raises(ActorError, match="limit outgoing: 600 is used up"):
        actor.call("send")

    assert actor.monitor(10).kind == "failed"


@pytest.mark.parametrize(
    ("path", "name"), [("/chain-throttle", "chain_events"), ("/bytes-throttle", "chain_bytes")]
)
def test_chain_growth_throttled(tree: RunningTree, path: str, name: str) -> None:
    """Further operations wait."""
    actor = tree.actor(path)
    began = time.monotonic()
    for _ in range(12):
        actor.call("bump", (1,))

    assert time.monotonic() - began > 0.9
    assert usage(tree, path, name)["waited_ns"] > 0


@pytest.mark.parametrize("path", ["/chain-error", "/events-error"])
def test_chain_growth_refused(tree: RunningTree, path: str) -> None:
    """Operations are refused; refusals do not make it grow."""
    actor = tree.actor(path)

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


@pytest.mark.parametrize(
    ("path", "function"), [("/chain-stop", "bump"), ("/bytes-stop", "bump"), ("/chain-log", "log-for-ever")]
)
def test_chain_growth_used_up(tree: RunningTree, path: str, function: str) -> None:
    """Between operations, and in the middle of one that logs for ever."""
    actor = tree.actor(path)

    def ended() -> bool:
        try:
            actor.call(function, (1,) if function == "bump" else ())
        except ActorError as error:
            assert "limit chain_" in str(error)
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
    used = usage(tree, "/few-children", "children")
    assert (used["used"], used["limit"], used["then"], used["refused"]) == (2, 2, "error", 1)
    assert "children: 100%, 2 of 2 or error, 1 refused" in tree.cli("status", "/few-children", "-o", "table")
    row = next(row for row in json.loads(tree.cli("top", "-o", "json")) if row["path"] == "/few-children")
    assert row["budget"] == "children 100%"


def test_memory_of_the_guest(tree: RunningTree) -> None:
    """Growing past it is refused; a guest that takes that as its end has told why. ``top`` shows what it has."""
    actor = tree.actor("/small-guest")
    assert 0 < actor.get_metrics().guest_memory <= 8 << 20
    with pytest.raises(InternalError, match=r"memory in use: \d+ of 8388608 bytes"):
        actor.call("grow")

    assert actor.monitor(10).kind == "failed"


def test_guest_time_of_one_call(tree: RunningTree) -> None:
    """The call is ended, and with it the actor."""
    actor = tree.actor("/hasty")
    with pytest.raises(InternalError, match="deadline of 200 ms of computing time exceeded"):
        actor.call("spin")

    assert actor.monitor(10).kind == "failed"


def test_a_full_queue(tree: RunningTree) -> None:
    """Callers wait for room, or are told at once if they like; the metrics count both the queue and the refusals."""
    actor = tree.actor("/narrow")
    for _ in range(3):
        actor.send("compute")

    def is_full() -> bool:
        with suppress(MailboxFull):
            actor.call("bump", (1,), wait=False)
            return False
        return True

    until(is_full, "the queue to be full")
    assert actor.call("bump", (1,)) >= 1
    metrics = actor.get_metrics()
    assert metrics.errors["mailbox_full"] >= 1
    assert metrics.resource_metrics.peak_queue_size >= 1


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
    actor = tree.actor("/answers-error")
    with pytest.raises(LimitExceeded, match="limit outgoing: 100 per 3600000 ms is used up"):
        for _ in range(100):
            actor.call("bump", (1,))

    used = usage(tree, "/answers-error", "outgoing")
    assert (used["used"] > 100, used["refused"]) == (True, 1)
    assert len(limit_events(tree, "/answers-error")) == 1


def test_an_actor_without_budgets_says_nothing_of_them(tree: RunningTree) -> None:
    """Nor pays for them."""
    assert tree.actor("/plain").get_metrics().limits == {}


def test_stopped_calls_replay(tree: RunningTree) -> None:
    """A call that a budget has ended is a stop in the record, and replays as one."""
    tree.actor("/plain").call("bump", (1,))
    for path in ("/time-stop", "/calls-stop"):
        tree.cli("replay", path, "--cache", str(tree.home / "cache"))
