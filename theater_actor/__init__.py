"""Actors in Python: a class with typed fields and methods becomes a WIT component that theater runs.

    from theater_actor import U32, Decline, actor, export

    @actor
    class Counter:
        total: U32 = 0

        @export
        def bump(self, by: U32) -> U32:
            if by == 0:
                raise Decline("by: expected more than 0")
            self.total += by
            return self.total

The fields are the state: the host keeps it between calls, hands it in, and takes it back when a method has returned.
A method that raises changes nothing: ``Decline`` tells the caller why, anything else is a crash and left to the
supervisor. Outside of a component the class is an ordinary dataclass: tests make one and call it.

Host functions are modules of this package: ``from theater_actor import runtime``. What is imported anywhere in the
actor, and only that, is imported by the component, and must be granted.
"""

from __future__ import annotations

from theater_actor.declaring import actor, export, init, migrate
from theater_actor.ends import Decline, HostError
from theater_actor.hosting import host
from theater_actor.widths import F32, S8, S16, S32, S64, U8, U16, U32, U64, Char

__all__ = [
    "Char",
    "Decline",
    "F32",
    "HostError",
    "S16",
    "S32",
    "S64",
    "S8",
    "U16",
    "U32",
    "U64",
    "U8",
    "actor",
    "export",
    "host",
    "init",
    "migrate",
]
