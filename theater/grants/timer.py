"""The grant ``timer``: how many timers an actor may set, and how often they may call it."""

from __future__ import annotations

from typing import Final

from theater.grants import TIMER
from theater.grants.comparing import AT_LEAST, AT_MOST
from theater.grants.declaring import Group, Option
from theater.grants.shapes import Count, Time

GRANT: Final = Group(
    TIMER,
    "Timers that call the actor, and the time of day.",
    (
        Option("max_timers", Count(1, 10_000), "Timers set at one time.", AT_MOST, 64, "timers_max"),
        Option("min_interval", Time(), "Shortest interval.", AT_LEAST, 10, "interval_ms_min"),
    ),
)
