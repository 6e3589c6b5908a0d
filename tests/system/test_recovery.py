"""``recover``: what a new incarnation begins from after its worker was killed, with real processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.system import guests
from tests.system.frozen import Frozen
from tests.system.running import RunningTree, is_running, running_tree, until
from theater.errors import ActorError, ChannelClosed, InternalError, OperationTimeout, UnexpectedError

TREE = """
version: 1
name: recovery
intensity: 100000
period: 1s
children:
  - {id: last, actor: counter.wasm, grants: {runtime: {}}, recover: last}
  - {id: initial, actor: counter.wasm, grants: {runtime: {}}}
  - {id: replayed, actor: counter.wasm, grants: {runtime: {}}, recover: replay}
  - {id: careful, actor: counter.wasm, grants: {runtime: {}}, recover: last, poison: dead_letter}
"""


@pytest.fixture
def tree(home: Path) -> Iterator[RunningTree]:
    """A tree of counters that come back in different ways."""
    with running_tree(home, TREE) as tree:
        yield tree


def next_life(tree: RunningTree, path: str, number: int) -> Any:
    """The status of a later incarnation, if there is one already."""
    try:
        found = tree.status(path)
    except ActorError:
        return None
    return found if found.incarnation > number else None


def test_last_goes_on_from_the_committed_state(tree: RunningTree) -> None:
    """Killed twice, once before it did anything: nothing that was answered is missing."""
    last = tree.actor("/last")
    for _ in range(10):
        last.call("bump", (1,))
    tree.kill("/last")
    tree.kill("/last")

    assert last.call("bump", (1,)) == 11


def test_initial_begins_anew(tree: RunningTree) -> None:
    """As OTP would."""
    initial = tree.actor("/initial")
    initial.call("bump", (1,))
    tree.kill("/initial")

    assert initial.call("bump", (1,)) == 1


def test_a_crash_of_the_guest_goes_back_to_what_was_committed(tree: RunningTree) -> None:
    """The operation that trapped has committed nothing."""
    last = tree.actor("/last")
    assert last.call("bump", (5,)) == 5
    incarnation = tree.status("/last").incarnation
    with pytest.raises(InternalError):
        last.call("trap")
    tree.wait_incarnation("/last", incarnation + 1)

    assert last.call("bump", (1,)) == 6


def test_replay_computes_the_state_anew(tree: RunningTree) -> None:
    """After a SIGKILL, another one before anything happened, a trap, and one in the middle of a call."""
    replayed = tree.actor("/replayed")
    for _ in range(10):
        replayed.call("bump", (1,))
    replayed.call("log")  # sets 7; what the host answered comes from the record
    tree.kill("/replayed")
    tree.kill("/replayed")
    assert replayed.call("bump", (1,)) == 8

    incarnation = tree.status("/replayed").incarnation
    with pytest.raises(InternalError):
        replayed.call("trap")
    tree.wait_incarnation("/replayed", incarnation + 1)
    assert replayed.call("bump", (1,)) == 9

    with pytest.raises(OperationTimeout):
        replayed.call("spin", timeout=0.05)
    tree.kill("/replayed")
    assert replayed.call("bump", (1,)) == 10
    said = tree.cli("events", "/replayed", "--type", "incarnation", "--output", "jsonl")
    assert said.count("replay") >= 4
    assert "Replay complete" in tree.cli("replay", "/replayed")


def test_replay_after_a_life_that_was_given_up_before_its_fork(tree: RunningTree) -> None:
    """It was to be rebuilt, and had no process yet: the life after it is rebuilt all the same."""
    replayed = tree.actor("/replayed")
    for _ in range(3):
        replayed.call("bump", (1,))
    with Frozen(tree):
        life = tree.status("/replayed")
        while life.pid:  # the first restart may find a worker that was forked ahead
            os.kill(life.pid, signal.SIGKILL)
            life = until(partial(next_life, tree, "/replayed", life.incarnation), "the next life")
        with suppress(OperationTimeout):  # there may be nothing to kill yet
            replayed.terminate(timeout=0.05)
        given_up = tree.status("/replayed").incarnation  # answered after the order: it has arrived
    tree.wait_incarnation("/replayed", max(given_up, life.incarnation + 1))

    assert replayed.call("bump", (1,)) == 4
    assert "Replay complete" in tree.cli("replay", "/replayed")


def test_replay_after_the_supervisor_was_killed(tree: RunningTree) -> None:
    """The chain is all that is needed."""
    tree.actor("/replayed").call("bump", (4,))
    restart_supervisor(tree, "--recover")

    assert tree.actor("/replayed").call("bump", (1,)) == 5


def test_a_history_that_cannot_be_played_back_fails_the_start(tree: RunningTree) -> None:
    """With another package than it was recorded with; the step and the reason are told."""
    tree.actor("/replayed").call("bump", (4,))
    tree.stop()
    (tree.home / "counter.wasm").write_bytes(guests.counter() + b"\x00\x02\x01x")  # a custom section more
    tree.options = ("--recover",)
    tree.start()

    assert tree.process.wait(20) == 1
    assert "replay: Replay failed: wrong_package" in tree.said.read_text()


def restart_supervisor(tree: RunningTree, *options: str) -> None:
    """SIGKILL the supervisor and start another one on the same store."""
    left = tree.workers()
    tree.drop_client()
    tree.process.kill()
    tree.process.wait()
    until(lambda: not any(is_running(pid) for pid in left), "the workers to follow their supervisor")
    tree.options = options
    tree.start()
    tree.wait_up()


def test_recover_goes_on_after_the_supervisor_was_killed(tree: RunningTree) -> None:
    """Nothing that was answered is missing, and incarnation numbers are not used twice."""
    for path in ("/last", "/initial"):
        tree.actor(path).call("bump", (4,))
    restart_supervisor(tree, "--recover")

    assert tree.actor("/last").call("bump", (1,)) == 5
    assert tree.actor("/initial").call("bump", (1,)) == 1
    assert tree.status("/last").incarnation == 2


def test_recover_goes_on_after_an_orderly_stop(tree: RunningTree) -> None:
    """The same, with nothing left in rings."""
    tree.actor("/last").call("bump", (4,))
    tree.stop()
    tree.options = ("--recover",)
    tree.start()
    tree.wait_up()

    assert tree.actor("/last").call("bump", (1,)) == 5


def test_without_recover_a_new_run_begins_anew(tree: RunningTree) -> None:
    """The chain goes on, the state does not."""
    tree.actor("/last").call("bump", (4,))
    restart_supervisor(tree)

    assert tree.actor("/last").call("bump", (1,)) == 1
    tree.cli("verify", "/last")


def test_a_connection_that_comes_too_late_is_told_at_once(tree: RunningTree) -> None:
    """A thread that speaks for the first time after the supervisor's death does not wait for its time-out."""
    last = tree.actor("/last")
    tree.process.kill()
    tree.process.wait()
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(last.call, "bump", (1,))
        assert isinstance(asked.exception(2.0), ChannelClosed)


