"""Messages, requests and channels between actors, by id, path in the tree or name.

``theater:simple/message-server-host``; the grant is ``message-server``. After ``register`` the actor is written to by
methods exported for ``HANDLERS``:

    @export(messages.HANDLERS)
    def handle_request(self, request_id: str, msg: bytes) -> tuple[bytes | None]:
        return (b"the answer",)
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from theater_actor.ends import HostError
from theater_actor.hosting import OUTSIDE, host

INTERFACE: Final = "theater:simple/message-server-host@0.1.0"
HANDLERS: Final = "theater:simple/message-server-client@0.1.0"
"""``handle_send(msg: bytes) -> None``, ``handle_request(request_id: str, msg: bytes) -> tuple[bytes | None]``,
``handle_channel_open(channel_id: str, initial_msg: bytes) -> tuple[ChannelAccept]``,
``handle_channel_message(channel_id: str, msg: bytes) -> None`` and ``handle_channel_close(channel_id: str) -> None``;
all are optional."""


@dataclass
class ChannelAccept:
    """The answer to a channel that was offered."""

    accepted: bool


@host(INTERFACE)
def register() -> None:
    """Take messages from now on."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def send(actor_id: str, msg: bytes) -> None:
    """Send a message, and go on."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def request(actor_id: str, msg: bytes) -> bytes:
    """Send a request and wait for its answer."""
    raise HostError(OUTSIDE)


@host(INTERFACE, can_fail=False)
def list_outstanding_requests() -> list[str]:
    """Requests this actor has not answered yet."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def respond_to_request(request_id: str, response: bytes) -> None:
    """Answer a request, now or later."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def cancel_request(request_id: str) -> None:
    """Give a request no answer."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def open_channel(actor_id: str, initial_msg: bytes) -> str:
    """Offer a channel and wait for the other side; returns its id."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def send_on_channel(channel_id: str, msg: bytes) -> None:
    """Send a message to the other side of a channel."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def close_channel(channel_id: str) -> None:
    """End a channel."""
    raise HostError(OUTSIDE)
