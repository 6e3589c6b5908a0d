"""The lifecycle of one incarnation, decided: notices and the time go in, actions come out (lifecycle sections 1 to 4).

Knows no thread, socket, clock, guest or process. What each notice does in each state is the table in
``worker.machine_table``; this file holds what the machine remembers. Every waiter given to it is answered exactly once.
A graceful Shutdown is answered when accepted: that the process has ended is seen, and told, by the root.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import msgspec

from theater.cause import Cause
from worker.machine_actions import Action
from worker.machine_notices import Operation
from worker.machine_state import MOVES, TEXTS, BrokenInvariant, Rules, State, Stop
from worker.machine_table import TABLE


class Status(msgspec.Struct, frozen=True):
    """What a person may know of the machine at a moment."""

    state: str
    text: str
    detail: str
    since_ns: int
    operation: str | None
    elapsed_ms: int | None
    queued: int
    cause: Cause | None = None


class Machine:
    """One incarnation's lifecycle. ``feed`` decides; nothing else changes it."""

    __slots__ = (
        "cause",
        "child_notices",
        "earliest_expiry_ns",
        "gaps",
        "guest_stop",
        "handed",
        "movers",
        "pausers",
        "peak_queued",
        "queue",
        "queued_callers",
        "rules",
        "running",
        "since_ns",
        "state",
        "step",
        "stop",
        "ticks",
        "waiting",
    )

    def __init__(self, rules: Rules, now_ns: int) -> None:
        self.rules = rules
        self.state = State.STARTING
        self.since_ns = now_ns
        self.step = "manifest"
        self.running: Operation | None = None
        self.queue: deque[Operation] = deque()
        """Operations in the order they will run; callers and host-originated ones together."""
        self.waiting: deque[Operation] = deque()
        """Callers waiting for room in the queue, in order (L3)."""
        self.queued_callers = 0
        """How many of ``queue`` are callers; only they count towards its bound."""
        self.peak_queued = 0
        self.child_notices = 0
        self.ticks: dict[str, Operation] = {}
        """The one waiting tick of each key."""
        self.gaps: dict[str, Operation] = {}
        """The gap notice that still grows, by child."""
        self.pausers: list[Any] = []
        """Waiters of a pause that has not taken effect."""
        self.movers: list[Any] = []
        """Waiters of a hand-over that has not taken effect."""
        self.handed = False
        """Another package takes over: callers are sent on. In Paused, nothing runs any more."""
        self.stop: Stop | None = None
        """A pending stop, or the one under way."""
        self.guest_stop: Cause | None = None
        """The guest asked for its own end; counts once the current operation has returned."""
        self.cause: Cause | None = None
        """Why it stopped."""
        self.earliest_expiry_ns: int | None = None

    def feed(self, notice: Any, now_ns: int) -> list[Action]:
        """Take one notice; return what is to be done about it.

        Raises:
            BrokenInvariant: the notice cannot happen in this state.
        """
        cell = TABLE.get((notice.__class__, self.state))
        if cell is None:
            raise BrokenInvariant(f"{type(notice).__name__} in state {self.state.name.lower()}: {self.snapshot()}")
        return cell(self, notice, now_ns)

    def become(self, state: State, now_ns: int) -> None:
        """Move to another state; the only place that does."""
        if state not in MOVES[self.state]:
            raise BrokenInvariant(f"no way from {self.state.name.lower()} to {state.name.lower()}: {self.snapshot()}")
        self.state = state
        self.since_ns = now_ns

    # -- the queue: every touch of it goes through these ---------------------------------------------------------

    def put(self, operation: Operation) -> None:
        """Append to the queue and keep its counts."""
        self.queue.append(operation)
        if operation.waiter is not None:
            self.queued_callers += 1
            self.note_expiry(operation)
        self.peak_queued = max(self.peak_queued, len(self.queue) + len(self.waiting))

    def wait_for_room(self, operation: Operation) -> None:
        """Let a caller wait outside the full queue."""
        self.waiting.append(operation)
        self.note_expiry(operation)
        self.peak_queued = max(self.peak_queued, len(self.queue) + len(self.waiting))

    def take(self) -> Operation | None:
        """Remove the next operation, None if there is none."""
        if not self.queue:
            return None
        operation = self.queue.popleft()
        self._forget(operation)
        return operation

    def remove(self, operation: Operation) -> None:
        """Remove an operation from wherever it waits."""
        if operation in self.waiting:
            self.waiting.remove(operation)
            return
        self.queue.remove(operation)
        self._forget(operation)

    def drop_all(self) -> list[Operation]:
        """Empty the queue; return the callers, in order. Host-originated operations vanish."""
        callers = [operation for operation in self.queue if operation.waiter is not None]
        callers.extend(self.waiting)
        self.queue.clear()
        self.waiting.clear()
        self.ticks.clear()
        self.gaps.clear()
        self.queued_callers = self.child_notices = 0
        self.earliest_expiry_ns = None
        return callers

    def callers(self) -> list[Operation]:
        """Everybody queued or waiting for room, in order."""
        return [operation for operation in (*self.queue, *self.waiting) if operation.waiter is not None]

    def note_expiry(self, operation: Operation) -> None:
        """Remember when the first caller loses patience. May be early, never late."""
        expires = operation.expires_ns
        if expires is not None and (self.earliest_expiry_ns is None or expires < self.earliest_expiry_ns):
            self.earliest_expiry_ns = expires

    def _forget(self, operation: Operation) -> None:
        if operation.waiter is not None:
            self.queued_callers -= 1
            self._admit()
            return
        tick, child = getattr(operation, "merge_key", None), getattr(operation, "child", None)
        if tick is not None:
            self.ticks.pop(tick, None)
        if child is not None:
            self.child_notices -= 1
            if self.gaps.get(child) is operation:
                del self.gaps[child]

    def _admit(self) -> None:
        while self.waiting and self.queued_callers < self.rules.operation_queue_max:
            self.queue.append(self.waiting.popleft())
            self.queued_callers += 1

    # -- for people ----------------------------------------------------------------

    @property
    def is_stopping(self) -> bool:
        """A stop from outside is pending or under way: new work is refused."""
        return self.stop is not None

    @property
    def queued(self) -> int:
        """How many operations wait, in the queue or for room in it."""
        return len(self.queue) + len(self.waiting)

    def status(self, now_ns: int) -> Status:
        """Say where the actor is (section 13); the row GetStatus of the table."""
        running = self.running
        return Status(
            state=self.state.name.lower(),
            text=TEXTS[self.state],
            detail=self._detail(now_ns),
            since_ns=self.since_ns,
            operation=running.function if running else None,
            elapsed_ms=(now_ns - running.started_ns) // 1_000_000 if running else None,
            queued=self.queued,
            cause=self.cause,
        )

    def snapshot(self) -> dict[str, Any]:
        """Everything it remembers, as plain data a person can read."""
        return {
            "state": self.state.name.lower(),
            "step": self.step,
            "running": self.running.function if self.running else None,
            "queue": [operation.function for operation in self.queue],
            "waiting": len(self.waiting),
            "pausers": len(self.pausers),
            "handed": self.handed,
            "stop": self.stop.cause.plain() if self.stop else None,
            "guest_stop": self.guest_stop is not None,
            "cause": self.cause.plain() if self.cause else None,
        }

    def _detail(self, now_ns: int) -> str:
        match self.state:
            case State.STARTING:
                detail = self.step
            case State.IDLE:
                return "idle"
            case State.PROCESSING:
                detail = "processing"
            case State.PAUSED:
                return "handed over" if self.handed else "paused"
            case State.SHUTTING_DOWN:
                return self._remaining(now_ns)
            case State.STOPPED:
                return self.cause.kind if self.cause else ""
        if self.stop:
            return f"{detail}, stopping"
        if self.handed:
            return f"{detail}, handing over"
        return f"{detail}, pausing" if self.pausers else detail

    def _remaining(self, now_ns: int) -> str:
        if self.stop is None or self.stop.deadline_ns is None:
            return "leaving"
        return f"leaving, {max(0, self.stop.deadline_ns - now_ns) // 1_000_000} ms left"

