"""The stock port: what the package declares of the library, used as it is declared. Slow and sure."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import Any

import wasmtime
from wasmtime import _ffi as ffi

from theater.values import UNIT, Value
from worker.engine.clock import GuestClock
from worker.engine.component.handles import Handles, Room
from worker.engine.component.kinds import Kind
from worker.engine.component.port import Failed, GuestFunction, Serve
from worker.engine.component.structures import Val, blank, codec, free


class StockPort:
    """See worker.engine.component.port.Port."""

    def __init__(self, store: Any, clock: GuestClock, handles: Handles) -> None:
        self._store = store
        self._clock = clock
        self._handles = handles

    def guest_function(self, func: Any, params: Sequence[Kind], result: Kind | None) -> GuestFunction:
        store, clock, handles = self._store, self._clock, self._handles
        lowers = tuple(codec(kind)[0] for kind in params)
        lift = None if result is None else codec(result)[1]

        def call(items: Sequence[Value]) -> Value:
            params, answer, room = (Val * len(lowers))(), Val(), Room(handles)
            made, has_entered = 0, False
            try:
                for lower, item in zip(lowers, items, strict=True):
                    lower(item, params[made], room)
                    made += 1
                clock.computing = has_entered = True
                error = ffi.wasmtime_component_func_call(
                    ctypes.byref(func), store._context(), params, made,
                    None if lift is None else ctypes.byref(answer), 0 if lift is None else 1,
                )  # fmt: skip
                clock.computing = False
                if error:
                    raise wasmtime.WasmtimeError._from_ptr(error)
            finally:
                room.settle(has_entered)
                for place in range(made):
                    ffi.wasmtime_component_val_delete(ctypes.byref(params[place]))
            if lift is None:
                return UNIT
            try:
                return lift(answer, handles)
            finally:
                free(answer)

        return call

    def host_function(self, params: Sequence[Kind], result: Kind | None, serve: Serve, failed: Failed) -> Any:
        clock, handles = self._clock, self._handles
        lifts = [codec(kind)[1] for kind in params]
        lower = None if result is None else codec(result)[0]

        def called(data: Any, context: Any, kind: Any, args: Any, count: int, results: Any, result_count: int) -> int:
            clock.computing = False
            try:
                answer = serve([lift(args[place], handles) for place, lift in enumerate(lifts)])
                if lower is not None:
                    blank(results[0])
                    lower(answer, results[0], Room(handles))
            except BaseException as error:
                failed(error)
                fault = wasmtime.WasmtimeError("host function failed")
                return int(ctypes.cast(fault._consume(), ctypes.c_void_p).value or 0)
            clock.computing = True
            return 0

        return ffi.wasmtime_component_func_callback_t(called)
