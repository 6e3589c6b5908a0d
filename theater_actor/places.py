"""Where things stand in source files: for messages."""

from __future__ import annotations

import ast
import inspect
import os
from functools import lru_cache
from typing import Any

from theater_actor.reading import Problem


def told(problem: Problem) -> str:
    """``app.py:14: …``"""
    file, line = place(problem.owner, problem.part)
    return f"{file}:{line}: {problem.text}"


def place(owner: Any, part: str | None) -> tuple[str, int]:
    """File and line of a module, class or function, or of a field, parameter or ``return`` of it."""
    owner = inspect.unwrap(owner) if callable(owner) else owner
    try:
        path = inspect.getsourcefile(owner) or "?"
    except TypeError:
        path = "?"
    shown = os.path.relpath(path) if path != "?" else path
    if inspect.ismodule(owner):
        return shown, 1
    node = _nodes(path).get(getattr(owner, "__qualname__", ""))
    return shown, 1 if node is None else _line(node, part)


@lru_cache
def _nodes(path: str) -> dict[str, ast.AST]:
    """Classes and functions of a file by their qualified names."""
    try:
        with open(path, encoding="utf-8") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError):
        return {}
    found: dict[str, ast.AST] = {}
    todo: list[tuple[str, ast.AST]] = [("", tree)]
    while todo:
        above, node = todo.pop()
        for child in ast.iter_child_nodes(node):
            name = above
            if isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{above}.{child.name}" if above else child.name
                found[name] = child
                name += "" if isinstance(child, ast.ClassDef) else ".<locals>"
            todo.append((name, child))
    return found


def _line(node: Any, part: str | None) -> int:
    if isinstance(node, ast.ClassDef):
        inner = (each for each in node.body if part is not None and _is_of(each, part))
        return next(inner, node).lineno
    if part == "return" and node.returns is not None:
        line: int = node.returns.lineno
        return line
    arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs, node.args.vararg, node.args.kwarg]
    found = next((each for each in arguments if each is not None and each.arg == part), node)
    at: int = found.lineno
    return at


def _is_of(statement: ast.stmt, name: str) -> bool:
    match statement:
        case ast.AnnAssign(target=ast.Name(id=found)) | ast.Assign(targets=[ast.Name(id=found)]):
            return found == name
        case _:
            return False
