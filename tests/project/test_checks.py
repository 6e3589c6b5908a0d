"""Types and lint are part of the checks: run where the tools are installed (``./run tests`` installs them)."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LINTED = ["proto", "theater", "supervisor", "worker", "tests", "benchmarks", "examples"]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [("mypy", []), ("ruff", ["check", *LINTED])],
    ids=["types", "lint"],
)
def test_the_sources_pass(tool: str, arguments: list[str]) -> None:
    """mypy --strict on our packages; ruff on everything."""
    if importlib.util.find_spec(tool) is None:
        pytest.skip(f"{tool} is not installed (pip install .[lint])")
    done = subprocess.run([sys.executable, "-m", tool, *arguments], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout + done.stderr
