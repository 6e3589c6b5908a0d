"""One value of a file with its place: what YAML and TOML both become before anybody asks what it means."""

from __future__ import annotations

from typing import Any

import msgspec

NULL, BOOL, INT, FLOAT, TEXT, LIST, MAP, DATE = "null", "bool", "int", "float", "text", "list", "map", "date"
BAD = "bad"
"""A scalar that is reported already and means nothing."""

SHOWN_CHARACTERS_MAX = 60


class Node(msgspec.Struct, frozen=True):
    """A value and where it begins. ``value``: a scalar; LIST: a list of nodes; MAP: a dict of entries by key.

    ``weight`` counts the node and everything below it, ``height`` the levels below it.
    """

    kind: str
    value: Any
    line: int
    column: int
    weight: int = 1
    height: int = 0


class Entry(msgspec.Struct, frozen=True):
    """One key of a mapping with the place of the key, and its value."""

    line: int
    column: int
    node: Node


def describe(node: Node) -> str:
    """What is there, in words for an error: ``"fast"``, ``the number 10``, ``a list``, ``nothing``."""
    match node.kind:
        case "null":
            return "nothing"
        case "bool":
            return "true" if node.value else "false"
        case "int" | "float":
            return f"the number {_short(str(node.value))}"
        case "text":
            return quoted(node.value)
        case "list":
            return "a list"
        case "map":
            return "a mapping"
        case "date":
            return "a date"
        case _:
            return "something unusable"


def quoted(text: str) -> str:
    """The text in quotes on one line, shortened, with control characters made visible."""
    shown = _short(text)
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)
    return f'"{shown}"'


def inside(path: str, key: str) -> str:
    """The path of a key below ``path``: ``a.b``, or ``a["x y"]`` where the key is not a plain word."""
    if not key.replace("-", "_").isidentifier():
        return f"{path}[{quoted(key)}]"
    return f"{path}.{key}" if path else key


def _short(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS_MAX else text[: SHOWN_CHARACTERS_MAX - 1] + "…"
