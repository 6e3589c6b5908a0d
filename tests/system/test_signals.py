"""Signals, a service manager and a terminal, as the root meets them."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import socket
import subprocess
import termios
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.system.guests import ONE, ORDERED, call_spin
from tests.system.running import DEADLINE_S, RunningTree, Start, is_running, until
from theater.errors import ActorError
from theater.rundir import NotRunning

BACKWARDS = ["/d", "/s/c", "/s/b", "/a"]
SPINNING_START = ONE.replace("counter.wasm", "spinning_init.wasm")
CTRL_C = b"\x03"


def assert_nothing_left(tree: RunningTree, workers: list[int]) -> None:
    until(lambda: not any(is_running(pid) for pid in workers), "every process to be gone", 5.0)
    assert not tree.run_dir.exists()
    assert "Traceback" not in tree.said.read_text()


def _has_begun(tree: RunningTree, path: str) -> bool:
    try:
        return bool(tree.status(path).detail == "init")
    except (ActorError, NotRunning):
        return False


# -- hangup ------------------------------------------------------------------------------------------------------------


def test_a_hangup_is_logged_and_nothing_else(start: Start) -> None:
    """SIGHUP is reserved: to the root, and to all of its process group."""
    tree = start(ONE, start_new_session=True)
    before = tree.pid("/counter")
    tree.process.send_signal(signal.SIGHUP)
    until(lambda: tree.log_lines("signal_ignored"), "the signal to be logged")
    os.killpg(tree.process.pid, signal.SIGHUP)
    until(lambda: len(tree.log_lines("signal_ignored")) == 2, "the second one")

    assert tree.actor("/counter").call("bump", (1,)) == 1
    assert tree.pid("/counter") == before
    assert tree.stop() == 0


# -- while it starts ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_during_the_start_does_not_wait_for_it(start: Start, number: signal.Signals) -> None:
    """An init that never returns is ended at once; a start that was called off is no failure."""
    tree = start(SPINNING_START, wait=False)
    until(lambda: _has_begun(tree, "/counter"), "init to run")
    workers = tree.workers()

    assert tree.stop(number) == 0
    assert "did not start" not in tree.said.read_text()
    assert_nothing_left(tree, workers)


@pytest.mark.parametrize("step", ["announced", "first"])
def test_a_stop_in_the_middle_of_a_start_takes_back_what_is_up(start: Start, step: str) -> None:
    """Told to stop while packages are prepared, or with some of the actors up: those end in reverse order."""
    tree = start(ORDERED.replace("{id: d, actor: counter.wasm", "{id: d, actor: spinning_init.wasm"), wait=False)
    if step == "announced":
        until(lambda: (tree.run_dir / "supervisor.json").exists(), "the root to be there")
    else:
        until(lambda: _has_begun(tree, "/d"), "the last actor to start")
    workers = tree.workers()

    assert tree.stop() == 0
    assert_nothing_left(tree, workers)
    if step == "first":
        assert tree.ended() == BACKWARDS


# -- the whole process group -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_the_process_group_stops_in_order(start: Start, number: signal.Signals) -> None:
    """A terminal's Ctrl-C, or a service manager that signals everybody: workers wait for the root's word."""
    tree = start(ORDERED, start_new_session=True)
    workers = tree.workers()
    os.killpg(tree.process.pid, number)

    assert tree.process.wait(DEADLINE_S) == 0
    ended = [(line["actor"], line["cause"]) for line in tree.log_lines("ended")]
    assert ended == [(path, "stopped") for path in BACKWARDS]
    assert_nothing_left(tree, workers)


def test_a_second_signal_to_the_process_group_forces(start: Start) -> None:
    """A guest that never returns is not waited for any longer; the exit code says that it was killed."""
    tree = start(ONE.replace("grants", "shutdown: infinity, grants"), start_new_session=True)
    caller = threading.Thread(target=call_spin, args=(tree,))
    caller.start()
    until(lambda: tree.status("/counter").operation, "the call to run")
    os.killpg(tree.process.pid, signal.SIGINT)
    until(lambda: tree.log_lines("stopping"), "the stop to begin")
    os.killpg(tree.process.pid, signal.SIGINT)

    assert tree.process.wait(DEADLINE_S) == 1
    caller.join(DEADLINE_S)
    assert [line["cause"] for line in tree.log_lines("ended")] == ["killed"]
    assert "1 worker(s) had to be killed" in tree.said.read_text()


# -- who waits for it to be up -----------------------------------------------------------------------------------------


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """A service manager that listens."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(path)
        listener.settimeout(DEADLINE_S)
        monkeypatch.setenv("NOTIFY_SOCKET", path)
        yield listener


