"""Actors' lives seen from outside: order, ends of every kind, and what callers hear."""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import Any

import pytest

from tests.system.guests import ONE, ORDERED, call_spin
from tests.system.running import Start, is_running, until
from theater.errors import ActorError, ChannelClosed, InternalError


def kill(pid: int, number: signal.Signals) -> None:
    """Signal a process until it is gone: the engine's own handler lets a SIGSEGV nobody caused pass once."""

    def gone() -> bool:
        if is_running(pid):
            os.kill(pid, number)
        return not is_running(pid)

    until(gone, f"process {pid} to die of {number.name}")


def test_a_tree_comes_up_answers_and_stops_in_order(start: Start) -> None:
    """The main job: start, call, stop; exit code 0 and nothing left."""
    tree = start(ONE)
    counter = tree.actor("/counter")

    assert counter.call("bump", (5,)) == 5
    assert counter.call("bump", (37,)) == 42
    assert counter.get_state() == 42
    workers = tree.workers()
    assert tree.stop() == 0
    assert not any(is_running(pid) for pid in workers)
    assert not tree.run_dir.exists()
    assert os.listdir(tree.store_dir / "rings") == []


def test_stop_goes_backwards_through_the_tree(start: Start) -> None:
    """Depth first, last child first, whatever the strategies."""
    tree = start(ORDERED)

    assert tree.stop() == 0
    assert tree.ended() == ["/d", "/s/c", "/s/b", "/a"]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT])
def test_a_worker_killed_from_outside_comes_back(start: Start, number: signal.Signals) -> None:
    """The next incarnation answers; the cause names the signal."""
    tree = start(ONE)
    tree.actor("/counter").call("bump", (1,))

    kill(tree.pid("/counter"), number)
    tree.wait_incarnation("/counter", 2)

    assert tree.actor("/counter").call("bump", (2,)) == 2
    assert tree.ended() == ["/counter"]


def test_a_stopped_worker_is_found_by_its_heartbeat(start: Start) -> None:
    """SIGSTOP freezes the message thread; the root kills and restarts it."""
    tree = start(ONE.replace("grants", "heartbeat: {interval: 100ms, misses: 3}, grants"))

    os.kill(tree.pid("/counter"), signal.SIGSTOP)
    tree.wait_incarnation("/counter", 2)

    assert tree.actor("/counter").call("bump", (2,)) == 2


def test_the_caller_of_a_killed_worker_hears_the_cause_at_once(start: Start) -> None:
    """A worker killed in the middle of a call: ChannelClosed with signal 9, long before any timeout."""
    tree = start(ONE)
    pid = tree.pid("/counter")
    heard: list[BaseException] = []

    def call() -> None:
        try:
            tree.actor("/counter").call("spin", (), timeout=60)
        except ActorError as error:
            heard.append(error)

    caller = threading.Thread(target=call)
    caller.start()
    until(lambda: tree.status("/counter").operation, "the call to run")
    began = time.monotonic()
    os.kill(pid, signal.SIGKILL)
    caller.join(20)

    assert isinstance(heard[0], ChannelClosed)
    assert heard[0].cause["signal"] == signal.SIGKILL
    assert time.monotonic() - began < 5


def test_a_spinning_guest_harms_nobody(start: Start) -> None:
    """Status and state are answered while it spins; terminate ends it; its sibling never notices."""
    tree = start(ONE.replace("children:\n", "children:\n  - {id: other, actor: counter.wasm, grants: {runtime: {}}}\n"))
    caller = threading.Thread(target=call_spin, args=(tree,))
    caller.start()
    until(lambda: tree.status("/counter").operation, "the call to run")

    assert tree.actor("/counter").get_state() == 0
    assert tree.actor("/other").call("bump", (3,)) == 3
    report = tree.actor("/counter").terminate()
    caller.join(20)

    assert report.cause.kind == "killed"
    tree.wait_incarnation("/counter", 2)


def test_a_spinning_guest_is_ended_by_its_deadline(start: Start) -> None:
    """The caller gets the recorded error, the supervisor restarts."""
    tree = start(ONE.replace("grants", "limits: {call_deadline: 200ms}, grants"))

    with pytest.raises(InternalError, match="deadline"):
        tree.actor("/counter").call("spin", (), timeout=30)
    tree.wait_incarnation("/counter", 2)


def test_a_guest_that_allocates_without_end_is_stopped_at_its_limit(start: Start) -> None:
    """Its memory limit makes it trap; nobody else is harmed."""
    tree = start(ONE.replace("grants", "limits: {memory: 4MiB}, grants"))

    with pytest.raises(InternalError):
        tree.actor("/counter").call("grow", (), timeout=30)
    tree.wait_incarnation("/counter", 2)

    assert tree.actor("/counter").call("bump", (2,)) == 2


def test_a_guest_can_end_itself_cleanly(start: Start) -> None:
    """runtime.shutdown: a transient child that has completed stays down."""
    tree = start(ONE.replace("grants", "restart: transient, grants"))

    tree.actor("/counter").call("quit")
    cause = tree.actor("/counter").monitor()

    assert cause.kind == "completed"
    assert cause.value == b"bye"
    assert tree.client.count_children("/")["active"] == 0


def test_crashes_beyond_the_intensity_end_the_tree(start: Start) -> None:
    """The supervisor gives up; `start` says so and exits with 1."""
    tree = start(ONE.replace("intensity: 100", "intensity: 2"))

    for incarnation in (1, 2, 3):
        tree.wait_incarnation("/counter", incarnation)
        with pytest.raises(ActorError):
            tree.actor("/counter").call("trap")

    assert tree.process.wait(20) == 1
    assert "the tree has ended" in tree.said.read_text()


def test_a_second_signal_forces_the_end(start: Start) -> None:
    """A guest that never returns holds up an ordered stop; Ctrl-C twice does not wait for it."""
    tree = start(ONE.replace("grants", "shutdown: infinity, grants"))
    caller = threading.Thread(target=call_spin, args=(tree,))
    caller.start()
    until(lambda: tree.status("/counter").operation, "the call to run")

    tree.process.send_signal(signal.SIGINT)
    until(lambda: tree.client.tree()["state"] == "stopping", "the stop to begin")
    tree.process.send_signal(signal.SIGINT)

    assert tree.process.wait(20) == 1
    caller.join(20)


def test_guest_log_lines_arrive_with_actor_and_incarnation(start: Start) -> None:
    """runtime.log goes upward as a record."""
    tree = start(ONE)
    tree.actor("/counter").call("log")

    def lines() -> list[dict[str, Any]]:
        return [line for line in tree.log_lines() if "hello from the guest" in str(line)]

    line = until(lines, "the log line")[0]

    assert (line["actor"], line["incarnation"], line["origin"]) == ("/counter", 1, "guest")


def test_status_tells_a_paused_actor(start: Start) -> None:
    """`status` and `tree` show what pause and resume did."""
    tree = start(ONE)

    tree.cli("pause", "/counter")
    paused = tree.client.tree()["root"]["children"][0]["state"]
    tree.cli("resume", "/counter")
    resumed = tree.client.tree()["root"]["children"][0]["state"]

    assert (paused, resumed) == ("paused", "running")
