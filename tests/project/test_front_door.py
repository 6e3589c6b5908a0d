"""The README's commands, run as shown."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.homes import new_home

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent


def blocks(language: str) -> list[str]:
    """The fenced blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


@pytest.fixture
def place() -> Iterator[Path]:
    """A copy of the examples in a directory of its own, with its own run directory."""
    with new_home() as home:
        shutil.copytree(ROOT / "examples", home / "examples", ignore=shutil.ignore_patterns(".theater", "__pycache__"))
        (home / "run").mkdir(mode=0o700)
        yield home
        stop = [sys.executable, "-m", "supervisor", "stop"]
        subprocess.run(stop, cwd=home, env=environment(home), capture_output=True, timeout=60)


def environment(home: Path) -> dict[str, str]:
    """What a reader's shell has after the first line of the tutorial."""
    return os.environ | {
        "PYTHONPATH": str(ROOT),
        "XDG_RUNTIME_DIR": str(home / "run"),
        "PATH": f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }


def put_theater_on_the_path(home: Path) -> None:
    (home / "bin").mkdir()
    script = home / "bin" / "theater"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m supervisor "$@"\n')
    script.chmod(0o755)


def test_the_front_door_has_two_commands() -> None:
    """One to see the main job, one to run the tests; CI runs exactly the second."""
    demo, tests = (block.strip() for block in blocks("sh")[:2])

    assert (demo, tests) == ("./run demo", "./run tests")
    assert f"\n{tests}\n" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")


def test_the_first_command_runs_the_tour() -> None:
    """`./run demo` ends well and shows what it promises."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "tour.py")], capture_output=True, text=True, timeout=120, cwd=ROOT
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "back as incarnation 2" in done.stdout
    assert "the supervisor has given up" in done.stdout


def test_every_command_of_the_tutorial_works(place: Path) -> None:
    """Each `$` line of the README, in order, in one place."""
    put_theater_on_the_path(place)
    commands = [line[2:] for block in blocks("console") for line in block.splitlines() if line.startswith("$ ")]
    assert len(commands) > 10
    for command in commands[1:]:  # the first sets PATH, as environment() does
        done = subprocess.run(
            ["bash", "-c", command], cwd=place, env=environment(place), capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"


def test_the_python_of_the_readme_runs(place: Path) -> None:
    """The embedding example, against the counter."""
    put_theater_on_the_path(place)
    env = environment(place)
    start = ["theater", "start", "examples/counter/tree.yaml", "--detach"]
    subprocess.run(start, cwd=place, env=env, check=True, capture_output=True, timeout=120)

    done = subprocess.run(
        [sys.executable, "-c", blocks("python")[0]], cwd=place, env=env, capture_output=True, text=True, timeout=60
    )

    assert done.returncode == 0, done.stderr
    assert "wasm" in done.stdout
