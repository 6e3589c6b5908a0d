"""Which door a package goes through: a core module of the Pack ABI, or a component. Both look alike from outside."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final, Protocol

import wasmtime

from worker.engine.errors import StartError

if TYPE_CHECKING:
    from theater.metadata import FunctionSig, Metadata
    from worker.engine.clock import GuestClock
    from worker.engine.crossing import Answers, GuestError, Returned
    from worker.engine.module import Shape

COMPONENT_SUFFIX: Final = "-component.cwasm"
"""How artefacts of components are named (worker.cache): their kind cannot be told without loading them."""
COUNTS_FUEL: Final = "-fuel"
"""Part of the names of artefacts for engines that count fuel, before the suffix."""
PACK_ABI: Final = "pack-2"
COMPONENT_ABI: Final = "component-1"
ABIS: Final = (PACK_ABI, COMPONENT_ABI)
CORE: Final = bytes((1, 0, 0, 0))
COMPONENT: Final = bytes((13, 0, 1, 0))
"""The version field of a binary."""


class Door(Protocol):
    """An instantiated guest behind ``call(function, encoded input)`` (worker.engine.pack.PackDoor)."""

    abi: str
    """The binary interface, as chains name it: one of ABIS."""
    clock: GuestClock
    metadata: Metadata | None
    metadata_bytes: bytes
    functions: dict[str, FunctionSig | None]
    warnings: tuple[str, ...]
    memory_bytes: int

    def call(self, function: str, data: bytes) -> Returned | GuestError:
        """Call an export."""

    def arm(self, budget_ticks: int | None) -> None:
        """Give the next call this much computing time."""

    def interrupt(self, reason: str) -> None:
        """Trap the running guest (any thread)."""

    def answer_from(self, answers: Answers) -> None:
        """Have host calls answered by somebody else from now on."""

    def close(self) -> None:
        """Give the instance back."""


def is_component(wasm: bytes) -> bool:
    """Whether a binary is a component."""
    return wasm[4:8] == COMPONENT


def counts_fuel(artefact: str) -> bool:
    """Whether an artefact is one for engines that count fuel."""
    return COUNTS_FUEL in os.path.basename(artefact)


def compile_package(engine: Any, wasm: bytes) -> bytes:
    """Compile a module or a component; return the artefact."""
    if is_component(wasm):
        return bytes(compile_component(engine, wasm).serialize())
    return bytes(wasmtime.Module(engine, wasm).serialize())


def compile_component(engine: Any, wasm: bytes) -> Any:
    """Compile a component, with a bridge around it if that makes its functions faster."""
    from wasmtime.component import Component

    from worker.engine.component import bridge, introspect
    from worker.engine.component.outer import wrapped
    from worker.engine.component.scope import Unbridgeable

    try:
        if bridge.unusable(engine) is None:
            return Component(engine, wrapped(engine, wasm))
    except (Unbridgeable, wasmtime.WasmtimeError):  # if something is wrong with the package, it is so without a bridge
        pass
    plain = Component(engine, wasm)
    introspect.require_unreserved(engine, plain)
    return plain


def load_artefact(engine: Any, artefact: str) -> Any:
    """Map a compiled artefact of the cache; StartError("compile") if the engine does not accept it."""
    try:
        if artefact.endswith(COMPONENT_SUFFIX):
            from wasmtime.component import Component

            return Component.deserialize_file(engine, artefact)
        return wasmtime.Module.deserialize_file(engine, artefact)
    except wasmtime.WasmtimeError as error:
        raise StartError("compile", f"{artefact}: not a compiled artefact of this engine: {error}") from None


def shape_of(engine: Any, compiled: Any) -> Shape:
    """What a package imports and exports; read once, for a template process before its forks."""
    if isinstance(compiled, wasmtime.Module):
        from worker.engine import module

        return module.shape(compiled)
    from worker.engine.component import introspect, port

    found = introspect.shape(engine, compiled)
    port.prepare(introspect.kinds(found))
    if found.is_bridged:
        port.prepare_bridge(engine, introspect.crossing(found))
    return introspect.as_module(found)


def refusals(engine: Any, compiled: Any) -> list[str]:
    """Why a package is no actor that can be hosted here; empty if it is one."""
    if isinstance(compiled, wasmtime.Module):
        from worker.engine import module

        return module.refusals(module.shape(compiled))
    from worker.engine.component import introspect

    return list(introspect.shape(engine, compiled).problems)


def remarks(engine: Any, compiled: Any) -> list[str]:
    """What of a package cannot be used, though it is an actor."""
    if isinstance(compiled, wasmtime.Module):
        return []
    from worker.engine.component import introspect

    return list(introspect.shape(engine, compiled).warnings)


def open_door(engine: Any, compiled: Any, **how: Any) -> Door:
    """Instantiate a package; arguments as for ``PackDoor.load``. StartError names the step that failed."""
    if isinstance(compiled, wasmtime.Module):
        from worker.engine.pack import PackDoor

        return PackDoor.load(engine, compiled, **how)
    from worker.engine.component.door import ComponentDoor

    return ComponentDoor.load(engine, compiled, **how)
