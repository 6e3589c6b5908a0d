"""What a compiled component says of itself: imports and exports with their full types, as the engine knows them.

Names of types are not attached to their uses there. An interface exports its named types, though, so a record bears
the name under which its structure is exported, if there is just one; else it is called ``record``. Versions of packages
(``theater:simple/actor@0.1.0``) are left out of names: types decide whether things fit.
"""

from __future__ import annotations

from typing import Any, Final
from weakref import WeakKeyDictionary

import msgspec
from wasmtime import component as wc

from theater import types
from theater.metadata import FunctionSig
from worker.engine import module
from worker.engine.component.kinds import (
    ENUM,
    RECORD,
    VARIANT,
    Enum,
    Flags,
    Handle,
    Kind,
    holds_handle,
    holds_list,
    holds_text,
    named,
    plain,
)
from worker.engine.component.shapes import (
    BRIDGE,
    GUEST,
    HOST,
    Function,
    Item,
    Resource,
    Shape,
    interface_of,
)
from worker.engine.contract import ACTOR, INIT
from worker.engine.errors import StartError

NAMES_MAX: Final = 10_000
_PRIMITIVES: Final[dict[type, Kind]] = {
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


_shapes: Final[WeakKeyDictionary[Any, Shape]] = WeakKeyDictionary()


def shape(engine: Any, component: Any) -> Shape:
    """Return what a component has; read once, for a template process before its forks."""
    known = _shapes.get(component)
    if known is None:
        try:
            known = _shapes[component] = _Reading(engine).shape(component.type)
        except (TypeError, NotImplementedError, RecursionError) as error:  # wasmtime's, of types it does not know
            raise StartError("link", f"the component's types cannot be read: {error}") from None
    return known


def outline(engine: Any, component: Any) -> tuple[list[Item], list[Item]]:
    """What a component imports and exports, in its order. Raises Unsupported."""
    return _Reading(engine).outline(component.type)


def require_unreserved(engine: Any, component: Any) -> None:
    """Raise StartError if a package's own component looks like one with a bridge around it: the host would trust it."""
    names = [*component.type.imports(engine), *component.type.exports(engine)]
    taken = [name for name in names if name.startswith(BRIDGE)]
    if taken:
        raise StartError("compile", f"the component uses the name {taken[0]}: {BRIDGE} is reserved")


def crossing(found: Shape) -> list[Function]:
    """Functions that a bridge carries: without resources, with strings or lists. In the order of their numbers there.

    Imported interfaces with resources are handed through whole: their methods must stay beside the types they are of.
    """
    whole = {instance for instance, _, _ in found.defines}
    imports = [item for item in found.imports if item.instance not in whole]
    chosen = [item for item in (*imports, *found.exports.values()) if item.drops is None and crosses(item)]
    return sorted(chosen, key=lambda item: (item.is_import, item.instance, item.sig.name))


def crosses(item: Function) -> bool:
    """Whether a function is one for a bridge."""
    sides = [each for each in (*item.params, item.result) if each is not None]
    return not any(map(holds_handle, sides)) and any(holds_list(each) or holds_text(each) for each in sides)


class _Reading:
    """One component being read. Resource types can only be compared, so they are numbered as they turn up."""

    def __init__(self, engine: Any) -> None:
        self._engine = engine
        self._resource_types: list[Any] = []
        self._resources: list[Resource] = []
        self._defines: list[tuple[str, str, int]] = []
        self._names: dict[Kind, str | None] = {}

    def shape(self, kind: Any) -> Shape:
        """All of it."""
        problems: list[str] = []
        warnings: list[str] = []
        given, offered = kind.imports(self._engine), kind.exports(self._engine)
        is_bridged = given.pop(HOST, None) is not None and offered.pop(GUEST, None) is not None
        self._number(given, is_host=True)
        self._number(offered, is_host=False)
        imports = [*self._functions(given, problems, is_import=True), *self._drops(is_host=True)]
        own = [*self._functions(offered, warnings), *self._drops(is_host=False)]
        exports = {item.sig.full_name: self._finished(item) for item in own if _is_own(item)}
        _find_init(exports)
        problems = [f"import {text}" for text in problems]
        warnings = [f"export {text}: nobody can call it" for text in warnings]
        found = Shape(
            tuple(map(self._finished, imports)),
            exports,
            tuple(self._resources),
            tuple(self._defines),
            tuple(problems),
            tuple(warnings),
            is_bridged,
        )
        return _with_bridge(found) if is_bridged else found

    def outline(self, kind: Any) -> tuple[list[Item], list[Item]]:
        """Imports in detail; exports likewise, but for what is inside instances."""
        given, offered = kind.imports(self._engine), kind.exports(self._engine)
        self._number(given, is_host=True)
        self._number(offered, is_host=False)
        imports: list[Item] = []
        for name, item in given.items():
            if isinstance(item.ty, wc.ComponentInstanceType):
                inside = item.ty.exports(self._engine).items()
                imports += [self._item(name, inner, what.ty) for inner, what in inside]
            else:
                imports.append(self._item("", name, item.ty))
        return imports, [self._item("", name, item.ty) for name, item in offered.items()]

    def _item(self, instance: str, name: str, kind: Any) -> Item:
        match kind:
            case wc.FuncType():
                params = tuple((label, self._kind(each)) for label, each in kind.params)
                result = None if kind.result is None else self._kind(kind.result)
                return Item(instance, name, "func", params=params, result=result)
            case wc.ResourceType():
                return Item(instance, name, "type", resource=self._resource_types.index(kind))
            case wc.ComponentInstanceType():
                return Item(instance, name, "instance")
            case wc.ComponentType() | wc.ModuleType():
                raise Unsupported("component")
            case _:
                return Item(instance, name, "type", kind=self._kind(kind))

    # -- resources and names -------------------------------------------------------------------------------------------

    def _number(self, items: dict[str, Any], is_host: bool) -> None:
        """Number the resource types that imports or exports define, and learn the names of other types."""
        for name, item in list(items.items())[:NAMES_MAX]:
            found = item.ty
            if not isinstance(found, wc.ComponentInstanceType):
                self._define("", name, found, is_host)
                continue
            for inner, what in list(found.exports(self._engine).items())[:NAMES_MAX]:
                self._define(name, inner, what.ty, is_host)

    def _define(self, instance: str, name: str, kind: Any, is_host: bool) -> None:
        if isinstance(kind, wc.ResourceType):
            if kind not in self._resource_types:
                self._resource_types.append(kind)
                self._resources.append(Resource(interface_of(instance), name, is_host))
            if is_host:
                self._defines.append((instance, name, self._resource_types.index(kind)))
        elif isinstance(kind, wc.RecordType | wc.VariantType | wc.EnumType):
            try:
                nameless = self._kind(kind)
            except Unsupported:
                return
            known = self._names.setdefault(nameless, name)
            self._names[nameless] = name if known == name else None  # two names for one structure: which is meant?

    def _drops(self, is_host: bool) -> list[Function]:
        found = []
        for number, item in enumerate(self._resources):
            if item.is_host == is_host:
                sig = FunctionSig(item.interface, item.drop, (("self", types.U32),), ())
                found.append(Function("", sig, (Handle(number, True),), None, number))
        return [each for each in found if is_host or each.sig.interface]

    # -- functions -----------------------------------------------------------------------------------------------------

    def _functions(self, items: dict[str, Any], problems: list[str], is_import: bool = False) -> list[Function]:
        found: list[Function] = []
        for name, item in list(items.items())[:NAMES_MAX]:
            match item.ty:
                case wc.FuncType():
                    self._add(found, problems, "", name, item.ty)
                case wc.ComponentInstanceType():
                    for inner, what in list(item.ty.exports(self._engine).items())[:NAMES_MAX]:
                        if isinstance(what.ty, wc.FuncType):
                            self._add(found, problems, name, inner, what.ty)
                case wc.ComponentType() | wc.ModuleType():
                    problems.append(f"{name}: expected functions, or an interface of them")
        return [msgspec.structs.replace(each, is_import=True) for each in found] if is_import else found

    def _add(self, found: list[Function], problems: list[str], instance: str, name: str, kind: Any) -> None:
        interface = interface_of(instance)
        try:
            params = [(label, self._kind(each)) for label, each in kind.params]
            result = None if kind.result is None else self._kind(kind.result)
        except Unsupported as error:
            where = f"{interface}.{name}" if interface else name
            problems.append(f"{where}: values of type {error} are not supported")
            return
        sig = FunctionSig(interface, name, tuple(params), () if result is None else (result,))
        found.append(Function(instance, sig, tuple(each for _, each in params), result))

    def _finished(self, item: Function) -> Function:
        """With the names that types turned out to have, and types of ours in the signature."""
        params = tuple(named(each, self._names) for each in item.params)
        result = None if item.result is None else named(item.result, self._names)
        labels = (label for label, _ in item.sig.params)
        sig = FunctionSig(
            item.sig.interface,
            item.sig.name,
            tuple((label, plain(each)) for label, each in zip(labels, params, strict=True)),
            () if result is None else (plain(result),),
        )
        return Function(item.instance, sig, params, result, item.drops, item.is_import)

    # -- types ---------------------------------------------------------------------------------------------------------

    def _kind(self, kind: Any) -> Kind:
        """The kind of values that the engine's type stands for. Unsupported: there is none (streams, futures)."""
        primitive = _PRIMITIVES.get(type(kind))
        if primitive is not None:
            return primitive
        match kind:
            case wc.ListType():
                return types.List(self._kind(kind.element))
            case wc.OptionType():
                return types.Option(self._kind(kind.payload))
            case wc.ResultType():
                return types.Result(self._side(kind.ok), self._side(kind.err))
            case wc.TupleType():
                return types.Tuple(tuple(map(self._kind, kind.elements)))
            case wc.RecordType():
                return types.Record(RECORD, tuple((name, self._kind(field)) for name, field in kind.fields))
            case wc.VariantType():
                return types.Variant(VARIANT, tuple((name, self._payload(payload)) for name, payload in kind.cases))
            case wc.EnumType():
                return Enum(ENUM, tuple(kind.names))
            case wc.FlagsType():
                return Flags(tuple(kind.names))
            case wc.OwnType() | wc.BorrowType():
                return self._handle(kind.ty, isinstance(kind, wc.OwnType))
            case _:
                raise Unsupported(type(kind).__name__.removesuffix("Type").lower())

    def _side(self, kind: Any) -> Kind:
        return types.NOTHING if kind is None else self._kind(kind)

    def _payload(self, kind: Any) -> Kind | None:
        return None if kind is None else self._kind(kind)

    def _handle(self, resource: Any, is_own: bool) -> Kind:
        for number, known in enumerate(self._resource_types):
            if known == resource:
                return Handle(number, is_own)
        raise Unsupported("a resource without a name")


def _with_bridge(found: Shape) -> Shape:
    """Say which functions cross the bridge."""
    numbers = {(item.is_import, item.sig.full_name, item.instance): f"f{n}" for n, item in enumerate(crossing(found))}

    def placed(item: Function) -> Function:
        name = numbers.get((item.is_import, item.sig.full_name, item.instance), "")
        return msgspec.structs.replace(item, bridge=name) if name else item

    imports = tuple(map(placed, found.imports))
    exports = {name: placed(item) for name, item in found.exports.items()}
    return msgspec.structs.replace(found, imports=imports, exports=exports)


def _find_init(exports: dict[str, Function]) -> None:
    """Have ``init`` (and ``migrate``) of a component with a state of its own type as that of the contract.

    It is in an interface the component calls ``actor``, or in its world; toolchains have one there for themselves.
    """
    if INIT in exports:
        return
    of_actor = [item for item in exports.values() if item.sig.name == "init" and item.sig.interface.endswith("actor")]
    own = of_actor[0] if len(of_actor) == 1 else exports.get("init")
    if own is None:
        return
    exports.pop("init", None)
    for name in ("init", "migrate"):
        found = exports.pop(f"{own.sig.interface}.{name}", own if name == "init" else None)
        if found is not None:
            exports[f"{ACTOR}.{name}"] = msgspec.structs.replace(
                found, sig=msgspec.structs.replace(found.sig, interface=ACTOR)
            )


def _is_own(function: Function) -> bool:
    """Toolchains add interfaces of their own, for themselves; those have no package in their name."""
    return not function.instance or ":" in function.instance or function.instance == "actor"


def kinds(found: Shape) -> list[Kind]:
    """The kinds of all values that cross the border."""
    sides = [(*item.params, item.result) for item in (*found.imports, *found.exports.values())]
    return [kind for side in sides for kind in side if kind is not None]


def as_module(found: Shape) -> module.Shape:
    """As the checks of grants and signatures want it, which know core modules."""
    imports = tuple(module.Import(item.sig.interface, item.sig.name, module.INTERFACE_TYPE) for item in found.imports)
    return module.Shape(imports, dict.fromkeys(found.exports, module.INTERFACE_TYPE))
