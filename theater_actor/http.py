"""Requests to hosts that the grant names (``theater:simple/http-client``). The grant is ``http-client``.

A text ``{{NAME}}`` in a header is replaced by the grant's secret of that name on the way out.
"""

from __future__ import annotations

from typing import Final

from theater_actor.ends import HostError
from theater_actor.hosting import OUTSIDE, host
from theater_actor.widths import U16, U64

INTERFACE: Final = "theater:simple/http-client@0.1.0"


@host(INTERFACE)
def request(
    method: str, url: str, headers: list[tuple[str, bytes]], body: bytes, timeout_ms: U64 | None = None
) -> tuple[U16, list[tuple[str, bytes]], bytes]:
    """Send a request and wait for its answer: status, headers, body."""
    raise HostError(OUTSIDE)
