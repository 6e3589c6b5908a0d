"""The rules L1 to L15 as far as the worker's machine keeps them, one fact each."""

from __future__ import annotations

from typing import Any

import pytest

from theater.cause import Cause
from worker import machine_actions as actions
from worker import machine_notices as n
from worker.machine import Machine
from worker.machine_state import Rules

SECOND_NS = 1_000_000_000


def started(**rules: Any) -> Machine:
    machine = Machine(Rules(**rules), 0)
    machine.feed(n.SetupDone(), 0)
    return machine


def busy(**rules: Any) -> Machine:
    machine = started(**rules)
    machine.feed(call("running"), 0)
    return machine


def call(name: str, **more: Any) -> n.Call:
    return n.Call(function=name, waiter=name, key=name, **more)


def told(done: list[actions.Action]) -> dict[Any, str]:
    """What each waiter heard."""
    return {
        a.waiter: "ok" if isinstance(a, actions.Answer) else a.kind
        for a in done
        if isinstance(a, actions.Answer | actions.Refuse)
    }


def of(done: list[actions.Action], kind: type) -> list[Any]:
    return [a for a in done if isinstance(a, kind)]


def run_out(machine: Machine) -> list[str]:
    """Let the guest return until nothing is left; names in the order they ran."""
    order = []
    while machine.running is not None:
        order.append(machine.running.function)
        machine.feed(n.Returned(), 0)
    return order


def test_operations_run_in_the_order_they_came() -> None:
    """L2: first in, first out."""
    machine = busy()
    for number in range(5):
        machine.feed(call(f"c{number}"), 0)

    assert run_out(machine) == ["running", "c0", "c1", "c2", "c3", "c4"]


def test_the_caller_past_the_bound_waits_for_room() -> None:
    """L3: 100 wait in the queue, the next waits outside, nobody is lost, order is kept."""
    machine = busy()
    answers = [machine.feed(call(f"c{number}"), 0) for number in range(102)]

    assert answers == [[]] * 102
    assert (machine.queued_callers, len(machine.waiting)) == (100, 2)
    assert ["running", *(f"c{number}" for number in range(102))] == run_out(machine)


def test_a_caller_that_does_not_wait_gets_mailbox_full() -> None:
    """L3: at once, with the bound."""
    machine = busy(operation_queue_max=3)
    for number in range(3):
        machine.feed(call(f"c{number}"), 0)

    assert [actions.Refuse("late", "mailbox_full", (3,))] == machine.feed(call("late", wait=False), 0)


def test_waiting_for_room_is_bounded_too() -> None:
    """Past the limit of waiting callers everyone gets mailbox_full."""
    machine = busy(operation_queue_max=1, waiting_callers_max=1)
    machine.feed(call("queued"), 0)
    machine.feed(call("waiting"), 0)

    assert told(machine.feed(call("late"), 0)) == {"late": "mailbox_full"}


def test_host_originated_operations_take_no_room_from_callers() -> None:
    """L3: their bounds are their own."""
    machine = busy(operation_queue_max=1)
    for _ in range(10):
        machine.feed(n.HostCall(function="data"), 0)

    assert machine.feed(call("caller", wait=False), 0) == []


def test_a_queued_caller_runs_out_of_patience() -> None:
    """L4, L11: removed and answered operation_timeout with its seconds, also while paused."""
    machine = started()
    machine.feed(n.Pause("p"), 0)
    machine.feed(call("short", expires_ns=SECOND_NS, timeout_ms=1000), 0)
    machine.feed(call("long", expires_ns=9 * SECOND_NS, timeout_ms=9000), 0)

    assert machine.feed(n.TimePassed(), SECOND_NS - 1) == []
    assert [actions.Refuse("short", "operation_timeout", (1.0,))] == machine.feed(n.TimePassed(), SECOND_NS)
    assert machine.earliest_expiry_ns == 9 * SECOND_NS


