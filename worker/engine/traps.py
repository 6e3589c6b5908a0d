"""The words for a guest that had to be stopped. No addresses in them: a replayed trap must read the same."""

from __future__ import annotations

from typing import Any, Final

import wasmtime

from worker.engine.errors import (
    ARITHMETIC,
    CONTRACT,
    ENGINE,
    FUEL,
    HOST,
    INDIRECT_CALL,
    OUT_OF_BOUNDS,
    STACK_OVERFLOW,
    UNREACHABLE,
    Trap,
)

PAGE_BYTES: Final = 65_536
NEARLY_FULL: Final = 0.75
"""From this share of its limit on, a guest's memory is mentioned with its trap."""
FRAMES_MAX: Final = 3
"""Named functions listed with a trap, innermost first."""

KINDS: Final[dict[str, str]] = {
    "UNREACHABLE": UNREACHABLE,
    "MEMORY_OUT_OF_BOUNDS": OUT_OF_BOUNDS,
    "TABLE_OUT_OF_BOUNDS": OUT_OF_BOUNDS,
    "ARRAY_OUT_OF_BOUNDS": OUT_OF_BOUNDS,
    "HEAP_MISALIGNED": OUT_OF_BOUNDS,
    "STACK_OVERFLOW": STACK_OVERFLOW,
    "INTEGER_OVERFLOW": ARITHMETIC,
    "INTEGER_DIVISION_BY_ZERO": ARITHMETIC,
    "BAD_CONVERSION_TO_INTEGER": ARITHMETIC,
    "INDIRECT_CALL_TO_NULL": INDIRECT_CALL,
    "BAD_SIGNATURE": INDIRECT_CALL,
    "NULL_REFERENCE": INDIRECT_CALL,
    "OUT_OF_FUEL": FUEL,
}


def of_engine(error: Exception) -> Trap:
    """Translate what the engine raised."""
    if isinstance(error, wasmtime.Trap):
        code = error.trap_code
        kind = KINDS.get(code.name, ENGINE) if code else ENGINE
        return Trap(f"wasm trap: {_reason(str(error))}{_where(error)}", kind)
    if isinstance(error, wasmtime.WasmtimeError):
        return Trap(_reason(str(error)), ENGINE)
    return Trap(f"{type(error).__name__}: {error}", ENGINE)


def of_host(function: str, error: BaseException) -> Trap:
    """Translate what a host function raised."""
    if isinstance(error, Trap):
        trap = Trap(f"in host call {function}: {error.text}", error.kind)
    elif isinstance(error, wasmtime.Trap | wasmtime.WasmtimeError):  # the guest's allocator, called from the host
        inner = of_engine(error)
        trap = Trap(f"in host call {function}: {inner.text}", inner.kind)
    else:
        trap = Trap(f"host function {function} failed: {type(error).__name__}: {error}", HOST)
    trap.__cause__ = error
    return trap


def with_memory(trap: Trap, size: int, limit: int) -> Trap:
    """Add how full the guest's memory was, if it was nearly: the engine only refuses a growth, and guests then trap."""
    if size < limit * NEARLY_FULL or trap.kind not in (UNREACHABLE, OUT_OF_BOUNDS, CONTRACT):
        return trap
    full = limit - size < PAGE_BYTES
    note = f"memory limit of {limit} bytes reached" if full else f"memory in use: {size} of {limit} bytes"
    noted = Trap(f"{trap.text} ({note})", trap.kind)
    noted.__cause__ = trap.__cause__
    return noted


def _reason(message: str) -> str:
    """The innermost cause of wasmtime's multi-line message, which has no addresses in it."""
    last = message.strip().rpartition("\n")[2].strip()
    return last.lstrip("0123456789").removeprefix(":").strip().removeprefix("wasm trap: ")


def _where(trap: Any) -> str:
    names = [frame.func_name for frame in trap.frames[:FRAMES_MAX]]
    named = [name for name in names if name]
    return f" in {' < '.join(named)}" if named else ""
