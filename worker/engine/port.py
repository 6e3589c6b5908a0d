"""How the door touches the engine: calling guest functions, offering host functions, seeing guest memory.

Two implementations: ``stock`` uses wasmtime's Python layer, ``raw`` the same library through prototypes of our own,
ten times faster (design D12). Everything above is the same for both.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

INTERFACE_PARAMS: Final = 4
"""Every interface function and every import is (i32, i32, i32, i32) -> i32 (pack-abi 3)."""

HostFunction = Callable[[int, int, int, int], None]
"""Receives unsigned addresses and lengths. Raising ends the guest call; returning means status 0."""

CoreFunction = Callable[..., int]
"""Receives signed numbers, returns an i32 that is dropped if the type has no result. Raising ends the guest call."""

View = Callable[[], memoryview]
"""Returns all of the guest's memory as it is now; valid until the guest runs again."""


class Port(Protocol):
    """One store's calls. Guest faults are raised as wasmtime.Trap or wasmtime.WasmtimeError."""

    def guest_function(self, function: Any, params: int, has_result: bool) -> Callable[..., int]:
        """Make an exported function of ``params`` i32 parameters callable; the result is a signed i32 (0 if none)."""

    def host_function(self, function: HostFunction) -> Any:
        """Make an importable function of a Python one."""

    def core_function(self, type_: Any, function: CoreFunction) -> Any:
        """Make an importable function of any core type without floats (those of WASI preview 1)."""

    def memory(self, memory: Any) -> View:
        """Make an exported memory visible."""


def choose(store: Any, fast: bool | None) -> Port:
    """Return the raw port if it works here, else the stock one; ``fast`` True or False insists."""
    from worker.engine import raw, stock

    if fast is None:
        fast = raw.unusable(store.engine) is None
    return raw.RawPort(store) if fast else stock.StockPort(store)
