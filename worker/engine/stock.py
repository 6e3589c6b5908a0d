"""The stock port: wasmtime's own Python layer. Slow and sure; what the raw port is measured against."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import wasmtime

from worker.engine.port import INTERFACE_PARAMS, CoreFunction, HostFunction, View

U32 = 0xFFFFFFFF


class StockPort:
    """See worker.engine.port.Port."""

    def __init__(self, store: Any) -> None:
        self._store = store
        i32 = wasmtime.ValType.i32()
        self._type = wasmtime.FuncType([i32] * INTERFACE_PARAMS, [i32])

    def guest_function(self, function: Any, params: int, has_result: bool) -> Callable[..., int]:
        store = self._store

        def call(*arguments: int) -> int:
            return function(store, *map(_signed, arguments)) or 0

        return call

    def host_function(self, function: HostFunction) -> Any:
        def called(a: int, b: int, c: int, d: int) -> int:
            function(a & U32, b & U32, c & U32, d & U32)
            return 0

        return wasmtime.Func(self._store, self._type, called)

    def core_function(self, type_: Any, function: CoreFunction) -> Any:
        has_result = bool(type_.results)

        def called(*given: int) -> int | None:
            number = function(*given)
            return number if has_result else None

        return wasmtime.Func(self._store, type_, called)

    def memory(self, memory: Any) -> View:
        store = self._store
        return lambda: memoryview(memory.get_buffer_ptr(store)).cast("B")


def _signed(number: int) -> int:
    return number - (1 << 32) if number > 0x7FFFFFFF else number
