"""A component behind the interface of the Pack door: ``call(function, encoded input)``, host calls as values.

Functions of the actor contract take the state first and return ``result<tuple<state, …>, string>``; any other exported
function is callable as it is, and leaves the state alone. After a trap the whole store is given up: no instance in it
can be entered again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import wasmtime
from wasmtime import component as wc

from theater import cgrf, interfaces, types
from theater import metadata as meta
from theater.actor import ActorOptions
from theater.grants import HTTP
from theater.http import WASI_HANDLER
from theater.metadata import FunctionSig
from theater.values import UNIT, Result, String, Tuple, Value
from worker.engine import link, module, traps
from worker.engine.clock import GuestClock, ticks
from worker.engine.component import http, introspect, port
from worker.engine.component.handles import Handles, Mismatch
from worker.engine.component.http import Answer
from worker.engine.component.kinds import Handle, holds_handle
from worker.engine.component.linking import Imports
from worker.engine.component.shapes import GUEST, Function, Shape
from worker.engine.contract import INIT, MIGRATE
from worker.engine.crossing import MESSAGE_CHARS_MAX, Answers, GuestError, Returned
from worker.engine.doors import COMPONENT_ABI
from worker.engine.errors import (
    ARITHMETIC,
    CONTRACT,
    ENGINE,
    FUEL,
    INDIRECT_CALL,
    OUT_OF_BOUNDS,
    STACK_OVERFLOW,
    UNREACHABLE,
    StartError,
    Trap,
)
from worker.engine.fuel import INIT_FUEL, used_up
from worker.interfaces import registry

if TYPE_CHECKING:
    from worker.engine.component.bridge import BridgePort

TABLES_MAX: Final = 1_000
MEMORIES_MAX: Final = 1_000
INSTANCES_MAX: Final = 1_000
"""Core instances in one component; those of interpreted languages have dozens."""

REASONS: Final[tuple[tuple[str, str], ...]] = (
    ("`unreachable`", UNREACHABLE),
    ("out of bounds", OUT_OF_BOUNDS),
    ("out-of-bounds", OUT_OF_BOUNDS),
    ("call stack exhausted", STACK_OVERFLOW),
    ("divide by zero", ARITHMETIC),
    ("integer overflow", ARITHMETIC),
    ("invalid conversion to integer", ARITHMETIC),
    ("uninitialized element", INDIRECT_CALL),
    ("indirect call type mismatch", INDIRECT_CALL),
    ("all fuel consumed", FUEL),
)
"""Component traps carry no code, but a reason in words."""


class ComponentDoor:
    """An instantiated component. Made by ``load``; used by one thread, but for ``tick`` and ``interrupt``."""

    _shape: module.Shape
    _found: Shape
    _instance: Any
    _handles: Handles
    _port: port.Port

    def __init__(self, store: Any, clock: GuestClock, options: ActorOptions) -> None:
        self.abi = COMPONENT_ABI
        self.clock = clock
        self.metadata: meta.Metadata | None = None
        self.metadata_bytes = b""
        self.functions: dict[str, FunctionSig | None] = {}
        self.warnings: tuple[str, ...] = ()
        self.memory_bytes = 0
        """A component's memory cannot be seen from outside."""
        self._store = store
        self._options = options
        self._poison: Trap | None = None
        self._host_error: tuple[str, BaseException] | None = None
        self._calls: dict[str, tuple[port.GuestFunction, int]] = {}
        self._plain: frozenset[str] = frozenset()
        self._imports: Imports | None = None
        self._bridge: BridgePort | None = None

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
        link.require("link", list(found.problems), [] if is_replay else link.ungranted(shape, grants))
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
        door = cls(store, clock, options)
        door._shape, door._found = shape, found
        door._handles = Handles(store, found.resources)
        door._port = port.choose(store, clock, door._handles, fast)
        if found.is_bridged:
            door._bridge = port.bridge(engine, store, clock)
        try:
            door._instantiate(engine, compiled, answers)
            step("signatures")
            door._read_signatures()
            if not is_replay:
                door._choose_variants(answers)
        except BaseException:
            door.close()
            clock.go_back(before)
            raise
        return door

    def answer_from(self, answers: Answers) -> None:
        """Have host calls answered by somebody else from now on."""
        self._answer = _with_values(answers)
        self._choose_variants(answers)

    def close(self) -> None:
        """Give the instance back. The door must not be used any more."""
        self._poison = Trap("the instance is closed", CONTRACT)
        self._calls.clear()
        self._handles.close()
        self._store.close()
        self._imports = None

    # -- calls -----------------------------------------------------------------------------------------------------

    def call(self, function: str, data: bytes) -> Returned | GuestError:
        """Call an export with an encoded input. Raises Trap when the guest had to be stopped; arm the clock before.

        Values that are not of the types of the parameters are an error of the caller's: the guest is not entered.
        """
        if self._poison is not None:
            raise Trap(f"the instance cannot be entered after: {self._poison}", self._poison.kind)
        call, count = self._calls.get(function) or self._bind(function)
        given = cgrf.decode(data)
        items: Sequence[Value] = given.items if isinstance(given, Tuple) else (given,)
        state = None
        if function in self._plain:
            state, items = items[0], self._without_state(items)
        if len(items) != count:
            return GuestError(f"expected {count} values, got {len(items)}")
        try:
            value = call(items)
            output = cgrf.encode(value if state is None else _kept(state, value))
        except http.Declined as error:
            return Returned(cgrf.encode(Result(types.UNIT, types.STRING, False, String(str(error)))))
        except Mismatch as error:
            return GuestError(str(error)[:MESSAGE_CHARS_MAX])
        except Exception as error:
            raise self._stopped(error) from error
        limit = self._options.message_bytes_max
        if len(output) > limit:
            raise self._stopped(Trap(f"answer of {len(output)} bytes exceeds the limit of {limit}", CONTRACT))
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

    def _without_state(self, items: Sequence[Value]) -> Sequence[Value]:
        rest = items[1:]
        if self._options.nested_params and len(rest) == 1 and isinstance(rest[0], Tuple):
            return rest[0].items
        return rest

    def _bind(self, function: str) -> tuple[port.GuestFunction, int]:
        found = self._found.exports.get(function)
        if function not in self.functions or found is None:
            raise KeyError(function)
        if found.drops is not None:
            call = self._dropping(found)
        elif found.bridge and self._bridge is not None:
            func = self._function(GUEST, found.bridge)
            call = self._bridge.guest_function(func, found.params, found.result)
        else:
            func = self._function(found.instance, found.sig.name)
            call = self._port.guest_function(func, found.params, found.result)
        bound = call, len(found.params)
        if function == WASI_HANDLER:
            bound = http.serving(call, self._answered), 1
        self._calls[function] = bound
        return bound

    def _function(self, instance: str, name: str) -> Any:
        """An exported function, as the library knows it."""
        made, store = self._instance, self._store
        parent = made.get_export_index(store, instance) if instance else None
        return made.get_func(store, made.get_export_index(store, name, parent))._func

    def _dropping(self, found: Function) -> port.GuestFunction:
        (kind,) = found.params
        assert isinstance(kind, Handle)

        def call(items: Sequence[Value]) -> Value:
            number = getattr(items[0], "value", None)
            if not isinstance(number, int):
                raise Mismatch(f"expected the number of a resource, got {items[0]}")
            self.clock.computing = True
            try:
                self._handles.drop(kind, number)
            finally:
                self.clock.computing = False
            return UNIT

        return call

    # -- loading ---------------------------------------------------------------------------------------------------

    def _instantiate(self, engine: Any, compiled: Any, answers: Answers) -> None:
        self._store.set_limits(
            memory_size=self._options.memory_bytes,
            table_elements=self._options.table_elements,
            tables=TABLES_MAX,
            memories=MEMORIES_MAX,
            instances=INSTANCES_MAX,
        )
        self._answer = _with_values(answers)
        ports = self._port, self._bridge
        self._imports = imports = Imports(self._found, *ports, self.clock, self._answered, self._host_failed)
        linker = wc.Linker(engine)
        try:
            imports.define(linker)
            self.clock.computing = True
            self._instance = linker.instantiate(self._store, compiled)
            if self._bridge is not None:
                self._bridge.room(self._function(GUEST, "room"))
        except Exception as error:
            raise StartError("instantiate", self._stopped(error).text) from error
        finally:
            self.clock.computing = False
            linker.close()

    def _answered(self, interface: str, function: str, given: Value) -> Value:
        return self._answer(interface, function, given)

    def _host_failed(self, function: str, error: BaseException) -> None:
        self._host_error = (function, error)

    def _read_signatures(self) -> None:
        imports = tuple(item.sig for item in self._found.imports)
        exports = [item.sig for item in self._found.exports.values()]
        state = _state_of(exports)
        contract = {sig.full_name: sig for sig in exports if _is_actors(sig, state)}
        self._plain = frozenset(sig.full_name for sig in exports if sig.full_name not in contract)
        declared = {sig.full_name: contract.get(sig.full_name) or _as_actors(sig) for sig in exports}
        if WASI_HANDLER in declared:
            declared[WASI_HANDLER] = http.signature()
        self.functions = dict(declared)
        own = [item.sig for item in self._found.exports.values() if item.drops is None]
        self.metadata = meta.Metadata(imports, tuple(declared.values()), {}, _hashes(own))
        self.metadata_bytes = meta.encode(self.metadata)
        problems = [] if INIT in contract else [f"exports no {INIT} of the actor contract: every actor must"]
        if INIT in contract and any(map(holds_handle, self._found.exports[INIT].params)):
            problems = [f"{INIT} takes a resource as its state: a state must outlive the instance"]
        link.require("signatures", problems)

    def _choose_variants(self, answers: Answers) -> None:
        of_handler = registry.newest(HTTP, http.ACCEPT, http.RESPOND) if WASI_HANDLER in self.functions else {}
        self.warnings = link.bind(self._shape, self.metadata, self._options, answers, of_handler, keeps_types=True)

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
        self._poison = self.clock.told(trap)
        return self._poison


