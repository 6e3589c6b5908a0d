"""Who talks to a worker is told when it has ended."""

from __future__ import annotations

from typing import Any

from proto import control
from supervisor.fleet.lives import Life
from supervisor.fleet.services import Services
from supervisor.sockets import send


def tell_peers(services: Services, life: Life, cause: dict[str, Any]) -> None:
    """Tell every worker that was told where this life is that it has ended."""
    ended = control.TO_WORKER.encode(control.PeerEnded(life.actor.id, life.number, cause))
    for routing in life.peers:
        peer = services.register.by_routing.get(routing)
        if peer is not None and peer.is_alive:
            send(services.sockets.control, routing, ended)
    life.peers.clear()


def tell_moved(services: Services, life: Life) -> None:
    """Tell every worker that was told where this life is that another one has taken over."""
    moved = control.TO_WORKER.encode(control.PeerMoved(life.actor.id, life.number))
    for routing in life.peers:
        peer = services.register.by_routing.get(routing)
        if peer is not None and peer.is_alive:
            send(services.sockets.control, routing, moved)
