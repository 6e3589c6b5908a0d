"""A component behind the interface of the Pack door: ``call(function, encoded input)``, host calls as values.

Functions of the actor contract take the state first and return ``result<tuple<state, …>, string>``; any other exported
function is callable as it is, and leaves the state alone. After a trap the whole store is given up: no instance in it
can be entered again.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, Final

import wasmtime
from wasmtime import _ffi as ffi
from wasmtime import component as wc

from theater import cgrf, interfaces, types
from theater import metadata as meta
from theater.actor import ActorOptions
from theater.metadata import FunctionSig
from theater.values import UNIT, Result, Tuple, Value
from worker.engine import link, module, traps
from worker.engine.clock import GuestClock, ticks
from worker.engine.component import introspect
from worker.engine.component.codec import Lift, Lower, Val, blank, codec, free
from worker.engine.doors import COMPONENT_ABI
from worker.engine.errors import (
    ARITHMETIC,
    CONTRACT,
    ENGINE,
    OUT_OF_BOUNDS,
    STACK_OVERFLOW,
    UNREACHABLE,
    StartError,
    Trap,
)
from worker.engine.pack import INIT, Answers, Returned

TABLES_MAX: Final = 1_000
MEMORIES_MAX: Final = 1_000
INSTANCES_MAX: Final = 1_000
"""Core instances in one component; those of interpreted languages have dozens."""

REASONS: Final[tuple[tuple[str, str], ...]] = (
    ("`unreachable`", UNREACHABLE),
    ("out of bounds", OUT_OF_BOUNDS),
    ("call stack exhausted", STACK_OVERFLOW),
    ("divide by zero", ARITHMETIC),
    ("integer overflow", ARITHMETIC),
)
"""Component traps carry no code, but a reason in words."""

_Call = tuple[Any, tuple[Lower, ...], "Lift | None"]


class ComponentDoor:
    """An instantiated component. Made by ``load``; used by one thread, but for ``tick`` and ``interrupt``."""

    def __init__(self, store: Any, clock: GuestClock, options: ActorOptions) -> None:
        self.abi = COMPONENT_ABI
        self.clock = clock
        self.metadata: meta.Metadata | None = None
        self.metadata_bytes = b""
        self.functions: dict[str, FunctionSig | None] = {}
        self.warnings: tuple[str, ...] = ()
        self.memory_bytes = 0
        self._store = store
        self._options = options
        self._poison: Trap | None = None
        self._host_error: tuple[str, BaseException] | None = None
        self._calls: dict[str, _Call] = {}
        self._callbacks: list[Any] = []
        """Kept for as long as the guest may call them."""
        self._plain: frozenset[str] = frozenset()

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
    ) -> ComponentDoor:
        """Check, link and instantiate a compiled component; as ``PackDoor.load``."""
        step("link")
        found = introspect.shape(engine, compiled)
        shape = introspect.as_module(found)
        link.require("link", list(found.problems) + ([] if is_replay else link.ungranted(shape, grants)))
        step("interfaces")
        link.require("interfaces", [] if is_replay else link.unprovided(shape))
        step("instantiate")
        store = wasmtime.Store(engine)
        clock = clock or GuestClock(engine)
        clock.attach(store)
        clock.arm(ticks(options.init_deadline_ms))
        door = cls(store, clock, options)
        door._shape, door._found = shape, found
        try:
            door._instantiate(engine, compiled, answers)
            step("signatures")
            door._read_signatures()
            if not is_replay:
                door._choose_variants(answers)
        except BaseException:
            door.close()
            raise
        return door

    _shape: module.Shape
    _found: introspect.Shape

    def answer_from(self, answers: Answers) -> None:
        """Have host calls answered by somebody else from now on."""
        self._answer = answers.answer
        self._choose_variants(answers)

    def close(self) -> None:
        """Give the instance back. The door must not be used any more."""
        self._poison = Trap("the instance is closed", CONTRACT)
        self._calls.clear()
        self._store.close()
        self._callbacks.clear()

    # -- calls -----------------------------------------------------------------------------------------------------

    def call(self, function: str, data: bytes) -> Returned:
        """Call an export with an encoded input. Raises Trap when the guest had to be stopped; arm the clock before."""
        if self._poison is not None:
            raise Trap(f"the instance cannot be entered after: {self._poison}", self._poison.kind)
        call = self._calls.get(function) or self._bind(function)
        given = cgrf.decode(data)
        items = given.items if isinstance(given, Tuple) else (given,)
        state = None
        if function in self._plain:
            state, items = items[0], items[1:]
        try:
            value = self._enter(call, items)
            output = cgrf.encode(value if state is None else _kept(state, value))
            if len(output) > self._options.message_bytes_max:
                raise Trap(
                    f"answer of {len(output)} bytes exceeds the limit of {self._options.message_bytes_max}", CONTRACT
                )
        except Exception as error:
            raise self._stopped(error) from error
        return Returned(output)

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

    def _enter(self, call: _Call, items: tuple[Value, ...]) -> Value:
        func, lowers, lift = call
        if len(items) != len(lowers):
            raise Trap(f"expected {len(lowers)} values, got {len(items)}", CONTRACT)
        params = (Val * len(lowers))()
        result = Val()
        made = 0
        try:
            for lower, item in zip(lowers, items, strict=True):
                lower(item, params[made])
                made += 1
            self.clock.computing = True
            error = ffi.wasmtime_component_func_call(
                ctypes.byref(func), self._store._context(), params, made,
                None if lift is None else ctypes.byref(result), 0 if lift is None else 1,
            )  # fmt: skip
            self.clock.computing = False
            if error:
                raise wasmtime.WasmtimeError._from_ptr(error)
        finally:
            for place in range(made):
                ffi.wasmtime_component_val_delete(ctypes.byref(params[place]))
        if lift is None:
            return UNIT
        try:
            return lift(result)
        finally:
            free(result)

    def _bind(self, function: str) -> _Call:
        found = self._found.exports.get(function)
        if function not in self.functions or found is None:
            raise KeyError(function)
        instance, store = self._instance, self._store
        parent = instance.get_export_index(store, found.instance) if found.instance else None
        index = instance.get_export_index(store, found.sig.name, parent)
        func = self._instance.get_func(self._store, index)._func
        lowers = tuple(codec(kind)[0] for kind in found.params)
        lift = None if found.result is None else codec(found.result)[1]
        bound = self._calls[function] = (func, lowers, lift)
        return bound

    # -- loading ---------------------------------------------------------------------------------------------------

    def _instantiate(self, engine: Any, compiled: Any, answers: Answers) -> None:
        self._store.set_limits(
            memory_size=self._options.memory_bytes,
            table_elements=self._options.table_elements,
            tables=TABLES_MAX,
            memories=MEMORIES_MAX,
            instances=INSTANCES_MAX,
        )
        self._answer = answers.answer
        linker = wc.Linker(engine)
        try:
            self._link(linker)
            self.clock.computing = True
            self._instance = linker.instantiate(self._store, compiled)
        except Exception as error:
            raise StartError("instantiate", self._stopped(error).text) from error
        finally:
            self.clock.computing = False
            linker.close()

    def _link(self, linker: Any) -> None:
        """Bind every import, instance by instance."""
        by_instance: dict[str, list[introspect.Function]] = {}
        for item in self._found.imports:
            by_instance.setdefault(item.instance, []).append(item)
        with linker.root() as root:
            for name, functions in by_instance.items():
                if not name:
                    for function in functions:
                        self._define(root, function)
                    continue
                with root.add_instance(name) as instance:
                    for function in functions:
                        self._define(instance, function)

    def _define(self, instance: Any, function: introspect.Function) -> None:
        callback = ffi.wasmtime_component_func_callback_t(self._host_function(function))
        self._callbacks.append(callback)
        name = function.sig.name.encode()
        error = ffi.wasmtime_component_linker_instance_add_func(
            instance.ptr(), ctypes.create_string_buffer(name), len(name), callback, None, _NOTHING_TO_FINALIZE
        )
        if error:
            raise wasmtime.WasmtimeError._from_ptr(error)

    def _host_function(self, function: introspect.Function) -> Callable[..., int]:
        lifts = [codec(kind)[1] for kind in function.params]
        lower = None if function.result is None else codec(function.result)[0]
        interface, name = function.sig.interface, function.sig.name

        def called(
            data: Any, context: Any, kind: Any, args: Any, count: int, results: Any, result_count: int
        ) -> int:
            clock = self.clock
            clock.computing = False
            try:
                given = [lift(args[place]) for place, lift in enumerate(lifts)]
                encoded = cgrf.encode(given[0] if len(given) == 1 else Tuple(tuple(given)))
                output = self._answer(interface, name, encoded)
                if lower is not None:
                    blank(results[0])
                    lower(cgrf.decode(output), results[0])
            except BaseException as error:  # whatever it is, it ends the guest call and is told to the caller
                self._host_error = (f"{interface}.{name}", error)
                failed = wasmtime.WasmtimeError("host function failed")
                return int(ctypes.cast(failed._consume(), ctypes.c_void_p).value or 0)
            clock.computing = True
            return 0

        return called

    def _read_signatures(self) -> None:
        imports = tuple(item.sig for item in self._found.imports)
        exports = [item.sig for item in self._found.exports.values()]
        state = _state_of(exports)
        contract = {sig.full_name: sig for sig in exports if _is_actors(sig, state)}
        self._plain = frozenset(sig.full_name for sig in exports if sig.full_name not in contract)
        declared = {sig.full_name: contract.get(sig.full_name) or _as_actors(sig) for sig in exports}
        self.functions = dict(declared)
        self.metadata = meta.Metadata(imports, tuple(declared.values()), {}, _hashes(exports))
        self.metadata_bytes = meta.encode(self.metadata)
        problems = [] if INIT in contract else [f"exports no {INIT} of the actor contract: every actor must"]
        link.require("signatures", problems)

    def _choose_variants(self, answers: Answers) -> None:
        chosen = link.choose(self._shape, self.metadata)
        if self._options.interface_hashes == "strict":
            link.require("interfaces", chosen.differences)
        self.warnings = tuple(chosen.differences)
        bind = getattr(answers, "bind", None)
        if bind is not None:
            bind(chosen.variants)

    # -- ends ------------------------------------------------------------------------------------------------------

    def _stopped(self, error: Exception) -> Trap:
        """Say why the guest was stopped; it is never entered again."""
        self.clock.computing = False
        if self._host_error is not None:
            trap = traps.of_host(*self._host_error)
        elif isinstance(error, Trap):
            trap = error
        elif isinstance(error, TypeError | ValueError):
            trap = Trap(str(error), CONTRACT)
        else:
            trap = self.clock.verdict() or _of_engine(error)
        self._poison = trap
        return trap


_NOTHING_TO_FINALIZE: Final = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda data: None)
"""Callbacks belong to the door."""


def _state_of(exports: list[FunctionSig]) -> types.Type | None:
    """The type of the state: what ``init`` returns first."""
    init = next((sig for sig in exports if sig.full_name == INIT), None)
    match init.results if init is not None else ():
        case (types.Result(ok=types.Tuple(items=(state, *_))),):
            return state
        case _:
            return None


def _is_actors(sig: FunctionSig, state: types.Type | None) -> bool:
    """Whether a function is one of the actor contract: the state in, the state and the rest out."""
    if state is None or not sig.params:
        return False
    match sig.results:
        case (types.Result(ok=types.Tuple(items=(first, *_)), err=types.STRING),):
            return first == state and (sig.full_name == INIT or sig.params[0][1] == state)
        case _:
            return False


def _as_actors(sig: FunctionSig) -> FunctionSig:
    """A plain function as callers see it: whatever the state is, it stays."""
    result = sig.results[0] if sig.results else types.UNIT
    given = types.Result(types.Tuple((types.VALUE, result)), types.STRING)
    return FunctionSig(sig.interface, sig.name, (("state", types.VALUE), *sig.params), (given,))


def _kept(state: Value, value: Value) -> Value:
    return Result(types.UNIT, types.STRING, True, Tuple((state, value)))


def _hashes(exports: list[FunctionSig]) -> dict[str, bytes]:
    """Interface hashes of what is exported, as a component has it."""
    found: dict[str, dict[str, FunctionSig]] = {}
    for sig in exports:
        found.setdefault(sig.interface, {})[sig.name] = sig
    return {name: interfaces.interface_hash(name, functions) for name, functions in found.items() if name}


def _of_engine(error: Exception) -> Trap:
    trap = traps.of_engine(error)
    kind = next((kind for words, kind in REASONS if words in trap.text), ENGINE)
    return Trap(f"wasm trap: {trap.text}" if kind != ENGINE else trap.text, kind)
