"""An actor as WIT: the packages that a component of it is built for.

Named types stand in the actor's own interface ``actor``, beside ``init``; its functions in ``api``. The state comes
first into every function and goes back first (docs/actors.md, Components).
"""

from __future__ import annotations

import textwrap
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from theater_actor.kinds import (
    Enumerated,
    Flagged,
    Kind,
    Listed,
    Named,
    Optional,
    Record,
    Scalar,
    Tupled,
    Variant,
)
from theater_actor.reading import ActorError, Declared, Function, Problem, parts

WORLD: Final = "actor-world"
ACTOR: Final = "actor"
API: Final = "api"
NO_STATE: Final = "option<list<u8>>"
GIVEN: Final = "-given"
"""Ends the name of the record that a tree's ``state`` is: as the state, but what has a default may be left out."""
TYPE: Final = "-type"
"""Ends the name of a type in an interface that has a function of its name."""
LINE: Final = 110
_KEYWORDS: Final = """
as async bool borrow case char constructor enum export f32 f64 flags from func future if implements import include
interface list map option own package record resource result s16 s32 s64 s8 self static stream string tuple type
u16 u32 u64 u8 union unit use variant with world
"""
KEYWORDS: Final = frozenset(_KEYWORDS.split())


@dataclass(frozen=True)
class Exported:
    """An interface of the component: its full name, and the name of its Python module and class."""

    interface: str
    alias: str
    functions: tuple[Function, ...]


@dataclass(frozen=True)
class Wit:
    """The texts by path below the directory for WIT, and what is where in them."""

    files: dict[str, str]
    exports: tuple[Exported, ...]
    """The first one is the actor's own ``actor``, where the types are."""
    imports: dict[str, str]
    """Interfaces and the names of their Python modules."""


def generate(declared: Declared) -> Wit:
    """Return an actor's WIT.

    Raises:
        ActorError: two types have one name.
    """
    named = list(named_types(declared))
    _require_names(declared, named)
    package, _, version = declared.package.partition("@")
    exports = [Exported(_full(package, ACTOR, version), "own_actor", ())]
    interfaces: dict[str, str] = {exports[0].interface: _actor(declared, named)}
    for number, (interface, functions) in enumerate(declared.exports.items()):
        if not functions:
            continue
        full = _full(package, API, version) if interface is None else _beside(interface, declared.imports)
        exports.append(Exported(full, f"own_{number}", functions))
        interfaces[full] = _contract(declared, functions, exports[0].interface if interface else ACTOR)
    imports = {interface: f"host_{number}" for number, interface in enumerate(declared.imports)}
    for interface, given in declared.imports.items():
        lines = [_plain(function, host.can_fail) for host, function in given]
        interfaces[interface] = "\n".join(lines)
    files = {f"deps/p{number}/p.wit": text for number, text in enumerate(_packages(interfaces))}
    files["world.wit"] = _world(imports, [each.interface for each in exports])
    return Wit(files, tuple(exports), imports)


def signature(kind: Kind, functions: Container[str] = ()) -> str:
    """A type as it is written where it is used, beside functions with these names."""
    match kind:
        case Scalar(wit):
            return wit
        case Listed(item):
            return f"list<{signature(item, functions)}>"
        case Optional(item):
            return f"option<{signature(item, functions)}>"
        case Tupled(items):
            return f"tuple<{', '.join(signature(each, functions) for each in items)}>"
        case _:
            return kind.name + TYPE if kind.name in functions else escaped(kind.name)


def definition(kind: Named) -> str:
    """A type with a name, as it is declared."""
    match kind:
        case Record(_, name, fields):
            return _braces("record", name, (f"{_id(field)}: {signature(item)}" for field, item in fields))
        case Enumerated(cls, name):
            return _braces("enum", name, (_id(member.lower()) for member in cls.__members__))
        case Flagged(cls, name):
            return _braces("flags", name, (_id(member.lower()) for member in cls.__members__))
        case Variant(name, cases):
            return _braces("variant", name, map(_case, cases))


def given(declared: Declared) -> Record | None:
    """What a tree's ``state`` is; None: the state itself."""
    state = declared.state
    if state is None or len(declared.required) == len(state.fields):
        return None
    fields = tuple((name, kind if name in declared.required else _maybe(kind)) for name, kind in state.fields)
    return Record(Declared, state.name + GIVEN, fields)


def is_empty(kind: Kind) -> bool:
    """A case of a variant that carries nothing."""
    return isinstance(kind, Record) and not kind.fields


def _maybe(kind: Kind) -> Kind:
    return kind if isinstance(kind, Optional) else Optional(kind)


# -- interfaces --------------------------------------------------------------------------------------------------------


def named_types(declared: Declared) -> Iterable[Named]:
    """Every type with a name, each once, what others consist of first."""
    functions = [each for group in declared.exports.values() for each in group]
    functions += [declared.migrate] if declared.migrate else []
    kinds: list[Kind] = [declared.state] if declared.state else []
    for function in functions:
        kinds += [kind for _, kind in function.params]
        kinds += [function.result] if function.result else []
    found = (each for kind in kinds for each in parts(kind) if isinstance(each, Named))
    return dict.fromkeys(each for each in found if not is_empty(each))


