"""Answering HTTP requests (``theater:simple/http-handlers``). The grant is ``http``, with ``listen`` on a port.

    @export(http_handlers.INTERFACE)
    def handle_request(self, request: http_handlers.Request) -> http_handlers.Response:
        return http_handlers.Response(200, [("content-type", b"text/plain")], b"hello")
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Final

from theater_actor.widths import U16

INTERFACE: Final = "theater:simple/http-handlers@0.1.0"
"""``handle_request(request: Request) -> Response``."""


@dataclass
class Request:
    """A request as it came in."""

    WIT_NAME: ClassVar[str] = "http-request"

    method: str
    scheme: str | None = None
    authority: str | None = None
    path_with_query: str | None = None
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    body: bytes = b""

    def header(self, name: str) -> bytes | None:
        """The first header of a name, if there is one."""
        return next((value for each, value in self.headers if each.lower() == name.lower()), None)


@dataclass
class Response:
    """The answer to it."""

    WIT_NAME: ClassVar[str] = "http-response"

    status: U16
    headers: list[tuple[str, bytes]] = field(default_factory=list)
    body: bytes = b""
