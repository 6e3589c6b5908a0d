"""The grant ``filesystem``: which directories an actor may open, and how much of them at once."""

from __future__ import annotations

from typing import Final

from theater.grants import FILESYSTEM
from theater.grants.comparing import AT_MOST
from theater.grants.declaring import Group, Option
from theater.grants.directories import DIRECTORIES
from theater.grants.shapes import CONTENT_BYTES_MAX, Count, Size

GRANT: Final = Group(
    FILESYSTEM,
    "Files below the directories named. Symbolic links are never followed.",
    (
        DIRECTORIES,
        Option(
            "max_file",
            Size(0, CONTENT_BYTES_MAX),
            "Most bytes one call reads, writes or copies.",
            AT_MOST,
            4 << 20,
            "file_bytes_max",
        ),
        Option(
            "max_entries",
            Count(1, 1_000_000),
            "Most entries of a directory that is listed.",
            AT_MOST,
            4_096,
            "entries_max",
        ),
    ),
)