def test_a_caller_waiting_for_room_runs_out_of_patience() -> None:
    """L3: it waits for room under its own timeout."""
    machine = busy(operation_queue_max=1)
    machine.feed(call("queued"), 0)
    machine.feed(call("outside", expires_ns=5, timeout_ms=1), 0)

    assert told(machine.feed(n.TimePassed(), 5)) == {"outside": "operation_timeout"}


def test_an_expired_operation_never_begins() -> None:
    """L11: even if nobody looked at the clock before its turn came."""
    machine = busy()
    machine.feed(call("late", expires_ns=5, timeout_ms=1), 0)

    done = machine.feed(n.Returned(), 10)

    assert told(done) == {"running": "ok", "late": "operation_timeout"}
    assert not of(done, actions.Run)


def test_a_running_operation_does_not_time_out() -> None:
    """L11: it runs on; its result is its answer."""
    machine = started()
    machine.feed(call("slow", expires_ns=5, timeout_ms=1), 0)

    assert machine.feed(n.TimePassed(), 10) == []
    assert told(machine.feed(n.Returned(), 20)) == {"slow": "ok"}


def test_pause_takes_effect_after_the_current_operation_not_after_the_queue() -> None:
    """L4."""
    machine = busy()
    machine.feed(call("next"), 0)
    machine.feed(n.Pause("pauser"), 0)

    assert told(machine.feed(n.Returned(), 0)) == {"running": "ok", "pauser": "ok"}
    assert (machine.state.name.lower(), machine.queued) == ("paused", 1)


def test_resume_withdraws_a_pending_pause() -> None:
    """L4: the pauser learns not_paused."""
    machine = busy()
    machine.feed(n.Pause("pauser"), 0)

    assert told(machine.feed(n.Resume("resumer"), 0)) == {"resumer": "ok", "pauser": "not_paused"}


def test_shutdown_ends_a_pending_pause() -> None:
    """L4: the pauser learns shutting_down."""
    machine = busy()
    machine.feed(n.Pause("pauser"), 0)

    assert told(machine.feed(n.Shutdown("stopper"), 0)) == {"stopper": "ok", "pauser": "shutting_down"}


def test_a_crash_ends_a_pending_pause() -> None:
    """L4: the pauser learns channel_closed."""
    machine = busy()
    machine.feed(n.Pause("pauser"), 0)

    assert told(machine.feed(n.Trapped("bang"), 0)) == {"running": "internal", "pauser": "channel_closed"}


def test_ten_shutdowns_join() -> None:
    """L5: everyone is answered once, the first cause is kept, the earliest deadline counts."""
    machine = busy()
    deadlines: list[int] = []
    for number in range(10):
        done = machine.feed(n.Shutdown(f"s{number}", deadline_ms=1000 - 10 * number, by=f"s{number}"), 0)
        assert {f"s{number}": "ok"} == told(done)
        deadlines += [a.at_ns for a in of(done, actions.ArmStopDeadline)]
    done = machine.feed(n.Shutdown("later", deadline_ms=5000), 0)

    assert not of(done, actions.ArmStopDeadline)
    assert 910_000_000 == deadlines[-1] == min(deadlines)
    assert [actions.Leave(Cause(kind="stopped", by="s0"))] == of(machine.feed(n.Returned(), 0), actions.Leave)


def test_shutdown_refuses_the_queue_and_lets_the_running_operation_finish() -> None:
    """L5, steps 2 and 4."""
    machine = busy()
    machine.feed(call("queued"), 0)

    done = machine.feed(n.Shutdown("stopper"), 0)

    assert told(done) == {"stopper": "ok", "queued": "shutting_down"}
    assert of(done, actions.ReleaseHostCalls)
    assert told(machine.feed(n.Returned(), 0)) == {"running": "ok"}


def test_a_shutdown_may_take_for_ever() -> None:
    """L5: infinity arms no deadline."""
    machine = started(shutdown_ms=None)

    assert not of(machine.feed(n.Shutdown("s"), 0), actions.ArmStopDeadline)


