"""Hot update: another package, with the state and the callers of the present one."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import pytest

import theater.aio
from proto import operation
from tests.guests import wat
from tests.guests.pack import text, tup, u32
from tests.system import guests
from tests.system.running import RunningTree, is_running, running_tree, until, wait_gone
from theater.cause import Cause
from theater.chain import payloads
from theater.errors import ActorError, ChannelClosed, FunctionNotFound, TypeMismatch, UpdatePackageError

API = guests.API
MIGRATE = "theater:simple/actor.migrate"
BUMP = wat.Function(f"{API}.bump", "(state: u32, by: u32) -> result<tuple<u32, u32>, string>", wat.adds())
VERSION = "(state: u32) -> result<tuple<u32, string>, string>"
LOG = wat.Function(f"{API}.log", guests.PLAIN, [wat.calls(wat.LOG, text("new")), wat.returns(wat.ok(u32(7)))])

WORKERS = 5
"""Processes of the tree: three actors, the template, a spare."""
TREE = """
version: 1
name: updates
intensity: 100000
period: 1s
children:
  - {id: counter, actor: counter.wasm, grants: {runtime: {}}, recover: last}
  - {id: replayed, actor: counter.wasm, grants: {runtime: {}}, recover: replay}
  - {id: synced, actor: counter.wasm, grants: {runtime: {}}, durability: group}
