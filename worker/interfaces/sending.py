"""What leaves an actor through a host function, for its budget ``outgoing``. Functions say it where they are declared.

What leaves goes to another actor, over the network, to a program, or to a terminal (standard output and what stands in
for a terminal included). What is put down in files and stores stays, and so does what the supervisor is asked to do:
names, timers, links. What an actor answers is counted with the operation that it answers (worker.guest).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

Amount = Callable[..., int | None]
"""Receives what the function receives; returns how many bytes would leave, None if the call is not of that kind."""
Moved = Callable[[Any], int]
"""Receives what the function has answered; returns how many bytes have left."""


class Sends:
    """How much leaves through a function: what it is given, as encoded, where nothing else is said."""

    def __init__(self, amount: Amount | None = None, moved: Moved | None = None) -> None:
        self.amount = amount
        self.moved = moved
        """For what is known only afterwards; comes on top of ``amount``."""


GIVEN: Final = Sends()
STAYS: Final = Sends(lambda *given: None)
"""Nothing leaves."""
