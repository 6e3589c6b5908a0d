"""Documents as they are written: their commands are run on a terminal, and what they print is compared.

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
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.homes import new_home
from tests.ports import free_port
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
LOOKS = re.compile(r"theater (status|tree|logs|events|call \S+ (report|remarks|get))\b")
"""Commands that show how things are: what was done before may take a moment to be seen."""
PASSING = re.compile(r"  … compiling \S.*: once for each package$")
"""What is said only where it takes long; no README shows it."""
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
            "PORT": str(free_port()),
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


@contextmanager
def terminal_in(home: Path) -> Iterator[Terminal]:
    """A terminal there; what it leaves running is stopped."""
    terminal = Terminal(home)
    try:
        yield terminal
    finally:
        terminal.close()


@contextmanager
def terminal_beside(example: Path) -> Iterator[Terminal]:
    """A terminal in a copy of an example, whose stores and caches stay out of the repository."""
    with new_home() as home:
        shutil.copytree(example, home / "example")
        with terminal_in(home) as terminal:
            yield terminal


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
    lasting = (plain(line) + "\n" for line in seen if not PASSING.match(line))
    return re.fullmatch(pattern, "".join(lasting)) is not None
