"""Whether a value is of a declared type, by the rules of pack-abi section 9.4.

Anything fits ``value``. Records need exactly the declared fields, in any order; variants go by the name of the case,
tuples by length; numbers are never converted. Types that values carry about themselves are not looked at.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from theater import types, values
from theater.types import Type
from theater.values import Value

_SHOWN: Final = 60
"""Characters of a value shown in a mismatch."""


class Mismatch(msgspec.Struct, frozen=True):
    """The first difference between a value and a type: ``.items[3]``, what was expected there and what is."""

    path: str
    expected: str
    got: str

    @property
    def problem(self) -> str:
        return f"expected {self.expected}, got {self.got}"

    def __str__(self) -> str:
        return f"{self.path.removeprefix('.')}: {self.problem}" if self.path else self.problem


def fits(value: Value, kind: Type) -> Mismatch | None:
    """Return the first place where a value is not of a type, or None if it is."""
    return _CHECKS[type(kind)](value, kind)


def _wrong(value: Value, expected: object) -> Mismatch:
    from theater.text import format

    return Mismatch("", str(expected), format(value, _SHOWN))


def _inside(place: str, value: Value, kind: Type) -> Mismatch | None:
    found = _CHECKS[type(kind)](value, kind)
    return None if found is None else Mismatch(place + found.path, found.expected, found.got)


def _primitive(value: Value, kind: Any) -> Mismatch | None:
    return None if type(value) is values.CLASS_OF[kind] else _wrong(value, kind)


def _list(value: Value, kind: types.List) -> Mismatch | None:
    if not isinstance(value, values.List):
        return _wrong(value, kind)
    if value.element in values.FIXED_WIDTH:
        is_any = isinstance(kind.item, types.Special | types.Parameter)
        return None if is_any or value.element == kind.item or not value.items else _wrong(value, kind)
    for place, item in enumerate(value.items):
        found = _inside(f"[{place}]", item, kind.item)
        if found is not None:
            return found
    return None


def _option(value: Value, kind: types.Option) -> Mismatch | None:
    if not isinstance(value, values.Option):
        return _wrong(value, kind)
    return None if value.value is None else fits(value.value, kind.item)


def _result(value: Value, kind: types.Result) -> Mismatch | None:
    if not isinstance(value, values.Result):
        return _wrong(value, kind)
    side, absent, place = (kind.ok, types.BOOL, ".ok") if value.is_ok else (kind.err, types.STRING, ".err")
    if value.value == values.UNIT and side == absent:
        return None  # an absent side, `_`, reads as bool or string in metadata (pack-abi section 7)
    return _inside(place, value.value, side)


def _tuple(value: Value, kind: types.Tuple) -> Mismatch | None:
    if not isinstance(value, values.Tuple) or len(value.items) != len(kind.items):
        return _wrong(value, kind)
    for place, (item, inner) in enumerate(zip(value.items, kind.items, strict=True)):
        found = _inside(f"[{place}]", item, inner)
        if found is not None:
            return found
    return None


def _record(value: Value, kind: types.Record) -> Mismatch | None:
    if not isinstance(value, values.Record):
        return _wrong(value, f"a record {kind}" if kind.name else "a record")
    given = dict(value.fields)
    if len(value.fields) != len(kind.fields) or given.keys() != {name for name, _ in kind.fields}:
        listed = ", ".join(name for name, _ in kind.fields) or "none"
        return Mismatch("", f"exactly the fields {listed}", ", ".join(name for name, _ in value.fields) or "none")
    for name, inner in kind.fields:
        found = _inside(f".{name}", given[name], inner)
        if found is not None:
            return found
    return None


def _variant(value: Value, kind: types.Variant) -> Mismatch | None:
    cases = dict(kind.cases)
    if not isinstance(value, values.Variant) or value.case not in cases:
        return _wrong(value, f"one of the cases {', '.join(cases)}")
    inner = cases[value.case]
    if inner is None:
        return None if not value.payload else _wrong(value, f"case {value.case} without a value")
    if len(value.payload) == 1:
        return _inside(f".{value.case}", value.payload[0], inner)
    if value.payload and isinstance(inner, types.Tuple):  # a guest may write the items of a tuple one by one
        return _inside(f".{value.case}", values.Tuple(value.payload), inner)
    return _wrong(value, f"case {value.case} with a value of type {inner}")


def _named(value: Value, kind: types.Named) -> Mismatch | None:
    match value:
        case values.Record(name=name) | values.Variant(type_name=name) if name == kind.name:
            return None
        case _:
            return _wrong(value, kind.name or "a record or variant without a name")


def _anything(value: Value, kind: Type) -> Mismatch | None:
    return None if kind != types.NOTHING or value == values.UNIT else _wrong(value, "()")


_CHECKS: Final[dict[type[Type], Callable[[Value, Any], Mismatch | None]]] = {
    types.Primitive: _primitive,
    types.List: _list,
    types.Option: _option,
    types.Result: _result,
    types.Tuple: _tuple,
    types.Record: _record,
    types.Variant: _variant,
    types.Named: _named,
    types.Special: _anything,
    types.Parameter: _anything,
}
