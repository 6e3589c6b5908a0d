"""Idempotency keys: a call that has returned is not executed again, whatever died meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.running import RunningTree, is_running, running_tree, until
from theater.errors import InternalError, SerializationError, UnexpectedError

TREE = """
version: 1
name: keys
intensity: 100000
period: 1s
children:
  - {id: counter, actor: counter.wasm, grants: {runtime: {}}, recover: last, limits: {idempotency_keys: 5}}
  - {id: replayed, actor: counter.wasm, grants: {runtime: {}}, recover: replay}
"""


@pytest.fixture
def tree(home: Path) -> Iterator[RunningTree]:
    """Counters that go on where they were."""
    with running_tree(home, TREE) as tree:
        yield tree


def test_a_repeated_key_gets_the_recorded_answer(tree: RunningTree) -> None:
    """Once executed; other keys and calls without one are executed as ever."""
    counter = tree.actor("/counter")

    assert [counter.call("bump", (1,), idempotency_key=key) for key in ("a", "a", "b", "a")] == [1, 1, 2, 1]
    assert counter.call("bump", (1,)) == 3


def test_a_decline_is_repeated_too(tree: RunningTree) -> None:
    """The same words; one event less."""
    counter = tree.actor("/counter")
    for _ in range(2):
        with pytest.raises(InternalError, match="refused"):
            counter.call("fail", idempotency_key="a")
    said = tree.cli("events", "/counter", "--type", "wasm", "--output", "jsonl")

    assert sum("refused" in line for line in said.splitlines()) == 1


def test_a_key_belongs_to_one_call(tree: RunningTree) -> None:
    """Other parameters or another function under it are refused; nothing happens."""
    counter = tree.actor("/counter")
    counter.call("bump", (1,), idempotency_key="a")
    with pytest.raises(UnexpectedError, match="used for another call"):
        counter.call("bump", (2,), idempotency_key="a")
    with pytest.raises(UnexpectedError, match="used for another call"):
        counter.call("log", idempotency_key="a")
    with pytest.raises(SerializationError, match="at most 128"):
        counter.call("bump", (1,), idempotency_key="k" * 129)

    assert counter.call("bump", (1,)) == 2


@pytest.mark.parametrize("path", ["/counter", "/replayed"])
def test_keys_are_known_to_the_next_incarnation(tree: RunningTree, path: str) -> None:
    """After a SIGKILL of the worker, and of the supervisor; a call that trapped is executed again."""
    actor = tree.actor(path)
    actor.call("bump", (1,), idempotency_key="a")
    tree.kill(path)
    assert actor.call("bump", (1,), idempotency_key="a") == 1
    for _ in range(2):
        incarnation = tree.status(path).incarnation
        with pytest.raises(InternalError, match="unreachable"):
            actor.call("trap", idempotency_key="t")
        tree.wait_incarnation(path, incarnation + 1)
    actor.call("bump", (1,), idempotency_key="b")

    left = tree.workers()
    tree.drop_client()
    tree.process.kill()
    tree.process.wait()
    until(lambda: not any(map(is_running, left)), "the workers to follow")
    tree.options = ("--recover",)
    tree.start()
    tree.wait_up()
    again = tree.actor(path)

    assert [again.call("bump", (1,), idempotency_key=key) for key in ("a", "b", "c")] == [1, 2, 3]


def test_the_window_is_bounded(tree: RunningTree) -> None:
    """Of five keys the oldest goes for the sixth."""
    counter = tree.actor("/counter")
    for number in range(6):
        counter.call("bump", (1,), idempotency_key=f"k{number}")

    assert counter.call("bump", (1,), idempotency_key="k5") == 6
    assert counter.call("bump", (1,), idempotency_key="k0") == 7
