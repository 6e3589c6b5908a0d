"""The examples' READMEs, as they are written: what every command prints is compared.

What only shows how things are is asked again until it is as shown.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.terminal import EXAMPLES, LOOKS, Terminal, matches, steps, terminal_beside

LOOK_S = 10.0


@pytest.fixture
def terminal(request: pytest.FixtureRequest) -> Iterator[Terminal]:
    with terminal_beside(request.getfixturevalue("example")) as terminal:
        yield terminal


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda it: it.name)
def test_readme_says_what_happens(example: Path, terminal: Terminal) -> None:
    """Every command of the README does and prints what the README says."""
    if "http:" in (example / "tree.yaml").read_text(encoding="utf-8"):
        pytest.importorskip("waitress", reason="the port of an actor needs the extra http")
        if shutil.which("curl") is None:
            pytest.skip("the README asks with curl")
    for command, shown in steps(example / "README.md"):
        fails = any(line.startswith("theater: ") for line in shown)

        def as_shown(command: str = command, shown: list[str] = shown, fails: bool = fails) -> str | None:
            code, seen = terminal.run(command)
            is_right = (code != 0) == fails and (not shown or matches(shown, seen))
            if is_right:
                return None
            story = "\n".join([f"$ {command}", *seen, f"[exit code {code}]"])
            return f"{story}\nThe README shows:\n" + "\n".join(shown)

        wrong = as_shown()
        deadline = time.monotonic() + LOOK_S
        while wrong and LOOKS.search(command) and time.monotonic() < deadline:
            wrong = as_shown()
        assert wrong is None, wrong


def test_what_varies_is_left_out_and_nothing_else() -> None:
    """The comparison sees through pids, times, ids, hashes and passing progress; it misses no other difference."""
    assert matches(["✓ /a  pid 12  9 ms", "…", "end"], ["✓ /a  pid 4711  123 ms", "1", "2", "end"])
    assert matches(["state …"], ["state anything"])
    assert matches(["end"], ["  … compiling a.wasm: once for each package", "end"])
    assert not matches(["41"], ["42"])
    assert not matches(["42"], ["42", "43"])
    assert not matches(["/a  running", "/b  running"], ["/a  running", "/b  stopped"])
