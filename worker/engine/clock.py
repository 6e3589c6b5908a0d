"""Guest time: counts ticks while the guest computes, ends a call that is out of budget or interrupted.

The guest thread arms the clock before a call. Another thread ticks it: a tick advances the engine's epoch, and the
engine, at the guest's next loop or call, asks ``_expired`` on the guest thread whether to go on. Ticks are given only
while ``computing``, so time inside host functions does not count (lifecycle L12).
"""

from __future__ import annotations

import ctypes
from typing import Any, Final

from wasmtime import _ffi as ffi

from worker.engine.errors import CANCELLED, DEADLINE, FUEL, Trap
from worker.engine.fuel import Tank

TICK_MS: Final = 10
"""The grain of guest time."""

_Callback = ctypes.CFUNCTYPE(
    ctypes.c_size_t,
    ctypes.POINTER(ffi.wasmtime_context_t),
    ctypes.c_void_p,
    ctypes.POINTER(ctypes.c_uint64),
    ctypes.POINTER(ffi.wasmtime_update_deadline_kind_t),
)
_NO_FINALIZER = ctypes.cast(0, ctypes.CFUNCTYPE(None, ctypes.c_void_p))
_STOP = b"stopped by the guest clock"


def ticks(milliseconds: int | None) -> int | None:
    """Return a time as a number of ticks, rounded up; None (no limit) stays None."""
    return None if milliseconds is None else max(1, -(-milliseconds // TICK_MS))


class GuestClock:
    """The budget of the call in progress. One clock serves one store.

    ``counts_fuel``: the engine is one that counts (worker.engine.config), and ``tank`` is there.
    """

    def __init__(self, engine: Any, counts_fuel: bool = False) -> None:
        self.computing = False
        """The guest thread runs guest code right now (not a host function)."""
        self.tank = Tank() if counts_fuel else None
        self._engine = engine
        self._budget: int | None = None
        self._used = 0
        self._reason: str | None = None
        self._expired_budget = False
        self.store: Any = None
        """The store it watches over."""
        self._context: Any = None
        self._callback = _Callback(self._expired)  # the library keeps only its address

    def attach(self, store: Any) -> None:
        """Watch over this store from now on."""
        self.store, self._context = store, store._context()
        ffi.wasmtime_store_epoch_deadline_callback(store.ptr(), self._callback, None, _NO_FINALIZER)
        if self.tank is not None:
            self.tank.attach(store)

    def go_back(self, store: Any) -> None:
        """Watch over the store of before again, if it is still open: the start of another instance has failed."""
        try:
            self.attach(store)
        except (AttributeError, ValueError):  # there is none, or it was closed
            self.store = self._context = None

    def arm(self, budget_ticks: int | None) -> None:
        """Begin a new budget (None = unlimited) and forget earlier interruptions. Guest thread only."""
        self._budget = budget_ticks
        self._used = 0
        self._reason = None
        self._expired_budget = False
        ffi.wasmtime_context_set_epoch_deadline(self._context, 1)

    def fill(self, amount: int | None, text: str) -> None:
        """Give the next call so much fuel (None: no bound), if fuel is counted. Guest thread only."""
        if self.tank is not None:
            self.tank.fill(amount, text)

    def tick(self) -> None:
        """One tick has passed. Any thread; counts only while the guest computes."""
        if self.computing:
            self._engine.increment_epoch()

    def interrupt(self, reason: str) -> None:
        """Trap the running guest as soon as it computes again. Any thread."""
        self._reason = reason
        self._engine.increment_epoch()

    def verdict(self) -> Trap | None:
        """Why this clock stopped the guest, or None if it did not."""
        if self._expired_budget and self._budget is not None:
            return Trap(f"deadline of {self._budget * TICK_MS} ms of computing time exceeded", DEADLINE)
        if self._reason is not None:
            return Trap(self._reason, CANCELLED)
        return None

    def told(self, trap: Trap) -> Trap:
        """The same end; in the words of the limit, if it was for lack of fuel, wherever the guest computed then."""
        if trap.kind != FUEL or self.tank is None or not self.tank.text:
            return trap
        told = Trap(self.tank.text, FUEL)
        told.__cause__ = trap.__cause__
        return told

    def _expired(self, context: Any, data: Any, delta: Any, kind: Any) -> int:
        self._used += 1
        self._expired_budget = self._budget is not None and self._used >= self._budget
        if self._reason is not None or self._expired_budget:
            return ctypes.cast(ffi.wasmtime_error_new(_STOP), ctypes.c_void_p).value or 0
        delta[0] = 1
        kind[0] = 0  # go on
        return 0
