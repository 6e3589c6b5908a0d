"""The port of a component inside a bridge (worker.engine.component.outer): values in a memory that both sides reach.

The engine does not tell where a component's memory is. So the bridge asks for a random number while it is instantiated
and keeps it at address 0 of its memory, and the host looks for it at the start of its own process's mappings, when
first needed. A memory of 32-bit addresses does not move. ``unusable`` verifies once per process that all of this holds,
with a memory whose address is known.

Functions that do not cross the bridge go through another port.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Sequence
from struct import Struct
from struct import error as StructError
from typing import Any, Final

import wasmtime
from wasmtime import _ffi as ffi

from theater import types
from theater.values import UNIT, Tuple, Value
from worker.engine.clock import GuestClock
from worker.engine.component.canonical import Arena, form
from worker.engine.component.flat import FLOOR, NEED, NEXT, PAGES, PARAMS_MAX, SLOT_BYTES, SLOTS, START, flatten
from worker.engine.component.handles import Mismatch
from worker.engine.component.kinds import Kind
from worker.engine.component.port import Failed, GuestFunction, Serve
from worker.engine.component.raw import HOST_FAILED, call_func, error_new, fault_of
from worker.engine.component.structures import KIND, blank
from worker.engine.errors import CONTRACT, ENGINE, Trap
from worker.engine.verdict import Verdict, settled

NONCE_BYTES: Final = 8
PAGE_BYTES: Final = 65_536
BYTES_MAX: Final = 1 << 32

_u32: Final = Struct("<I")
_bounds: Final = Struct("<II")
_MAPS: Final = "/proc/self/maps"
_MEMORY: Final = "/proc/self/mem"


class BridgePort:
    """See worker.engine.component.port.Port: for functions that cross the bridge."""

    def __init__(self, store: Any, clock: GuestClock) -> None:
        self._context = ctypes.cast(store._context(), ctypes.c_void_p).value or 0
        self._clock = clock
        self._memory = Memory()
        self._room: Any = None
        self._resume: Callable[[], None] = _nothing
        self._kept: list[Any] = []  # what the library knows by address only

    def guest_function(self, func: Any, params: Sequence[Kind], result: Kind | None) -> GuestFunction:
        context, clock, memory, target = self._context, self._clock, self._memory, ctypes.addressof(func)
        given = _given(params)
        self._kept.append(func)
        answer = None if result is None else form(result, False)
        is_flat = result is not None and len(flatten(result)) == 1

        def call(items: Sequence[Value]) -> Value:
            arena, at = Arena(START), SLOTS
            if answer is not None and not is_flat:
                at = arena.reserve(answer.size, answer.align)
            floor = arena.next
            try:
                slots = given(items, arena)
            except StructError as error:
                raise Mismatch(str(error)) from None
            if answer is not None and not is_flat:
                slots += _u32.pack(at)
            self._fit(arena.next)
            memory.write(slots, arena, floor)
            clock.computing = True
            fault = call_func(target, context, 0, 0, 0, 0)
            clock.computing = False
            if fault:
                raise fault_of(fault)
            return UNIT if answer is None else answer.load(memory.view(), at)

        return call

    def host_function(self, params: Sequence[Kind], result: Kind | None, serve: Serve, failed: Failed) -> Any:
        take, memory = _taken(params), self._memory
        answer = None if result is None else form(result, False)
        is_flat = result is not None and len(flatten(result)) == 1

        def called() -> None:
            value = serve(take(memory.view()))
            if answer is None:
                return
            arena = Arena(memory.floor())
            try:
                if is_flat:
                    slots = answer.store(value, arena).ljust(SLOT_BYTES, b"\0")
                else:
                    at = arena.reserve(answer.size, answer.align)
                    arena.writes.append((at, answer.store(value, arena)))
                    slots = _u32.pack(at)
            except StructError as error:
                raise Mismatch(str(error)) from None
            if memory.holds(arena.next):
                memory.answer(slots, arena)
            else:
                self._resume = lambda: memory.answer(slots, arena)
                memory.need(arena.next)

        return self._callback(called, failed)

    # -- the bridge's own functions ------------------------------------------------------------------------------------

    def nonce(self) -> Any:
        """The host function that gives the memory its number."""
        number = int.from_bytes(self._memory.nonce, "little")

        def called(data: Any, context: Any, kind: Any, args: Any, count: int, results: Any, result_count: int) -> int:
            blank(results[0])
            results[0].kind = KIND["U64"]
            results[0].of.u64 = number
            return 0

        callback = ffi.wasmtime_component_func_callback_t(called)
        self._kept.append(callback)
        return callback

    def resume(self, failed: Failed) -> Any:
        """The host function that is called when the memory has grown as needed."""

        def called() -> None:
            self._memory.view()
            resume, self._resume = self._resume, _nothing
            resume()

        return self._callback(called, failed)

    def room(self, func: Any) -> None:
        """The guest function that makes the memory grow as needed."""
        self._room = func

    def _callback(self, function: Callable[[], None], failed: Failed) -> Any:
        clock = self._clock

        def called(data: Any, context: Any, kind: Any, args: Any, count: int, results: Any, result_count: int) -> int:
            clock.computing = False
            try:
                function()
                clock.computing = True
                return 0
            except BaseException as error:  # must not unwind through the engine
                failed(error)
                return int(error_new(HOST_FAILED))

        callback = ffi.wasmtime_component_func_callback_t(called)
        self._kept.append(callback)
        return callback

    def _fit(self, end: int) -> None:
        """Have the memory reach that far. Trap: it must not."""
        memory = self._memory
        memory.view()
        if memory.holds(end):
            return
        memory.need(end)
        error = call_func(ctypes.addressof(self._room), self._context, 0, 0, 0, 0)
        if error:
            raise fault_of(error)
        memory.view()
        memory.require(end)


def _nothing() -> None:
    pass


def _given(params: Sequence[Kind]) -> Callable[[Sequence[Value], Arena], bytes]:
    """How parameters are put into slots, or into memory if they are many."""
    if _is_many(params):
        _, align, store, _ = form(types.Tuple(tuple(params)), False)
        return lambda items, arena: _wide(arena.put(store(_tuple(items), arena), align))
    stores = tuple(form(kind, True).store for kind in params)
    return lambda items, arena: b"".join([store(item, arena) for store, item in zip(stores, items, strict=True)])


def _taken(params: Sequence[Kind]) -> Callable[[Any], Sequence[Value]]:
    """How the guest's parameters are read."""
    if _is_many(params):
        load = form(types.Tuple(tuple(params)), False).load
        return lambda view: load(view, _u32.unpack_from(view, SLOTS)[0]).items  # type: ignore[attr-defined]
    loads, at = [], SLOTS
    for kind in params:
        size, _, _, load = form(kind, True)
        loads.append((load, at))
        at += size
    return lambda view: [load(view, place) for load, place in loads]