def _require_names(declared: Declared, named: list[Named]) -> None:
    problems, taken = [], {"init", "migrate"}
    start = given(declared)
    if start is not None:
        taken.add(start.name)
    for each in named:
        if each.name in taken:
            owner = declared.cls if isinstance(each, Variant) else each.cls
            problems.append(Problem(owner, None, f"{each.name}: expected another name: something else has it in WIT"))
        taken.add(each.name)
    if problems:
        raise ActorError(problems)


def _actor(declared: Declared, named: list[Named]) -> str:
    start = given(declared)
    lines = [definition(each) for each in named]
    state = NO_STATE if declared.state is None else signature(declared.state)
    takes = state
    if declared.state is not None:
        takes = f"option<{escaped(start.name) if start else state}>"
    if start is not None:
        lines.append(definition(start))
    lines.append(f"init: func(state: {takes}) -> result<tuple<{state}>, string>;")
    if declared.migrate is not None:
        ((_, old),) = declared.migrate.params
        lines.append(f"migrate: func(state: {signature(old)}) -> result<tuple<{state}>, string>;")
    return "\n".join(lines)


def _contract(declared: Declared, functions: Sequence[Function], types: str) -> str:
    """An interface whose functions take the state, and types out of another interface."""
    taken = {function.name.replace("_", "-") for function in functions}
    state = NO_STATE if declared.state is None else signature(declared.state, taken)
    used: list[Named] = [declared.state] if declared.state else []
    lines = []
    for function in functions:
        kinds = [kind for _, kind in function.params] + ([function.result] if function.result else [])
        used += [name for kind in kinds for name in _outermost(kind)]
        params = ", ".join([f"state: {state}", *_params(function, taken)])
        results = ", ".join([state, *([signature(function.result, taken)] if function.result else [])])
        lines += [*_doc(function.doc), f"{_id(function.name)}: func({params}) -> result<tuple<{results}>, string>;"]
    names = ", ".join(dict.fromkeys(_used(each, taken) for each in used))
    return "\n".join([*([f"use {types}.{{{names}}};"] if names else []), *lines])


def _used(kind: Named, functions: Container[str]) -> str:
    here = signature(kind, functions)
    return here if here == escaped(kind.name) else f"{escaped(kind.name)} as {here}"


def _outermost(kind: Kind) -> list[Named]:
    """The names a type is written with."""
    match kind:
        case Listed(item=item) | Optional(item=item):
            return _outermost(item)
        case Tupled(items=items):
            return [each for item in items for each in _outermost(item)]
        case Scalar():
            return []
        case _:
            return [kind]


def _plain(function: Function, can_fail: bool) -> str:
    result = "_" if function.result is None else signature(function.result)
    arrow = f" -> result<{result}, string>" if can_fail else "" if function.result is None else f" -> {result}"
    return "\n".join([*_doc(function.doc), f"{_id(function.name)}: func({', '.join(_params(function))}){arrow};"])


def _params(function: Function, functions: Container[str] = ()) -> list[str]:
    return [f"{_id(name)}: {signature(kind, functions)}" for name, kind in function.params]


# -- packages ----------------------------------------------------------------------------------------------------------


def _full(package: str, interface: str, version: str) -> str:
    return f"{package}/{interface}" + (f"@{version}" if version else "")


def _beside(interface: str, imports: Iterable[str]) -> str:
    """An exported interface that has the name of an imported one gets a version of its own: no host compares them."""
    if interface not in imports:
        return interface
    name, _, version = interface.partition("@")
    major, _, rest = (version or "0.0.0").partition(".")
    return f"{name}@{int(major) + 1}.{rest}"


def _packages(interfaces: dict[str, str]) -> list[str]:
    found: dict[str, list[str]] = {}
    for full, body in interfaces.items():
        name, _, version = full.partition("@")
        package, _, interface = name.partition("/")
        key = f"{package}@{version}" if version else package
        found.setdefault(key, []).append(f"interface {escaped(interface)} {{\n{textwrap.indent(body, '  ')}\n}}\n")
    return [f"package {_package(key)};\n\n" + "\n".join(texts) for key, texts in found.items()]


def _package(name: str) -> str:
    namespace, _, rest = name.partition(":")
    word, at, version = rest.partition("@")
    return f"{escaped(namespace)}:{escaped(word)}{at}{version}"


def _world(imports: Iterable[str], exports: Iterable[str]) -> str:
    lines = [f"  import {each};" for each in imports] + [f"  export {each};" for each in exports]
    return f"package theater:generated;\n\nworld {WORLD} {{\n" + "\n".join(lines) + "\n}\n"


# -- words -------------------------------------------------------------------------------------------------------------


def escaped(name: str) -> str:
    """A name as WIT takes it where a keyword might stand."""
    return f"%{name}" if name in KEYWORDS else name


def _id(name: str) -> str:
    return escaped(name.replace("_", "-"))


def _case(record: Record) -> str:
    return escaped(record.name) + (f"({signature(record)})" if record.fields else "")


def _braces(word: str, name: str, items: Iterable[str]) -> str:
    inner = list(items)
    line = f"{word} {escaped(name)} {{ {', '.join(inner)} }}"
    return line if len(line) <= LINE else f"{word} {escaped(name)} {{\n  " + ",\n  ".join(inner) + ",\n}"


def _doc(text: str) -> list[str]:
    return [f"/// {line}".rstrip() for line in text.splitlines()]
