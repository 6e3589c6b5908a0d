"""The raw port: wasmtime's C functions through prototypes of our own, for the calls made on every operation.

The package's Python layer looks the types up anew on each call (about 15 us); the library itself needs well under one.
Relies on three facts of the C API: a raw value takes 16 bytes; arguments are replaced by results in place; functions
and memories are passed by address. ``unusable`` verifies them once per process, by looking at the package's generated
prototypes and by trying with a host function and a memory made for the purpose (nothing is compiled). If one does not
hold, the stock port is used.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from struct import Struct
from typing import Any, Final

import wasmtime
from wasmtime import _bindings
from wasmtime import _ffi as ffi

from worker.engine.port import INTERFACE_PARAMS, CoreFunction, HostFunction, View
from worker.engine.verdict import Verdict, settled

VAL_BYTES: Final = 16

_library = ctypes.CDLL(str(ffi.filename))  # releases the GIL: guest code runs inside
_quick = ctypes.PyDLL(str(ffi.filename))  # keeps it: these only read a field

_call = _library.wasmtime_func_call_unchecked
_call.restype = ctypes.c_void_p
_call.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t, ctypes.c_void_p)

_memory_data = _quick.wasmtime_memory_data
_memory_data.restype = ctypes.c_void_p
_memory_data.argtypes = (ctypes.c_void_p, ctypes.c_void_p)

_memory_size = _quick.wasmtime_memory_data_size
_memory_size.restype = ctypes.c_size_t
_memory_size.argtypes = (ctypes.c_void_p, ctypes.c_void_p)

_trap_new = _quick.wasmtime_trap_new
_trap_new.restype = ctypes.c_void_p
_trap_new.argtypes = (ctypes.c_char_p, ctypes.c_size_t)

_Callback = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
_func_new = _quick.wasmtime_func_new_unchecked
_func_new.restype = None
_func_new.argtypes = (
    ctypes.c_void_p,
    ctypes.c_void_p,
    _Callback,
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_void_p,
)

_ARGUMENTS: Final = tuple(Struct("<" + "I12x" * count) for count in range(INTERFACE_PARAMS + 1))
_RESULT: Final = Struct("<i")
_Values = ctypes.c_char * (VAL_BYTES * INTERFACE_PARAMS)
_read_arguments = _ARGUMENTS[INTERFACE_PARAMS].unpack_from
_SIGNED: Final = {"i32": "i12x", "i64": "q8x"}
_HOST_FAILED: Final = b"host function failed"


class RawPort:
    """See worker.engine.port.Port."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._context = _address(store._context())
        i32 = wasmtime.ValType.i32()
        self._type = wasmtime.FuncType([i32] * INTERFACE_PARAMS, [i32])
        self._kept: list[Any] = []  # what the library knows by address only

    def guest_function(self, function: Any, params: int, has_result: bool) -> Callable[..., int]:
        context, target = self._context, ctypes.addressof(function._func)
        values, trap = _Values(), ctypes.c_void_p()
        values_at, trap_at = ctypes.addressof(values), ctypes.addressof(trap)
        pack, unpack = _ARGUMENTS[params].pack_into, _RESULT.unpack_from
        count = max(params, int(has_result))

        # Each function has its own buffers, so a guest function called from inside a host function disturbs nothing.
        def call(*arguments: int) -> int:
            pack(values, 0, *arguments)
            error = _call(context, target, values_at, count, trap_at)
            if error or trap.value:
                raise _fault(error, trap)
            return unpack(values)[0]  # type: ignore[no-any-return]

        self._kept.append((function, values, trap))
        return call if has_result else _without_result(call)

    def host_function(self, function: HostFunction) -> Any:
        def called(env: object, caller: object, values_at: int, count: int) -> int | None:
            try:
                values = _Values.from_address(values_at)
                function(*_read_arguments(values))
                _RESULT.pack_into(values, 0, 0)
                return None
            except BaseException:  # must not unwind through the engine; the door keeps the exception itself
                return _trap_new(_HOST_FAILED, len(_HOST_FAILED))  # type: ignore[no-any-return]

        callback, made = _Callback(called), ffi.wasmtime_func_t()
        self._kept.append((callback, made))
        _func_new(self._context, _address(self._type.ptr()), callback, None, None, ctypes.addressof(made))
        return wasmtime.Func._from_raw(made)

    def core_function(self, type_: Any, function: CoreFunction) -> Any:
        unpack = Struct("<" + "".join(_SIGNED[str(each)] for each in type_.params)).unpack_from
        size = VAL_BYTES * max(len(type_.params), 1)

        def called(env: object, caller: object, values_at: int, count: int) -> int | None:
            try:
                values = (ctypes.c_char * size).from_address(values_at)
                number = function(*unpack(values))
                if has_result:
                    _RESULT.pack_into(values, 0, number)
                return None
            except BaseException:  # must not unwind through the engine; the door keeps the exception itself
                return _trap_new(_HOST_FAILED, len(_HOST_FAILED))  # type: ignore[no-any-return]

        has_result = bool(type_.results)
        callback, made = _Callback(called), ffi.wasmtime_func_t()
        self._kept.append((callback, made, type_))
        _func_new(self._context, _address(type_.ptr()), callback, None, None, ctypes.addressof(made))
        return wasmtime.Func._from_raw(made)

    def memory(self, memory: Any) -> View:
        context, target = self._context, ctypes.addressof(memory._memory)
        self._kept.append(memory)
        known, view = -1, memoryview(b"")

        def current() -> memoryview:
            nonlocal known, view
            size = _memory_size(context, target)
            if size != known:  # a memory moves only when it grows
                area = (ctypes.c_char * size).from_address(_memory_data(context, target)) if size else b""
                known, view = size, memoryview(area).cast("B")
            return view

        return current


