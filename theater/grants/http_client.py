"""The grant ``http-client``: send HTTP requests."""

from __future__ import annotations

from typing import Final

from theater.grants import HTTP_CLIENT
from theater.grants.comparing import AT_MOST, Free, Within
from theater.grants.declaring import Group, Option
from theater.grants.http import BODY_BYTES_MAX
from theater.grants.shapes import Count, ListOf, Pattern, Size, Texts, Time
from theater.patterns import origins

_ORIGIN: Final = Pattern(
    "an origin such as https://api.example.com",
    origins.check,
    {"type": "string", "pattern": "^(https?://|.*\\$\\{)"},
)
GRANT: Final = Group(
    HTTP_CLIENT,
    "Send HTTP requests (wasi:http/outgoing-handler) to the hosts named.",
    (
        Option(
            "allow",
            ListOf(_ORIGIN, "a list of origins"),
            "Origins it may reach: `https://api.example.com`, `http://127.0.0.1:8080`, `https://*.example.com`.",
            Within("requests to", origins.covers),
            (),
            is_required=True,
        ),
        Option(
            "secrets",
            Texts("secrets by name"),
            "Texts put in for `{{NAME}}` in request headers; neither the guest nor its chain ever holds them.",
            Free("it has those that its own manifest writes, never its parent's"),
            {},
            is_secret=True,
        ),
        Option(
            "max_body", Size(), "Largest body of a request or a response.", AT_MOST, BODY_BYTES_MAX, "body_bytes_max"
        ),
        Option("max_requests", Count(1, 1_000), "Requests under way at one time.", AT_MOST, 16, "requests_max"),
        Option("timeout", Time(), "Time for a whole request.", AT_MOST, 30_000, "timeout_ms"),
    ),
)
