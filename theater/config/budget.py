"""Budgets as people write them: ``10s per 1m``, ``1000 per 1s or error``, ``1GiB or stop``."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from theater.budgets import ACTIONS, STOP, THROTTLE, Budget
from theater.config import units
from theater.config.environment import Wrong
from theater.config.kinds import VARIABLE
from theater.config.limits import DURATION_MS_MAX
from theater.config.node import INT, TEXT, Node
from theater.config.reader import Reader

AMOUNT_MAX = 2**53
PER_LEAST_MS = 10
_PARTS = re.compile(r"(?P<amount>\S+)(?: per (?P<per>\S+))?(?: or (?P<then>\S+))?")


class BudgetText(msgspec.Struct, frozen=True):
    """An amount, the time in which that much is allowed, and what happens beyond it."""

    example: str
    units: dict[str, int]
    """Units of the amount; none: a number."""

    def read(self, node: Node, path: str, reader: Reader) -> Budget | None:
        kind, value = reader.scalar(node)
        if value == "none":
            return None
        found = _PARTS.fullmatch(str(value)) if kind in (TEXT, INT) and not isinstance(value, bool) else None
        amount = None if found is None else self._amount(found["amount"])
        per_ms = None if found is None or found["per"] is None else units.parse(found["per"], units.MILLISECONDS)
        if found is None or amount is None or (found["per"] is not None and per_ms is None):
            wanted = f"{self.example}, {self.example} or stop, or none"
            raise Wrong(f"expected an amount, and the time it is for, such as {wanted}, found {reader.found(node)}")
        if not 1 <= amount <= AMOUNT_MAX or (per_ms is not None and not PER_LEAST_MS <= per_ms <= DURATION_MS_MAX):
            raise Wrong(f"expected an amount from 1 and a time from {PER_LEAST_MS}ms, found {reader.found(node)}")
        then = found["then"] or (STOP if per_ms is None else THROTTLE)
        if then not in ACTIONS:
            raise Wrong(f"expected {', '.join(ACTIONS[:-1])} or {ACTIONS[-1]} after or, found {reader.found(node)}")
        if then == THROTTLE and per_ms is None:
            raise Wrong(f"expected a time to wait for, such as {self.example} or throttle, found {reader.found(node)}")
        return Budget(amount=amount, per_ms=per_ms, then=then)

    def _amount(self, text: str) -> int | None:
        if self.units:
            return units.parse(text, self.units)
        return int(text) if text.isascii() and text.isdigit() and len(text) <= len(str(AMOUNT_MAX)) else None

    def schema(self) -> dict[str, Any]:
        unit = f"(\\.[0-9]+)?({'|'.join(self.units)})" if self.units else ""
        times = "|".join(units.MILLISECONDS)
        pattern = f"^([0-9]+{unit}( per [0-9]+(\\.[0-9]+)?({times}))?( or ({'|'.join(ACTIONS)}))?|none)$"
        texts = [{"type": "string", "pattern": pattern}, VARIABLE]
        return {"anyOf": texts if self.units else [{"type": "integer", "minimum": 1}, *texts]}


TIME = BudgetText("10s per 1m", units.MILLISECONDS)
SIZE = BudgetText("1MiB per 1s", units.BYTES)
COUNT = BudgetText("1000 per 1s", {})