def test_a_service_manager_hears_when_it_is_up_and_when_it_stops(start: Start, manager: socket.socket) -> None:
    """READY=1 with the last actor up, STOPPING=1 with the first word to stop, nothing more."""
    tree = start(ONE)

    assert manager.recv(100) == b"READY=1"
    assert tree.stop() == 0
    assert manager.recv(100) == b"STOPPING=1"
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(100)


def test_a_service_manager_is_not_told_of_a_tree_that_did_not_start(start: Start, manager: socket.socket) -> None:
    """No READY=1, and no ready file."""
    tree = start(ONE.replace("counter.wasm", "bad_init.wasm"), wait=False)

    assert tree.process.wait(DEADLINE_S) == 1
    assert not (tree.home / "ready").exists()
    manager.setblocking(False)
    with pytest.raises(BlockingIOError):
        manager.recv(100)


def test_the_ready_file_is_there_while_the_tree_is_up(start: Start) -> None:
    """It holds the root's pid, and is gone with the tree."""
    tree = start(ONE)
    until(lambda: (tree.home / "ready").read_text(), "the pid")

    assert int((tree.home / "ready").read_text()) == tree.process.pid
    assert tree.stop() == 0
    assert not (tree.home / "ready").exists()


# -- the log, for machines and for people ------------------------------------------------------------------------------


def test_without_a_terminal_every_line_is_json(start: Start) -> None:
    """Each with its event, level and time; a guest's line with actor, incarnation and origin."""
    tree = start(ONE, "--quiet", "--log-level", "info")
    tree.actor("/counter").call("log")
    until(lambda: "hello from the guest" in tree.said.read_text(), "the guest's line")
    tree.stop()
    told = [json.loads(line) for line in tree.said.read_text().splitlines()]

    assert {"starting", "up", "stopping", "ended", "down"} <= {line["event"] for line in told}
    assert all({"event", "level", "timestamp"} <= line.keys() for line in told)
    (hello,) = [line for line in told if line["event"] == "hello from the guest"]
    assert (hello["actor"], hello["incarnation"], hello["origin"]) == ("/counter", 1, "guest")


class Terminal:
    """A terminal with the supervisor in the foreground."""

    def __init__(self, tree: RunningTree) -> None:
        self.said = b""
        self._master, slave = pty.openpty()
        command = [*tree.process.args, "--log-level", "info"]  # type: ignore[misc]
        self.process = tree.process = subprocess.Popen(
            command,
            cwd=tree.home,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=tree.env() | {"TERM": "xterm"},
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )
        os.close(slave)

    def press(self, keys: bytes) -> None:
        os.write(self._master, keys)

    def read_on(self) -> bytes:
        """Everything shown so far."""
        while select.select([self._master], [], [], 0)[0]:
            try:
                self.said += os.read(self._master, 65536)
            except OSError:  # nobody has it open any more
                break
        return self.said

    def close(self) -> None:
        os.close(self._master)


def test_on_a_terminal_the_log_is_for_people_and_ctrl_c_stops_in_order(start: Start) -> None:
    """No JSON, colours, one line per actor; Ctrl-C reaches the workers too, and they wait for the root."""
    tree = start(ORDERED)
    assert tree.stop() == 0
    (tree.store_dir / "logs.jsonl").unlink()
    terminal = Terminal(tree)
    until(lambda: b"is up" in terminal.read_on(), "the tree to come up")
    terminal.press(CTRL_C)
    until(lambda: terminal.read_on() and terminal.process.poll() is not None, "the tree to stop")
    shown = re.sub(r"\x1b\[[0-9;]*m", "", terminal.read_on().decode())
    terminal.close()

    assert terminal.process.returncode == 0
    assert b"\x1b[" in terminal.said
    assert "✓ /s/b" in shown
    assert re.search(r"info +\] ended +.*actor=/a\b", shown)
    assert '{"' not in shown
    assert "Traceback" not in shown
    assert tree.ended() == BACKWARDS
