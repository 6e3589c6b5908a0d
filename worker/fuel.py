"""The fuel of an actor that has such limits (init_fuel, call_fuel, fuel): how much each call gets, and what it used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from theater.budgets import STOP
from worker.engine import fuel
from worker.engine.fuel import CALL_FUEL, INIT_FUEL
from worker.recovered import STARTS

if TYPE_CHECKING:
    from worker.incarnation import Incarnation


class Fuel:
    """What the calls of one incarnation get. Guest thread only, but for ``usage``."""

    def __init__(self, inc: Incarnation) -> None:
        self._tank: fuel.Tank = inc.clock.tank
        self._budgets = inc.budgets
        self._limits = {INIT_FUEL: inc.options.init_fuel, CALL_FUEL: inc.options.call_fuel}
        self._most = dict.fromkeys(self._limits, 0)
        self._name = CALL_FUEL

    def enter(self, function: str) -> None:
        """The guest is about to be entered: fill up for this call."""
        self._name = name = INIT_FUEL if function in STARTS else CALL_FUEL
        limit = self._limits[name]
        left = self._budgets.fuel() if self._budgets is not None else None
        if left is not None and (limit is None or left.amount < limit):
            self._tank.fill(left.amount, left.text)
        else:
            self._tank.fill(limit, fuel.used_up(name, limit))

    def leave(self) -> None:
        """The guest was left."""
        used = self._tank.used()
        self._most[self._name] = max(self._most[self._name], used)
        if self._budgets is not None:
            self._budgets.fuel_used(used)

    def usage(self) -> dict[str, Any]:
        """The most that a call has used, of each limit of a call. Any thread."""
        return {
            name: {"used": self._most[name], "limit": limit, "per_ms": None, "then": STOP, "refused": 0, "waited_ns": 0}
            for name, limit in self._limits.items()
            if limit is not None
        }
