"""The Pack door: one core module instance behind ``call(function, encoded input)`` (pack-abi sections 3 to 7).

Every address and length the guest names is checked against its memory as it is at that moment. After a trap the
instance is poisoned: not even ``__pack_free`` is called on it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from struct import Struct
from typing import Any, Final

import wasmtime

from theater import metadata as meta
from theater.actor import ActorOptions
from theater.grants import PREVIEW_1
from worker.engine import link, module, port, traps
from worker.engine.clock import GuestClock, ticks
from worker.engine.contract import UNIT
from worker.engine.crossing import MESSAGE_CHARS_MAX, Answers, GuestError, Returned
from worker.engine.doors import PACK_ABI
from worker.engine.errors import CONTRACT, StartError, Trap
from worker.engine.fuel import INIT_FUEL, used_up

U32: Final = 0xFFFFFFFF
SLOTS_BYTES: Final = 8
ROOM_BYTES_MIN: Final = 512
"""Smallest input and return buffer asked of the guest's allocator."""
INPUT_KEPT_BYTES_MAX: Final = 1 << 20
"""A larger input buffer is given back after the call."""
TABLES_MAX: Final = 100
MEMORIES_MAX: Final = 16

_slots = Struct("<II")
_slot = Struct("<I")


class HostFailed(Exception):
    """Ends a guest call from inside a host function; the door keeps the reason."""


