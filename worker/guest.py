"""Runs operations in the guest: checks, records, calls, commits (lifecycle section 6). Guest thread only."""

from __future__ import annotations

import time
from typing import Any, Final

from theater import http
from theater.actor import ActorOptions
from theater.committed import operation_digest
from theater.errors import ActorError
from worker import child_events, mailbox, recovered
from worker import machine_notices as n
from worker.budgets import Budgets, UsedUp
from worker.engine import contract
from worker.engine.clock import ticks
from worker.engine.contract import INIT
from worker.engine.crossing import GuestError
from worker.engine.doors import Door
from worker.engine.errors import CANCELLED, DEADLINE, StartError, Trap
from worker.incarnation import Incarnation
from worker.recovered import HANDLE_RECOVERED, STARTS
from worker.snapshots import Snapshots

NO_PARAMS: Final = contract.UNIT
UNANSWERED: Final = frozenset((*mailbox.POSTED.values(), mailbox.HANDLE_OPEN, http.WASI_HANDLER))
"""Functions of which no more than a yes goes back, or whose answer was counted while it was made."""


class Guest:
    """The guest behind its door, with the state it has committed."""

    def __init__(self, inc: Incarnation, door: Door) -> None:
        self._inc = inc
        self._door = door
        self._recorder = inc.recorder
        self._desk_lock = inc.desk.lock
        self._pulse = inc.pulse
        self._budgets = inc.budgets
        self._fuel = inc.fuel
        options: ActorOptions = inc.options
        self._contract = contract.Contract(door.functions, options)
        self._snapshots = _snapshots(inc)
        self._dead_letters = inc.init.set_aside
        self._call_ticks = ticks(options.call_deadline_ms)
        self._init_ticks = ticks(options.init_deadline_ms)

    def init(self) -> Any:
        """Call ``init`` with the initial state; the notice says how that ended. The desk is not ours yet."""
        return self._call(INIT, NO_PARAMS, NO_PARAMS, self._init_ticks)

    def recovered(self, how: str) -> Any:
        """Tell the guest that it goes on without ``init``; the notice says how that ended. None: it does not care."""
        if HANDLE_RECOVERED not in self._door.functions:
            return None
        params = recovered.params(how)
        return self._call(HANDLE_RECOVERED, params, params, self._init_ticks)

    def run(self, operation: n.Operation) -> Any:
        """Run one operation, holding the desk before and after, not meanwhile; the notice says how it ended."""
        if isinstance(operation, n.HostCall) and operation.wanted is not None and not operation.wanted():
            return n.Rejected("unexpected", (f"{operation.function}: not wanted any more",))
        params = recorded = operation.payload
        if type(params) is child_events.ChildEvent:
            params, recorded = child_events.params(operation)
        budget = self._call_ticks if operation.deadline_ms is None else ticks(operation.deadline_ms)
        keyed = operation if isinstance(operation, n.Call) and operation.idempotency_key is not None else None
        known = self._set_aside(operation.function, recorded) or (keyed and self._inc.repeats.answer(keyed))
        if known is not None:
            return known
        key = None if keyed is None else keyed.idempotency_key
        refused = None if self._budgets is None else self._await_room(self._budgets, operation)
        if refused is not None:
            return refused
        notice = self._call(operation.function, params, recorded, budget, self._desk_lock, key)
        if keyed is not None:
            self._inc.repeats.note(keyed, notice)
        self._count(operation, notice)
        if self._budgets is not None:
            self._budgets.sent(_answered(operation, notice))
        if isinstance(operation, n.HostCall) and operation.then is not None:
            operation.then(notice)
        return notice

    def _await_room(self, budgets: Budgets, operation: n.Operation) -> Any:
        """Wait for room in the budgets, away from the desk; the notice says why there will be none."""
        inc = self._inc
        inc.in_guest = True
        if not self._pulse.beating:
            self._pulse.start()
        self._desk_lock.release()
        try:
            self._door.arm(None)
            self._recorder.store.make_room()
            budgets.admit(operation.waiter is None)
        except UsedUp as error:
            return n.Rejected("limit_exceeded", (str(error),))
        except Trap as trap:
            if trap.kind != CANCELLED:
                return n.Trapped(trap.text)
            return n.Rejected(*(("shutting_down", ()) if inc.asks.is_released else ("cancelled", ())))
        finally:
            self._desk_lock.acquire()
            inc.in_guest = False
        return None

    def _call(
        self,
        function: str,
        params: bytes,
        recorded: bytes,
        budget: int | None,
        lock: Any = None,
        key: str | None = None,
    ) -> Any:
        inc = self._inc
        try:
            data = self._contract.input(function, inc.state, params)
        except ActorError as error:
            return n.Rejected(error.kind, error.data)
        inc.in_guest = True
        if not self._pulse.beating:
            self._pulse.start()
        # Away from the desk also while recording: that waits when the ring is full, and callers must not notice.
        if lock is not None:
            lock.release()
        try:
            self._recorder.store.make_room()
            self._recorder.call(function, recorded, key)
            return self._enter(function, data, budget)
        finally:
            if lock is not None:
                lock.acquire()
                inc.in_guest = False

    def _enter(self, function: str, data: bytes, budget: int | None) -> Any:
        left = None if self._budgets is None else ticks(self._budgets.enter())
        is_last = left is not None and (budget is None or left < budget)
        if is_last:
            budget = left
        try:
            self._door.arm(budget)
            if self._fuel is not None:
                self._fuel.enter(function)
            try:
                result = self._door.call(function, data)
            finally:
                if self._fuel is not None:
                    self._fuel.leave()
                if self._budgets is not None:
                    self._budgets.leave()
            if isinstance(result, GuestError):
                return self._declined(function, result.text)
            outcome = self._contract.outcome(function, result.output)
        except Trap as trap:
            text = self._budgets.why_ended() if is_last and self._budgets and trap.kind == DEADLINE else trap.text
            self._recorder.stopped(function, text)
            return n.Trapped(text)
        if isinstance(outcome, contract.Ok):
            self._recorder.result(function, outcome.state, outcome.response)
            self._inc.state = outcome.state
            if self._snapshots is not None and self._snapshots.is_due and function not in STARTS:
                self._take_snapshot(self._snapshots)
            return n.Returned(outcome.response)
        return self._declined(function, outcome.text)

    def _take_snapshot(self, snapshots: Snapshots) -> None:
        """Where no fresh instance is to be had, the old one serves on, and there is no snapshot."""
        try:
            fresh = self._inc.reopen()
        except StartError as error:
            self._inc.logs.warn("snapshot", f"no snapshot, as there is no fresh instance: {error}")
            return
        snapshots.take(self._inc.state)
        self._door.close()
        self._inc.renew_services()
        self._door = self._inc.door = fresh

    def _set_aside(self, function: str, params: bytes) -> n.Rejected | None:
        """Refuse an operation that is a dead letter: it ended one incarnation after the other."""
        if not self._dead_letters:
            return None
        seq = self._dead_letters.get(operation_digest(function, params))
        if seq is None:
            return None
        text = f"{function}: set aside as a dead letter (event {seq}): it has ended incarnations before"
        return n.Rejected("unexpected", (text,))

    def _declined(self, function: str, text: str) -> n.Declined:
        self._recorder.declined(function, text)
        return n.Declined(text)

    def _count(self, operation: n.Operation, notice: Any) -> None:
        if type(notice) is n.Rejected:
            return
        metrics = self._inc.metrics
        spent = time.monotonic_ns() - operation.started_ns
        waited = operation.started_ns - operation.received_ns if operation.received_ns else 0
        metrics.finished(waited, spent, type(notice) is not n.Returned)
        metrics.last_update_ns = time.time_ns()


def _answered(operation: n.Operation, notice: Any) -> int:
    """How many bytes leave the actor as the answer to an operation."""
    if operation.waiter is None or getattr(operation, "posted", False) or operation.function in UNANSWERED:
        return 0
    match notice:
        case n.Returned(response=bytes(response)):
            return len(response)
        case n.Declined(text=str(text)):
            return len(text.encode())
    return 0


def _snapshots(inc: Incarnation) -> Snapshots | None:
    options = inc.options
    return Snapshots(inc.recorder, options) if options.snapshot_events or options.snapshot_bytes else None
