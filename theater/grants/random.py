"""The grant ``random``."""

from __future__ import annotations

from typing import Final

from theater.grants import RANDOM
from theater.grants.comparing import AT_MOST
from theater.grants.declaring import Group, Option
from theater.grants.shapes import CONTENT_BYTES_MAX, Size

GRANT: Final = Group(
    RANDOM,
    "Random numbers and bytes of the operating system.",
    (Option("max_bytes", Size(0, CONTENT_BYTES_MAX), "Most bytes of one call.", AT_MOST, 64 << 10, "bytes_max"),),
)
