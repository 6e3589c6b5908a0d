"""docs/otp.md says what happens: its tree is started, its commands are run, its Python is tried."""

from __future__ import annotations

import doctest
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.terminal import Terminal, matches, steps, terminal_in
from tests.homes import new_home
from theater.config import load_tree

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "otp.md"
LINES_MAX = 220


def block(language: str) -> str:
    """The page's one block in a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    return str(found)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal beside the page's tree and this project's tests."""
    with new_home() as home:
        (home / "example").mkdir()
        (home / "example" / "tree.yaml").write_text(block("yaml"), encoding="utf-8")
        (home / "example" / "tests").symlink_to(ROOT / "tests")
        shutil.copy(ROOT / "examples" / "counter" / "counter.wasm", home / "example")
        with terminal_in(home) as terminal:
            yield terminal


def test_the_commands_do_what_the_page_says(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every command, in order, with the Python between them tried where it stands."""
    monkeypatch.setenv("THEATER_RUN_DIR", terminal.env["THEATER_RUN_DIR"])
    for command, shown in steps(PAGE):
        if command == "theater restart /counter":
            _try_python()
        code, seen = terminal.run(command)
        story = "\n".join([f"$ {command}", *seen, f"[exit code {code}]"])
        fails = any(line.startswith("theater: ") for line in shown)
        assert (code != 0) == fails, story
        assert not shown or matches(shown, seen), f"{story}\nThe page shows:\n" + "\n".join(shown)


def _try_python() -> None:
    examples = doctest.DocTestParser().get_doctest(block("pycon"), {}, "docs/otp.md", str(PAGE), 0)
    said: list[str] = []
    result = doctest.DocTestRunner().run(examples, out=said.append)

    assert result.failed == 0, "".join(said)
    assert result.attempted > 10


def test_the_tree_is_one(tmp_path: Path) -> None:
    """The page's tree file is valid."""
    (tmp_path / "tree.yaml").write_text(block("yaml"), encoding="utf-8")
    shutil.copy(ROOT / "examples" / "counter" / "counter.wasm", tmp_path)

    assert load_tree(tmp_path / "tree.yaml").spec.strategy == "rest_for_one"


def test_the_page_is_short_and_its_links_lead_somewhere() -> None:
    """Read in one sitting."""
    text = PAGE.read_text(encoding="utf-8")

    assert len(text.splitlines()) <= LINES_MAX
    for target in re.findall(r"\]\(([^)#]+)\)", text):
        assert (PAGE.parent / target).exists(), target
    for file in re.findall(r"tests/otp_traces/[\w.-]+\.json", text):
        assert (ROOT / file).exists(), file
