"""'Actors in Python' of docs/actors.md as it is written: built, run and tested."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.terminal import Terminal, matches, terminal_in
from tests.kits.languages import NEEDS_PYTHON
from tests.system.running import ROOT

_WHOLE = (ROOT / "docs" / "actors.md").read_text(encoding="utf-8")
PAGE = _WHOLE.partition("\n## Actors in Python\n")[2].partition("\n## ")[0]


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal beside the actor of the page."""
    home = tmp_path / "example" / "tally"
    home.mkdir(parents=True)
    app, _, test = blocks("py")
    (home / "app.py").write_text(app)
    (home / "test_app.py").write_text(test)
    (home / "tree.yaml").write_text(*blocks("yml"))
    with terminal_in(tmp_path) as terminal:
        yield terminal


def test_its_test_passes(terminal: Terminal) -> None:
    """Without a component."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"]
    home, environment = terminal.home / "example" / "tally", os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stdout + done.stderr


def test_the_declared_host_function_is_one() -> None:
    """It runs outside as it says."""
    code = blocks("py")[1] + "\nassert now() == 0\n"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)

    assert done.returncode == 0, done.stderr


@NEEDS_PYTHON
def test_its_commands_print_what_it_shows(terminal: Terminal) -> None:
    """From the build to the replay."""
    shown: list[tuple[str, list[str]]] = []
    for line in "".join(blocks("shell-session")).splitlines():
        if line.startswith("$ "):
            shown.append((line[2:], []))
        else:
            shown[-1][1].append(line)
    for command, lines in shown:
        _, seen = terminal.run(command)
        assert not lines or matches(lines, seen), "\n".join([f"$ {command}", *seen])
