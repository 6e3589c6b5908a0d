"""Directories that an actor may open: an option of ``filesystem`` and of ``wasi``."""

from __future__ import annotations

import os
from typing import Final

from theater.grants.comparing import Entries, Free, IfHeld, OneWithin, Values
from theater.grants.declaring import Group, Option
from theater.grants.shapes import Flag, ListOf, Nested, Path, Text


def _is_inside(held: str, asked: str) -> bool:
    """Where the links lead to counts."""
    inner, outer = os.path.realpath(asked), os.path.realpath(held)
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")


def _told(directory: Values) -> str:
    return f"the directory {directory['host']}" + (" for writing" if directory["write"] else "")


_DIRECTORY: Final = Group(
    "directory",
    "A directory the guest may open.",
    (
        Option(
            "host",
            Path("a directory"),
            "The directory; relative to this file.",
            OneWithin("the directory", _is_inside, "one of its parent's, or inside it"),
            is_required=True,
        ),
        Option(
            "guest",
            Text(),
            "The path under which the guest sees it.",
            Free("the name is its own"),
            is_required=True,
        ),
        Option("write", Flag(), "It may also change what is in it.", IfHeld("writing"), False),
    ),
)
DIRECTORIES: Final = Option(
    "directories",
    ListOf(Nested(_DIRECTORY), "a list of directories"),
    "Directories it may open.",
    Entries(_told),
    (),
)
