"""docs/actors.md as it is written: its source is built, its tree started, its commands run."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

import pytest

from tests.examples.terminal import matches, steps, terminal_in

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "actors.md"
SOURCES = {"c": ("tally.c", "clock.c"), "yaml": ("tree.yaml", "answer.yaml", "clock.yaml")}
"""What the blocks are called, in the order of the page."""


def blocks(language: str) -> list[str]:
    """The blocks of the page in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


@pytest.mark.skipif(importlib.util.find_spec("ziglang") is None, reason="needs ziglang (tox -e kit)")
def test_the_page_builds_and_runs_its_actors(tmp_path: Path) -> None:
    """From nothing to running, as a reader would; the test it shows passes."""
    home = tmp_path / "example"
    home.mkdir()
    (home / "answer.wat").write_text(*blocks("wat"))
    for language, names in SOURCES.items():
        for name, text in zip(names, blocks(language), strict=True):
            (home / name).write_text(text)
    with terminal_in(tmp_path) as terminal:
        for command, shown in steps(PAGE):
            code, seen = terminal.run(command)
            story = "\n".join([f"$ {command}", *seen, f"[exit code {code}]"])
            assert (code != 0) == any(line.startswith("theater: ") for line in shown), story
            assert not shown or matches(shown, seen), story