_verdict: Verdict = []


def unusable(engine: Any) -> str | None:
    """Return why the raw port must not be used in this process, or None. Checked once."""
    return settled(_verdict, lambda: _self_check(engine))


def rehearse(engine: Any) -> None:
    """Touch what the first store and the first calls of a worker touch."""
    if unusable(engine) is None:
        _self_check(engine)


def _self_check(engine: Any) -> str | None:
    for ours in (_call, _memory_data, _memory_size, _trap_new, _func_new):
        theirs = getattr(_bindings, f"_{ours.__name__}")
        if len(theirs.argtypes) != len(ours.argtypes):
            return f"{ours.__name__} takes {len(theirs.argtypes)} arguments, expected {len(ours.argtypes)}"
    if ctypes.sizeof(ffi.wasmtime_val_raw_t) != VAL_BYTES:
        return f"a raw value takes {ctypes.sizeof(ffi.wasmtime_val_raw_t)} bytes, expected {VAL_BYTES}"
    store = wasmtime.Store(engine)
    store.set_epoch_deadline(1)
    port = RawPort(store)
    return _check_calls(store, port) or _check_memory(store, port)


def _check_calls(store: Any, port: RawPort) -> str | None:
    """Ours called by ours, and ours called by the stock layer; a raised error must come out as a fault."""
    seen: list[tuple[int, ...]] = []

    def host(*arguments: int) -> None:
        seen.append(arguments)
        if arguments[0] == 0:
            raise ValueError

    function = port.host_function(host)
    call = port.guest_function(function, INTERFACE_PARAMS, True)
    if call(1, 2, 3, 0xFFFFFFFF) != 0 or function(store, 5, 6, 7, -1) != 0:
        return "a call did not return what it should"
    if seen != [(1, 2, 3, 0xFFFFFFFF), (5, 6, 7, 0xFFFFFFFF)]:
        return f"arguments arrived as {seen}"
    try:
        call(0, 0, 0, 0)
    except (wasmtime.Trap, wasmtime.WasmtimeError):
        return None
    return "a failing host function did not end the call"


def _check_memory(store: Any, port: RawPort) -> str | None:
    memory = wasmtime.Memory(store, wasmtime.MemoryType(wasmtime.Limits(1, 2)))
    current = port.memory(memory)
    memory.write(store, b"theater", 65_536 - 7)
    if current()[-7:].tobytes() != b"theater":
        return "memory is not where it should be"
    memory.grow(store, 1)
    return None if len(current()) == 131_072 else "memory growth was not seen"


def _without_result(call: Callable[..., int]) -> Callable[..., int]:
    def called(*arguments: int) -> int:
        call(*arguments)
        return 0

    return called


def _address(pointer: Any) -> int:
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0


def _fault(error: int | None, trap: ctypes.c_void_p) -> Exception:
    """Turn what a call reported into the stock layer's exception, which owns it from now on."""
    if error:
        failed: Exception = wasmtime.WasmtimeError._from_ptr(ctypes.cast(error, ctypes.POINTER(ffi.wasmtime_error_t)))
        return failed
    pointer = ctypes.cast(trap.value or 0, ctypes.POINTER(ffi.wasm_trap_t))
    trap.value = None
    trapped: Exception = wasmtime.Trap._from_ptr(pointer)
    return trapped
