"""The template process and its forks: nobody outlives the supervisor, whenever that dies."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

CHILD = """
import sys
from worker.zygote import await_parent
await_parent(int(sys.argv[1]), int(sys.argv[2]))
print("on")
"""


def child(supervisor: int, lifeline: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", CHILD, str(supervisor), str(lifeline)]
    return subprocess.run(command, pass_fds=(lifeline,), capture_output=True, text=True, timeout=20)


@pytest.fixture
def lifeline() -> tuple[int, int]:
    return os.pipe()


def test_a_fork_whose_supervisor_died_ends_at_once(lifeline: tuple[int, int]) -> None:
    """It was forked in the very moment: the supervisor will never be its parent, and nobody would ever kill it."""
    reading, writing = lifeline
    os.close(writing)
    done = child(1 << 22, reading)
    os.close(reading)

    assert (done.returncode, done.stdout) == (1, "")


def test_a_fork_whose_supervisor_lives_goes_on(lifeline: tuple[int, int]) -> None:
    """Its parent is the supervisor."""
    reading, writing = lifeline
    done = child(os.getpid(), reading)
    os.close(reading)
    os.close(writing)

    assert (done.returncode, done.stdout) == (0, "on\n")
