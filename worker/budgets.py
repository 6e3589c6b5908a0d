"""The budgets of an actor (limits: guest_time, host_calls …): what is counted, and what happens when one is used up.

Guest thread only, but for ``usage``. An actor without budgets has none of this.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from theater.budgets import (
    CHAIN_BYTES,
    CHAIN_EVENTS,
    ERROR,
    FUEL,
    GUEST_TIME,
    HOST_CALLS,
    NAMES,
    OUTGOING,
    STOP,
    THROTTLE,
)
from theater.chain import payload
from theater.values import String
from worker.engine import fuel
from worker.engine.errors import CANCELLED, HOST, Trap
from worker.meters import Meter

if TYPE_CHECKING:
    from theater.actor import ActorOptions
    from worker.incarnation import Incarnation

NS_PER_MS: Final = 1_000_000
BETWEEN: Final = (GUEST_TIME, FUEL, OUTGOING, CHAIN_EVENTS, CHAIN_BYTES)
"""Looked at before each operation."""


class Share(NamedTuple):
    """What a call may use of a budget, and what to say when it has."""

    amount: int
    text: str


class UsedUp(Exception):
    """A budget is used up, and what is too much is refused; the text says which."""


class Budgets:
    """All budgets of one incarnation."""

    def __init__(self, inc: Incarnation) -> None:
        self._inc = inc
        options: ActorOptions = inc.options
        self._meters = {
            name: Meter(budget, NS_PER_MS if name == GUEST_TIME else 1)
            for name in NAMES
            if (budget := getattr(options, name)) is not None
        }
        self._seen = (0, 0)
        """Events and bytes recorded when they were last counted."""
        self._full: set[str] = set()
        """Budgets whose being used up is in the chain already."""
        self._entered_ns = 0
        self._in_host_ns = 0

    def __bool__(self) -> bool:
        return bool(self._meters)

    # -- operations ----------------------------------------------------------------------------------------------

    def admit(self, is_host_originated: bool) -> None:
        """Let an operation begin, perhaps after waiting.

        Raises:
            UsedUp: it is refused. Notices of the host's are not, they wait where they can.
            Trap: the actor is to end; or whoever waits for the operation has cancelled it, or a stop has come.
        """
        self._count_chain()
        for name in BETWEEN:
            meter = self._meters.get(name)
            if meter is None:
                continue
            if meter.wait_ns(time.monotonic_ns()) == 0 or (name == OUTGOING and not meter.is_overdrawn):
                self._full.discard(name)  # who has sent all it may, and no more, may still be called
            elif meter.budget.then == STOP:
                self._note(name)
                raise Trap(self._text(name), HOST)
            elif meter.budget.then == ERROR and not is_host_originated:
                meter.refused += 1
                self._note(name)
                raise UsedUp(self._text(name))
            else:
                self._note(name)
                self._wait(meter, self._inc.clock.verdict)

    def enter(self) -> int | None:
        """The guest is about to be entered; return how many milliseconds it has, None for no bound."""
        self._entered_ns, self._in_host_ns = time.thread_time_ns(), 0
        meter = self._meters.get(GUEST_TIME)
        if meter is None or meter.budget.then != STOP:
            return None
        return max(1, meter.left(time.monotonic_ns()) // NS_PER_MS)

    def leave(self) -> None:
        """The guest was left."""
        meter = self._meters.get(GUEST_TIME)
        if meter is not None:
            spent = time.thread_time_ns() - self._entered_ns - self._in_host_ns
            meter.add(max(0, spent), time.monotonic_ns())

    def why_ended(self) -> str:
        """What to say of a call that was ended when the guest's time was used up."""
        return self._text(GUEST_TIME)

    def fuel(self) -> Share | None:
        """What the call that begins may use, if it is to be ended when that is used up."""
        meter = self._meters.get(FUEL)
        if meter is None or meter.budget.then != STOP:
            return None
        left = meter.left(time.monotonic_ns())
        return Share(left, fuel.used_up(FUEL, meter.limit, per=_per(meter), had=left))

    def fuel_used(self, amount: int) -> None:
        """The call that has ended has used so much."""
        meter = self._meters.get(FUEL)
        if meter is not None:
            meter.add(amount, time.monotonic_ns())

    # -- host calls ----------------------------------------------------------------------------------------------

    @property
    def counts_outgoing(self) -> bool:
        """Whether anybody needs to know what leaves the actor."""
        return OUTGOING in self._meters

    def host_call(self, leaving: int | None) -> None:
        """Let a host call be made, perhaps after waiting, and count it, and the bytes that leave the actor with it.

        Raises:
            UsedUp: it is refused.
            Trap: the actor is to end.
        """
        self._spend(HOST_CALLS, 1)
        if leaving is not None:
            self._spend(OUTGOING, leaving)
        self._count_chain()
        for name in (CHAIN_EVENTS, CHAIN_BYTES):
            meter = self._meters.get(name)
            if meter is not None and meter.budget.then != ERROR:
                self._require(name, meter)

    def sent(self, amount: int) -> None:
        """So many bytes have left the actor; what is too much, later ones wait or are refused for."""
        meter = self._meters.get(OUTGOING)
        if meter is not None:
            meter.add(amount, time.monotonic_ns())

    def in_host(self, ns: int) -> None:
        """So much of the thread's time was the host's."""
        self._in_host_ns += ns

    def _spend(self, name: str, amount: int) -> None:
        meter = self._meters.get(name)
        if meter is not None:
            self._require(name, meter, amount)
            meter.add(amount, time.monotonic_ns())

    def _require(self, name: str, meter: Meter, amount: int = 1) -> None:
        now = time.monotonic_ns()
        if meter.budget.then == THROTTLE:
            if meter.wait_ns(now):
                self._wait(meter)
        elif meter.used(now) + amount > meter.limit:
            if meter.budget.then == STOP:
                raise Trap(self._text(name), HOST)
            meter.refused += 1
            raise UsedUp(self._text(name))

    # -- both ----------------------------------------------------------------------------------------------------

    def _wait(self, meter: Meter, interrupted: Callable[[], Trap | None] | None = None) -> None:
        """Wait for room; a stop ends the waiting, so that the guest can return.

        Where the guest has not been entered yet, a stop or a cancellation ends the operation instead.
        """
        released = self._inc.asks.released
        began = time.monotonic_ns()
        while (wait := meter.wait_ns(time.monotonic_ns())) and not released.is_set():
            released.wait(min(wait / 1e9, LOOK_AGAIN_S))
            found = interrupted() if interrupted is not None else None
            if found is not None:
                raise found
        meter.waited_ns += time.monotonic_ns() - began
        if interrupted is not None and released.is_set():
            raise Trap("shutting-down", CANCELLED)

    def _count_chain(self) -> None:
        recorder = self._inc.recorder
        seen, self._seen = self._seen, (recorder.seq + 1 - self._inc.init.chain_seq, recorder.bytes_recorded)
        now = time.monotonic_ns()
        for name, before, after in zip((CHAIN_EVENTS, CHAIN_BYTES), seen, self._seen, strict=True):
            if name in self._meters and after > before:
                self._meters[name].add(after - before, now)

    def _note(self, name: str) -> None:
        """Put it into the chain, once until there is room again."""
        if name not in self._full:
            self._full.add(name)
            self._inc.recorder.append("theater-runtime/limit", payload.runtime("limit", String(self._text(name))))

    def _text(self, name: str) -> str:
        meter = self._meters[name]
        amount = f"{meter.budget.amount} ms" if name == GUEST_TIME else str(meter.budget.amount)
        return f"limit {name}: {amount}{_per(meter)} is used up"

    def usage(self) -> dict[str, Any]:
        """How much of each budget is used. Any thread."""
        now = time.monotonic_ns()
        return {
            name: meter.usage(now, NS_PER_MS if name == GUEST_TIME else 1) for name, meter in self._meters.items()
        }


def _per(meter: Meter) -> str:
    return "" if meter.budget.per_ms is None else f" per {meter.budget.per_ms} ms"


LOOK_AGAIN_S: Final = 0.1
"""While waiting: how long a cancellation may stay unnoticed."""
