"""Whom the guest has spoken to, and which of those lives have ended. Bounded: the oldest go first."""

from __future__ import annotations

from typing import Any, Final

from worker.peer import Peer

TARGETS_MAX: Final = 1024
ENDED_KEPT: Final = 1024
"""Lives whose end is remembered: the news may overtake the answer that tells where they were."""


class Targets:
    """Who is meant by what the guest says, under which grant: paths and ids only, names may move."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Peer] = {}

    def known(self, grant: str, target: str) -> Peer | None:
        """Who was meant, if letters may still go there."""
        peer = self._known.get((grant, target))
        return peer if peer is not None and peer.is_good else None

    def keep(self, grant: str, target: str, peer: Peer) -> None:
        """Remember who is meant."""
        self._known[grant, target] = peer
        _bound(self._known, TARGETS_MAX)

    def forget(self, peer: Peer) -> None:
        """Nobody is meant by that any more."""
        for key in [key for key, known in self._known.items() if known is peer]:
            del self._known[key]


class Ended:
    """Why lives of other actors ended, by id and incarnation."""

    def __init__(self) -> None:
        self._causes: dict[tuple[str, int], dict[str, Any]] = {}

    def keep(self, life: tuple[str, int], cause: dict[str, Any]) -> None:
        """Remember the end of a life."""
        self._causes[life] = cause
        _bound(self._causes, ENDED_KEPT)

    def cause(self, life: tuple[str, int]) -> dict[str, Any] | None:
        """Why it ended; None if that is not known."""
        return self._causes.get(life)


def _bound(book: dict[Any, Any], most: int) -> None:
    if len(book) > most:
        del book[next(iter(book))]
