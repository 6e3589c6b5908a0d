"""The grant ``process``: which programs an actor may run, and how.

A program's environment and directory decide what it does, so those of a child are its parent's or nothing.
"""

from __future__ import annotations

import operator
from typing import Final

from theater.grants import PROCESS
from theater.grants.comparing import AT_MOST, Same, SameTexts, Within
from theater.grants.declaring import Group, Option
from theater.grants.shapes import CONTENT_BYTES_MAX, Count, ListOf, Path, Size, Texts, Time

GRANT: Final = Group(
    PROCESS,
    "Run the programs named, without a shell, with the environment given here and no other.",
    (
        Option(
            "programs",
            ListOf(Path("a program"), "a list of programs"),
            "Programs it may run, by the path the actor calls them by; arguments are the actor's choice.",
            Within("the program", operator.eq, "some of its parent's"),
            (),
            is_required=True,
        ),
        Option(
            "environment",
            Texts("environment variables by name"),
            "Environment of the programs.",
            SameTexts("the environment variable"),
            {},
            is_secret=True,
        ),
        Option(
            "directory", Path("a directory"), "Where the programs run.", Same("programs in", "its parent's, or /"), "/"
        ),
        Option("timeout", Time(), "Time for a program that is waited for.", AT_MOST, 10_000, "run_ms_max"),
        Option(
            "max_input",
            Size(0, CONTENT_BYTES_MAX),
            "Most bytes given to a program at once.",
            AT_MOST,
            1 << 20,
            "input_bytes_max",
        ),
        Option(
            "max_output",
            Size(0, CONTENT_BYTES_MAX),
            "Most bytes taken at once of each of its two outputs.",
            AT_MOST,
            1 << 20,
            "output_bytes_max",
        ),
        Option("max_processes", Count(1, 1_000), "Programs running at one time.", AT_MOST, 4, "processes_max"),
    ),
)
