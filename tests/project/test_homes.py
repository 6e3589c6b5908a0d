"""Tests leave nothing behind: their directories are made where they are removed again."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.homes import new_home

TESTS = Path(__file__).resolve().parents[1]
MAKER = TESTS / "homes.py"


def names(path: Path) -> set[str]:
    """Every name and attribute that a file uses or imports."""
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    used = {node.id for node in nodes if isinstance(node, ast.Name)}
    imported = {alias.name for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names}
    return used | imported | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def test_only_one_place_makes_directories_that_stay() -> None:
    """``mkdtemp`` is for ``new_home``; all others have that, ``tmp_path`` or a ``TemporaryDirectory``."""
    assert [path for path in TESTS.rglob("*.py") if "mkdtemp" in names(path)] == [MAKER]


@pytest.mark.parametrize("is_kept", [False, True])
def test_a_home_is_gone_when_its_test_has_failed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, is_kept: bool
) -> None:
    """Unless THEATER_KEEP says that somebody wants to look at it."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("THEATER_KEEP", "1" if is_kept else "")
    with pytest.raises(ZeroDivisionError), new_home() as home:
        (home / "file").touch()
        raise ZeroDivisionError

    assert (home / "file").exists() is is_kept


def test_a_name_is_short_enough_for_sockets() -> None:
    """107 bytes hold it and what a tree puts below it, wherever temporary files are."""
    with new_home() as home:
        assert len(home.name) <= 12
