"""Cells of the lifecycle table: what the guest did, stops, and ends. Each takes machine, notice and time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from theater import cause as causes
from theater.cause import Cause
from worker import machine_actions as actions
from worker import machine_notices as notices
from worker.machine_actions import Action, Answer, Refuse
from worker.machine_notices import Operation
from worker.machine_state import State, Stop

if TYPE_CHECKING:
    from worker.machine import Machine

# -- stopping ----------------------------------------------------------------


def stop_now(m: Machine, notice: notices.Shutdown, now_ns: int) -> list[Action]:
    """Idle, Paused: refuse what is queued and leave."""
    if notice.deadline_ms == 0:
        return _forced_by(m, notice, now_ns)
    return [*_accept_stop(m, notice, now_ns), *leave(m, now_ns)]


def stop_pending(m: Machine, notice: notices.Shutdown, now_ns: int) -> list[Action]:
    """Starting, Processing: refuse what is queued; the guest may finish what it is at (L5, steps 1 to 4)."""
    if notice.deadline_ms == 0:
        return _forced_by(m, notice, now_ns)
    first = m.stop is None
    accepted = _accept_stop(m, notice, now_ns)
    return [*accepted, actions.ReleaseHostCalls()] if first else accepted


def stop_joins(m: Machine, notice: notices.Shutdown, now_ns: int) -> list[Action]:
    """ShuttingDown: one more waiter, perhaps an earlier deadline."""
    if notice.deadline_ms == 0:
        return _forced_by(m, notice, now_ns)
    return _accept_stop(m, notice, now_ns)


def retire(m: Machine, notice: notices.Retire, now_ns: int) -> list[Action]:
    """Paused: handed over, and the next package serves."""
    if not m.handed:
        return [Refuse(notice.waiter, "unexpected", ("nothing was handed over",))]
    return [Answer(notice.waiter), *_end(m, Cause(kind=causes.UPDATED), now_ns)]


def no_retirement(m: Machine, notice: notices.Retire, now_ns: int) -> list[Action]:
    """Elsewhere."""
    return [Refuse(notice.waiter, "unexpected", ("nothing was handed over",))]


def stop_done(m: Machine, notice: notices.Shutdown, now_ns: int) -> list[Action]:
    """Stopped already."""
    return _answer_if_any(notice.waiter)


def orphaned_starting(m: Machine, notice: notices.ParentLost, now_ns: int) -> list[Action]:
    """Starting: nobody will ever know this actor."""
    return _forced(m, Cause(kind=causes.KILLED, by="loss of the supervisor"), now_ns)


def orphaned_now(m: Machine, notice: notices.ParentLost, now_ns: int) -> list[Action]:
    """Idle, Paused: leave within ``orphan_ms``."""
    return [*_orphaned(m, now_ns), *leave(m, now_ns)]


def orphaned_pending(m: Machine, notice: notices.ParentLost, now_ns: int) -> list[Action]:
    """Processing: leave after the current operation, within ``orphan_ms``."""
    return [*_orphaned(m, now_ns), actions.ReleaseHostCalls()]


def orphaned_leaving(m: Machine, notice: notices.ParentLost, now_ns: int) -> list[Action]:
    """ShuttingDown: nobody is left to end us should we overrun."""
    return _orphaned(m, now_ns)


def kill(m: Machine, notice: notices.Terminate, now_ns: int) -> list[Action]:
    """Forced end, whatever the guest is at (L6)."""
    return _forced(m, Cause(kind=causes.KILLED, by=notice.by), now_ns)


def escalate(m: Machine, notice: notices.StopDeadline, now_ns: int) -> list[Action]:
    """A graceful stop that missed its deadline (L7)."""
    by = m.stop.cause.by if m.stop else None
    return _forced(m, Cause(kind=causes.KILLED, by=by or "supervisor", escalated=True), now_ns)


def guest_asks(m: Machine, notice: notices.GuestAskedShutdown, now_ns: int) -> list[Action]:
    """Remembered; takes effect when what the guest is at has returned. The first value counts."""
    if m.guest_stop is None:
        m.guest_stop = Cause(kind=causes.COMPLETED, value=notice.value)
    return []


def left(m: Machine, notice: notices.Left, now_ns: int) -> list[Action]:
    """ShuttingDown is complete."""
    assert m.stop is not None
    return _end(m, m.stop.cause, now_ns)


def _accept_stop(m: Machine, notice: notices.Shutdown, now_ns: int) -> list[Action]:
    deadline_ms = m.rules.shutdown_ms if notice.deadline_ms is None else notice.deadline_ms
    cause = Cause(kind=causes.STOPPED, by=notice.by)
    return [*_answer_if_any(notice.waiter), *_begin_stop(m, cause, deadline_ms, now_ns)]


def _orphaned(m: Machine, now_ns: int) -> list[Action]:
    cause = Cause(kind=causes.PARENT_GONE, parent="supervisor")
    return _begin_stop(m, cause, m.rules.orphan_ms, now_ns)


def _begin_stop(m: Machine, cause: Cause, deadline_ms: int | None, now_ns: int) -> list[Action]:
    """Set or join the pending stop, refuse the queue and pending pauses, arm the deadline if it is an earlier one."""
    deadline_ns = None if deadline_ms is None else now_ns + deadline_ms * 1_000_000
    known = m.stop.deadline_ns if m.stop else None
    earliest = min((ns for ns in (known, deadline_ns) if ns is not None), default=None)
    if m.stop is not None:
        cause = m.stop.cause
    elif m.guest_stop is not None:
        cause = m.guest_stop
    m.stop = Stop(cause, earliest)
    refused = _refuse_waiting(m, "shutting_down")
    if earliest is None or earliest == known:
        return refused
    return [*refused, actions.ArmStopDeadline(earliest)]


def leave(m: Machine, now_ns: int) -> list[Action]:
    """Enter ShuttingDown: no guest code runs any more."""
    assert m.stop is not None
    m.become(State.SHUTTING_DOWN, now_ns)
    return [actions.Leave(m.stop.cause)]


# -- what the guest did ----------------------------------------------------------------


def step(m: Machine, notice: notices.StepReached, now_ns: int) -> list[Action]:
    """Starting: one step further."""
    m.step = notice.step
    return []


def loaded(m: Machine, notice: notices.Loaded, now_ns: int) -> list[Action]:
    """Starting: begin ``init``, unless a stop is pending (L5)."""
    if m.stop is not None:
        return leave(m, now_ns)
    m.step = "init"
    return [actions.StartInit()]


def started(m: Machine, notice: Any, now_ns: int) -> list[Action]:
    """Starting: complete. Announced first, so that an actor that ends at once has existed."""
    return [actions.Announce(), *go_on(m, now_ns)]


def start_failed(m: Machine, notice: notices.SetupFailed, now_ns: int) -> list[Action]:
    """Starting: failed before ``init``."""
    return _end(m, Cause(kind=causes.START_FAILED, step=notice.step, text=notice.text), now_ns)


def init_failed(m: Machine, notice: notices.Declined | notices.Trapped, now_ns: int) -> list[Action]:
    """Starting: an error from ``init``, or from what stands in its place, is always start_failed (L10)."""
    return _end(m, Cause(kind=causes.START_FAILED, step=m.step, text=notice.text), now_ns)


def returned(m: Machine, notice: notices.Returned, now_ns: int) -> list[Action]:
    """Processing: answer the caller and go on."""
    operation, m.running = m.running, None
    assert operation is not None
    if operation.waiter is None:
        return go_on(m, now_ns)
    return [Answer(operation.waiter, notice.response), *go_on(m, now_ns)]


def declined(m: Machine, notice: notices.Declined, now_ns: int) -> list[Action]:
    """Processing: the guest's own error; it lives on unless told otherwise (L10)."""
    if m.rules.crash_on_decline:
        return failed(m, notice, now_ns)
    operation, m.running = m.running, None
    assert operation is not None
    event = {"function": operation.function, "message": notice.text}
    return [*_refuse_if_any(operation, "internal", event), *go_on(m, now_ns)]


