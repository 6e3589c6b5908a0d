"""Every bound of the configuration loader, by name. A file beyond one is an error, never a long wait."""

from __future__ import annotations

from typing import NamedTuple

FILE_BYTES_MAX = 2 * 1024 * 1024
"""One tree or manifest file. 10,000 children take about 1 MiB."""
MANIFEST_TEXT_BYTES_MAX = 16 * 1024
"""A manifest of a guest that spawns: handed over as text, or a file it names."""
GUEST_NODES_MAX = 1_000
"""Keys and values of such a manifest."""
GUEST_PROBLEMS_MAX = 20
"""Problems of one that are reported."""
NODES_MAX = 200_000
"""Values of one file, each use of a YAML alias counted with everything it stands for."""
LEVELS_MAX = 256
"""Lists and mappings inside each other, in YAML: enough for SUPERVISOR_LEVELS_MAX and a state below it."""
SUPERVISOR_LEVELS_MAX = 64
DATA_LEVELS_MAX = 64
"""Lists and mappings inside each other in an initial state."""
TOML_LEVELS_MAX = 72
"""The same for TOML, where manifests need only an initial state below a few keys."""
TOML_KEY_PARTS_MAX = 32
"""Parts of a dotted TOML key; the standard library needs quadratic time for long ones."""
NUMBER_DIGITS_MAX = 100
"""Longer runs of digits are no number anybody wants, and slow to convert."""
EXPANDED_CHARACTERS_MAX = 4 * 1024 * 1024
"""What the environment may add to one load."""
NAME_BYTES_MAX = 100
"""Ids and names: they become parts of paths and file names."""
ENTRIES_MAX = 1_000
"""Entries of a list in a grant."""
PROBLEMS_MAX = 1_000
"""Problems reported at once; whoever has more is told so."""
DURATION_MS_MAX = 2**32 - 1
"""About 49 days: the longest timer OTP has."""
COUNT_MAX = 1_000_000_000
SIZE_BYTES_MAX = 4 * 1024 * 1024 * 1024
"""4 GiB: all the memory a 32-bit guest can address."""


class Bounds(NamedTuple):
    """What one load may cost: bytes and values of each file, problems of all."""

    bytes: int = FILE_BYTES_MAX
    nodes: int = NODES_MAX
    problems: int = PROBLEMS_MAX


OPERATORS = Bounds()
GUESTS = Bounds(MANIFEST_TEXT_BYTES_MAX, GUEST_NODES_MAX, GUEST_PROBLEMS_MAX)
