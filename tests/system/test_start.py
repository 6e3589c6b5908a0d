"""``start`` as a person sees it: what is said while a tree comes up, in the background too, and what is not."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supervisor.cli import start
from tests.homes import new_home

ROOT = Path(__file__).resolve().parents[2]
UNGRANTED = "version: 1\nchildren:\n  - id: a\n    actor: hello.wasm\n"


@pytest.fixture
def home() -> Iterator[Path]:
    """A copy of the smallest example."""
    with new_home() as home:
        for name in ("hello.wasm", "tree.yaml"):
            shutil.copy(ROOT / "examples" / "hello" / name, home)
        (home / "ungranted.yaml").write_text(UNGRANTED)
        yield home
        theater(home, "stop", "--force")


def theater(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "supervisor", *arguments],
        cwd=home,
        env=os.environ | {"PYTHONPATH": str(ROOT), "THEATER_RUN_DIR": str(home / "run")},
        capture_output=True,
        text=True,
        timeout=60,
    )


class Ending:
    """A process that says its last words after we have looked what it said, and before we look whether it has ended."""

    def __init__(self, said: Path) -> None:
        self._said = said

    def poll(self) -> int:
        with self._said.open("a") as said:
            said.write("last words\n")
        return 1


def test_last_words_are_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What a tree in the background says just before it ends."""
    said = tmp_path / "said"
    said.write_text("")
    process: Any = Ending(said)

    assert start._await_ready(process, str(tmp_path / "ready"), str(said)) == 1
    assert capsys.readouterr().err == "last words\n"


def test_detach_says_who_came_up(home: Path) -> None:
    """Started in the background, a tree shows the same lines, and no log lines between them."""
    done = theater(home, "start", "tree.yaml", "--detach")
    *compiling, first, last = done.stderr.splitlines()

    assert done.returncode == 0
    assert all("compiling hello.wasm" in line for line in compiling)  # said only where that takes long
    assert first.startswith("  ✓ /hello  pid ")
    assert last.startswith("hello is up: 1 actor in ")


def test_detach_with_a_ready_file(home: Path) -> None:
    """The file named is there when ``start`` returns, holds the pid, and goes with the tree."""
    assert theater(home, "start", "tree.yaml", "--detach", "--ready-file", "up").returncode == 0
    pid = int((home / "up").read_text())

    assert os.readlink(f"/proc/{pid}/fd/2") == os.devnull
    assert theater(home, "stop").returncode == 0
    assert not (home / "up").exists()


def test_detach_quietly(home: Path) -> None:
    """--quiet leaves out the progress, not what went wrong."""
    assert theater(home, "start", "tree.yaml", "--detach", "--quiet").stderr == ""

    again = theater(home, "start", "tree.yaml", "--detach", "--quiet")
    assert again.returncode == 1
    assert "another supervisor is running here" in again.stderr


@pytest.mark.parametrize("options", [["--detach"], ["--detach", "--quiet"]])
def test_a_failed_start_is_told_once(home: Path, options: list[str]) -> None:
    """Why an actor did not start is one line, and the last one says what that means."""
    done = theater(home, "start", "ungranted.yaml", *options)
    why, what = done.stderr.splitlines()

    assert done.returncode == 1
    assert "theater:simple/runtime.log is not granted" in why
    assert what == "theater: the tree did not start"
