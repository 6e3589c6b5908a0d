"""The sockets of one actor to the workers of others: opened when there is something to send, closed when too many rest.

One costs two open files and some 50 KiB here, and as much at the other side. Whoever is in use keeps its own; those
that rest make room, the longest unused first, and are opened again when they are needed.
"""

from __future__ import annotations

import os
import resource
import select
from collections.abc import Iterable, Iterator
from itertools import count
from typing import TYPE_CHECKING, Any, Final

import zmq

from theater.errors import LimitExceeded

if TYPE_CHECKING:
    from worker.peer import Peer

KEPT_MAX: Final = 256
"""Connections that stay open; more only as long as they are in use."""
OPEN_MAX: Final = 2048
"""More than a group has members."""
FILES_PER_CONNECTION: Final = 4
"""Two, and as many for one that is still being closed, and for all else that opens files."""
SOCKETS_MAX: Final = OPEN_MAX + 16
"""Of the worker's ZeroMQ context."""
RECONNECT_MS: Final = 5


class Connections:
    """Opens and closes them. Only with the lock of ``Peers`` held, but for ``poll``."""

    def __init__(self, context: Any, routing: bytes, bell: int) -> None:
        self._context = context
        self._identities = _identities(routing)
        self._bell = bell
        self._open: dict[Peer, None] = {}
        """Those that are open, the longest unused first."""
        self._is_closed = False
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        self.most = OPEN_MAX
        if files != resource.RLIM_INFINITY:
            left = files - len(os.listdir("/proc/self/fd"))
            self.most = max(1, min(OPEN_MAX, left // FILES_PER_CONNECTION))
        self.kept = min(KEPT_MAX, self.most)

    def __iter__(self) -> Iterator[Peer]:
        """Whoever is connected."""
        return iter(list(self._open))

    def has_room(self, limit: int) -> bool:
        """Whether one more may be opened with at most so many open, another being closed for it if need be."""
        return len(self._open) < limit or any(peer.is_idle for peer in self._open)

    def open(self, peer: Peer, endpoint: str) -> Any:
        """Open a connection for a peer.

        Raises:
            LimitExceeded: there are too many in use.
        """
        self._trim(self.kept - 1)
        if self._is_closed or len(self._open) >= self.most:
            raise LimitExceeded(f"{len(self._open)} connections to other actors are in use, as many as there may be")
        try:
            sock = self._context.socket(zmq.DEALER)
        except zmq.ZMQError:  # no files, or no sockets, are left
            text = f"no more than {len(self._open)} connections to other actors: no files or sockets are left"
            raise LimitExceeded(text) from None
        for option, value in ((zmq.LINGER, 0), (zmq.SNDHWM, 0), (zmq.RCVHWM, 0), (zmq.RECONNECT_IVL, RECONNECT_MS)):
            sock.setsockopt(option, value)
        sock.setsockopt(zmq.ROUTING_ID, next(self._identities))
        sock.connect(endpoint)
        self._open[peer] = None
        return sock

    def used(self, peer: Peer) -> None:
        """It is the last one to be closed."""
        del self._open[peer]
        self._open[peer] = None

    def closed(self, peer: Peer) -> None:
        """It is open no more."""
        self._open.pop(peer, None)

    def trim(self) -> None:
        """Close those that rest if too many are open."""
        self._trim(self.kept)

    def _trim(self, kept: int) -> None:
        surplus = len(self._open) - kept
        if surplus > 0:
            for peer in [peer for peer in self._open if peer.is_idle][:surplus]:
                peer.rest()

    def poller(self, peers: Iterable[Peer]) -> Any:
        """What waits for an answer of any of these, or for the bell."""
        poller = select.poll()
        poller.register(self._bell, select.POLLIN)
        for peer in peers:
            if peer.fd is not None:
                poller.register(peer.fd, select.POLLIN)
        return poller

    def close(self) -> None:
        """No more of them."""
        self._is_closed = True


def _identities(routing: bytes) -> Iterator[bytes]:
    """Names of our connections: they begin with the routing id, which is how others know whom they talk to."""
    return (routing + number.to_bytes(4, "big") for number in count(1))
