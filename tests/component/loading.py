"""Doors to components for tests: without the actor contract, and with hosts that remember."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from wasmtime import component as wc

from tests.worker.enginekit import engine
from theater import cgrf
from theater.actor import ActorOptions
from theater.values import Tuple, Value
from worker.engine.clock import GuestClock
from worker.engine.component.door import ComponentDoor
from worker.engine.pack import Answers, GuestError

BOTH = pytest.mark.parametrize("fast", [True, False], ids=["raw", "stock"])


class Loose(ComponentDoor):
    """A door that does not insist on the actor contract."""

    def _read_signatures(self) -> None:
        self.functions = {name: item.sig for name, item in self._found.exports.items()}


@cache
def compiled(text: str) -> Any:
    """A component of this text."""
    return wc.Component(engine(), text)


def loose(text: str, host: Answers, fast: bool | None = None, **options: Any) -> Loose:
    """A component with its functions as they are, its imports answered by ``host`` whatever is granted."""
    how: dict[str, Any] = {"grants": {}, "clock": GuestClock(engine()), "is_replay": True, "fast": fast}
    door = Loose.load(engine(), compiled(text), options=ActorOptions(**options), answers=host, **how)
    assert isinstance(door, Loose)
    return door


def ask(door: ComponentDoor, function: str, *items: Value) -> Value | str:
    """What a function answers; the text if the call was refused."""
    answer = door.call(function, cgrf.encode(Tuple(items)))
    return answer.text if isinstance(answer, GuestError) else cgrf.decode(answer.output)
