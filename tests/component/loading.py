"""Doors to components for tests: without the actor contract, and with hosts that remember."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import wasmtime
from wasmtime import component as wc

from tests.worker.enginekit import engine
from theater import cgrf
from theater.actor import ActorOptions
from theater.values import Tuple, Value
from worker.engine.clock import GuestClock
from worker.engine.component import introspect, outer
from worker.engine.component.door import ComponentDoor
from worker.engine.component.kinds import Kind, holds_handle
from worker.engine.crossing import Answers, GuestError

EACH = pytest.mark.parametrize("fast", [True, False, None], ids=["raw", "stock", "bridge"])
"""Each port. Every function that can cross a bridge does, also where none would be made for it."""


class Loose(ComponentDoor):
    """A door that does not insist on the actor contract."""

    def _read_signatures(self) -> None:
        self.functions = {name: item.sig for name, item in self._found.exports.items()}


@cache
def compiled(text: str) -> Any:
    """A component of this text."""
    return wc.Component(engine(), text)


@cache
def bridged(text: str) -> Any:
    """The same inside a bridge."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(introspect, "crosses", lambda item: not any(map(holds_handle, _sides(item))))
        patch.setattr(outer, "pays", lambda crossing: True)
        made = wc.Component(engine(), outer.wrapped(engine(), bytes(wasmtime.wat2wasm(text))))
        assert introspect.shape(engine(), made).is_bridged  # it is remembered
    return made


def made(text: str, fast: bool | None) -> Any:
    """The component for a port of EACH."""
    return bridged(text) if fast is None else compiled(text)


def _sides(item: introspect.Function) -> list[Kind]:
    return [each for each in (*item.params, item.result) if each is not None]


def loose(text: str, host: Answers, fast: bool | None = True, **options: Any) -> Loose:
    """A component with its functions as they are, its imports answered by ``host`` whatever is granted."""
    how: dict[str, Any] = {"grants": {}, "clock": GuestClock(engine()), "is_replay": True, "fast": fast}
    door = Loose.load(engine(), made(text, fast), options=ActorOptions(**options), answers=host, **how)
    assert isinstance(door, Loose)
    return door


def ask(door: ComponentDoor, function: str, *items: Value) -> Value | str:
    """What a function answers; the text if the call was refused."""
    answer = door.call(function, cgrf.encode(Tuple(items)))
    return answer.text if isinstance(answer, GuestError) else cgrf.decode(answer.output)