def rejected(m: Machine, notice: notices.Rejected, now_ns: int) -> list[Action]:
    """Processing: never reached the guest."""
    operation, m.running = m.running, None
    assert operation is not None
    return [*_refuse_if_any(operation, notice.kind, *notice.data), *go_on(m, now_ns)]


def failed(m: Machine, notice: notices.Trapped | notices.Declined, now_ns: int) -> list[Action]:
    """Processing: the end of this incarnation, even if a shutdown was pending (L9)."""
    operation, m.running = m.running, None
    assert operation is not None
    event = {"function": operation.function, "message": notice.text}
    cause = Cause(kind=causes.FAILED, function=operation.function, text=notice.text)
    return [*_refuse_if_any(operation, "internal", event), *_end(m, cause, now_ns)]


def go_on(m: Machine, now_ns: int) -> list[Action]:
    """The guest is free: stop, else pause, else the next operation, else idle."""
    if m.stop is not None:
        return leave(m, now_ns)
    if m.guest_stop is not None:
        m.handed = False
        return [*_begin_stop(m, m.guest_stop, m.rules.shutdown_ms, now_ns), *leave(m, now_ns)]
    if m.movers and not m.queue:
        movers, m.movers = m.movers, []
        pausers, m.pausers = m.pausers, []
        m.become(State.PAUSED, now_ns)
        sorry = refuse_all(pausers, "unexpected", "another package has taken over; pause it again")
        return [*sorry, *(actions.Handed(waiter) for waiter in movers)]
    if m.pausers and not m.movers:
        pausers, m.pausers = m.pausers, []
        m.become(State.PAUSED, now_ns)
        return [Answer(waiter) for waiter in pausers]
    return _next(m, now_ns)


