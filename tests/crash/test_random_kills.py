"""Workers and supervisors killed at random instants under calls: answers, chain and state agree, exactly.

``THEATER_CRASH_S`` seconds of killed workers and ``THEATER_CRASH_ROOTS`` killed supervisors (tox -e crash: 60 and 200);
a short run is part of the normal tests.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator

import pytest

from supervisor.store import StoreReader
from tests.homes import new_home
from tests.system import guests
from tests.system.running import RunningTree, running_tree, wait_gone
from theater.chain import payloads
from theater.errors import ActorError
from theater.rundir import NotRunning

SECONDS = float(os.environ.get("THEATER_CRASH_S", "4"))
ROOTS_REPLAYED_MAX = 50
ROOTS = int(os.environ.get("THEATER_CRASH_ROOTS", "4"))
KILL_EVERY_S = 0.5

TREE = """
version: 1
name: crash
intensity: 100000
period: 1s
children:
  - {id: counter, actor: counter.wasm, grants: {runtime: {}}, recover: last}
"""


@pytest.fixture(params=["last", "replay", "replay, snapshot: {events: 500}"])
def tree(request: pytest.FixtureRequest) -> Iterator[RunningTree]:
    """One counter that goes on from its last state, from its history, or from the newest snapshot in that."""
    if request.param == "replay" and ROOTS > ROOTS_REPLAYED_MAX and "supervisor" in request.node.name:
        pytest.skip("a history of so many lives is replayed as a whole each time: from snapshots instead")
    with new_home() as home:
        guests.write_all(home)
        with running_tree(home, TREE.replace("recover: last", f"recover: {request.param}")) as tree:
            yield tree


class Killer:
    """Kills the worker of an actor at random instants, as long as it is in use."""

    def __init__(self, tree: RunningTree, path: str, seed: int) -> None:
        self._tree = tree
        self._path = path
        self._chance = random.Random(seed)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._kill)
        self.kills = 0

    def __enter__(self) -> Killer:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._over.set()
        self._thread.join()

    def _kill(self) -> None:
        import theater

        with theater.connect(self._tree.run_dir) as client:
            actor = client.actor(self._path)
            while not self._over.wait(self._chance.uniform(0, 2 * KILL_EVERY_S)):
                try:
                    pid = actor.get_status().pid
                    if pid:
                        os.kill(pid, signal.SIGKILL)
                        self.kills += 1
                except (ActorError, ProcessLookupError):
                    continue


def bumps_in_chain(tree: RunningTree) -> int:
    """How many calls of ``bump`` the chain says have returned."""
    reader = StoreReader(str(tree.store_dir))
    actor = reader.find("/counter")
    assert actor is not None
    said = (payloads.read(event.data) for event in reader.events(actor.id, types=["wasm"]))
    count = sum(isinstance(each, payloads.Result) and each.function.endswith(".bump") for each in said)
    reader.close()
    return count


def test_the_state_is_what_the_chain_says(tree: RunningTree) -> None:
    """Counted: what was acknowledged, and exactly those unanswered calls whose result the chain has."""
    counter = tree.actor("/counter")
    acknowledged = unanswered = 0
    deadline = time.monotonic() + SECONDS
    with Killer(tree, "/counter", seed=7) as killer:
        while time.monotonic() < deadline:
            try:
                counter.call("bump", (1,))
                acknowledged += 1
            except ActorError:
                unanswered += 1
    tree.wait_incarnation("/counter", 1)
    final = counter.call("bump", (1,))
    acknowledged += 1
    tree.stop()

    assert killer.kills > SECONDS / 2
    assert final == bumps_in_chain(tree)
    assert acknowledged <= final <= acknowledged + unanswered
    tree.cli("verify", "--store", str(tree.store_dir))


class Caller:
    """Calls ``bump`` as often as it can until the supervisor is gone."""

    def __init__(self) -> None:
        self.acknowledged = 0
        self.unanswered = 0

    def call_until_gone(self, tree: RunningTree) -> None:
        """Count answers and calls without one."""
        try:
            counter = tree.actor("/counter")
        except NotRunning:
            return  # gone before anybody could speak to it
        while tree.process.poll() is None:
            try:
                counter.call("bump", (1,))
                self.acknowledged += 1
            except ActorError:
                self.unanswered += 1
        tree.drop_client()


def test_a_supervisor_killed_at_any_instant_loses_nothing(tree: RunningTree) -> None:
    """The next one on the same store goes on from the same state; the chain has every acknowledged call."""
    chance = random.Random(11)
    caller = Caller()
    for _ in range(ROOTS):
        workers = tree.processes()
        timer = threading.Timer(chance.uniform(0, 0.6), tree.process.kill)
        timer.start()
        caller.call_until_gone(tree)
        timer.join()
        tree.process.wait()
        wait_gone(workers)
        tree.options = ("--recover",)
        tree.start()
        tree.wait_up()
    final = tree.actor("/counter").call("bump", (1,))
    tree.stop()

    assert final == bumps_in_chain(tree)
    assert caller.acknowledged + 1 <= final <= caller.acknowledged + 1 + caller.unanswered
    assert tree.workers() == []
    tree.cli("verify", "--store", str(tree.store_dir))


def test_with_keys_every_call_counts_once(tree: RunningTree) -> None:
    """Retried through any number of deaths: the counter equals the calls made, exactly."""
    counter = tree.actor("/counter")
    made = 0
    deadline = time.monotonic() + SECONDS
    with Killer(tree, "/counter", seed=13) as killer:
        while time.monotonic() < deadline:
            try:
                counter.call("bump", (1,), retry_on_restart=True, idempotency_key=f"call {made}")
                made += 1
            except ActorError:
                continue  # died too often; the key makes it safe to try once more
    final = counter.call("bump", (0,), retry_on_restart=True)

    assert killer.kills > SECONDS / 2
    assert final == made


def test_with_keys_every_call_counts_once_over_dead_supervisors(tree: RunningTree) -> None:
    """A call nobody answered is made again, under its key, of the next supervisor."""
    chance = random.Random(17)
    made = 0
    for _ in range(ROOTS):
        workers = tree.processes()
        timer = threading.Timer(chance.uniform(0, 0.6), tree.process.kill)
        timer.start()
        while True:
            try:
                tree.actor("/counter").call("bump", (1,), idempotency_key=f"call {made}")
                made += 1
            except (ActorError, NotRunning):
                break
        timer.join()
        tree.drop_client()
        tree.process.wait()
        wait_gone(workers)
        tree.options = ("--recover",)
        tree.start()
        tree.wait_up()
    counter = tree.actor("/counter")
    counter.call("bump", (1,), idempotency_key=f"call {made}")

    assert counter.call("bump", (0,)) == made + 1