def _is_many(params: Sequence[Kind]) -> bool:
    return sum(len(flatten(kind)) for kind in params) > PARAMS_MAX


def _tuple(items: Sequence[Value]) -> Value:
    return Tuple(tuple(items))


def _wide(number: int) -> bytes:
    return _u32.pack(number).ljust(SLOT_BYTES, b"\0")


class Memory:
    """The memory of one bridge, found when first needed."""

    def __init__(self) -> None:
        self.nonce = os.urandom(NONCE_BYTES)
        self._address = 0
        self._size = 0
        self._view = memoryview(b"")

    def view(self) -> memoryview:
        """All of it, as large as it is now."""
        if not self._size:
            self._address = found(self.nonce)
            self._map(PAGE_BYTES)
        pages = _u32.unpack_from(self._view, PAGES)[0]
        if pages * PAGE_BYTES != self._size:
            self._map(pages * PAGE_BYTES)
        return self._view

    def floor(self) -> int:
        """The first byte that a host call may use."""
        return int(_u32.unpack_from(self._view, FLOOR)[0])

    def holds(self, end: int) -> bool:
        """Whether it reaches that far."""
        return end <= self._size

    def need(self, end: int) -> None:
        """Ask for so many bytes: the bridge makes it grow when it runs next."""
        if end >= BYTES_MAX:
            raise Trap(f"{end} bytes of values do not fit into a memory", CONTRACT)
        _u32.pack_into(self._view, NEED, end)

    def require(self, end: int) -> None:
        """Trap unless it reaches that far."""
        if not self.holds(end):
            raise Trap(f"{end} bytes of values exceed the limit of a memory: it has {self._size}", CONTRACT)

    def write(self, slots: bytes, arena: Arena, floor: int) -> None:
        """What a guest function is called with."""
        view = self._view
        view[SLOTS : SLOTS + len(slots)] = slots
        _bounds.pack_into(view, NEXT, arena.next, floor)
        for at, data in arena.writes:
            view[at : at + len(data)] = data

    def answer(self, slots: bytes, arena: Arena) -> None:
        """What a host function answers."""
        self.require(arena.next)
        view = self._view
        view[SLOTS : SLOTS + len(slots)] = slots
        for at, data in arena.writes:
            view[at : at + len(data)] = data

    def _map(self, size: int) -> None:
        self._size = size
        self._view = memoryview((ctypes.c_char * size).from_address(self._address)).cast("B")


def found(nonce: bytes) -> int:
    """The address of the one mapping that begins with a number. Trap: there is none, or more than one."""
    with open(_MAPS, "rb") as file:
        lines = file.read().splitlines()
    starts = [int(line.partition(b"-")[0], 16) for line in lines if b" rw-p " in line]
    memory = os.open(_MEMORY, os.O_RDONLY | os.O_CLOEXEC)
    try:
        places = [at for at in starts if _read(memory, at) == nonce]
    finally:
        os.close(memory)
    if len(places) != 1:
        raise Trap(f"the bridge's memory is in {len(places)} places, expected one", ENGINE)
    return places[0]


def _read(file: int, at: int) -> bytes:
    try:
        return os.pread(file, NONCE_BYTES, at)
    except (OSError, OverflowError):  # unmapped since, or not for user programs
        return b""


# -- the start-up check ------------------------------------------------------------------------------------------------

_verdict: Verdict = []


def unusable(engine: Any) -> str | None:
    """Return why bridges cannot be used in this process, or None. Checked once; nothing is compiled for it."""
    return settled(_verdict, lambda: _self_check(engine))


def _self_check(engine: Any) -> str | None:
    """A memory of known address is found, and stays where it is when it grows."""
    from worker.engine.component import raw

    store = wasmtime.Store(engine)
    try:
        memory = wasmtime.Memory(store, wasmtime.MemoryType(wasmtime.Limits(1, None)))
        nonce = os.urandom(NONCE_BYTES)
        memory.write(store, nonce, 0)
        for _ in range(2):
            if found(nonce) != ctypes.addressof(memory.data_ptr(store).contents):
                return "a memory is not where it should be"
            memory.grow(store, 256)
        return raw.unusable()
    finally:
        store.close()