"""


def migrates(behaviour: Any, types: str = "(state: u32) -> result<tuple<u32>, string>") -> wat.Function:
    return wat.Function(MIGRATE, types, behaviour)


def package(*more: wat.Function, imports: Any = (wat.LOG,)) -> bytes:
    """A counter of a later version."""
    second = wat.Function(f"{API}.second", guests.PLAIN, wat.returns(wat.ok(u32(2))))
    return wat.build(functions=[wat.starts(u32(0)), BUMP, LOG, second, *more], imports=imports)


def of_text() -> list[wat.Function]:
    """An actor whose state is a text."""
    returns = wat.returns(wat.ok(tup(text("begun"))))
    return [wat.Function("theater:simple/actor.init", "(state: string) -> result<tuple<string>, string>", returns)]


def named() -> bytes:
    """A counter whose ``bump`` takes a word."""
    types = "(state: u32, word: string) -> result<tuple<u32, u32>, string>"
    return wat.build([wat.starts(u32(0)), wat.Function(f"{API}.bump", types, wat.returns(wat.ok(u32(9), u32(9))))])


PACKAGES = {
    "named.wasm": named,
    "second.wasm": lambda: package(),
    "migrating.wasm": lambda: package(migrates(wat.returns(wat.ok(u32(1000))))),
    "text.wasm": lambda: wat.build(functions=of_text()),
    "refusing.wasm": lambda: package(migrates(wat.declines("not from there"))),
    "trapping.wasm": lambda: package(migrates(wat.traps())),
    "spinning.wasm": lambda: package(migrates(wat.spins())),
    "talking.wasm": lambda: package(migrates([wat.calls(wat.LOG, text("hm")), wat.returns(wat.ok(u32(1)))])),
    "lying.wasm": lambda: package(migrates(wat.returns(wat.ok(text("no number"))))),
    "broken.wasm": lambda: b"\0asm nothing",
}


@pytest.fixture
def tree(home: Path) -> Iterator[RunningTree]:
    """Counters, and packages to update them to."""
    for name, build in PACKAGES.items():
        (home / name).write_bytes(build())
    with running_tree(home, TREE) as tree:
        yield tree
    assert list((tree.store_dir / "rings").glob("*")) == []


def markers(tree: RunningTree, path: str) -> list[payloads.Incarnation]:
    events = tree.actor(path).get_chain()
    said = [payloads.read(event.data) for event in events]
    return [each for each in said if isinstance(each, payloads.Incarnation)]


def test_the_state_goes_on_in_the_next_package(tree: RunningTree) -> None:
    """With one more incarnation, which the chain tells of; the old process ends; restarts keep the new package."""
    counter = tree.actor("/counter")
    assert [counter.call("bump", (1,)) for _ in range(3)] == [1, 2, 3]
    old = tree.pid("/counter")
    assert counter.update_package(tree.home / "second.wasm") == 2

    assert counter.call("bump", (1,)) == 4
    counter.call("second")
    (marker,) = markers(tree, "/counter")
    assert (marker.number, marker.recovered, marker.previous_end) == (2, "update", Cause(kind="updated"))
    until(lambda: not is_running(old), "the old worker to end")
    os.kill(tree.pid("/counter"), signal.SIGKILL)
    tree.wait_incarnation("/counter", 3)
    counter.call("second")
    counter.call("bump", (0,))
    tree.cli("verify", "/counter")


def test_migrate_turns_the_old_state_into_the_new_one(tree: RunningTree) -> None:
    """Whatever the old one was."""
    counter = tree.actor("/counter")
    counter.call("bump", (1,))
    counter.update_package(tree.home / "migrating.wasm")

    assert counter.call("bump", (1,)) == 1001


def test_clients_that_were_told_nothing_know_the_new_functions(tree: RunningTree) -> None:
    """What a handle knows of functions and their types is of a package: another one is asked for its own."""
    with theater.connect(tree.run_dir) as other:
        counter, pinned = other.actor("/counter"), other.actor("/counter").pinned()
        assert counter.call("bump", (1,)) == pinned.call("bump", (1,)) - 1 == 1
        assert f"{API}.second" not in counter.functions()
        tree.actor("/counter").update_package(tree.home / "second.wasm")

        counter.call("second")
        assert f"{API}.second" in counter.functions()
        with pytest.raises((ChannelClosed, FunctionNotFound)):
            pinned.call("second")
        tree.actor("/counter").update_package(tree.home / "named.wasm")
        assert counter.call("bump", ("by a word",)) == 9
        with pytest.raises(TypeMismatch):
            counter.call("bump", (1,))
        with pytest.raises(FunctionNotFound):
            counter.call("second")
        counter.send("bump", ("posted",))


def test_asyncio_clients_know_them_too(tree: RunningTree) -> None:
    """The same."""

    async def run() -> None:
        async with await theater.aio.connect(tree.run_dir) as client:
            counter = client.actor("/counter")
            assert await counter.call("bump", (1,)) == 1
            await asyncio.to_thread(tree.actor("/counter").update_package, tree.home / "second.wasm")
            await counter.call("second")
            await counter.update_package(tree.home / "named.wasm")
            assert await counter.call("bump", ("by a word",)) == 9
            assert f"{API}.second" not in await counter.functions()
            with pytest.raises(FunctionNotFound):
                await counter.call("second")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("missing.wasm", "No such file"),
        ("broken.wasm", "broken.wasm"),
        ("text.wasm", "the state does not fit the new package"),
        ("refusing.wasm", "refuses the state: not from there"),
        ("trapping.wasm", "unreachable"),
        ("talking.wasm", "must not call the host"),
        ("lying.wasm", "migrate"),
    ],
)
def test_what_cannot_take_over_does_not(tree: RunningTree, name: str, why: str) -> None:
    """The old package serves on, as if nothing had been."""
    counter = tree.actor("/counter")
    counter.call("bump", (1,))
    pid = tree.pid("/counter")
    with pytest.raises(UpdatePackageError, match=why):
        counter.update_package(tree.home / name)

    assert counter.call("bump", (1,)) == 2
    assert (tree.pid("/counter"), markers(tree, "/counter")) == (pid, [])
    until(lambda: len(tree.workers()) <= WORKERS, "what was tried to be gone")


def test_a_package_that_does_not_get_ready_is_given_up(tree: RunningTree) -> None:
    """After the time it has."""
    counter = tree.actor("/counter")
    with pytest.raises(UpdatePackageError, match="not ready within 300 ms"):
        counter.update_package(tree.home / "spinning.wasm", timeout=0.3)

    assert counter.call("bump", (1,)) == 1


@pytest.mark.parametrize("path", ["/counter", "/replayed", "/synced"])
def test_nobody_notices_under_load(tree: RunningTree, path: str) -> None:
    """Every call of every caller is executed once and answered, in its order, over update after update."""
    over = threading.Event()
    packages = [tree.home / name for name in ("second.wasm", "counter.wasm")]

    def keep_calling() -> list[int]:
        counter, answers = tree.actor(path), []
        while not over.is_set():
            answers.append(counter.call("bump", (1,)))
        return answers

    with ThreadPoolExecutor(4) as pool:
        callers = [pool.submit(keep_calling) for _ in range(4)]
        try:
            numbers = [tree.actor(path).update_package(packages[number % 2]) for number in range(6)]
        finally:
            over.set()
        answers = [caller.result(30) for caller in callers]
    assert numbers == [2, 3, 4, 5, 6, 7]
    assert all(each == sorted(each) for each in answers)
    everything = sorted(number for each in answers for number in each)
    assert everything == list(range(1, len(everything) + 1))
    tree.cli("verify", path)


def test_asyncio_callers_do_not_notice_either(tree: RunningTree) -> None:
    """With many calls under way at once, and posted ones among them."""

    async def run() -> tuple[list[int], int]:
        async with await theater.aio.connect(tree.run_dir) as client:
            counter = client.actor("/counter")
            answers: list[int] = []
            for name in ("second.wasm", "counter.wasm", "second.wasm"):
                calls = [asyncio.create_task(counter.call("bump", (1,))) for _ in range(50)]
                update = asyncio.create_task(counter.update_package(tree.home / name))
                answers += await asyncio.gather(*calls)
                await update
            return answers, await counter.call("bump", (0,))

    answers, final = asyncio.run(run())
    assert sorted(answers) == list(range(1, 151))
    assert final == 150


def test_posted_calls_are_done_by_whoever_serves(tree: RunningTree) -> None:
    """A call that nobody waits for is not lost in an update."""
    counter = tree.actor("/counter")
    over = threading.Event()

    def keep_posting() -> int:
        mine, posted = tree.actor("/counter"), 0
        while not over.is_set():
            mine.send("bump", (1,))
            posted += 1
            if posted % 20 == 0:
                mine.call("bump", (0,))
        mine.call("bump", (0,))
        return posted

    with ThreadPoolExecutor(1) as pool:
        posting = pool.submit(keep_posting)
        for name in ("second.wasm", "counter.wasm"):
            counter.update_package(tree.home / name)
        over.set()
        posted = posting.result(30)
    until(lambda: counter.call("bump", (0,)) == posted, f"{posted} posted calls")


def test_one_update_at_a_time(tree: RunningTree) -> None:
    """The second is told so."""
    counter = tree.actor("/counter")
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(counter.update_package, tree.home / "spinning.wasm", timeout=1.0)
        until(lambda: len(tree.workers()) > WORKERS, "the first to begin")
        with pytest.raises(UpdatePackageError, match="another update"):
            tree.actor("/counter").update_package(tree.home / "second.wasm")
        with pytest.raises(UpdatePackageError):
            first.result(20)


def test_a_death_ends_the_update(tree: RunningTree) -> None:
    """The actor restarts as it would, with its old package."""
    counter = tree.actor("/counter")
    counter.call("bump", (1,))
    pid = tree.pid("/counter")
    with ThreadPoolExecutor(1) as pool:
        update = pool.submit(counter.update_package, tree.home / "spinning.wasm", timeout=10.0)
        until(lambda: len(tree.workers()) > WORKERS, "the trial to begin", 5.0)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(UpdatePackageError, match="the actor has ended"):
            update.result(20)
    tree.wait_incarnation("/counter", 2)

    assert counter.call("bump", (1,)) == 2


def test_a_stop_ends_the_update(tree: RunningTree) -> None:
    """In order."""
    counter = tree.actor("/counter")
    with ThreadPoolExecutor(1) as pool:
        update = pool.submit(counter.update_package, tree.home / "spinning.wasm", timeout=20.0)
        until(lambda: len(tree.workers()) > WORKERS, "the trial to begin", 5.0)
        assert tree.actor("/counter").shutdown().cause.kind == "stopped"
        with pytest.raises(UpdatePackageError, match="being stopped"):
            update.result(20)


def test_a_paused_actor_is_not_updated(tree: RunningTree) -> None:
    """It is to be resumed first."""
    counter = tree.actor("/counter")
    counter.pause()
    with pytest.raises(UpdatePackageError, match="resume it first"):
        counter.update_package(tree.home / "second.wasm")
    counter.resume()

    assert counter.call("bump", (1,)) == 1


def test_a_handle_of_one_life_ends_with_it(tree: RunningTree) -> None:
    """It is told that there was an update."""
    counter = tree.actor("/counter")
    counter.call("bump", (1,))
    pinned = counter.pinned()
    counter.update_package(tree.home / "second.wasm")
    with pytest.raises(ChannelClosed) as closed:
        pinned.call("bump", (1,))

    assert closed.value.data[0]["kind"] == "updated"


def test_keys_are_known_to_the_next_package(tree: RunningTree) -> None:
    """A call that has returned is not executed again."""
    counter = tree.actor("/counter")
    assert counter.call("bump", (1,), idempotency_key="k") == 1
    counter.update_package(tree.home / "second.wasm")

    assert counter.call("bump", (1,), idempotency_key="k") == 1
    assert counter.call("bump", (0,)) == 1


def test_a_supervisor_killed_meanwhile_loses_nothing(tree: RunningTree) -> None:
    """The next one goes on from the state; the chain verifies."""
    counter = tree.actor("/counter")
    made = 0
    for attempt in range(5):
        counter = tree.actor("/counter")
        counter.call("bump", (1,))
        made += 1
        with ThreadPoolExecutor(1) as pool:
            update = pool.submit(counter.update_package, tree.home / "second.wasm")
            threading.Event().wait(0.004 * attempt)
            workers = tree.processes()
            tree.process.kill()
            try:
                update.result(20)
            except ActorError:
                pass
        tree.drop_client()
        tree.process.wait()
        wait_gone(workers)
        tree.options = ("--recover",)
        tree.start()
        tree.wait_up()

    assert tree.actor("/counter").call("bump", (0,)) == made
    tree.cli("verify", "/counter")


def test_replay_goes_on_behind_an_update(tree: RunningTree) -> None:
    """With the package of the last lives; those before were lived with another one."""
    counter = tree.actor("/replayed")
    counter.call("bump", (5,))
    counter.update_package(tree.home / "second.wasm")
    counter.call("bump", (2,))
    os.kill(tree.pid("/replayed"), signal.SIGKILL)
    tree.wait_incarnation("/replayed", 3)

    assert counter.call("bump", (1,)) == 8
    assert "Replay complete" in tree.cli("replay", "/replayed")


def test_the_command_line(tree: RunningTree) -> None:
    """``theater update``, rehearsed first; JSON for programs; refusals in words."""
    tree.actor("/counter").call("bump", (3,))
    said = tree.cli("update", "/counter", "--package", str(tree.home / "second.wasm"), "--rehearse")
    again = tree.cli("update", "/counter", "--package", str(tree.home / "counter.wasm"), "--output", "json")
    tree.cli("update", "/counter", "--package", str(tree.home / "text.wasm"), check=1)
    tree.cli("update", "/nobody", "--package", str(tree.home / "second.wasm"), check=4)

    assert msgspec.json.decode(said)["incarnation"] == 2
    assert msgspec.json.decode(again)[0]["incarnation"] == 3
    assert tree.actor("/counter").call("bump", (1,)) == 4


def test_the_operation_of_the_same_name(tree: RunningTree) -> None:
    """A caller that asks the worker itself gets its answer from it, though it has handed over by then."""
    counter = tree.actor("/counter")
    counter.call("bump", (3,))
    link = tree.client.link()
    route = link.route("/counter", 5.0)
    assert link.operate(route, operation.UpdatePackage, (str(tree.home / "second.wasm"),), 10.0, None) == []
    with pytest.raises(UpdatePackageError, match="absolute path"):
        route = link.route("/counter", 5.0)
        link.operate(route, operation.UpdatePackage, ("second.wasm",), 10.0, None)

    assert counter.call("bump", (1,)) == 4
    counter.call("second")