class PackDoor:
    """An instantiated guest. Made by ``load``; used by one thread, except ``tick``, ``interrupt`` and ``computing``."""

    def __init__(self, store: Any, clock: GuestClock, options: ActorOptions, fast: bool | None) -> None:
        self.abi = PACK_ABI
        self.clock = clock
        self.metadata: meta.Metadata | None = None
        self.metadata_bytes = b""
        """The metadata as the guest gave it; empty if it has none."""
        self.functions: dict[str, meta.FunctionSig | None] = {}
        """What can be called, by full name, with its signature if the guest declares one."""
        self.warnings: tuple[str, ...] = ()
        self.memory_bytes = 0
        """Size of the guest's memory when it last stopped computing."""
        self._store = store
        self._options = options
        self._port = port.choose(store, fast)
        self._poison: Trap | None = None
        self._host_error: tuple[str, BaseException] | None = None
        self._calls: dict[str, Callable[..., int]] = {}
        self._initialize: Callable[..., int] | None = None
        self._memory = memoryview(b"")
        self._view: port.View = self._no_memory
        self._input = self._input_room = 0
        self._output = self._output_room = 0

    # -- coming and going ------------------------------------------------------------------------------------------

    @classmethod
    def load(
        cls,
        engine: Any,
        compiled: Any,
        *,
        options: ActorOptions,
        grants: dict[str, dict[str, Any]],
        answers: Answers,
        clock: GuestClock | None = None,
        fast: bool | None = None,
        step: Callable[[str], None] = lambda name: None,
        is_replay: bool = False,
    ) -> PackDoor:
        """Check, link and instantiate a compiled module; StartError names the step that failed.

        ``step`` is told each step begun. ``clock`` must be ticked by another thread meanwhile, as guest code runs. In a
        replay every import is answered from the record, so none needs to be granted or provided.
        """
        step("link")
        shape = module.shape(compiled)
        link.require("link", module.refusals(shape), [] if is_replay else link.ungranted(shape, grants))
        step("interfaces")
        link.require("interfaces", [] if is_replay else link.unprovided(shape))
        step("instantiate")
        store = wasmtime.Store(engine)
        clock = clock or GuestClock(engine)
        before = clock.store
        clock.attach(store)
        clock.arm(ticks(options.init_deadline_ms))
        if not is_replay:
            clock.fill(options.init_fuel, used_up(INIT_FUEL, options.init_fuel))
        door = cls(store, clock, options, fast)
        try:
            door._instantiate(compiled, shape, answers)
            step("signatures")
            door._read_signatures(shape)
            if not is_replay:
                door._choose_variants(answers)
        except BaseException:
            door.close()
            clock.go_back(before)
            raise
        return door

    def answer_from(self, answers: Answers) -> None:
        """Have host calls answered by somebody else from now on."""
        self._answer = answers.answer
        self._choose_variants(answers)

    def close(self) -> None:
        """Give the instance back. The door must not be used any more."""
        self._poison = Trap("the instance is closed", CONTRACT)
        self._calls.clear()
        self._memory, self._view = memoryview(b""), self._no_memory
        self._store.close()

    # -- calls -----------------------------------------------------------------------------------------------------

    def call(self, function: str, data: bytes) -> Returned | GuestError:
        """Call an export with an encoded input. Raises Trap when the guest had to be stopped; arm the clock before."""
        if self._poison is not None:
            raise Trap(f"the instance cannot be entered after: {self._poison}", self._poison.kind)
        export = self._calls.get(function) or self._bind(function)
        clock, slots = self.clock, self._slots
        try:
            if self._initialize is not None:
                self._begin(self._initialize)
            at, size = self._place(data), len(data)
            if not at:
                return GuestError(f"the guest has no memory for an input of {size} bytes")
            clock.computing = True
            status = export(at, size, slots, slots + 4)
            clock.computing = False
            memory = self._memory = self._view()
            at, size = _slots.unpack_from(memory, slots)
            if at + size > len(memory):
                raise self._outside("the answer", at, size)
            if size > self._options.message_bytes_max:
                raise Trap(f"answer of {size} bytes exceeds the limit of {self._options.message_bytes_max}", CONTRACT)
            output = memory[at : at + size].tobytes()
            if size:
                clock.computing = True
                self._free(at, size)
                clock.computing = False
            if self._input_room > INPUT_KEPT_BYTES_MAX:
                self._drop_input()
            self.memory_bytes = len(memory)
        except Exception as error:
            raise self._stopped(error) from error
        if status:
            return GuestError(_text(output))
        return Returned(output or UNIT)

    def _begin(self, initialize: Callable[..., int]) -> None:
        """Have a reactor of WASI set itself up; it may call the host, so this belongs to its first call."""
        self._initialize = None
        self.clock.computing = True
        initialize()
        self.clock.computing = False

    def arm(self, budget_ticks: int | None) -> None:
        """Give the next call this much computing time (None: no limit)."""
        self.clock.arm(budget_ticks)

    def tick(self) -> None:
        """A tick of guest time has passed (any thread); counts only while the guest computes."""
        self.clock.tick()

    def interrupt(self, reason: str) -> None:
        """Trap the running guest (any thread)."""
        self.clock.interrupt(reason)

    @property
    def computing(self) -> bool:
        """The guest itself runs right now, not a host function."""
        return self.clock.computing

    # -- loading ---------------------------------------------------------------------------------------------------

    def _instantiate(self, compiled: Any, shape: module.Shape, answers: Answers) -> None:
        limit = self._options.memory_bytes
        self._store.set_limits(
            memory_size=limit,
            table_elements=self._options.table_elements,
            tables=TABLES_MAX,
            memories=MEMORIES_MAX,
        )
        self._answer = answers.answer
        imports = [self._import(item, type_) for item, type_ in zip(shape.imports, compiled.imports, strict=True)]
        self.clock.computing = True
        try:
            instance = wasmtime.Instance(self._store, compiled, imports)
            self._exports = instance.exports(self._store)
            self._view = self._port.memory(self._exports[module.MEMORY])
            self._memory = self._view()
            self._pack_alloc = self._core(module.ALLOC, 1, True)
            self._free = self._core(module.FREE, 2, False)
            if module.CTORS in shape.exports:
                self._core(module.CTORS, 0, False)()
            if module.INITIALIZE in shape.exports:
                self._initialize = self._core(module.INITIALIZE, 0, False)
            self._slots = self._alloc(SLOTS_BYTES)
        except Exception as error:
            raise StartError("instantiate", self._stopped(error).text) from error
        finally:
            self.clock.computing = False
        self.memory_bytes = len(self._memory)

    def _import(self, item: module.Import, found: Any) -> Any:
        if item.interface != PREVIEW_1:
            return self._port.host_function(partial(self._called, item.interface, item.function))
        from worker.engine import preview1

        def called(*given: int) -> int:
            return self._called_wasi(preview1.call, item.function, given)

        return self._port.core_function(found.type, called)

    def _called_wasi(self, call: Callable[..., int], function: str, given: tuple[int, ...]) -> int:
        """Serve one call of WASI preview 1."""
        self.clock.computing = False
        try:
            number = call(function, self._view, self._answer, given)
        except BaseException as error:
            self._host_error = (f"{PREVIEW_1}.{function}", error)
            raise HostFailed from None
        self.clock.computing = True
        return number

    def _read_signatures(self, shape: module.Shape) -> None:
        if module.TYPES in shape.exports:
            self.metadata_bytes = self._types()
            try:
                self.metadata = module.metadata_of(self.metadata_bytes)
            except ValueError as error:
                raise StartError("signatures", f"{module.TYPES} gives no metadata: {error}") from None
            self.functions = link.declared(self.metadata, shape)
        elif self._options.require_metadata:
            text = "the types of its functions are unknown (require_metadata: false allows it)"
            raise StartError("signatures", f"exports no {module.TYPES}: {text}")
        else:
            self.functions = link.exported(shape)
        link.require("signatures", link.signature_problems(self.functions, shape))
        self._shape = shape

    def _choose_variants(self, answers: Answers) -> None:
        self.warnings = link.bind(self._shape, self.metadata, self._options, answers)

    def _types(self) -> bytes:
        types = self._core(module.TYPES, 2, True)
        try:
            self.clock.computing = True
            status = types(self._slots, self._slots + 4)
            self.clock.computing = False
            memory = self._memory = self._view()
            at, size = _slots.unpack_from(memory, self._slots)
            if status:
                raise Trap(f"{module.TYPES} answered status {status}, expected 0", CONTRACT)
            if at + size > len(memory):
                raise self._outside("the metadata", at, size)
            return memory[at : at + size].tobytes()
        except Exception as error:
            raise StartError("signatures", self._stopped(error).text) from error

    def _bind(self, function: str) -> Callable[..., int]:
        name = self._shape.function(function)
        if function not in self.functions or name is None:
            raise KeyError(function)
        call = self._calls[function] = self._core(name, port.INTERFACE_PARAMS, True)
        return call

    def _core(self, name: str, params: int, has_result: bool) -> Callable[..., int]:
        return self._port.guest_function(self._exports[name], params, has_result)

    # -- guest memory ----------------------------------------------------------------------------------------------

    def _place(self, data: bytes) -> int:
        """Put the input where the guest can read it: a buffer that is kept from call to call (pack-abi 4.1)."""
        size = len(data)
        if size > self._input_room:
            self._drop_input()
            room = max(size, ROOM_BYTES_MIN)
            self._input = self._room(room)
            if not self._input:
                return 0  # the guest has not been entered, and goes on
            self._input_room = room
        at = self._input
        self._memory[at : at + size] = data
        return at

    def _drop_input(self) -> None:
        if self._input_room:
            at, room, self._input_room = self._input, self._input_room, 0
            self.clock.computing = True
            self._free(at, room)
            self.clock.computing = False
            self._memory = self._view()

    def _alloc(self, size: int) -> int:
        at = self._room(size)
        if not at:
            raise Trap(f"the guest is out of memory: {module.ALLOC}({size}) returned 0", CONTRACT)
        return at

    def _room(self, size: int) -> int:
        """Memory of the guest; 0: it has none."""
        self.clock.computing = True
        at: int = self._pack_alloc(size) & U32
        self.clock.computing = False
        memory = self._memory = self._view()
        if at and at + size > len(memory):
            raise self._outside(f"{module.ALLOC}({size})", at, size)
        return at

    def _outside(self, what: str, at: int, size: int) -> Trap:
        end = len(self._memory)
        where = f"{size} bytes at {at:#x}, memory ends at {end:#x}"
        return Trap(f"{what} lies outside the guest's memory: {where}", CONTRACT)

    # -- host calls ------------------------------------------------------------------------------------------------

    def _called(self, interface: str, function: str, at: int, size: int, at_slot: int, len_slot: int) -> None:
        """Serve one import call. The answer stays ours, in one buffer inside the guest (pack-abi 5.3)."""
        clock = self.clock
        clock.computing = False
        try:
            memory = self._memory = self._view()
            if at + size > len(memory):
                raise self._outside("the input", at, size)
            for slot in (at_slot, len_slot):
                if slot + 4 > len(memory):
                    raise self._outside("a result slot", slot, 4)
            output = self._answer(interface, function, memory[at : at + size].tobytes())
            size = len(output)
            if size > self._output_room:
                self._grow_output(size)
            memory, at = self._memory, self._output
            memory[at : at + size] = output
            _slot.pack_into(memory, at_slot, at)
            _slot.pack_into(memory, len_slot, size)
        except BaseException as error:  # whatever it is, it ends the guest call and is told to the caller
            self._host_error = (f"{interface}.{function}", error)
            raise HostFailed from None
        clock.computing = True

    def _grow_output(self, size: int) -> None:
        if self._output_room:
            self.clock.computing = True
            self._free(self._output, self._output_room)
            self.clock.computing = False
            self._output_room = 0
        room = max(2 * size, ROOM_BYTES_MIN) if size <= INPUT_KEPT_BYTES_MAX else size
        self._output, self._output_room = self._alloc(room), room

    # -- ends ------------------------------------------------------------------------------------------------------

    def _stopped(self, error: Exception) -> Trap:
        """Say why the guest was stopped; it is never entered again."""
        self.clock.computing = False
        if self._host_error is not None:
            trap = self._nested_verdict(self._host_error[1]) or traps.of_host(*self._host_error)
        elif isinstance(error, Trap):
            trap = error
        else:
            trap = self.clock.verdict() or traps.of_engine(error)
        self._poison = traps.with_memory(self.clock.told(trap), len(self._view()), self._options.memory_bytes)
        return self._poison

    def _nested_verdict(self, error: BaseException) -> Trap | None:
        """The clock's word, if it was the guest's own allocator that was stopped inside a host call."""
        return None if isinstance(error, Trap) else self.clock.verdict()

    @staticmethod
    def _no_memory() -> memoryview:
        return memoryview(b"")


def _text(message: bytes) -> str:
    return message[: 4 * MESSAGE_CHARS_MAX].decode("utf-8", "replace")[:MESSAGE_CHARS_MAX]
