"""What a compiled component says of itself: imports and exports with their full types, as the engine knows them.

Names of types are not attached to their uses there, so records, variants and enums bear the name of their kind.
Versions of packages (``theater:simple/actor@0.1.0``) are left out of names: types decide whether things fit.
"""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakKeyDictionary

import msgspec
from wasmtime import component as wc

from theater import types
from theater.metadata import FunctionSig
from theater.types import Type
from worker.engine import module

NAMES_MAX: Final = 10_000
ACTOR: Final = "theater:simple/actor"
INIT: Final = f"{ACTOR}.init"
RECORD: Final = "record"
VARIANT: Final = "variant"
ENUM: Final = "enum"

_PRIMITIVES: Final[dict[type, Type]] = {
    wc.Bool: types.BOOL,
    wc.S8: types.S8,
    wc.S16: types.S16,
    wc.S32: types.S32,
    wc.S64: types.S64,
    wc.U8: types.U8,
    wc.U16: types.U16,
    wc.U32: types.U32,
    wc.U64: types.U64,
    wc.F32: types.F32,
    wc.F64: types.F64,
    wc.Char: types.CHAR,
    wc.String: types.STRING,
}


class Unsupported(Exception):
    """A type that no value of ours can have; the text names it."""


class Function(msgspec.Struct, frozen=True):
    """One imported or exported function: where the component has it, and what it takes and gives."""

    instance: str
    """Name of the instance it is in, with its version; empty for functions of the component itself."""
    sig: FunctionSig
    params: tuple[Any, ...]
    """The engine's types of the parameters."""
    result: Any
    """And of the result; None if there is none."""


class Shape(msgspec.Struct, frozen=True):
    """A component's functions, and what of it cannot be served."""

    imports: tuple[Function, ...]
    exports: dict[str, Function]
    """By full name, ``interface.function`` or just ``function``."""
    problems: tuple[str, ...]
    """Imports that cannot be served: of types that are not supported, or of other things than functions."""


_shapes: Final[WeakKeyDictionary[Any, Shape]] = WeakKeyDictionary()


def shape(engine: Any, component: Any) -> Shape:
    """Return what a component has; read once, for a template process before its forks."""
    known = _shapes.get(component)
    if known is None:
        known = _shapes[component] = _read(engine, component)
    return known


def interface_of(instance: str) -> str:
    """``theater:simple/actor@0.1.0`` is the interface ``theater:simple/actor``."""
    return instance.partition("@")[0]


def to_type(kind: Any) -> Type:
    """Return the type of values that the engine's type stands for.

    Raises:
        Unsupported: there is none (resources, streams, futures).
    """
    primitive = _PRIMITIVES.get(type(kind))
    if primitive is not None:
        return primitive
    match kind:
        case wc.ListType():
            return types.List(to_type(kind.element))
        case wc.OptionType():
            return types.Option(to_type(kind.payload))
        case wc.ResultType():
            return types.Result(_side(kind.ok), _side(kind.err))
        case wc.TupleType():
            return types.Tuple(tuple(map(to_type, kind.elements)))
        case wc.RecordType():
            return types.Record(RECORD, tuple((name, to_type(field)) for name, field in kind.fields))
        case wc.VariantType():
            return types.Variant(VARIANT, tuple((name, _payload(payload)) for name, payload in kind.cases))
        case wc.EnumType():
            return types.Variant(ENUM, tuple((name, None) for name in kind.names))
        case wc.FlagsType():
            return types.FLAGS
        case _:
            raise Unsupported(type(kind).__name__.removesuffix("Type").lower())


def _side(kind: Any) -> Type:
    return types.NOTHING if kind is None else to_type(kind)


def _payload(kind: Any) -> Type | None:
    return None if kind is None else to_type(kind)


def _read(engine: Any, component: Any) -> Shape:
    problems: list[str] = []
    kind = component.type
    imports = _functions(kind.imports(engine), engine, problems)
    exports = {item.sig.full_name: item for item in _functions(kind.exports(engine), engine, []) if _is_own(item)}
    own = None if INIT in exports else _own_init(exports)
    if own is not None:
        del exports[own.sig.full_name]
        exports.pop("init", None)  # of the toolchain, for itself
        exports[INIT] = msgspec.structs.replace(own, sig=msgspec.structs.replace(own.sig, interface=ACTOR))
    return Shape(tuple(imports), exports, tuple(problems))


def _own_init(exports: dict[str, Function]) -> Function | None:
    """The ``init`` of a component with a state of its own type: in an interface it calls ``actor``, or in its world."""
    of_actor = [item for item in exports.values() if item.sig.name == "init" and item.sig.interface.endswith("/actor")]
    return of_actor[0] if len(of_actor) == 1 else exports.get("init")


def _is_own(function: Function) -> bool:
    """Toolchains add interfaces of their own, for themselves; those have no package in their name."""
    return not function.instance or ":" in function.instance


def _functions(items: dict[str, Any], engine: Any, problems: list[str]) -> list[Function]:
    found: list[Function] = []
    for name, item in list(items.items())[:NAMES_MAX]:
        match item.ty:
            case wc.FuncType():
                _add(found, problems, "", name, item.ty)
            case wc.ComponentInstanceType():
                for inner, what in list(item.ty.exports(engine).items())[:NAMES_MAX]:
                    if isinstance(what.ty, wc.FuncType):
                        _add(found, problems, name, inner, what.ty)
            case wc.ComponentType() | wc.ModuleType() | wc.ResourceType():
                problems.append(f"import {name}: expected functions, or an interface of them")
    return found


def _add(found: list[Function], problems: list[str], instance: str, name: str, kind: Any) -> None:
    interface = interface_of(instance)
    given, result = kind.params, kind.result
    try:
        params = tuple((label, to_type(each)) for label, each in given)
        results = () if result is None else (to_type(result),)
    except Unsupported as error:
        where = f"{interface}.{name}" if interface else name
        problems.append(f"import {where}: values of type {error} are not supported")
        return
    sig = FunctionSig(interface, name, params, results)
    found.append(Function(instance, sig, tuple(each for _, each in given), result))


def as_module(found: Shape) -> module.Shape:
    """As the checks of grants and signatures want it, which know core modules."""
    imports = tuple(module.Import(item.sig.interface, item.sig.name, module.INTERFACE_TYPE) for item in found.imports)
    return module.Shape(imports, dict.fromkeys(found.exports, module.INTERFACE_TYPE))
