"""The grant ``names``: which names an actor may take."""

from __future__ import annotations

from typing import Final

from theater.grants import NAMES
from theater.grants.declaring import Group, Option
from theater.grants.reach import REACHABLE, WITHIN
from theater.grants.shapes import ListOf

GRANT: Final = Group(
    NAMES,
    "Take names, join groups, and ask who has one.",
    (
        Option(
            "allow",
            ListOf(REACHABLE, "a list of names"),
            "Names and groups it may take: `planner`, `worker-*`.",
            WITHIN,
            ("*",),
            shown="all",
        ),
    ),
)
