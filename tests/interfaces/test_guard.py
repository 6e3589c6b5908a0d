"""The process above an actor's programs: nothing that they start outlives the worker, whatever ends it."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from tests.interfaces.local import until
from worker.interfaces import children, guard
from worker.interfaces.programs import Guard, Program
from worker.interfaces.registry import Refusal

SH = os.path.realpath("/bin/sh")
DAEMON = "setsid sh -c 'sleep 1000 & echo $!' >&1"
"""Starts what has left the session, and whose parent has ended."""


@pytest.fixture(autouse=True)
def no_subreaper() -> Iterator[None]:
    """What a worker sets for itself is not to stay with the test run."""
    yield
    ctypes.CDLL(None).prctl(guard.PR_SET_CHILD_SUBREAPER, ctypes.c_ulong(0), 0, 0, 0)


@pytest.fixture
def guarding() -> Iterator[Guard]:
    made = Guard()
    yield made
    made.close()


def shell(guard_: Guard, script: str) -> Program:
    return Program(guard_, SH, ["-c", script], environment={"PATH": "/usr/bin:/bin"}, directory="/")


def lines(program: Program, count: int) -> list[int]:
    """Wait for so many lines of numbers."""
    found = bytearray()

    def enough() -> bool:
        found.extend(program.take(1, 1000))
        return found.count(b"\n") >= count

    until(enough, f"{count} lines")
    return [int(each) for each in found.split()]


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


class Worker:
    """A process that starts programs and then does nothing more."""

    def __init__(self, script: str, count: int, before: Callable[[], Any] = lambda: None) -> None:
        """``script`` writes so many pids."""
        read, write = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                before()
                made = Guard()
                program = shell(made, script)
                pids = [made._pid, program.pid, *lines(program, count)]
                os.write(write, " ".join(map(str, pids)).encode())
                os.close(write)
                threading.Event().wait()
            finally:
                os._exit(1)
        os.close(write)
        with open(read, "rb") as told:
            self.guard, *self.programs = map(int, told.read().split())

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)


@pytest.mark.parametrize(
    ("script", "count"),
    [
        ("echo $$; exec sleep 1000", 1),
        ("sleep 1000 & echo $!; sleep 1000 & echo $!; wait", 2),
        ("setsid sh -c 'echo $$; exec sleep 1000' & wait", 1),
        (f"{DAEMON}; exec sleep 1000", 1),
        (f"{DAEMON}", 1),
        ("trap '' TERM INT HUP; sleep 1000 & kill -STOP $!; echo $!; wait", 1),
    ],
    ids=["a program", "its children", "in another session", "a daemon", "a daemon alone", "a stopped one"],
)
def test_nothing_outlives_a_killed_worker(script: str, count: int) -> None:
    """What its programs have started is gone soon after, the guard last."""
    worker = Worker(script, count)
    assert not is_gone(worker.guard) and not is_gone(worker.programs[-1])
    worker.kill()

    for pid in (*worker.programs, worker.guard):
        until(lambda pid=pid: is_gone(pid), f"the end of {pid}")  # type: ignore[misc]


def test_a_program_that_keeps_moving_does_not_get_away(tmp_path: Any) -> None:
    """Each of its processes starts the next, in a session of its own, and ends."""
    mark = f"moving-{os.getpid()}"
    runner = tmp_path / mark
    runner.write_text('#!/bin/sh\nsetsid "$0" &\n')
    runner.chmod(0o700)
    worker = Worker(f"{runner} & echo $$; wait; exec sleep 1000", 1)
    worker.kill()
    until(lambda: is_gone(worker.guard), "the guard's end")

    assert not [each for each in psutil.process_iter(["cmdline"]) if str(runner) in (each.info["cmdline"] or [])]


def test_a_terminals_signals_do_not_reach_it(guarding: Guard) -> None:
    """Nor do those that end other processes in order: it ends when the worker has."""
    guarding.order("sweep")  # so it is there
    for number in guard.IGNORED:
        os.kill(guarding._pid, number)

    assert guarding.order("sweep") == (None, [])
    assert os.getsid(guarding._pid) == guarding._pid


def test_it_keeps_nothing_of_the_workers_open() -> None:
    """Sockets of a dead worker must be seen to have closed; an operator's pipe must be."""
    ours, its = socket.socketpair()
    worker = Worker("echo $$; exec sleep 1000", 1, before=ours.close)
    its.close()
    try:
        links = f"/proc/{worker.guard}/fd"
        held = [os.readlink(f"{links}/{fd}") for fd in os.listdir(links) if fd != "2"]
        kinds = sorted(each.partition(":")[0] for each in held)
        assert kinds == [os.devnull, os.devnull, "pipe", "pipe", "socket"]  # the pipe is to itself
        assert os.readlink(f"/proc/{worker.guard}/cwd") == "/"
    finally:
        worker.kill()
        ours.close()


def test_an_orderly_end() -> None:
    """When ``close`` returns, everything is gone, and nobody is left to be reaped."""
    guarding = Guard()
    program = shell(guarding, f"{DAEMON}; sleep 1000 & echo $!; wait")
    pids = [program.pid, *lines(program, 2), guarding._pid]
    program.let_go()
    guarding.close()

    assert all(map(is_gone, pids))
    assert not [each for each in psutil.Process().children() if each.pid in pids]


def test_a_guard_that_is_killed_takes_programs_with_it() -> None:
    """What those have started falls to the worker, who kills it."""
    guarding = Guard()
    program = shell(guarding, f"{DAEMON}; sleep 1000 & echo $!; wait")
    pids = [program.pid, *lines(program, 2)]
    os.kill(guarding._pid, signal.SIGKILL)
    until(lambda: not guarding.is_there, "the guard's end")

    until(lambda: program.has_ended, "the program's end")
    assert program.end() == -signal.SIGKILL
    with pytest.raises(guard.Gone):
        shell(guarding, "true")
    guarding.close()
    for pid in pids:
        assert is_gone(pid)


def test_daemons_that_end_are_reaped_meanwhile(guarding: Guard) -> None:
    """They do not pile up while a program runs."""
    program = shell(guarding, "for n in 1 2 3; do setsid sh -c 'sleep 0 & echo $!'; done; exec sleep 1000")
    daemons = lines(program, 3)

    until(lambda: not any(map(psutil.pid_exists, daemons)), "the daemons to be reaped")
    assert not program.has_ended
    program.end()


def test_why_a_program_cannot_be_started(guarding: Guard) -> None:
    """In the kernel's words; there is nothing to clear up."""
    for path, directory, why in [
        ("/no/such", "/", "No such file or directory"),
        ("/etc/passwd", "/", "Permission denied"),
        (SH, "/no/such", "No such file or directory"),
    ]:
        with pytest.raises(Refusal, match=f"^{path}: {why}$"):
            Program(guarding, path, [], environment={}, directory=directory)
    assert psutil.Process(guarding._pid).children() == []


def test_children_without_the_kernels_lists(guarding: Guard) -> None:
    """Asking every process finds the same."""
    assert guarding._pid in children.children()
    assert children._by_parent(os.getpid()) == children.children()
