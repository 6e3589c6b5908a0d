"""The grant ``links``: with which actors beyond its family an actor may link, and which it may monitor."""

from __future__ import annotations

from typing import Final

from theater.grants import LINKS
from theater.grants.comparing import Within
from theater.grants.declaring import Group, Option
from theater.grants.reach import PATHS
from theater.patterns import paths

GRANT: Final = Group(
    LINKS,
    "Link with actors, monitor them, send them exit signals: its family (itself, what spawned it, "
    "all below it), and the others named.",
    (
        Option(
            "allow",
            PATHS,
            "Further actors it may link with, monitor and send exit signals: `/a/b`, `/a/*`, `/a/**`.",
            Within("links with", paths.covers),
            (),
        ),
        Option(
            "monitor",
            PATHS,
            "Further actors it may only monitor.",
            Within("monitors of", paths.covers, "what one of its parent's stands for, here or in `allow`", ("allow",)),
            (),
        ),
    ),
)
