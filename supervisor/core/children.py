"""What both kinds of supervisors do with one child: start it, stop it, let its restart wait."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from supervisor.core.backoff import Tries
from supervisor.core.mail import EndOf, Failed, OutcomeOf, Routine, Started, TimeUp
from supervisor.core.mail import Outcome as Outcome
from supervisor.core.policy import is_proper_stop
from supervisor.core.process import WORKER, Process
from supervisor.core.ref import Ref
from supervisor.core.window import RestartWindow
from supervisor.core.world import ABORTED, World
from theater.spec import BRUTAL_KILL, INFINITY, ChildSpec

START_TIMEOUT = "start_timeout"


@dataclass(slots=True, eq=False)
class Child:
    """A child in its supervisor's books (supervisor.erl: ``#child{}``)."""

    spec: ChildSpec
    path: str
    args: Any = None
    ref: Ref | None = None
    """Its process, if it has one."""
    is_restarting: bool = False
    """A restart has failed or waits, and will be tried again."""
    delay: int | None = None
    """The timer its restart waits for."""
    tries: Tries = field(default_factory=Tries)

    @property
    def is_temporary(self) -> bool:
        return self.spec.restart == "temporary"


@dataclass(slots=True, eq=False)
class Desk:
    """What a supervisor works with."""

    world: World
    process: Process
    window: RestartWindow

    @property
    def is_closing(self) -> bool:
        """Whether nothing may be started any more because the supervisor is to end."""
        return self.process.supervisor is not None and self.process.supervisor.is_closing

    def take_end(self, ref: Ref) -> Any:
        """The end of a process that is dead already, taken out of the mailbox; None if it lives."""
        assert self.process.supervisor is not None
        return self.process.supervisor.mailbox.take_end(ref)

    def report(self, context: str, child: Child, reason: Any) -> None:
        """Write an error report about a child."""
        self.world.report(self.process, context, child.path, reason)


def start(desk: Desk, child: Child) -> Routine[Outcome]:
    """Start a child and wait for the outcome (do_start_child/3); one that takes too long is ended, and has failed."""
    if desk.is_closing:
        return Failed(Ref(child.path, 0), ABORTED, aborted=True)
    world = desk.world
    ref = world.start(desk.process, child.path, child.spec, child.args)
    timer = _start_timer(desk, child.spec)
    outcome = yield OutcomeOf(ref, timer)
    if isinstance(outcome, TimeUp):
        world.abort_start(ref, START_TIMEOUT)
        outcome = yield OutcomeOf(ref)
    world.cancel_timer(timer)
    assert isinstance(outcome, Outcome)
    if isinstance(outcome, Started):
        child.tries.started(world.now_ns)
    return outcome


def _start_timer(desk: Desk, spec: ChildSpec) -> int | None:
    """A supervisor takes as long as its children do, so only workers are timed."""
    if spec.supervisor is not None or spec.start_timeout_ms is None:
        return None
    return desk.world.set_timer(desk.process, spec.start_timeout_ms)


def stop(desk: Desk, child: Child) -> Routine[None]:
    """Stop a child's process, if there is one, and report an end that was not the one asked for (do_terminate/2)."""
    if child.ref is None:
        return
    ended = desk.take_end(child.ref)
    reason = ended.reason if ended is not None else (yield from _shut_down(desk, child.ref, child.spec))
    if not is_proper_stop(child.spec.restart, child.spec.shutdown, reason):
        desk.report("shutdown_error", child, reason)


def _shut_down(desk: Desk, ref: Ref, spec: ChildSpec) -> Routine[Any]:
    """Ask the process to stop, kill it when its time is up, and wait until it is gone (shutdown/1)."""
    if spec.shutdown == BRUTAL_KILL:
        return (yield from _kill(desk, ref))
    time_ms = shutdown_ms(spec)
    desk.world.ask_to_stop(ref, time_ms)
    timer = desk.world.set_timer(desk.process, time_ms) if time_ms is not None else None
    mail = yield EndOf((ref,), timer)
    if isinstance(mail, TimeUp):
        return (yield from _kill(desk, ref))
    desk.world.cancel_timer(timer)
    return getattr(mail, "reason", None)


def _kill(desk: Desk, ref: Ref) -> Routine[Any]:
    desk.world.kill(ref)
    mail = yield EndOf((ref,))
    return getattr(mail, "reason", None)


def shutdown_ms(spec: ChildSpec) -> int | None:
    """The time a child has to stop; None if it has all the time it wants."""
    return None if spec.shutdown == INFINITY or not isinstance(spec.shutdown, int) else spec.shutdown


def delay_restart(desk: Desk, child: Child, key: str | Ref) -> bool:
    """Let a restart wait if the child asks for backoff; DelayOver will come. Says whether it waits."""
    backoff = child.spec.backoff
    if backoff is None or desk.is_closing:
        return False
    delay_ms = child.tries.next_delay_ms(backoff, desk.world.now_ns, desk.world.random)
    child.delay = desk.world.set_timer(desk.process, delay_ms, key)
    return True


def end_tries(desk: Desk, child: Child) -> None:
    """No restart of this child is due any more."""
    desk.world.cancel_timer(child.delay)
    child.delay = None
    child.is_restarting = False


def role_of(spec: ChildSpec) -> str:
    """What the specification says the child is."""
    return spec.type or WORKER
