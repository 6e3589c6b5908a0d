"""The grant ``http``: answer HTTP requests."""

from __future__ import annotations

from typing import Final

from theater.grants import HTTP
from theater.grants.comparing import AT_MOST, OneWithin
from theater.grants.declaring import Group, Option
from theater.grants.shapes import Count, Pattern, Size, Time
from theater.patterns import listening

BODY_BYTES_MAX: Final = 16 << 20
"""Of requests and responses, in both directions, where nothing else is said."""

GRANT: Final = Group(
    HTTP,
    "Answer HTTP requests (wasi:http/incoming-handler), from handles and, with `listen`, on a port.",
    (
        Option(
            "listen",
            Pattern(
                "an address such as 127.0.0.1:8080",
                listening.check,
                {"type": "string", "pattern": "^.*:[0-9]+$|\\$\\{"},
            ),
            "Serve this address.",
            OneWithin("listening on", listening.covers, "its parent's, or a port from 1024 on of its parent's host"),
        ),
        Option(
            "max_body", Size(), "Largest body of a request or a response.", AT_MOST, BODY_BYTES_MAX, "body_bytes_max"
        ),
        Option(
            "max_connections", Count(1, 10_000), "Connections served at one time.", AT_MOST, 64, "connections_max"
        ),
        Option(
            "timeout",
            Time(),
            "Time for a client to send, and for the actor to answer.",
            AT_MOST,
            30_000,
            "timeout_ms",
        ),
    ),
)
