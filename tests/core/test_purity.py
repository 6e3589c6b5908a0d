"""The core decides and does nothing: it may not even import what acts."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

CORE = sorted((Path(__file__).parents[2] / "supervisor" / "core").glob("*.py"))
STANDARD = {"__future__", "collections", "collections.abc", "dataclasses", "enum", "random", "typing"}
OURS = {"msgspec", "theater.errors", "theater.spec"}


@pytest.mark.parametrize("path", CORE, ids=lambda path: path.stem)
def test_imports(path: Path) -> None:
    """No clock, socket, process, file or logger; nothing of ours but specifications and errors."""
    imported = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            imported |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module or "")

    foreign = {name for name in imported - STANDARD - OURS if name.partition(".core")[0] != "supervisor"}

    assert foreign == set()
