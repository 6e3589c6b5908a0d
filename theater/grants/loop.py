"""The grant ``loop``: how often an actor may be called again."""

from __future__ import annotations

from typing import Final

from theater.grants import LOOP
from theater.grants.comparing import AT_LEAST
from theater.grants.declaring import Group, Option
from theater.grants.shapes import Time

GRANT: Final = Group(
    LOOP,
    "Have the actor called again and again, between its other operations.",
    (Option("pause", Time(0), "Least time from the end of a turn to the next one.", AT_LEAST, 0, "pause_ms_min"),),
)