def _next(m: Machine, now_ns: int) -> list[Action]:
    done: list[Action] = []
    while (operation := m.take()) is not None:
        if operation.expires_ns is not None and operation.expires_ns <= now_ns:
            done.append(timed_out(operation))
        elif operation.refusal is not None:
            done.append(Refuse(operation.waiter, *operation.refusal))
        else:
            m.become(State.PROCESSING, now_ns)
            m.running = operation
            operation.started_ns = now_ns
            done.append(actions.Run(operation))
            return done
    m.become(State.IDLE, now_ns)
    return done


# -- ends ----------------------------------------------------------------


def _forced_by(m: Machine, notice: notices.Shutdown, now_ns: int) -> list[Action]:
    """A shutdown without any time is a Terminate (L5)."""
    killed = Cause(kind=causes.KILLED, by=notice.by)
    return [*_answer_if_any(notice.waiter), *_forced(m, killed, now_ns)]


def _forced(m: Machine, cause: Cause, now_ns: int) -> list[Action]:
    operation, m.running = m.running, None
    in_flight = _refuse_if_any(operation, "channel_closed", cause.plain()) if operation else []
    return [*in_flight, *_end(m, cause, now_ns)]


def _end(m: Machine, cause: Cause, now_ns: int) -> list[Action]:
    m.become(State.STOPPED, now_ns)
    m.cause = cause
    return [*_refuse_waiting(m, "channel_closed", cause.plain()), actions.Exit(cause)]


def _refuse_waiting(m: Machine, kind: str, *data: Any) -> list[Action]:
    pausers, m.pausers = m.pausers, []
    movers, m.movers = m.movers, []
    callers = [operation.waiter for operation in m.drop_all()]
    return [*refuse_all(callers, kind, *data), *refuse_all([*pausers, *movers], kind, *data)]


def refuse_all(waiters: list[Any], kind: str, *data: Any) -> list[Action]:
    return [Refuse(waiter, kind, data) for waiter in waiters]


def _refuse_if_any(operation: Operation, kind: str, *data: Any) -> list[Action]:
    return [] if operation.waiter is None else [Refuse(operation.waiter, kind, data)]


def _answer_if_any(waiter: Any) -> list[Action]:
    return [] if waiter is None else [Answer(waiter)]


def timed_out(operation: Operation) -> Action:
    return Refuse(operation.waiter, "operation_timeout", ((operation.timeout_ms or 0) / 1000,))


def plain_cause(m: Machine) -> dict[str, Any] | None:
    return m.cause.plain() if m.cause else None

