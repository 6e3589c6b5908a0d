"""The grant ``timing``."""

from __future__ import annotations

from typing import Final

from theater.grants import TIMING
from theater.grants.comparing import AT_MOST
from theater.grants.declaring import Group, Option
from theater.grants.shapes import Time

GRANT: Final = Group(
    TIMING,
    "Clocks, and sleeping.",
    (Option("max_sleep", Time(0), "Longest sleep.", AT_MOST, 60_000, "sleep_ms_max"),),
)
