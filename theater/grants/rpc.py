"""The grant ``rpc``: whose functions an actor may call."""

from __future__ import annotations

from typing import Final

from theater.grants import RPC
from theater.grants.comparing import AT_MOST
from theater.grants.declaring import Group, Option
from theater.grants.reach import CHILDREN, REACHABLES, WITHIN
from theater.grants.shapes import Flag, Time

GRANT: Final = Group(
    RPC,
    "Call exported functions of the actors named.",
    (
        Option(
            "allow",
            REACHABLES,
            "Actors it may call: `/a/b`, `/a/*`, `/a/**`, or names they have registered (`planner`, `worker-*`).",
            WITHIN,
            (),
        ),
        Option("children", Flag(), "It may also call actors it has spawned itself.", CHILDREN, False),
        Option("timeout", Time(), "Time for a call that does not say otherwise.", AT_MOST, 30_000, "timeout_ms"),
        Option("max_timeout", Time(), "Longest time it may ask for.", AT_MOST, 300_000, "timeout_max_ms"),
    ),
)
