"""The life of a supervisor: it checks what it was given, starts its children, serves its mailbox, stops its children.

(gen_server's loop around supervisor.erl: init/1, handle_*, terminate/2.)
"""

from __future__ import annotations

from typing import Any

from supervisor.core.actions import InitSupervisor
from supervisor.core.check import childspecs_error, flags_error
from supervisor.core.children import Desk
from supervisor.core.dynamic import DynamicSupervisor
from supervisor.core.mail import NEXT, Failed, Ignored, OutcomeOf, Routine, StopOrder
from supervisor.core.process import Process, State
from supervisor.core.static import ListSupervisor
from supervisor.core.window import RestartWindow
from supervisor.core.world import ABORTED, World
from theater.spec import SupervisorSpec

SIMPLE = "simple_one_for_one"


def live(world: World, process: Process) -> Routine[None]:
    """One supervisor from its start to its end."""
    assert process.supervisor is not None
    spec = process.supervisor.spec
    refused = yield from _ask_init(world, process)
    if isinstance(refused, Ignored):
        world.start_ignored(process)
        return
    error = refused.reason if refused is not None else spec_error(spec)
    if error is not None:
        world.start_failed(process, error)
        return
    machine = process.supervisor.machine = _machine(world, process, spec)
    error = yield from machine.begin()
    if error is not None:
        world.start_failed(process, ABORTED if process.supervisor.is_closing else error)
        return
    world.started(process)
    reason = yield from _serve(process, machine)
    yield from machine.end()
    world.ended(process, reason)


def _ask_init(world: World, process: Process) -> Routine[Ignored | Failed | None]:
    """Let whoever is responsible for the supervisor decide whether it runs at all."""
    if not world.asks_init:
        return None
    world.do(InitSupervisor(process.ref, process.spec))
    outcome = yield OutcomeOf(process.ref)
    return outcome if isinstance(outcome, Ignored | Failed) else None


def spec_error(spec: SupervisorSpec) -> Any:
    """Why a supervisor with this specification does not start, None if it does (init/1)."""
    error = flags_error(spec)
    if error is not None:
        return {"supervisor_data": error}
    if spec.strategy == SIMPLE and len(spec.children) != 1:
        return "bad_start_spec"
    error = childspecs_error(spec.children, spec.auto_shutdown)
    return {"start_spec": error} if error is not None else None


def _machine(world: World, process: Process, spec: SupervisorSpec) -> ListSupervisor | DynamicSupervisor:
    window = RestartWindow(spec.intensity, spec.period_ms, world.whole_seconds)
    desk = Desk(world, process, window)
    return DynamicSupervisor(desk, spec) if spec.strategy == SIMPLE else ListSupervisor(desk, spec)


def _serve(process: Process, machine: ListSupervisor | DynamicSupervisor) -> Routine[Any]:
    """Deal with the mail, one after the other, until the supervisor is to end; answers the reason to end with."""
    while True:
        mail = yield NEXT
        if isinstance(mail, StopOrder):
            if process.state is State.RUNNING:
                process.move(State.STOPPING)
            return mail.reason
        goes_on = yield from machine.handle(mail)
        if not goes_on:
            return "shutdown"
