"""From Init to the first operation: the steps of lifecycle section 5, on the guest thread."""

from __future__ import annotations

from typing import Any

from proto import control
from theater.actor import ActorOptions
from worker import machine_notices as n
from worker.context import HostContext
from worker.engine import contract
from worker.engine.clock import GuestClock
from worker.engine.config import load_module, make_engine
from worker.engine.pack import INIT, PackDoor
from worker.incarnation import Incarnation
from worker.interfaces.registry import Dispatcher


def load(inc: Incarnation, preloaded: Any, bodies: list[bytes]) -> PackDoor:
    """Bring the guest up to where ``init`` can be called; StartError names the step that failed."""
    init = inc.init

    def step(name: str) -> None:
        inc.feed(n.StepReached(name))
        inc.step = name

    step("compile")
    engine = preloaded.engine if preloaded is not None else make_engine()
    module = preloaded.module(init.artefact) if preloaded is not None else None
    inc.clock = GuestClock(engine)
    door = PackDoor.load(
        engine,
        module if module is not None else load_module(engine, init.artefact),
        options=inc.options,
        grants=init.grants,
        answers=Dispatcher(HostContext(inc)),
        clock=inc.clock,
        step=step,
    )
    for warning in door.warnings:
        inc.logs.put("warning", "worker", warning)
    encoded = bodies[0] if bodies else contract.NO_STATE
    inc.state = contract.initial_state(init.state_kind, init.state, encoded, door.functions.get(INIT))
    inc.door = door
    step("services")
    return door


def options_of(init: control.Init) -> ActorOptions:
    """The actor's limits and switches as a record."""
    import msgspec

    return msgspec.convert(init.options, ActorOptions)
