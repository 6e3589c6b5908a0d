"""Cells of the lifecycle table: operations and orders. Each takes machine, notice and time, and returns actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from worker import machine_actions as actions
from worker import machine_notices as notices
from worker.machine_actions import Action, Answer, Refuse
from worker.machine_ends import go_on, plain_cause, refuse_all, timed_out
from worker.machine_notices import HostCall, Operation
from worker.machine_state import State

if TYPE_CHECKING:
    from worker.machine import Machine

PAUSE_WHILE_STARTING = "Cannot pause during startup"
PAUSE_WHILE_PROCESSING = "Cannot pause during operation"
RUNS_ON = "the operation has begun and runs on"
HANDED = "another package takes over at this moment"
UPDATE_REFUSED = ("update_package", ("it is still starting",))

# -- operations ----------------------------------------------------------------


def run(m: Machine, operation: Operation, now_ns: int) -> list[Action]:
    """Idle: straight into the guest."""
    if operation.refusal is not None:
        return [Refuse(operation.waiter, *operation.refusal)]
    m.become(State.PROCESSING, now_ns)
    m.running = operation
    operation.started_ns = now_ns
    return [actions.Run(operation)]


def queue(m: Machine, operation: Operation, now_ns: int) -> list[Action]:
    """Accept, to be answered later; beyond the bound the caller waits for room, if it wants to (L3)."""
    if m.stop is not None:
        return refuse_stopping(m, operation, now_ns)
    if m.handed:
        return send_on(operation)
    if m.queued_callers < m.rules.operation_queue_max:
        m.put(operation)
    elif operation.wait and len(m.waiting) < m.rules.waiting_callers_max:
        m.wait_for_room(operation)
    else:
        return [Refuse(operation.waiter, "mailbox_full", (m.rules.operation_queue_max,))]
    return []


def hold(m: Machine, operation: Operation, now_ns: int) -> list[Action]:
    """Paused: keep it for later, or refuse where the actor says so."""
    if m.rules.reject_when_paused and not m.handed:
        return [Refuse(operation.waiter, "paused")]
    return queue(m, operation, now_ns)


def ask_update(m: Machine, operation: Operation, now_ns: int) -> list[Action]:
    """Idle, Processing, Paused: the supervisor updates, and has us hand over when the operation under way is over."""
    if m.stop is not None:
        return refuse_stopping(m, operation, now_ns)
    return [actions.AskUpdate(operation.waiter, operation.payload)]


def refuse_update(m: Machine, operation: Operation, now_ns: int) -> list[Action]:
    """Starting: there is nothing to hand over yet."""
    return [Refuse(operation.waiter, *UPDATE_REFUSED)]


def refuse_stopping(m: Machine, operation: Operation, now_ns: int) -> list[Action]:
    """No more work."""
    return [Refuse(operation.waiter, "shutting_down")]


def refuse_gone(m: Machine, notice: Any, now_ns: int) -> list[Action]:
    """Over: say why."""
    return [Refuse(notice.waiter, "channel_closed", (plain_cause(m),))]


def queue_host(m: Machine, operation: HostCall, now_ns: int) -> list[Action]:
    """Host-originated: ticks merge, child events give way to a gap beyond their bound, exits never (L8)."""
    if m.stop is not None:
        return []
    if operation.merge_key is not None:
        return _queue_tick(m, operation)
    if operation.child is not None:
        return _queue_child_notice(m, operation)
    m.put(operation)
    return []


def _queue_tick(m: Machine, tick: HostCall) -> list[Action]:
    assert tick.merge_key is not None
    waiting = m.ticks.get(tick.merge_key)
    if waiting is not None:
        waiting.missed += 1
        return []
    m.ticks[tick.merge_key] = tick
    m.put(tick)
    return []


def _queue_child_notice(m: Machine, notice: HostCall) -> list[Action]:
    assert notice.child is not None
    if notice.is_event and m.child_notices >= m.rules.child_notices_max:
        gap = m.gaps.get(notice.child)
        if gap is not None:
            gap.missed += 1
            gap.last = notice.payload
            return []
        notice.is_gap = True
        notice.last = notice.payload
        m.gaps[notice.child] = notice
    elif notice.is_event:
        # Room again: what comes now follows the gap, so the gap must not grow past it.
        m.gaps.pop(notice.child, None)
    m.child_notices += 1
    m.put(notice)
    return []


def withdraw(m: Machine, notice: notices.Withdraw, now_ns: int) -> list[Action]:
    """Starting, Processing: the guest has no use any more for what waits under this key."""
    for operation in [each for each in m.queue if each.waiter is None and each.key == notice.key]:
        m.remove(operation)
    return []


def drop(m: Machine, notice: Any, now_ns: int) -> list[Action]:
    """Nobody waits for it and nothing can come of it."""
    return []


# -- control lane ----------------------------------------------------------------


def pause_now(m: Machine, notice: notices.Pause, now_ns: int) -> list[Action]:
    """Idle: at once."""
    m.become(State.PAUSED, now_ns)
    return [Answer(notice.waiter)]


def pause_again(m: Machine, notice: notices.Pause, now_ns: int) -> list[Action]:
    """Paused already."""
    return refuse_handed(m, notice, now_ns) if m.handed else [Answer(notice.waiter)]


def refuse_handed(m: Machine, notice: Any, now_ns: int) -> list[Action]:
    """Orders in the middle of an update."""
    return [Refuse(notice.waiter, "unexpected", (HANDED,))]


def pause_starting(m: Machine, notice: notices.Pause, now_ns: int) -> list[Action]:
    """Starting: takes effect when the start is complete."""
    return _pause_later(m, notice, PAUSE_WHILE_STARTING)


def pause_processing(m: Machine, notice: notices.Pause, now_ns: int) -> list[Action]:
    """Processing: takes effect after the current operation, not after the queue (L4)."""
    return _pause_later(m, notice, PAUSE_WHILE_PROCESSING)


def _pause_later(m: Machine, notice: notices.Pause, refusal: str) -> list[Action]:
    if m.stop is not None:
        return [Refuse(notice.waiter, "shutting_down")]
    if notice.if_idle:
        return [Refuse(notice.waiter, "unexpected", (refusal,))]
    m.pausers.append(notice.waiter)
    return []


def refuse_order(m: Machine, notice: Any, now_ns: int) -> list[Action]:
    """Leaving: orders other than to stop come too late."""
    return [Refuse(notice.waiter, "shutting_down")]


def resume_now(m: Machine, notice: notices.Resume, now_ns: int) -> list[Action]:
    """Paused: go on, with the queue first."""
    if m.handed:
        return refuse_handed(m, notice, now_ns)
    return [Answer(notice.waiter), *go_on(m, now_ns)]


def resume_idle(m: Machine, notice: notices.Resume, now_ns: int) -> list[Action]:
    """Idle: there is no pause."""
    return [Refuse(notice.waiter, "not_paused")]


def resume_pending(m: Machine, notice: notices.Resume, now_ns: int) -> list[Action]:
    """Starting, Processing: withdraw a pending pause, if there is one."""
    if m.stop is not None:
        return [Refuse(notice.waiter, "shutting_down")]
    if not m.pausers:
        return [Refuse(notice.waiter, "not_paused")]
    withdrawn, m.pausers = m.pausers, []
    return [Answer(notice.waiter), *refuse_all(withdrawn, "not_paused")]


# -- hot update ----------------------------------------------------------------


def hand_over_now(m: Machine, notice: notices.HandOver, now_ns: int) -> list[Action]:
    """Idle: at once."""
    m.handed = True
    m.become(State.PAUSED, now_ns)
    return [actions.Handed(notice.waiter)]


def hand_over_later(m: Machine, notice: notices.HandOver, now_ns: int) -> list[Action]:
    """Processing: after the operation under way, and what the host has queued. Callers are sent on at once."""
    if m.stop is not None or m.guest_stop is not None:
        return [Refuse(notice.waiter, "shutting_down")]
    if m.handed:
        return refuse_handed(m, notice, now_ns)
    m.handed = True
    m.movers.append(notice.waiter)
    sent_on: list[Action] = []
    for operation in m.callers():
        m.remove(operation)
        sent_on += send_on(operation)
    return sent_on


def refuse_hand_over(m: Machine, notice: notices.HandOver, now_ns: int) -> list[Action]:
    """Starting, Paused: not now."""
    if m.handed:
        return refuse_handed(m, notice, now_ns)
    text = "it is paused: resume it first" if m.state is State.PAUSED else "it is still starting"
    return [Refuse(notice.waiter, "update_package", (text,))]


def take_back(m: Machine, notice: notices.TakeBack, now_ns: int) -> list[Action]:
    """Paused: nobody takes over; go on. Elsewhere there is nothing to take back."""
    if not m.handed:
        return [Answer(notice.waiter)]
    m.handed = False
    return [Answer(notice.waiter), *go_on(m, now_ns)]


def take_back_pending(m: Machine, notice: notices.TakeBack, now_ns: int) -> list[Action]:
    """Processing: withdraw a hand-over that has not taken effect."""
    movers, m.movers = m.movers, []
    m.handed = False
    return [*refuse_all(movers, "cancelled"), Answer(notice.waiter)]


def send_on(operation: Operation) -> list[Action]:
    """Another worker serves the actor, or will: what nobody waits for is given to it, whoever waits is told."""
    if isinstance(operation, notices.Call) and operation.posted and operation.refusal is None:
        return [actions.Forward(operation.function, operation.payload), Answer(operation.waiter)]
    return [Refuse(operation.waiter, "moved")]


def cancel_queued(m: Machine, notice: notices.Cancel, now_ns: int) -> list[Action]:
    """Remove a queued operation; let a running one run, or trap it where its caller asked for that (L11)."""
    for operation in m.callers():
        if operation.key == notice.key:
            m.remove(operation)
            return [Refuse(operation.waiter, "cancelled"), Answer(notice.waiter)]
    running = m.running
    if running is None or running.waiter is None or running.key != notice.key:
        return cancel_unknown(m, notice, now_ns)
    if running.cancel_running:
        return [Answer(notice.waiter), actions.InterruptGuest("cancelled")]
    return [Refuse(notice.waiter, "unexpected", (RUNS_ON,))]


def cancel_unknown(m: Machine, notice: notices.Cancel, now_ns: int) -> list[Action]:
    """There is no such operation (any more)."""
    return [Refuse(notice.waiter, "not_found", (str(notice.key),))]


def expire(m: Machine, notice: notices.TimePassed, now_ns: int) -> list[Action]:
    """Answer those whose patience is over; they leave the queue (L4, L11)."""
    if m.earliest_expiry_ns is None or now_ns < m.earliest_expiry_ns:
        return []
    expired = [o for o in m.callers() if o.expires_ns is not None and o.expires_ns <= now_ns]
    for operation in expired:
        m.remove(operation)
    m.earliest_expiry_ns = None
    for operation in m.callers():
        m.note_expiry(operation)
    return [timed_out(operation) for operation in expired]
