"""Heartbeats (lifecycle L13): a worker whose message thread does not answer is killed and counts as crashed.

The pings of all workers together are bounded to PINGS_PER_S_MAX, so that a thousand idle actors cost the root next to
nothing; with more actors than that each is asked less often than its ``heartbeat_ms``, and none more often than every
TURN_MS.
"""

from __future__ import annotations

import heapq
import itertools

from proto import control
from supervisor.fleet.deaths import Deaths
from supervisor.fleet.lives import Life
from supervisor.fleet.services import Services
from supervisor.loop import Timer
from supervisor.sockets import send

PINGS_PER_S_MAX = 50
TURN_MS = 200


class Heartbeat:
    """Asks every ready worker in turn whether it is still there."""

    def __init__(self, services: Services, deaths: Deaths) -> None:
        self._s = services
        self._deaths = deaths
        self._due: list[tuple[int, int, Life]] = []
        self._order = itertools.count()
        self._next: Timer | None = None

    def watch(self, life: Life) -> None:
        """Begin asking a worker."""
        self._push(life)
        self._schedule()

    def _push(self, life: Life) -> None:
        at_ns = self._s.loop.now_ns() + life.actor.spec.options.heartbeat_ms * 1_000_000
        heapq.heappush(self._due, (at_ns, next(self._order), life))

    def _schedule(self) -> None:
        """See to it that the next turn is not later than the first that is due."""
        if not self._due:
            return
        at_ns = max(self._due[0][0], self._s.loop.now_ns() + TURN_MS * 1_000_000)
        if self._next is not None and self._next.callback is not None:
            if self._next.at_ns <= at_ns:
                return
            self._next.cancel()
        self._next = self._s.loop.call_at(at_ns, self._turn)

    def _turn(self) -> None:
        """Ping those that are due, oldest first, at most this turn's share of the budget."""
        self._next = None
        now_ns = self._s.loop.now_ns()
        budget = PINGS_PER_S_MAX * TURN_MS // 1000
        while self._due and self._due[0][0] <= now_ns and budget > 0:
            life = heapq.heappop(self._due)[2]
            if life.is_alive:
                budget -= 1
                self._ping(life)
                self._push(life)
        self._schedule()

    def _ping(self, life: Life) -> None:
        if life.heartbeats_missed >= life.actor.spec.options.heartbeat_misses:
            self._s.log.warning("heartbeat_lost", actor=life.actor.path, incarnation=life.number)
            self._deaths.kill(life, "heartbeat")
            return
        life.heartbeats_missed += 1
        send(self._s.sockets.control, life.routing, control.TO_WORKER.encode(control.Ping(self._s.next_id())))