def test_init_is_skipped_when_a_shutdown_came_before_it() -> None:
    """L5: and the actor never announces itself."""
    machine = Machine(Rules(), 0)
    machine.feed(n.Shutdown("s"), 0)

    assert [actions.Leave(Cause(kind="stopped", by="supervisor"))] == machine.feed(n.Loaded(), 0)


def test_a_shutdown_during_init_lets_init_return() -> None:
    """L5: then the actor leaves."""
    machine = Machine(Rules(), 0)
    machine.feed(n.Loaded(), 0)
    machine.feed(n.Shutdown("s"), 0)

    assert [actions.Announce, actions.Leave] == [type(a) for a in machine.feed(n.Returned(), 0)]


def test_escalation_kills() -> None:
    """L7: a graceful stop that misses its deadline ends killed, escalated; the caller in flight learns it."""
    machine = busy()
    machine.feed(n.Shutdown("s", by="tester"), 0)

    done = machine.feed(n.StopDeadline(), 0)

    killed = Cause(kind="killed", by="tester", escalated=True)
    assert [actions.Refuse("running", "channel_closed", (killed.plain(),)), actions.Exit(killed)] == done


def test_ticks_merge() -> None:
    """L8: one tick of a key waits; it carries how many were missed."""
    machine = busy()
    for _ in range(4):
        machine.feed(n.HostCall(function="tick", merge_key="t"), 0)
    machine.feed(n.HostCall(function="tick", merge_key="other"), 0)

    assert [tick.missed for tick in machine.queue] == [3, 0]


def test_ticks_merge_anew_once_one_was_delivered() -> None:
    """L8: the count starts again."""
    machine = busy()
    machine.feed(n.HostCall(function="tick", merge_key="t"), 0)
    machine.feed(n.Returned(), 0)
    machine.feed(n.HostCall(function="tick", merge_key="t"), 0)

    assert [tick.missed for tick in machine.queue] == [0]


def child_event(child: str, number: int) -> n.HostCall:
    return n.HostCall(function="handle-child-event", child=child, is_event=True, payload=number)


def test_child_events_past_the_bound_become_one_gap() -> None:
    """L8: the gap names the first and the last it stands for; exits are never lost."""
    machine = busy(child_notices_max=2)
    for number in range(5):
        machine.feed(child_event("a", number), 0)
    machine.feed(n.HostCall(function="handle-child-exit", child="a"), 0)

    kept = [(o.function, o.payload, o.missed, o.last) for o in machine.queue]
    assert kept == [
        ("handle-child-event", 0, 0, None),
        ("handle-child-event", 1, 0, None),
        ("handle-child-event", 2, 2, 4),
        ("handle-child-exit", None, 0, None),
    ]


def test_a_gap_does_not_grow_past_events_that_follow_it() -> None:
    """L8: with room again, events come after the gap; the next overflow makes a gap of its own."""
    machine = busy(child_notices_max=1)
    for number in range(3):
        machine.feed(child_event("a", number), 0)
    machine.feed(n.Returned(), 0)
    machine.feed(n.Returned(), 0)
    assert machine.running.payload == 1  # type: ignore[union-attr]
    machine.feed(child_event("a", 3), 0)
    machine.feed(child_event("a", 4), 0)

    assert [(o.payload, o.is_gap) for o in machine.queue] == [(3, False), (4, True)]  # type: ignore[attr-defined]


def test_a_trap_fails_the_caller_and_closes_on_the_rest() -> None:
    """L9: internal with the event for one, channel_closed with the cause for the others, even with a stop pending."""
    machine = busy()
    machine.feed(call("queued"), 0)
    done = machine.feed(n.Trapped("unreachable"), 0)

    cause = Cause(kind="failed", function="running", text="unreachable")
    assert [
        actions.Refuse("running", "internal", ({"function": "running", "message": "unreachable"},)),
        actions.Refuse("queued", "channel_closed", (cause.plain(),)),
        actions.Exit(cause),
    ] == done


