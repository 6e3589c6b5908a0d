"""The run directory: private, one supervisor each, leftovers removed."""

from __future__ import annotations

import os
import stat
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


def test_a_directory_open_to_others_is_refused(tmp_path: Path) -> None:
    """Somebody else could put sockets into it."""
    path = tmp_path / "run"
    path.mkdir()
    path.chmod(0o755)

    with pytest.raises(RunDirError, match="expected mode 0700, it is 0755"):
        RunDir(str(path))
