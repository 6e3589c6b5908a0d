"""Ended children nobody here started are reaped; our own are left to whoever waits for them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import psutil
import pytest

from supervisor import strangers
from supervisor.loop import Loop
from supervisor.strangers import Strangers


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loop]:
    monkeypatch.setattr(strangers, "LOOK_MS", 30)
    loop = Loop()
    yield loop
    loop.close()


def ended_child() -> int:
    """A child that has ended and waits to be reaped."""
    child = subprocess.Popen([sys.executable, "-S", "-c", ""])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    child.returncode = 0  # ours to reap here, not Popen's
    return child.pid


def test_a_stranger_is_reaped_and_ours_is_not(loop: Loop) -> None:
    """Seen twice and in nobody's books; what is in the books keeps its exit status."""
    stranger, ours = ended_child(), ended_child()
    looking = Strangers(loop, {ours})
    looking.look_soon()
    deadline = time.monotonic() + 5
    while psutil.pid_exists(stranger):
        assert time.monotonic() < deadline
        loop.run_once(0.05)

    assert os.waitpid(ours, os.WNOHANG)[0] == ours


def test_one_that_ended_before_anybody_listened_is_reaped(loop: Loop) -> None:
    """As PID 1 we inherit what was there: no signal will ever tell of it."""
    stranger = ended_child()
    Strangers(loop, set())
    deadline = time.monotonic() + 5
    while psutil.pid_exists(stranger):
        assert time.monotonic() < deadline
        loop.run_once(0.05)


def test_one_that_gets_into_the_books_in_time_is_ours(loop: Loop) -> None:
    """A worker may end before the root has heard of its pid."""
    pid = ended_child()
    books: set[int] = set()
    looking = Strangers(loop, books)
    looking._look()
    books.add(pid)
    looking._look()
    looking._look()

    assert os.waitpid(pid, os.WNOHANG)[0] == pid
