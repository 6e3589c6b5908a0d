"""docs/actors.md as it is written: its source is built, its tree started, its commands run."""

from __future__ import annotations

import importlib.util
import re
import shutil
from pathlib import Path

import pytest

from tests.examples.test_example_runs import Terminal, matches, steps

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "actors.md"


def block(language: str) -> str:
    """The first block of the page in a language."""
    found = re.search(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    assert found is not None, language
    return found.group(1)


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="needs ziglang (tox -e kit)")
def test_the_page_builds_and_runs_its_actor(tmp_path: Path) -> None:
    """From nothing to running, as a reader would."""
    home = tmp_path / "example"
    home.mkdir()
    shutil.copytree(ROOT / "kits", home / "kits")
    (home / "tally.c").write_text(block("c"))
    (home / "tree.yaml").write_text(block("yaml"))
    terminal = Terminal(tmp_path)
    try:
        for command, shown in steps(PAGE):
            code, seen = terminal.run(command)
            story = "\n".join([f"$ {command}", *seen, f"[exit code {code}]"])
            assert (code != 0) == any(line.startswith("theater: ") for line in shown), story
            assert not shown or matches(shown, seen), story
    finally:
        terminal.close()
