"""Fuel: what a guest computes, counted by the engine instruction by instruction. The same call uses the same amount.

Only engines made for it count (worker.engine.config), so the code compiled for others carries nothing of it. A call
gets an amount before it is entered; when that is used up the engine traps, at the same instruction in every run (it
looks where functions begin and loops turn). So a call that has ended for lack of fuel can be replayed exactly, if the
record tells how much it had: the text does.
"""

from __future__ import annotations

import re
from ctypes import byref, c_uint64
from typing import Any, Final

from wasmtime import _ffi as ffi

CALL_FUEL: Final = "call_fuel"
INIT_FUEL: Final = "init_fuel"
BOUNDLESS: Final = 2**64 - 1
_RECORDED: Final = re.compile(
    r"limit (?:init_fuel|call_fuel|fuel): (\d{1,18})(?: per \d+ ms)? is used up(?: \(this call had (\d{1,18})\))?"
)


class Tank:
    """The fuel of one store at a time. Guest thread only."""

    def __init__(self) -> None:
        self.text = ""
        """What to say of a call that has used up what it was given."""
        self._context: Any = None
        self._given = 0
        self._left = c_uint64(0)

    def attach(self, store: Any) -> None:
        """Serve this store from now on; it may use as much as it likes."""
        self._context = store._context()
        self.fill(None)

    def fill(self, amount: int | None, text: str = "") -> None:
        """Give the next call so much (None: no bound), whatever the last one has left."""
        self.text = text
        # The engine stops a guest that has nothing left, even if it needs no more.
        self._given = BOUNDLESS if amount is None else amount + 1
        ffi.wasmtime_context_set_fuel(self._context, self._given)

    def used(self) -> int:
        """How much was used since it was filled, as far as it had been given."""
        ffi.wasmtime_context_get_fuel(self._context, byref(self._left))
        return min(self._given - self._left.value, self._given - 1)


def used_up(name: str, amount: int | None, *, per: str = "", had: int | None = None) -> str:
    """What is recorded of a call that has ended for lack of fuel. ``had``: what it had, if that is not the limit."""
    if amount is None:
        return ""
    return f"limit {name}: {amount}{per} is used up" + ("" if had is None else f" (this call had {had})")


def recorded(text: str) -> int | None:
    """How much fuel a call had that has ended for lack of it; None if it has ended otherwise."""
    found = _RECORDED.fullmatch(text)
    return None if found is None else int(found[2] or found[1])
