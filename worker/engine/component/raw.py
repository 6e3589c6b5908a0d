"""The raw port: the memory of the library's value structures, read and written by closures made once per kind.

Relies on the layout of ``wasmtime_component_val_t``, on arguments being only borrowed for a call, and on CPython
keeping the contents of a ``bytes`` behind its header. So arguments are laid out in bytes of Python's own, results are
read where they lie, and what a host function answers is laid out likewise and then copied by the library into memory of
its own. ``unusable`` verifies this once per process, by reading with the stock port what this one has written and the
other way round; nothing is compiled for it. If it does not hold, the stock port is used.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from struct import error as StructError
from typing import Any, Final

import wasmtime
from wasmtime import _bindings
from wasmtime import _ffi as ffi

from theater.values import UNIT, Value
from worker.engine.clock import GuestClock
from worker.engine.component.handles import Handles, Mismatch, Room
from worker.engine.component.kinds import Kind
from worker.engine.component.layout import FIELD_BYTES, HEADER_BYTES, MEMORY, VAL_BYTES, Lower, codec
from worker.engine.component.port import Failed, GuestFunction, Serve
from worker.engine.verdict import Verdict, settled

_library = ctypes.CDLL(str(ffi.filename))  # releases the GIL: guest code runs inside
_quick = ctypes.PyDLL(str(ffi.filename))  # keeps it: these only move data

call_func = _library.wasmtime_component_func_call
call_func.restype = ctypes.c_void_p
call_func.argtypes = (
    *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p),
    *(ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t),
)

_delete = _quick.wasmtime_component_val_delete
_delete.restype = None
_delete.argtypes = (ctypes.c_void_p,)

clone = _quick.wasmtime_component_val_clone
clone.restype = None
clone.argtypes = (ctypes.c_void_p, ctypes.c_void_p)

error_new = _quick.wasmtime_error_new
error_new.restype = ctypes.c_void_p
error_new.argtypes = (ctypes.c_char_p,)

_Callback = ctypes.CFUNCTYPE(
    ctypes.c_void_p,
    *(ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p),
    *(ctypes.c_size_t, ctypes.c_void_p, ctypes.c_size_t),
)
HOST_FAILED: Final = b"host function failed"

class RawPort:
    """See worker.engine.component.port.Port."""

    def __init__(self, store: Any, clock: GuestClock, handles: Handles) -> None:
        self._context = ctypes.cast(store._context(), ctypes.c_void_p).value or 0
        self._clock = clock
        self._handles = handles
        self._kept: list[Any] = []  # what the library knows by address only

    def guest_function(self, func: Any, params: Sequence[Kind], result: Kind | None) -> GuestFunction:
        context, clock, handles, target = self._context, self._clock, self._handles, ctypes.addressof(func)
        lowers = tuple(codec(kind)[0] for kind in params)
        lift = None if result is None else codec(result)[1]
        answer = (ctypes.c_char * VAL_BYTES)()
        answer_at, count = ctypes.addressof(answer), len(lowers)
        self._kept.append((func, answer))

        # A component is never entered again while it runs, so each function has one place for its result.
        def call(items: Sequence[Value]) -> Value:
            room = Room(handles)
            has_entered = False
            try:
                given = b"".join([lower(item, room) for lower, item in zip(lowers, items, strict=True)])
                clock.computing = has_entered = True
                error = call_func(target, context, id(given) + HEADER_BYTES, count, answer_at, 0 if lift is None else 1)
                clock.computing = False
                if error:
                    raise fault_of(error)
            except StructError as error:
                raise Mismatch(str(error)) from None
            finally:
                if room.boxes:
                    room.settle(has_entered)
                    room.free()
            if lift is None:
                return UNIT
            try:
                return lift(answer_at, handles)
            finally:
                _delete(answer_at)
                answer[0] = b"\0"  # the library would free it again

        return call

    def host_function(self, params: Sequence[Kind], result: Kind | None, serve: Serve, failed: Failed) -> Any:
        clock, handles = self._clock, self._handles
        lifts = [(place * VAL_BYTES, codec(kind)[1]) for place, kind in enumerate(params)]
        lower = None if result is None else codec(result)[0]

        def called(
            data: object, context: object, kind: object, at: int, count: int, answer_at: int, answers: int
        ) -> int | None:
            clock.computing = False
            try:
                answer = serve([lift(at + offset, handles) for offset, lift in lifts])
                if lower is not None:
                    _answer(lower, answer, answer_at, Room(handles))
                clock.computing = True
                return None
            except BaseException as error:  # must not unwind through the engine
                failed(error)
                return error_new(HOST_FAILED)  # type: ignore[no-any-return]

        callback = _Callback(called)
        self._kept.append(callback)
        return ctypes.cast(callback, ffi.wasmtime_component_func_callback_t)


def _answer(lower: Lower, value: Value, at: int, room: Room) -> None:
    """Write what a host function answers to where the library wants it, in memory of the library's."""
    try:
        data = lower(value, room)
        if room:
            clone(id(data) + HEADER_BYTES, at)
        else:
            MEMORY[at : at + VAL_BYTES] = data  # it points nowhere
    except StructError as error:
        raise Mismatch(str(error)) from None
    finally:
        room.free()


def fault_of(error: int) -> Exception:
    failed: Exception = wasmtime.WasmtimeError._from_ptr(ctypes.cast(error, ctypes.POINTER(ffi.wasmtime_error_t)))
    return failed


# -- the start-up check ------------------------------------------------------------------------------------------------

_verdict: Verdict = []


def unusable() -> str | None:
    """Return why the raw port must not be used in this process, or None. Checked once."""
    return settled(_verdict, _self_check)


def _self_check() -> str | None:
    for ours in (call_func, _delete, clone, error_new):
        theirs = getattr(_bindings, f"_{ours.__name__}")
        if len(theirs.argtypes) != len(ours.argtypes):
            return f"{ours.__name__} takes {len(theirs.argtypes)} arguments, expected {len(ours.argtypes)}"
    if len(_Callback._argtypes_) != len(ffi.wasmtime_component_func_callback_t._argtypes_):
        return "host functions take another number of arguments"
    sizes = ctypes.sizeof(ffi.wasmtime_component_val_t), ctypes.sizeof(ffi.wasmtime_component_valrecord_entry_t)
    if sizes != (VAL_BYTES, FIELD_BYTES):
        return f"values and fields take {sizes} bytes, expected {(VAL_BYTES, FIELD_BYTES)}"
    from worker.engine.component.selfcheck import differences

    return differences()
