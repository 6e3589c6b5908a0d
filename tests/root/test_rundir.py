"""The run directory: private, one supervisor each, leftovers removed."""

from __future__ import annotations

import fcntl
import os
import stat
import threading
from pathlib import Path

import pytest

from supervisor.rundir import RunDir, RunDirError


def test_it_is_private_and_gone_afterwards(tmp_path: Path) -> None:
    """Mode 0700 while it lives, nothing left when closed."""
    path = tmp_path / "run"
    run = RunDir(str(path))
    run.announce({"pid": 1})

    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    run.close()
    assert not path.exists()


def test_a_second_supervisor_is_refused_and_says_what_to_do(tmp_path: Path) -> None:
    """One supervisor per run directory, by flock."""
    first = RunDir(str(tmp_path / "run"))

    with pytest.raises(RunDirError, match="another supervisor is running here"):
        RunDir(str(tmp_path / "run"))
    first.close()


def test_a_client_that_asks_at_the_same_moment_is_not_taken_for_a_supervisor(tmp_path: Path) -> None:
    """Asking whether a supervisor lives holds the lock for an instant (theater.rundir.is_alive)."""
    path = tmp_path / "run"
    path.mkdir(mode=0o700)
    asking = os.open(path / "lock", os.O_RDONLY | os.O_CREAT, 0o600)
    fcntl.flock(asking, fcntl.LOCK_SH)
    over = threading.Timer(0.05, os.close, (asking,))
    over.start()

    RunDir(str(path)).close()
    over.join()


def test_the_lock_of_a_directory_that_was_removed_is_worth_nothing(tmp_path: Path) -> None:
    """A root that ends removes its lock file; who holds the removed one and who holds the new one must not be two."""
    path = tmp_path / "run"
    first = RunDir(str(path))
    (path / "lock").unlink()
    second = RunDir(str(path))

    with pytest.raises(RunDirError, match="another supervisor"):
        RunDir(str(path))
    second.close()
    first.close()


def test_leftovers_of_a_killed_root_are_removed(tmp_path: Path) -> None:
    """Sockets and announcements of a root that could not clean up."""
    path = tmp_path / "run"
    (path / "w").mkdir(parents=True, mode=0o700)
    path.chmod(0o700)
    (path / "w" / "stale").touch()
    (path / "gate").touch()
    (path / "supervisor.json").write_text("{}")

    run = RunDir(str(path))

    assert sorted(os.listdir(path)) == ["lock", "w"]
    assert os.listdir(path / "w") == []
    run.close()


def test_what_somebody_else_put_there_stays(tmp_path: Path) -> None:
    """Only what is ours is removed."""
    path = tmp_path / "run"
    run = RunDir(str(path))
    (path / "notes").write_text("mine")

    run.close()

    assert os.listdir(path) == ["notes"]


def test_a_directory_open_to_others_is_refused(tmp_path: Path) -> None:
    """Somebody else could put sockets into it."""
    path = tmp_path / "run"
    path.mkdir()
    path.chmod(0o755)

    with pytest.raises(RunDirError, match="expected mode 0700, it is 0755"):
        RunDir(str(path))


def test_a_path_no_worker_could_bind_in_is_refused_before_anything_starts(tmp_path: Path) -> None:
    """Socket paths have at most 107 bytes, and the workers' are the longest."""
    path = tmp_path / "x"
    fits = 107 - len("/w/") - 16
    longest = str(path) + "y" * (fits - len(str(path)))

    with pytest.raises(RunDirError, match="1 bytes too long"):
        RunDir(longest + "z")
    RunDir(longest).close()
