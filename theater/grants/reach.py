"""Which actors an actor may reach: what several grants have in common."""

from __future__ import annotations

from typing import Final

from theater.grants.comparing import IfHeld, Values, Within
from theater.grants.shapes import ListOf, Pattern
from theater.patterns import actors, paths

EVERYBODY: Final = ("/**", "*")
"""All paths, and all names."""

_SCHEMA: Final = {"type": "string", "minLength": 1}
REACHABLE: Final = Pattern("a path such as /a/b, /a/* or /a/**, or a name", actors.check, _SCHEMA)
REACHABLES: Final = ListOf(REACHABLE, "a list of paths and names")
PATHS: Final = ListOf(
    Pattern(
        "a path such as /a/b, /a/* or /a/**",
        paths.check,
        {"type": "string", "pattern": "^(/|.*\\$\\{)"},
    ),
    "a list of paths",
)
"""Actors by their place in the tree alone."""
WITHIN: Final = Within("reaching", actors.covers)


def _reaches_all(held: Values) -> bool:
    return any(actors.covers(each, "/**") for each in held["allow"])


CHILDREN: Final = IfHeld("reaching its children", "only if its parent has it, or reaches all", _reaches_all)
