"""What a child may be given of the grant ``tcp``, and of WASI's sockets: nothing beyond its parent's."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supervisor.fleet.local_permits import beyond_limits
from theater.grants import TCP
from theater.hostports import within

Options = Mapping[str, Any]


def beyond_tcp(held: Options, asked: Options) -> list[str]:
    """What of ``asked`` is not covered by ``held``. Files are the parent's very own: a guest may not name others."""
    found = beyond_addresses(held, asked)
    mine = held.get("tls", {})
    found += [f"the {name} {path}" for name, path in asked.get("tls", {}).items() if mine.get(name) != path]
    return found + beyond_limits(TCP, held, asked)


def beyond_addresses(held: Options, asked: Options) -> list[str]:
    """Addresses of ``asked`` that ``held`` has not."""
    return [
        f"{verb} {each}"
        for name, verb in (("connect", "connecting to"), ("listen", "listening on"))
        for each in asked.get(name, [])
        if not within(each, held.get(name, []))
    ]
