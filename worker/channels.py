"""Channels: conversations of two incarnations, which nobody else takes part in (theater:simple/message-server-host).

The one that opens a channel names it; it is open when the other's guest has accepted. It ends when either side closes
it, or ends itself: then the other's guest is told by handle-channel-close, once.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Final

from theater.errors import HandlerError, MailboxFull
from worker.peer import Peer

OFFERED: Final = "offered"
"""The other side has opened it; our guest has not answered."""
OPENING: Final = "opening"
"""We have opened it; its guest has not answered. It may have accepted, so its messages are taken."""
OPEN: Final = "open"


class Channel:
    """One channel, from one of its two sides."""

    __slots__ = ("actor_id", "id", "incarnation", "peer", "routing", "state")

    def __init__(self, id: str, actor_id: str, incarnation: int, routing: bytes, state: str) -> None:
        self.id = id
        self.actor_id = actor_id
        self.incarnation = incarnation
        self.routing = routing
        """How every message of the other side's worker begins to name its sender."""
        self.state = state
        self.peer: Peer | None = None
        """The way to the other side."""


class Channels:
    """The channels of one incarnation. Any thread: each step is one operation on a dictionary."""

    def __init__(self, channels_max: int, tell_closed: Callable[[str], None]) -> None:
        self._max = channels_max
        self._tell_closed = tell_closed
        self._all: dict[str, Channel] = {}

    def opening(self, peer: Peer) -> Channel:
        """Begin a channel of our own.

        Raises:
            MailboxFull: there are too many.
        """
        where = peer.where
        channel = Channel(new_id(), where.actor_id, where.incarnation, where.routing, OPENING)
        channel.peer = peer
        return self._add(channel)

    def meant_for(self, channel: Channel, peer: Peer) -> None:
        """Our own offer goes to this incarnation: the first one, or the next if that was updated before it looked."""
        where = peer.where
        channel.incarnation, channel.routing = where.incarnation, where.routing
        self._all[channel.id] = channel

    def accepted(self, channel: Channel) -> bool:
        """Our own offer was accepted; False if the other side has ended since."""
        channel.state = OPEN
        return channel.id in self._all

    def offered(self, id: str, actor_id: str, incarnation: int, routing: bytes) -> Channel:
        """Note a channel that another actor offers.

        Raises:
            HandlerError: there is one of this id.
            MailboxFull: there are too many.
        """
        if id in self._all:
            raise HandlerError(f"there is a channel {id} already")
        return self._add(Channel(id, actor_id, incarnation, routing, OFFERED))

    def open(self, id: str) -> Channel:
        """Return a channel the guest may send on.

        Raises:
            HandlerError: there is none of this id, or it is not open yet.
        """
        channel = self._all.get(id)
        if channel is None:
            raise HandlerError(f"there is no channel {id[:100]}")
        if channel.state != OPEN:
            raise HandlerError(f"channel {id} is not open yet")
        return channel

    def of_sender(self, id: str, routing: bytes) -> Channel | None:
        """Return a channel if this is who is at its other side."""
        channel = self._all.get(id)
        return channel if channel is not None and channel.routing == routing else None

    def drop(self, id: str) -> Channel | None:
        """Forget a channel; return what it was."""
        return self._all.pop(id, None)

    def ended(self, actor_id: str, incarnation: int) -> None:
        """The other side of some is gone."""
        for channel in list(self._all.values()):
            if (channel.actor_id, channel.incarnation) == (actor_id, incarnation):
                gone = self._all.pop(channel.id, None)
                if gone is not None and gone.state == OPEN:
                    self._tell_closed(gone.id)

    def _add(self, channel: Channel) -> Channel:
        if len(self._all) >= self._max:
            raise MailboxFull(self._max)
        self._all[channel.id] = channel
        return channel


def new_id() -> str:
    """A name for a channel that nobody guesses."""
    return f"ch_{secrets.token_hex(8)}"
