"""The core says what a real Erlang/OTP 25.2.3 said, word for word."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.otp_driver.conversation import conversation
from tests.otp_driver.driver import run

TRACES = sorted((Path(__file__).parents[1] / "otp_traces").glob("*.json"))


def load(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def test_all_traces_are_here() -> None:
    """The recorded stories are complete."""
    assert len(TRACES) == 253


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_trace(path: Path) -> None:
    """The same events in the same order."""
    story = load(path)

    trace = run(story["scenario"])

    assert story["trace"] == trace, "\n" + conversation(story, trace)


@pytest.mark.parametrize("path", TRACES, ids=lambda path: path.stem)
def test_extras_change_nothing(path: Path) -> None:
    """Start timeouts and the fine restart clock, as they are by default, do not disturb OTP's behaviour."""
    story = load(path)

    trace = run(story["scenario"], extras=True)

    assert story["trace"] == trace, "\n" + conversation(story, trace)


def test_conversation_marks_the_first_difference() -> None:
    """A failure can be read: the story up to the first differing event, and both versions of that."""
    story = load(TRACES[0])
    wrong = copy.deepcopy(story["trace"])
    wrong[1]["path"] = "/elsewhere"

    lines = conversation(story, wrong).splitlines()

    assert lines[2] == "> start"
    assert lines[-2].startswith("--> want  started /ch3 1 worker")
    assert lines[-1].startswith("--> got   started /elsewhere 1 worker")


def test_conversation_marks_a_missing_end() -> None:
    """A trace that is too short is told from one that is complete."""
    story = load(TRACES[0])

    text = conversation(story, story["trace"][:-1])

    assert "--> got   nothing more" in text


def test_driver_prints_one_line_per_file(tmp_path: Path) -> None:
    """``python -m tests.otp_driver`` needs no trace in the file and prints a JSON line for each."""
    story = load(TRACES[0])
    bare = tmp_path / "bare.json"
    bare.write_text(json.dumps({"name": "bare", "scenario": story["scenario"]}))

    output = subprocess.run(
        [sys.executable, "-m", "tests.otp_driver", str(bare), str(TRACES[1])],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        check=True,
        text=True,
    ).stdout

    answers = [json.loads(line) for line in output.splitlines()]
    assert {"file": str(bare), "trace": story["trace"]} == answers[0]
    assert {"file": str(TRACES[1]), "trace": load(TRACES[1])["trace"]} == answers[1]
