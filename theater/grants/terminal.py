"""The grant ``terminal``: which terminal an actor has, if any."""

from __future__ import annotations

from typing import Final

from theater.grants import TERMINAL
from theater.grants.comparing import AT_MOST, Same
from theater.grants.declaring import Group, Option
from theater.grants.shapes import Path, Time

GRANT: Final = Group(
    TERMINAL,
    "Write to the log, or write to and read from a terminal.",
    (
        Option(
            "device",
            Path("a terminal device"),
            "The terminal, such as /dev/pts/3.",
            Same("the terminal"),
            shown="none: what is written goes to the log",
        ),
        Option(
            "write_timeout", Time(), "Time for a terminal to take what is written.", AT_MOST, 5_000, "write_ms_max"
        ),
    ),
)
