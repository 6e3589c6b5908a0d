"""From Init to the first operation: the steps of lifecycle section 5, on the guest thread."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import msgspec

from proto import control
from theater import http
from theater.actor import ActorOptions
from theater.budgets import NAMES as BUDGETS
from theater.grants import HTTP, MESSAGES
from worker import machine_notices as n
from worker import recovered, repeats
from worker.context import HostContext
from worker.engine import contract
from worker.engine.clock import GuestClock
from worker.engine.config import make_engine
from worker.engine.contract import INIT, MIGRATE
from worker.engine.crossing import Answers
from worker.engine.doors import Door, load_artefact, open_door, remarks
from worker.engine.errors import StartError
from worker.incarnation import Incarnation
from worker.interfaces.registry import Dispatcher
from worker.repeats import Repeats

if TYPE_CHECKING:
    from worker.replaying import MakeDoor


def load(inc: Incarnation, preloaded: Any, bodies: list[bytes]) -> Door:
    """Bring the guest up to where ``init`` can be called; StartError names the step that failed."""
    init = inc.init

    def step(name: str) -> None:
        inc.feed(n.StepReached(name))
        inc.step = name

    inc.repeats = _repeats(inc)
    step("compile")
    counts_fuel = inc.options.counts_fuel
    engine = preloaded.engine(counts_fuel) if preloaded is not None else make_engine(counts_fuel)
    module = preloaded.module(init.artefact) if preloaded is not None else None
    if module is None:
        module = load_artefact(engine, init.artefact)
    inc.clock = GuestClock(engine, counts_fuel)

    def instance(answers: Answers, tell: Callable[[str], None] = step) -> Door:
        return open_door(
            engine, module, options=inc.options, grants=init.grants, answers=answers, clock=inc.clock, step=tell
        )

    live = _dispatcher(inc)
    if counts_fuel:
        from worker.fuel import Fuel

        inc.fuel = Fuel(inc)
    door = None if init.history is None else _rebuilt(inc, init.history, instance, live, step)
    if door is None:
        inc.renew_services()
        door = instance(live)
    else:
        door.answer_from(live)
    for warning in (*remarks(engine, module), *door.warnings):
        inc.logs.put("warning", "worker", warning)
    if init.history is None:
        encoded = bodies[0] if bodies else contract.NO_STATE
        called = None if init.resume else door.functions.get(INIT)
        inc.state = contract.initial_state(init.state_kind, init.state, encoded, called)
        if init.migrates:
            step("migrate")
            door = _taken_over(inc, door, lambda: instance(live, tell=lambda name: None))
    if inc.mailbox is not None:
        inc.mailbox.begin(
            can_answer_later=live.serves(MESSAGES, "respond-to-request"),
            is_registered=inc.resumes and live.serves(MESSAGES, "register"),
        )
    inc.door = door
    inc.reopen = lambda: instance(live, tell=lambda name: None)
    step("services")
    if HTTP in init.grants:
        _serve_http(inc, door, init.grants[HTTP])
    return door


def _dispatcher(inc: Incarnation) -> Dispatcher:
    """Who answers host calls; what counts them is only there where something is to be counted."""
    if not any(getattr(inc.options, name) is not None for name in BUDGETS):
        return Dispatcher(HostContext(inc))
    from worker.budgets import Budgets
    from worker.metered import Metered

    inc.budgets = Budgets(inc)
    return Metered(HostContext(inc), inc.budgets)


def _serve_http(inc: Incarnation, door: Door, grant: dict[str, Any]) -> None:
    """Have HTTP requests answered, those of handles and, if the actor has a port, of anybody."""
    function = next((each for each in http.FUNCTIONS if each in door.functions), None)
    inc.desk.http_function = function
    if inc.init.listeners is None:
        return
    if function is None:
        raise StartError("services", f"http: the actor exports neither {' nor '.join(http.FUNCTIONS)}")
    from worker.http.server import Server, listener

    inc.server = Server(inc, listener(inc.init.listeners), function, grant)


def _taken_over(inc: Incarnation, door: Door, another: Callable[[], Door]) -> Door:
    """Set the state, and return the instance to go on with: another one where the guest has migrated it."""
    from worker.takeover import taken_over

    inc.state = taken_over(door, inc.state, inc.options)
    if MIGRATE not in door.functions:
        return door
    door.close()
    return another()


def _repeats(inc: Incarnation) -> Repeats:
    """The window of idempotency keys, begun with those of earlier lives."""
    try:
        known = repeats.load(inc.init.repeats)
    except (OSError, msgspec.MsgspecError) as error:
        raise StartError("manifest", f"the keys of earlier calls cannot be read: {error}") from None
    marker = repeats.marker_of(inc.init.ring, inc.init.actor_id)
    return Repeats(known, inc.options.idempotency_keys, inc.options.idempotency_ms, marker)


def _rebuilt(
    inc: Incarnation, history: str, instance: MakeDoor, live: Dispatcher, step: Callable[[str], None]
) -> Door | None:
    """Play the recorded chain back, up to its tip; None if the instance that lived to the tip is of no use any more.

    Sets the state, and whether ``init`` is still to be called.
    """
    from theater.chain import files
    from worker.child_events import given_of
    from worker.replaying import Replayer

    step("replay")
    try:
        events = files.open_file(history)
        os.unlink(history)
        children = given_of(inc.init.children)
        if inc.init.children is not None:
            os.unlink(inc.init.children)
    except (OSError, msgspec.MsgspecError, files.ChainFileError) as error:
        raise StartError("replay", str(error)) from None
    report = files.verify_events(events)
    if not report.ok:
        raise StartError("replay", f"the recorded chain is broken: {report.first_bad}")
    replayer = Replayer(instance, events, inc.options, package=inc.init.digest, children=children)
    summary, door = replayer.rebuild(live)
    if not summary.success:
        raise StartError("replay", str(summary))
    inc.state = replayer.state
    inc.resumes = replayer.is_initialised
    inc.how_recovered = recovered.how_replayed(events)
    step("replay")
    return door


def options_of(init: control.Init) -> ActorOptions:
    """The actor's limits and switches as a record."""
    return msgspec.convert(init.options, ActorOptions)