def test_a_poisoned_operation_is_set_aside(tree: RunningTree) -> None:
    """After three incarnations it is refused; everything else goes on, from the committed state."""
    careful = tree.actor("/careful")
    careful.call("bump", (2,))
    for number in (2, 3, 4):
        with pytest.raises(InternalError):
            careful.call("trap")
        tree.wait_incarnation("/careful", number)

    with pytest.raises(UnexpectedError, match="dead letter"):
        careful.call("trap")
    assert careful.call("bump", (1,)) == 3
    assert tree.status("/careful").incarnation == 4

    restart_supervisor(tree, "--recover")
    with pytest.raises(UnexpectedError, match="dead letter"):
        tree.actor("/careful").call("trap")


def test_dead_letters_are_seen_dropped_and_retried(tree: RunningTree) -> None:
    """By the command line: listed with their calls; an actor that was made better takes the operation again."""
    careful = tree.actor("/careful")
    for number in (2, 3, 4):
        with pytest.raises(InternalError):
            careful.call("trap")
        tree.wait_incarnation("/careful", number)
    with pytest.raises(UnexpectedError, match="dead letter"):
        careful.call("trap")
    (letter,) = msgspec.json.decode(tree.cli("dead-letters", "--output", "json"))
    shown = msgspec.json.decode(tree.cli("dead-letters", "show", "/careful", str(letter["seq"]), "--output", "json"))

    assert (letter["actor"], letter["function"], letter["tries"]) == ("/careful", f"{guests.API}.trap", 3)
    assert shown["params"] in ((), [])
    tree.cli("dead-letters", "retry", "/careful", str(letter["seq"]), check=1)  # as bad as ever
    tree.wait_incarnation("/careful", 5)
    assert tree.cli("dead-letters", "--output", "jsonl") == ""
    tree.cli("dead-letters", "drop", "/careful", str(letter["seq"]), check=1)
    tree.cli("dead-letters", "show", "/nobody", "1", check=4)


POISON = """
version: 1
name: poison
intensity: 1
period: 60s
children:
  - {id: careful, actor: counter.wasm, grants: {runtime: {}}, poison: dead_letter, poison_tries: 5}
"""


def test_poison_does_not_use_up_the_restart_intensity(home: Path) -> None:
    """Five crashes in the same operation, under a supervisor that forgives one in a minute."""
    with running_tree(home, POISON) as tree:
        for number in range(2, 7):
            with pytest.raises(InternalError):
                tree.actor("/careful").call("trap")
            tree.wait_incarnation("/careful", number)
        with pytest.raises(UnexpectedError, match="dead letter"):
            tree.actor("/careful").call("trap")
