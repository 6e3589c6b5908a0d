"""``durability: group``: an answer says that the store has the call on the disk; the watermark bounds what is ahead."""

from __future__ import annotations

import os
import random
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from supervisor.store import StoreReader
from tests.system.running import RunningTree, running_tree, until, wait_gone
from theater.chain import payloads
from theater.errors import ActorError, OperationTimeout

TREE = """
version: 1
name: durability
children:
  - {id: synced, actor: counter.wasm, grants: {runtime: {}}, durability: group}
  - {id: plain, actor: counter.wasm, grants: {runtime: {}}}
"""
DEATHS = int(os.environ.get("THEATER_CRASH_ROOTS", "4"))


@pytest.fixture
def tree(home: Path) -> Iterator[RunningTree]:
    """A counter of each kind."""
    with running_tree(home, TREE) as tree:
        yield tree
        if tree.process.poll() is None:
            tree.process.send_signal(signal.SIGCONT)


def bumps_stored(tree: RunningTree, path: str) -> int:
    with StoreReader(str(tree.store_dir)) as reader:
        actor = reader.find(path)
        assert actor is not None
        assert reader.verify(actor.id).ok
        said = (payloads.read(event.data) for event in reader.events(actor.id, types=["wasm"]))
        return sum(isinstance(each, payloads.Result) and each.function.endswith(".bump") for each in said)


def kill_everything(tree: RunningTree) -> None:
    """The supervisor and its workers at once; and nothing that was in memory only stays."""
    workers = tree.processes()
    for pid in (tree.process.pid, *(each.pid for each in workers)):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    tree.process.wait()
    wait_gone(workers)
    shutil.rmtree(tree.store_dir / "rings")


def test_answered_means_stored(tree: RunningTree) -> None:
    """Whatever dies, with the rings lost: every answered call is in the store."""
    chance = random.Random(5)
    answered = 0
    for _ in range(DEATHS):
        actor = tree.actor("/synced")
        timer = threading.Timer(chance.uniform(0.05, 0.4), kill_everything, (tree,))
        timer.start()
        while True:
            try:
                actor.call("bump", (1,))
                answered += 1
            except ActorError:
                break
        timer.join()
        tree.drop_client()
        assert bumps_stored(tree, "/synced") >= answered
        answered = bumps_stored(tree, "/synced")  # those nobody had the answer of count too
        tree.start()
        tree.wait_up()

    assert answered > DEATHS


def test_answers_wait_while_nothing_is_stored(tree: RunningTree) -> None:
    """And come when the store goes on; an actor of the other kind answers meanwhile."""
    synced, plain = tree.actor("/synced"), tree.actor("/plain")
    assert synced.call("bump", (1,)) == plain.call("bump", (1,)) == 1
    tree.process.send_signal(signal.SIGSTOP)
    with ThreadPoolExecutor(3) as pool:
        waiting = [pool.submit(synced.call, "bump", (1,)) for _ in range(3)]
        assert plain.call("bump", (1,)) == 2
        with pytest.raises(OperationTimeout):
            synced.call("bump", (0,), timeout=0.2)
        assert not any(future.done() for future in waiting)
        tree.process.send_signal(signal.SIGCONT)

        assert sorted(future.result(20) for future in waiting) == [2, 3, 4]


def test_an_orderly_stop_answers_first(tree: RunningTree) -> None:
    """Nobody is left without an answer because the answer had to wait."""
    synced = tree.actor("/synced")
    with ThreadPoolExecutor(4) as pool:
        waiting = [pool.submit(synced.call, "bump", (1,)) for _ in range(4)]
        tree.cli("stop")
        outcomes = [future.exception(20) or future.result() for future in waiting]
    tree.drop_client()
    answers = sorted(each for each in outcomes if isinstance(each, int))

    assert answers == list(range(1, len(answers) + 1))
    assert all(isinstance(each, int | ActorError) for each in outcomes)
    assert bumps_stored(tree, "/synced") >= len(answers)


def test_a_worker_is_only_so_far_ahead_of_the_store(tree: RunningTree) -> None:
    """With the supervisor stopped it works until its ring is full, then waits; afterwards it goes on, nothing lost."""
    plain = tree.actor("/plain")
    assert plain.call("bump", (1,)) == 1
    (pid,) = [status.pid for status in [plain.get_status()]]
    before = psutil.Process(pid).memory_info().rss
    tree.process.send_signal(signal.SIGSTOP)
    answered = 1
    while True:
        try:
            plain.call("bump", (1,), timeout=1.0)
            answered += 1
        except OperationTimeout:
            break
    began = time.monotonic()
    with pytest.raises(OperationTimeout):
        plain.call("bump", (1,), timeout=0.2)
    assert time.monotonic() - began < 5
    assert 100 < answered < 5000
    assert psutil.Process(pid).memory_info().rss - before < 8 << 20
    tree.process.send_signal(signal.SIGCONT)

    final = until(lambda: _bump(plain), "an answer")
    tree.stop()
    assert answered < final <= answered + 3
    assert bumps_stored(tree, "/plain") == final


def _bump(actor: object) -> int | None:
    try:
        return int(actor.call("bump", (1,), timeout=5.0))  # type: ignore[attr-defined]
    except ActorError:
        return None
