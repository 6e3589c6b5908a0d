"""The root's logs: for people on a terminal, JSON elsewhere, and never a reason to stop or to wait."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog

from supervisor import logs
from supervisor.logs import Console, LogFile, Throttle, configure
from tests.system.running import ROOT

SAY = """
import sys
from supervisor.logs import configure
log = configure("info", False, None)
log.info("began", actor="/a")
log.warning("line of a guest", text="red \\x1b[31m and\\nnext")
log.debug("not shown")
"""


@pytest.fixture(autouse=True)
def _defaults() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def say(stderr: int) -> None:
    """Run the lines of SAY in a process with this standard error."""
    subprocess.run([sys.executable, "-c", SAY], stderr=stderr, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=True)


def drain(fd: int) -> str:
    """Everything a terminal or pipe has received, after its writers are gone."""
    said = b""
    try:
        while data := os.read(fd, 65536):
            said += data
    except OSError:
        pass  # a terminal without writers
    return said.decode()


def on_a_terminal() -> str:
    ours, theirs = os.openpty()
    say(theirs)
    os.close(theirs)
    try:
        return drain(ours)
    finally:
        os.close(ours)


def test_without_a_terminal_every_line_is_json() -> None:
    """One object a line, with level and time; below the level nothing is shown."""
    read, write = os.pipe()
    say(write)
    os.close(write)
    lines = [json.loads(line) for line in drain(read).splitlines()]
    os.close(read)

    assert [(line["event"], line["level"]) for line in lines] == [("began", "info"), ("line of a guest", "warning")]
    assert all("timestamp" in line for line in lines)


def test_on_a_terminal_lines_are_for_people() -> None:
    """Event and fields in colour, no JSON."""
    said = on_a_terminal()

    assert "began" in said
    assert "/a" in said
    assert not said.lstrip().startswith("{")
    assert "not shown" not in said


def test_a_guest_cannot_steer_the_terminal() -> None:
    """Control characters in what it says are shown, not sent."""
    said = on_a_terminal()

    assert "\x1b[31m and" not in said
    assert r"\u001b[31m and\nnext" in said.replace("\\\\", "\\")


class Pipe:
    """A pipe as a file, with nobody reading."""

    def __init__(self) -> None:
        self.read, self.write = os.pipe()

    def fileno(self) -> int:
        return self.write


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    pipe = Pipe()
    yield pipe
    for fd in (pipe.read, pipe.write):
        try:
            os.close(fd)
        except OSError:
            pass  # closed by the test


def test_a_reader_that_does_not_read_holds_nobody_up(pipe: Pipe) -> None:
    """What does not fit is dropped; when there is room again, how much it was is said."""
    console = Console(pipe)  # type: ignore[arg-type]
    for number in range(2000):
        console.msg(f"{number} " + "x" * 1000)
    os.read(pipe.read, 1 << 20)
    console.msg("after")
    said = os.read(pipe.read, 1 << 20).decode()

    assert "log lines dropped" in said
    assert said.endswith("after\n")


def test_a_reader_that_is_gone_is_no_error(pipe: Pipe) -> None:
    """`theater start … | head -1` must not end the tree."""
    console = Console(pipe)  # type: ignore[arg-type]
    os.close(pipe.read)

    console.msg("nobody hears this")


def test_all_actors_together_have_a_limit() -> None:
    """Past it lines are left out and counted; the root's own lines always pass."""
    throttle = Throttle(per_second=5)
    passed: list[dict[str, Any]] = []
    for _ in range(50):
        try:
            passed.append(throttle(None, "info", {"event": "line", "origin": "guest"}))
        except structlog.DropEvent:
            continue

    assert 5 <= len(passed) <= 10
    assert throttle(None, "info", {"event": "ended"}) == {"event": "ended"}


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_the_file_holds_what_is_not_shown(tmp_path: Path) -> None:
    """Everything from debug up, whatever the console shows."""
    file = LogFile(str(tmp_path))
    configure("error", False, file).debug("quiet", number=7)
    file.close()

    assert [(line["event"], line["number"]) for line in lines_of(tmp_path / "logs.jsonl")] == [("quiet", 7)]


def test_the_file_has_a_size_and_one_predecessor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Past the limit a new file begins; the one before is kept."""
    monkeypatch.setattr(logs, "FILE_BYTES_MAX", 2000)
    file = LogFile(str(tmp_path))
    for number in range(100):
        file(None, "info", {"event": "line", "number": number, "text": "x" * 50})
    file.close()

    assert sorted(os.listdir(tmp_path)) == ["logs.jsonl", "logs.jsonl.1"]
    assert (tmp_path / "logs.jsonl.1").stat().st_size < 2200
    assert (lines_of(tmp_path / "logs.jsonl.1") + lines_of(tmp_path / "logs.jsonl"))[-1]["number"] == 99


def test_a_line_cut_by_a_full_disk_spoils_no_other(tmp_path: Path) -> None:
    """The next line begins anew, also in a later run."""
    (tmp_path / "logs.jsonl").write_text('{"event": "whole"}\n{"event": "cu')
    file = LogFile(str(tmp_path))
    file(None, "info", {"event": "next"})
    file.close()

    assert (tmp_path / "logs.jsonl").read_text().splitlines()[2] == '{"event": "next"}'


def test_a_full_disk_is_no_error(tmp_path: Path) -> None:
    """Writing past the file size limit fails (SIGXFSZ ignored); the event goes on to the console."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    file = LogFile(str(tmp_path))
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        for _ in range(10):
            assert file(None, "info", {"event": "line", "text": "x" * 60})["event"] == "line"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, old)
    file(None, "info", {"event": "room again"})
    file.close()

    assert json.loads((tmp_path / "logs.jsonl").read_text().splitlines()[-1])["event"] == "room again"
