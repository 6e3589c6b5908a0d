"""A letter: one operation for another actor's guest, from being handed in to its one outcome."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from proto.envelope import Message
from theater.errors import ActorError

AGAIN: Final = "again"
"""Sent to the next worker if an update has moved the actor and this was refused, or not answered."""
IF_REFUSED: Final = "if refused"
"""Sent to the next worker if it was refused. If it was not answered, it may have been taken."""
NEVER: Final = "never"
"""For one incarnation only."""

Make = Callable[[int, int], Message]
"""Writes the request; given its number and the incarnation it is for."""


class Letter:
    """What is to be sent, and what became of it."""

    __slots__ = ("body", "error", "goes_again", "is_over", "make", "order", "response", "then")

    def __init__(
        self, make: Make, body: bytes, then: Callable[[Letter], None] | None = None, goes_again: str = AGAIN
    ) -> None:
        self.make = make
        self.body = body
        self.then = then
        """Told when it is over, by whichever thread learns of it; must not wait."""
        self.goes_again = goes_again
        """What an update of the other actor means for it."""
        self.order = 0
        """Where it comes among those for the same actor."""
        self.is_over = False
        self.response: bytes | None = None
        self.error: ActorError | None = None

    def end(self, response: bytes | None = None, error: ActorError | None = None) -> None:
        """The one outcome."""
        if self.is_over:
            return
        self.response, self.error = response, error
        self.is_over = True
        if self.then is not None:
            self.then(self)
