"""The grant ``message-server``: to whom an actor may write, and how much of it may wait."""

from __future__ import annotations

from typing import Final

from theater.grants import MESSAGES
from theater.grants.comparing import AT_MOST
from theater.grants.declaring import Group, Option
from theater.grants.reach import CHILDREN, EVERYBODY, REACHABLES, WITHIN
from theater.grants.shapes import Count, Flag, Time

GRANT: Final = Group(
    MESSAGES,
    "Messages, requests and channels to and from other actors.",
    (
        Option(
            "allow",
            REACHABLES,
            "Actors it may write to, as for `rpc`. (Anybody who may write to this one can.)",
            WITHIN,
            EVERYBODY,
            shown="all",
        ),
        Option("children", Flag(), "It may also write to actors it has spawned itself.", CHILDREN, False),
        Option(
            "timeout",
            Time(),
            "Time for the answer to a request or to the offer of a channel, and for a full mailbox to have room.",
            AT_MOST,
            30_000,
            "timeout_ms",
        ),
        Option("window", Count(1, 10_000), "Unhandled messages to one actor before sending waits.", AT_MOST, 100),
        Option("max_channels", Count(0, 100_000), "Channels open at one time.", AT_MOST, 1_000, "channels_max"),
        Option(
            "max_requests",
            Count(0, 100_000),
            "Requests left outstanding, to be answered later.",
            AT_MOST,
            1_000,
            "requests_max",
        ),
    ),
)