def _with_values(answers: Answers) -> Answer:
    """Host calls with values, where they can be had: a component has no use for encoded ones."""
    with_values: Answer | None = getattr(answers, "answer_value", None)
    if with_values is not None:
        return with_values
    answer = answers.answer
    return lambda interface, function, given: cgrf.decode(answer(interface, function, cgrf.encode(given)))


def _state_of(exports: list[FunctionSig]) -> types.Type | None:
    """The type of the state: what ``init`` returns first."""
    init = next((sig for sig in exports if sig.full_name == INIT), None)
    match init.results if init is not None else ():
        case (types.Result(ok=types.Tuple(items=(state, *_))),):
            return state
        case (types.Result(ok=state),) if init is not None and init.params and init.params[0][1] == state:
            return state
        case _:
            return None


def _is_actors(sig: FunctionSig, state: types.Type | None) -> bool:
    """Whether a function is one of the actor contract: the state in, the state and the rest out."""
    if state is None or not sig.params:
        return False
    match sig.results:
        case (types.Result(ok=types.Tuple(items=(first, *_)), err=types.STRING),):
            return first == state and (sig.full_name in (INIT, MIGRATE) or sig.params[0][1] == state)
        case (types.Result(ok=first, err=types.STRING),):
            return sig.full_name == INIT and first == state
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
