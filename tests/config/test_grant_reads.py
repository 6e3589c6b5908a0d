"""Workers read the options of grants through their declarations, and no others."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path

from tests.config.test_grants import walk
from theater.grants import SHORT_NAMES, declared
from theater.grants.declaring import Group

ROOT = Path(__file__).resolve().parents[2]


def names_in(group: Group) -> set[str]:
    return {option.name for _, option in walk(group, "")}


def declaration_in(tree: ast.Module) -> Group | None:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and any(alias.name == "GRANT" for alias in node.names):
            short = (node.module or "").rpartition(".")[2].replace("_", "-")
            return declared(SHORT_NAMES[short])
    return None


def is_whole(node: ast.AST) -> bool:
    """``GRANT.held_by(…)``, ``GRANT.of(…)``, or something inside."""
    while isinstance(node, ast.Subscript):
        node = node.value
    function = node.func if isinstance(node, ast.Call) else None
    return isinstance(function, ast.Attribute) and ast.unparse(function) in ("GRANT.held_by", "GRANT.of")


def is_raw(node: ast.AST) -> bool:
    """``context.grant(…)``, ``init.grants[…]``, ``init.grants.get(…)``: options as they are written."""
    text = ast.unparse(node)
    is_one = isinstance(node, ast.Call | ast.Subscript)
    return is_one and not is_whole(node) and any(part in text.partition("(")[0] for part in (".grants.get", ".grants["))


def bound(tree: ast.AST, holds: Callable[[ast.AST], bool]) -> set[str]:
    """Names that such a thing is assigned to."""
    pairs = [(node.targets[0], node.value) for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    pairs += [(n.target, n.value) for n in ast.walk(tree) if isinstance(n, ast.AnnAssign) and n.value is not None]
    return {ast.unparse(target) for target, value in pairs if holds(value)}


def reads_in(tree: ast.Module) -> set[str]:
    """Options that a module reads by name."""
    names = bound(tree, is_whole)
    return {
        node.slice.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Constant)
        if isinstance(node.slice.value, str) and (is_whole(node.value) or ast.unparse(node.value) in names)
    }


def test_workers_read_only_what_is_declared() -> None:
    """With the default where nothing is written: never out of the written options, never a name that is none."""
    found = {}
    for path in sorted((ROOT / "worker").rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        raw = bound(tree, is_raw)
        assert not [
            ast.unparse(node)
            for node in ast.walk(tree)
            if isinstance(node, ast.Subscript | ast.Attribute)
            if is_raw(node.value) or ast.unparse(node.value) in raw
        ], path
        assert path.name == "context.py" or ".grant(" not in path.read_text(encoding="utf-8"), path
        group = declaration_in(tree)
        if group is not None:
            found[path] = reads_in(tree)
            assert found[path] <= names_in(group), path

    assert sum(map(len, found.values())) > 30
