"""Host interfaces that stay on this machine, with real workers: what they call, what a stop ends, what is replayed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.guests import wat
from tests.guests.pack import Value, encode, listed, octets, ok, text, tup, u32, u64, variant
from tests.system.running import RunningTree, Start, until, wait_gone

API = "test:local/api"
PLAIN = "(state: u32) -> result<tuple<u32>, string>"
TICK = "theater:simple/timer.handle-tick"
SET_INTERVAL = wat.Import(
    "theater:simple/timer.set-interval", "(name: string, interval-ms: u64) -> result<string, string>"
)
CLEAR_INTERVAL = wat.Import("theater:simple/timer.clear-interval", "(name: string) -> result<_, string>")


def tree_of(actor: str, grants: str, more: str = "") -> str:
    """A tree of one actor, /it."""
    return f"version: 1\nname: local\nchildren:\n  - {{id: it, actor: {actor}, grants: {grants}{more}}}\n"


def counts(*response: Value) -> wat.Behaviour:
    """One more than the state, whatever else came in; the new state and this response are the answer."""
    whole = encode(ok(u32(0), *response))
    return wat.Behaviour(
        f"""(i32.store offset=24 (i32.const {{0}}) (i32.add (i32.load offset=24 (local.get $in)) (i32.const 1)))
        (return (call $answer (i32.const {{0}}) (i32.const {len(whole)}) (local.get $at) (local.get $len)
          (i32.const 0)))""",
        (whole,),
    )


def keeps(*before: wat.Behaviour) -> list[wat.Behaviour]:
    """Do something and leave the state as it is."""
    whole = encode(ok(u32(0)))
    same = f"""(i32.store offset=24 (i32.const {{0}}) (i32.load offset=24 (local.get $in)))
        (return (call $answer (i32.const {{0}}) (i32.const {len(whole)}) (local.get $at) (local.get $len)
          (i32.const 0)))"""
    return [*before, wat.Behaviour(same, (whole,))]


# -- timer -------------------------------------------------------------------------------------------------------------


def ticking(tick: wat.Behaviour) -> bytes:
    """An actor with a timer of 20 ms."""
    return wat.build(
        functions=[
            wat.starts(u32(0), wat.calls(SET_INTERVAL, tup(text("pulse"), u64(20)))),
            wat.Function(TICK, "(state: u32, name: string) -> result<tuple<u32>, string>", tick),
            wat.Function(f"{API}.clear", PLAIN, keeps(wat.calls(CLEAR_INTERVAL, text("pulse")))),
            wat.Function(f"{API}.same", PLAIN, keeps()),
        ],
        imports=[SET_INTERVAL, CLEAR_INTERVAL],
    )


def test_a_timer_ticks_until_it_is_cleared(start: Start, home: Path) -> None:
    """Ticks change the state like any operation; the record of it all can be replayed."""
    (home / "it.wasm").write_bytes(ticking(counts()))
    tree = start(tree_of("it.wasm", "{timer: {}}"))
    it = tree.actor("/it")
    until(lambda: it.get_state() >= 5, "five ticks")
    it.call("clear")
    count = it.get_state()

    for _ in range(30):
        it.call("same")
    assert it.get_state() == count
    assert "Replay complete" in tree.cli("replay", "/it")


def test_no_ticks_are_counted_while_paused(start: Start, home: Path) -> None:
    """They merge: on resume there is one (lifecycle L4, L8)."""
    (home / "it.wasm").write_bytes(ticking(counts()))
    tree = start(tree_of("it.wasm", "{timer: {}}"))
    it = tree.actor("/it")
    until(lambda: it.get_state() >= 2, "two ticks")
    it.pause()
    count = it.get_state()
    until(lambda: tree.status("/it").queued >= 1, "a tick that waits")
    queued = tree.status("/it").queued

    assert (it.get_state(), queued) == (count, 1)
    it.resume()
    until(lambda: it.get_state() > count, "the tick that waited")


def test_a_tick_that_fails_ends_the_timer_and_not_the_actor(start: Start, home: Path) -> None:
    """With a line in the log."""
    (home / "it.wasm").write_bytes(ticking(wat.declines("cannot")))
    tree = start(tree_of("it.wasm", "{timer: {}}"))

    def line() -> Any:
        return [each for each in tree.log_lines() if "has ended, because its tick failed" in str(each)]

    assert "cannot" in str(until(line, "the line in the log"))
    failed = tree.actor("/it").get_metrics().operation_metrics.failed_operations
    tree.actor("/it").call("same")
    assert (failed, tree.status("/it").incarnation) == (1, 1)


# -- loop --------------------------------------------------------------------------------------------------------------

START_LOOP = wat.Import("theater:simple/loop.start-loop", "(initial-state: list<u8>) -> result<_, string>")
STOP_LOOP = wat.Import("theater:simple/loop.stop-loop", "() -> result<_, string>")
TURN = "theater:simple/loop-client.loop"
TURN_TYPE = (
    "(state: u32, bytes: list<u8>) -> result<tuple<u32, variant turn {ok(list<u8>), err(string)}>, string>"
)


def looping(turn: wat.Behaviour) -> bytes:
    """An actor whose loop begins with its init."""
    return wat.build(
        functions=[
            wat.starts(u32(0), wat.calls(START_LOOP, octets(b"first"))),
            wat.Function(TURN, TURN_TYPE, turn),
            wat.Function(f"{API}.stop", PLAIN, keeps(wat.calls(STOP_LOOP))),
            wat.Function(f"{API}.same", PLAIN, keeps()),
        ],
        imports=[START_LOOP, STOP_LOOP],
    )


def test_a_loop_turns_and_calls_are_served_between(start: Start, home: Path) -> None:
    """Cooperative: a loop without a pause keeps nobody from being answered; the record can be replayed."""
    (home / "it.wasm").write_bytes(looping(counts(variant("turn", "ok", 0, octets(b"next")))))
    tree = start(tree_of("it.wasm", "{loop: {}}"))
    it = tree.actor("/it")
    until(lambda: it.get_state() >= 50, "fifty turns")
    for _ in range(20):
        it.call("same", timeout=5)
    it.call("stop", timeout=5)
    count = it.get_state()

    for _ in range(20):
        it.call("same")
    assert it.get_state() == count
    assert "Replay complete" in tree.cli("replay", "/it")


def test_a_loop_may_end_itself(start: Start, home: Path) -> None:
    """With err(string); the log has the text."""
    (home / "it.wasm").write_bytes(looping(counts(variant("turn", "err", 1, text("had enough")))))
    tree = start(tree_of("it.wasm", "{loop: {}}"))
    until(lambda: "the loop has ended: had enough" in str(tree.log_lines()), "the line in the log")

    assert tree.actor("/it").get_state() == 1


# -- timing ------------------------------------------------------------------------------------------------------------

SLEEP = wat.Import("theater:simple/timing.sleep", "(ms: u64) -> result<_, string>")


def test_a_stop_wakes_an_actor_that_sleeps(start: Start, home: Path) -> None:
    """It is not killed at its deadline: the operation returns, and the end is orderly (L5)."""
    functions = [wat.starts(u32(0)), wat.Function(f"{API}.sleep", PLAIN, keeps(wat.calls(SLEEP, u64(3_000_000))))]
    (home / "it.wasm").write_bytes(wat.build(functions=functions, imports=[SLEEP]))
    tree = start(tree_of("it.wasm", "{timing: {max_sleep: 1h}}", ", shutdown: 60s"))
    sleeper = threading.Thread(target=lambda: tree.actor("/it").call("sleep", timeout=60))
    sleeper.start()
    until(lambda: tree.status("/it").operation == f"{API}.sleep", "the sleep")
    report = tree.actor("/it").shutdown(timeout=50)
    sleeper.join(20)

    assert (sleeper.is_alive(), report.forced) == (False, False)


# -- process -----------------------------------------------------------------------------------------------------------

MORTAL = ", restart: temporary"
SPAWN = wat.Import(
    "theater:simple/process.spawn", "(program: string, arguments: list<string>) -> result<string, string>"
)


def spawning() -> bytes:
    """An actor whose init starts a program that starts others: in its session, in another, and one that is a daemon."""
    script = "sleep 1000 & setsid sleep 1001 & setsid sh -c 'sleep 1002 &' & wait"
    arguments = listed(b"\x06", [text("-c"), text(script)])
    return wat.build(
        functions=[wat.starts(u32(0), wat.calls(SPAWN, tup(text("/bin/sh"), arguments)))], imports=[SPAWN]
    )


ENDS: dict[str, Callable[[RunningTree, psutil.Process], Any]] = {
    "the worker is killed": lambda tree, worker: worker.kill(),
    "the actor is terminated": lambda tree, worker: tree.cli("terminate", "/it"),
    "the tree is stopped": lambda tree, worker: tree.stop(),
    "the root is killed": lambda tree, worker: tree.process.kill(),
}


@pytest.mark.parametrize("way", ENDS)
def test_nothing_of_its_programs_outlives_an_actor(start: Start, home: Path, way: str) -> None:
    """However it ends, and whatever they have done to get away; the guard above them goes last."""
    (home / "it.wasm").write_bytes(spawning())
    tree = start(tree_of("it.wasm", "{process: {programs: [/bin/sh], environment: {PATH: /usr/bin:/bin}}}", MORTAL))
    worker = psutil.Process(tree.pid("/it"))

    def sleeping() -> list[psutil.Process]:
        below = worker.children(recursive=True)
        try:
            return below if sum(each.name() == "sleep" for each in below) == 3 else []
        except psutil.NoSuchProcess:
            return []  # a shell on its way

    below = until(sleeping, "everything to run")
    ENDS[way](tree, worker)

    wait_gone(below)


def test_no_guard_without_the_grant(start: Start, home: Path) -> None:
    """Only actors that may run programs have a process for it."""
    (home / "it.wasm").write_bytes(ticking(counts()))
    tree = start(tree_of("it.wasm", "{timer: {}}"))

    assert psutil.Process(tree.pid("/it")).children() == []
