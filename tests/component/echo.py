"""Components whose ``echo`` hands what it is given to the host and gives back what that answers, for any type.

So a value crosses the border four times. The text is made from the type: the flattening of the canonical ABI decides
what the function inside looks like.
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from theater import types, values
from theater.types import Type
from theater.values import Value
from worker.engine.component.kinds import Enum, Flags, mapped

PARAMS_MAX = 16
"""More flat parameters than this travel through memory."""
PRIMITIVES = {each: each.name for each in types.PRIMITIVES if each is not types.FLAGS}
CORE = {types.S64: "i64", types.U64: "i64", types.F32: "f32", types.F64: "f64"}


def component(kind: Type, pages: int = 4) -> str:
    """The text of a component that exports ``echo: func(v: T) -> T`` and imports the same from ``test:echo/host``."""
    inner: list[str] = []
    told = _text(kind, inner, "t", "i")
    outer: list[str] = []
    again = _text(kind, outer, "o", "o")
    names = [f'(alias export $host "n{number}" (type $o{number}))' for number in range(len(outer))]
    flat = flatten(kind)
    params = " ".join(["i32"] if len(flat) > PARAMS_MAX else flat)
    count = 1 if len(flat) > PARAMS_MAX else len(flat)
    given = " ".join(f"(local.get {place})" for place in range(count))
    by_memory = len(flat) > 1
    call = (
        f"(call $echo {given} (i32.const 64)) (i32.const 64)" if by_memory else f"(call $echo {given})"
    )
    result = "i32" if by_memory else flat[0]
    imported = f"(param {params} i32)" if by_memory else f"(param {params}) (result {flat[0]})"
    return f"""
(component
  (type $host (instance
    {" ".join(inner)}
    (export "echo" (func (param "v" {told}) (result {told})))))
  (import "test:echo/host" (instance $host (type $host)))
  {" ".join(names)}
  (core module $libc
    (memory (export "memory") {pages})
    (global $next (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (local $at i32)
      (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
      (global.set $next (i32.add (local.get $at) (local.get 3)))
      (local.get $at)))
  (core instance $libc (instantiate $libc))
  (alias core export $libc "memory" (core memory $memory))
  (alias core export $libc "realloc" (core func $realloc))
  (core func $echo (canon lower (func $host "echo") (memory $memory) (realloc $realloc)))
  (core module $guest
    (import "host" "echo" (func $echo {imported}))
    (func (export "echo") (param {params}) (result {result}) {call}))
  (core instance $guest (instantiate $guest (with "host" (instance (export "echo" (func $echo))))))
  (func $lifted (param "v" {again}) (result {again})
    (canon lift (core func $guest "echo") (memory $memory) (realloc $realloc)))
  (export "echo" (func $lifted)))
"""


def flatten(kind: Type) -> list[str]:
    """The core types a value of this type is passed as (canonical ABI)."""
    match kind:
        case types.Primitive(name="string") | types.List():
            return ["i32", "i32"]
        case types.Primitive():
            return [CORE.get(kind, "i32")]
        case Enum() | Flags():
            return ["i32"]
        case types.Tuple(items=items):
            return [each for item in items for each in flatten(item)]
        case types.Record(fields=fields):
            return [each for _, item in fields for each in flatten(item)]
        case types.Option(item=item):
            return ["i32", *flatten(item)]
        case types.Result(ok=ok, err=err):
            return ["i32", *_joined([ok, err])]
        case types.Variant(cases=cases):
            return ["i32", *_joined([payload for _, payload in cases])]
        case _:
            raise TypeError(kind)


def nameless(value: Value) -> Value:
    """The value without names of types: components do not say for sure how those are called."""
    match value:
        case values.List(element=element, items=items):
            items = items if element in values.FIXED_WIDTH else tuple(map(nameless, items))
            return values.List(nameless_type(element), items)
        case values.Option(inner=inner, value=item):
            return values.Option(nameless_type(inner), None if item is None else nameless(item))
        case values.Result(ok=ok, err=err, is_ok=is_ok, value=item):
            return values.Result(nameless_type(ok), nameless_type(err), is_ok, nameless(item))
        case values.Tuple(items=items):
            return values.Tuple(tuple(map(nameless, items)))
        case values.Record(fields=fields):
            return values.Record("", tuple((name, nameless(item)) for name, item in fields))
        case values.Variant(case=case, tag=tag, payload=payload):
            return values.Variant("", case, tag, tuple(map(nameless, payload)))
        case _:
            return value


def nameless_type(kind: Type) -> Type:
    """The type without names."""
    if isinstance(kind, types.Named | types.Record | types.Variant):
        kind = msgspec.structs.replace(kind, name="")
    return mapped(kind, nameless_type)


def _joined(payloads: list[Type | None]) -> list[str]:
    joined: list[str] = []
    for payload in payloads:
        for place, each in enumerate([] if payload in (None, types.NOTHING) else flatten(payload)):  # type: ignore[arg-type]
            if place == len(joined):
                joined.append(each)
            elif joined[place] != each:
                joined[place] = "i32" if {joined[place], each} == {"i32", "f32"} else "i64"
    return joined


def _text(kind: Type, named: list[str], letter: str, inside: str) -> str:
    """A type in component text. Records, variants, enums and flags need names: their definitions go to ``named``."""
    text: Callable[[Type], str] = lambda each: _text(each, named, letter, inside)  # noqa: E731
    match kind:
        case types.Primitive():
            return PRIMITIVES[kind]
        case types.List(item=item):
            return f"(list {text(item)})"
        case types.Option(item=item):
            return f"(option {text(item)})"
        case types.Result(ok=ok, err=err):
            left = "" if ok is types.NOTHING else text(ok)
            right = "" if err is types.NOTHING else f"(error {text(err)})"
            return f"(result {left} {right})"
        case types.Tuple(items=items):
            return f"(tuple {' '.join(map(text, items))})"
        case types.Record(fields=fields):
            shape = _of("record", [f'(field "{name}" {text(item)})' for name, item in fields])
        case types.Variant(cases=cases):
            shape = _of("variant", [f'(case "{name}" {_maybe(item, text)})' for name, item in cases])
        case Enum(names=names):
            shape = _of("enum", [f'"{name}"' for name in names])
        case Flags(names=names):
            shape = _of("flags", [f'"{name}"' for name in names])
        case _:
            raise TypeError(kind)
    number = len(named)
    named.append(f'(type $i{number} {shape}) (export "n{number}" (type $t{number} (eq $i{number})))')
    return f"${letter}{number}"


def _of(what: str, parts: list[str]) -> str:
    return f"({what} {' '.join(parts)})"


def _maybe(kind: Type | None, text: Callable[[Type], str]) -> str:
    return "" if kind is None else text(kind)