def test_an_application_error_is_not_a_crash() -> None:
    """L10: the caller gets internal, the actor goes on."""
    machine = busy()
    machine.feed(call("next"), 0)

    done = machine.feed(n.Declined("no"), 0)

    assert told(done) == {"running": "internal"}
    assert of(done, actions.Run)[0].operation.function == "next"


def test_a_failed_start_answers_those_who_waited_for_it() -> None:
    """S4: channel_closed with start_failed."""
    machine = Machine(Rules(), 0)
    machine.feed(call("early"), 0)
    machine.feed(n.Pause("pauser"), 0)

    done = machine.feed(n.SetupFailed("link", "not granted"), 0)

    cause = Cause(kind="start_failed", step="link", text="not granted")
    assert told(done) == {"early": "channel_closed", "pauser": "channel_closed"}
    assert actions.Exit(cause) == done[-1]


def test_cancel_removes_a_queued_operation() -> None:
    """L11: its caller gets cancelled, whoever cancelled gets ok; one waiting for room moves up."""
    machine = busy(operation_queue_max=1)
    machine.feed(call("queued"), 0)
    machine.feed(call("outside"), 0)

    assert told(machine.feed(n.Cancel("c", "queued"), 0)) == {"queued": "cancelled", "c": "ok"}
    assert run_out(machine) == ["running", "outside"]


def test_cancel_running_traps_the_guest_only_where_the_caller_asked_for_it() -> None:
    """L11."""
    machine = started()
    machine.feed(call("running", cancel_running=True), 0)

    done = machine.feed(n.Cancel("c", "running"), 0)

    assert [actions.Answer("c"), actions.InterruptGuest("cancelled")] == done


def test_the_guest_ends_itself_after_the_current_operation() -> None:
    """1.1 completed: the caller is answered, the queue refused, the first value kept."""
    machine = busy()
    machine.feed(call("queued"), 0)
    machine.feed(n.GuestAskedShutdown(b"first"), 0)
    machine.feed(n.GuestAskedShutdown(b"second"), 0)

    done = machine.feed(n.Returned(), 0)

    assert told(done) == {"running": "ok", "queued": "shutting_down"}
    assert [actions.Leave(Cause(kind="completed", value=b"first"))] == of(done, actions.Leave)


def test_the_guests_own_cause_is_kept_when_a_shutdown_joins() -> None:
    """L5: the first cause counts."""
    machine = busy()
    machine.feed(n.GuestAskedShutdown(None), 0)
    machine.feed(n.Shutdown("s"), 0)

    assert of(machine.feed(n.Returned(), 0), actions.Leave)[0].cause.kind == "completed"


def test_an_instant_exit_is_announced_first() -> None:
    """A guest that asks for its end in init has existed: Ready comes before the end."""
    machine = Machine(Rules(), 0)
    machine.feed(n.Loaded(), 0)
    machine.feed(n.GuestAskedShutdown(None), 0)

    done = machine.feed(n.Returned(), 0)

    assert [actions.Announce, actions.ArmStopDeadline, actions.Leave] == [type(a) for a in done]


def test_losing_the_supervisor_leaves_within_orphan_ms() -> None:
    """10.4: gracefully, cause parent_gone."""
    done = started(orphan_ms=700).feed(n.ParentLost(), 0)

    assert [a.at_ns for a in of(done, actions.ArmStopDeadline)] == [700_000_000]
    assert of(done, actions.Leave)[0].cause.kind == "parent_gone"


def test_a_broken_invariant_names_state_and_notice() -> None:
    """Whoever reads the last words of a worker learns what happened where."""
    from worker.machine_state import BrokenInvariant

    with pytest.raises(BrokenInvariant, match="Returned in state idle"):
        started().feed(n.Returned(), 0)
