"""The examples' READMEs, as they are written: every command is run on a terminal, what it prints is compared.

In a ``console`` block a line that begins with ``$`` is a command, and the lines below it are what it prints; ``…``
stands for the rest of a line, and alone on a line for any lines. A command without lines below, and a ``python`` block,
may print what it likes. Process ids, times, identities and hashes may differ. A command fails exactly if it prints
``theater: …``. What only shows how things are is asked again until it is as shown.
"""

from __future__ import annotations

import os
import pty
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.system.running import until

ROOT = Path(__file__).parents[2]
BUILT_FIRST = {"agent"}
"""Examples without packages, which tests/kits builds and runs."""
EXAMPLES = sorted(
    path.parent for path in (ROOT / "examples").glob("*/tree.yaml") if path.parent.name not in BUILT_FIRST
)
BLOCK = re.compile(r"^```(console|python)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PORT = "8088"
"""What the example with a port says; in its place stands one that is free."""
DEADLINE_S = 60.0
LOOK_S = 10.0
LOOKS = re.compile(r"theater (status|tree|logs|events|call \S+ (report|remarks|get))\b")
"""Commands that show how things are: what was done before may take a moment to be seen."""
VARYING = [
    (re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"), "ID"),
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "HASH"),
    (re.compile(r"\b\d\d:\d\d:\d\d(\.\d+)?Z?\b"), "CLOCK"),
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]?"), ""),
    (re.compile(r"\b\d+(\.\d+)? ?(ms|s|m)\b"), "TIME"),
    (re.compile(r"\b(pid[ =]+)\d+"), r"\1PID"),
    (re.compile(r"(?<=  )\d{2,7}(?=  )"), "PID"),
    (re.compile(r" +"), " "),
]


class Step(NamedTuple):
    """A command and the lines that are said to follow."""

    command: str
    shown: list[str]


def steps(readme: Path) -> list[Step]:
    """All commands of a README, in order."""
    found: list[Step] = []
    for language, block in BLOCK.findall(readme.read_text(encoding="utf-8")):
        if language == "python":
            found.append(Step(f"python - <<'END'\n{block}END", []))
            continue
        for line in block.splitlines():
            if line.startswith("$ "):
                found.append(Step(line[2:], []))
            else:
                found[-1].shown.append(line)
    return found


class Terminal:
    """Runs commands in one directory with a terminal for their output."""

    def __init__(self, home: Path) -> None:
        self.home = home
        tool = home / "bin" / "theater"
        tool.parent.mkdir()
        tool.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m supervisor "$@"\n')
        tool.chmod(0o755)
        self.env = {key: value for key, value in os.environ.items() if not key.startswith("THEATER_")} | {
            "PATH": f"{tool.parent}:{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "THEATER_RUN_DIR": str(home / "run"),
            "NO_COLOR": "1",
            "TERM": "xterm",
            "COLUMNS": "160",
            "PORT": _free_port(),
        }

    def run(self, command: str) -> tuple[int, list[str]]:
        """Return the exit code and the lines a person would see."""
        ours, theirs = pty.openpty()
        shell = subprocess.Popen(
            ["bash", "-c", command.replace(f":{PORT}/", f":{self.env['PORT']}/")],
            cwd=self.home / "example",
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=theirs,
            stderr=theirs,
        )
        os.close(theirs)
        os.set_blocking(ours, False)
        said = bytearray()

        def over() -> bool:
            is_over = shell.poll() is not None
            try:
                while part := os.read(ours, 65536):
                    said.extend(part)
            except BlockingIOError:
                return is_over
            except OSError:  # nobody holds the other side any more
                return shell.poll() is not None
            return is_over

        try:
            until(over, f"the end of {command!r}", DEADLINE_S)
        finally:
            shell.kill()
            shell.wait()
            os.close(ours)
        return shell.returncode, said.decode().replace("\r\n", "\n").splitlines()

    def close(self) -> None:
        """Stop what an example that failed left running."""
        self.run("theater stop --force")


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture
def terminal(request: pytest.FixtureRequest) -> Iterator[Terminal]:
    """A terminal in a copy of the example, whose stores and caches stay out of the repository."""
    home = Path(tempfile.mkdtemp(prefix="th-"))
    shutil.copytree(request.getfixturevalue("example"), home / "example")
    terminal = Terminal(home)
    yield terminal
    terminal.close()
    shutil.rmtree(home, ignore_errors=True)


def plain(line: str) -> str:
    """A line without what differs from run to run."""
    for pattern, instead in VARYING:
        line = pattern.sub(instead, line)
    return line.rstrip()


def matches(shown: list[str], seen: list[str]) -> bool:
    """Whether a command printed what the README shows."""
    pattern = ""
    for line in shown:
        if line.strip() == "…":
            pattern += r"(?:.*\n)*?"
        else:
            pattern += ".*".join(re.escape(part) for part in plain(line).split("…")) + "\n"
    return re.fullmatch(pattern, "".join(plain(line) + "\n" for line in seen)) is not None


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
    """The comparison sees through pids, times, ids and hashes; it misses no other difference."""
    assert matches(["✓ /a  pid 12  9 ms", "…", "end"], ["✓ /a  pid 4711  123 ms", "1", "2", "end"])
    assert matches(["state …"], ["state anything"])
    assert not matches(["41"], ["42"])
    assert not matches(["42"], ["42", "43"])
    assert not matches(["/a  running", "/b  running"], ["/a  running", "/b  stopped"])
