"""Patterns of paths, which say what actors may be reached: ``/a/b``, ``/a/*`` (right below), ``/a/**`` (all below)."""

from __future__ import annotations

from collections.abc import Iterable

from theater.patterns import BadPattern


def check(pattern: str) -> None:
    """Raise BadPattern for what is no pattern."""
    parts = pattern.split("/")[1:]
    if not pattern.startswith("/") or "" in parts or any("*" in part for part in parts[:-1]):
        raise BadPattern(f"expected a path such as /a/b, /a/* or /a/**, found {pattern!r}")
    if "*" in parts[-1] and parts[-1] not in ("*", "**"):
        raise BadPattern(f"expected * or ** as a whole part of a path, found {pattern!r}")


def matches(patterns: Iterable[str], path: str) -> bool:
    """Whether one of the patterns stands for this path."""
    return any(covers(pattern, path) for pattern in patterns)


def covers(held: str, asked: str) -> bool:
    """Whether everything that ``asked`` stands for, a path or a pattern, is also something that ``held`` stands for."""
    if not asked.startswith("/"):
        return False  # an id, or a name
    above, _, last = held.rpartition("/")
    if last == "**":
        return asked.startswith(f"{above}/")
    if last == "*":
        return asked.rpartition("/")[0] == above and not asked.endswith("/**")
    return asked == held
