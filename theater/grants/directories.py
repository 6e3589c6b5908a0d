"""Directories that an actor may open: an option of ``filesystem`` and of ``wasi``."""

from __future__ import annotations

from typing import Final

import msgspec

from theater.directories import place, within
from theater.grants.comparing import Entries, Free, IfHeld, Values
from theater.grants.declaring import Group, Option
from theater.grants.shapes import Flag, ListOf, Nested, Path, Text


class _Inside(msgspec.Struct, frozen=True):
    """A directory must lie in the parent's. Where the links lead to counts."""

    words: str = "one of its parent's, or inside it"

    def beyond(self, option: Option, held: Values, asked: Values) -> list[str]:
        """Whether it does; what may be written is another question."""
        return [f"the directory {place(asked)}"] if within({**asked, "write": False}, held) is None else []


def _told(directory: Values) -> str:
    return f"the directory {place(directory)}" + (" for writing" if directory["write"] else "")


_DIRECTORY: Final = Group(
    "directory",
    "A directory the guest may open.",
    (
        Option(
            "host",
            Path("a directory"),
            "The directory; relative to this file.",
            _Inside(),
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
    added=("below",),
)
DIRECTORIES: Final = Option(
    "directories",
    ListOf(Nested(_DIRECTORY), "a list of directories"),
    "Directories it may open.",
    Entries(_told),
    (),
)
