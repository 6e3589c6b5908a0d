"""Objects into values of a declared type."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from theater import types, values
from theater.convert import scalars
from theater.convert.natural import list_of_anything, natural
from theater.convert.wrappers import ConvertError, Err, Ok, Some, attributes, describe, expected, in_order
from theater.fitting import fits
from theater.types import Primitive, Type
from theater.values import Value


def to_value(item: Any, kind: Type = types.VALUE, path: str = "") -> Value:
    """Return an object as a value of a type. ``path`` says in errors where the object stands.

    Raises:
        ConvertError: it does not fit; the error names the place of the first difference.
    """
    try:
        return _to_value(item, kind)
    except ConvertError as error:
        raise ConvertError(error.problem, path + error.path) from None


def _to_value(item: Any, kind: Type) -> Value:
    if isinstance(item, Value):
        wrong = fits(item, kind)
        if wrong is not None:
            raise ConvertError(wrong.problem, wrong.path)
        return item
    return _CONVERTERS[type(kind)](item, kind)


def _within(place: str, item: Any, kind: Type) -> Value:
    """Convert a part, adding its place to what goes wrong in it."""
    try:
        return _to_value(item, kind)
    except ConvertError as error:
        error.path = place + error.path
        raise


def _primitive(item: Any, kind: Type) -> Value:
    assert isinstance(kind, Primitive)
    return scalars.SCALARS[kind.name](item, kind)


_tag: Final = lru_cache(maxsize=1024)(types.tag_form)


def _list(item: Any, kind: Type) -> Value:
    assert isinstance(kind, types.List)
    if kind.item == types.U8 and isinstance(item, bytes | bytearray | memoryview):
        return values.bytes_of(bytes(item))
    if isinstance(item, bytes | bytearray | memoryview) or not isinstance(item, list | tuple | set | frozenset | dict):
        expected(kind, item)
    if isinstance(item, dict):
        if not isinstance(kind.item, types.Tuple) or len(kind.item.items) != 2:
            expected(kind, item)
        item = item.items()
    items = item if isinstance(item, list | tuple) else in_order(item, kind)
    if scalars.are_integers(items, kind.item):
        return values.List(kind.item, bytes(items) if kind.item == types.U8 else tuple(items))
    converted = [_within(f"[{place}]", part, kind.item) for place, part in enumerate(items)]
    if isinstance(kind.item, types.Special | types.Parameter):
        return list_of_anything(converted)
    return values.list_of(_tag(kind.item), converted)


def _option(item: Any, kind: Type) -> Value:
    assert isinstance(kind, types.Option)
    is_any = isinstance(kind.item, types.Special | types.Parameter)
    if item is None:
        return values.NO_BYTES if is_any else values.Option(_tag(kind.item), None)
    inner = _to_value(item.value if isinstance(item, Some) else item, kind.item)
    return values.Option(values.type_of(inner) if is_any else _tag(kind.item), inner)


def _result(item: Any, kind: Type) -> Value:
    assert isinstance(kind, types.Result)
    if isinstance(item, dict) and len(item) == 1 and item.keys() <= {"ok", "err"}:
        item = Ok(item["ok"]) if "ok" in item else Err(item["err"])
    if not isinstance(item, Ok | Err):
        expected(f"Ok(…) or Err(…) of {kind}", item)
    is_ok = isinstance(item, Ok)
    side, absent = (kind.ok, types.BOOL) if is_ok else (kind.err, types.STRING)
    if item.value in (None, ()) and side in (types.NOTHING, absent):
        inner: Value = values.UNIT  # `_` reads as bool or string in metadata (pack-abi section 7)
    else:
        inner = _within(".ok" if is_ok else ".err", item.value, side)
    return values.Result(_tag(kind.ok), _tag(kind.err), is_ok, inner)


def _tuple(item: Any, kind: Type) -> Value:
    assert isinstance(kind, types.Tuple)
    given = () if item is None else item
    if not isinstance(given, list | tuple) or len(given) != len(kind.items):
        expected(kind, item)
    parts = zip(given, kind.items, strict=True)
    return values.Tuple(tuple(_within(f"[{place}]", *part) for place, part in enumerate(parts)))


def _record(item: Any, kind: Type) -> Value:
    assert isinstance(kind, types.Record)
    given = attributes(item)
    if given is None:
        expected(f"a record {kind}" if kind.name else "a record", item)
    names = {name.replace("_", "-"): name for name in given if isinstance(name, str)}
    fields = []
    for name, inner in kind.fields:
        key = name if name in given else names.get(name.replace("_", "-"))
        if key is None and not isinstance(inner, types.Option):
            raise ConvertError(f"field {name} is missing")
        fields.append((name, _within(f".{name}", None if key is None else given[key], inner)))
    known = {name.replace("_", "-") for name, _ in kind.fields}
    for key in given:
        if not isinstance(key, str) or key.replace("_", "-") not in known:
            listed = ", ".join(name for name, _ in kind.fields) or "none"
            raise ConvertError(f"field {key} is not one of: {listed}")
    return values.Record(kind.name, tuple(fields))


def _variant(item: Any, kind: Type) -> Value:
    assert isinstance(kind, types.Variant)
    case, payload = _case(item)
    if case is None:
        expected(f"one of the cases {_cases(kind)}", item)
    for tag, (name, inner) in enumerate(kind.cases):
        if name in (case, case.replace("_", "-")):
            return values.Variant(kind.name, name, tag, _payload(name, inner, payload))
    raise ConvertError(f"expected one of the cases {_cases(kind)}, got {case!r}")


def _cases(kind: types.Variant) -> str:
    return ", ".join(name for name, _ in kind.cases)


def _case(item: Any) -> tuple[str | None, tuple[Any, ...]]:
    """Return the case an object names and what it gives it."""
    match item:
        case str():
            return item, ()
        case [str() as case, *payload]:
            return case, tuple(payload)
        case dict() if len(item) == 1:
            case, payload = next(iter(item.items()))
            return (case if isinstance(case, str) else None), () if payload is None else (payload,)
        case _:
            return None, ()


def _payload(case: str, kind: Type | None, given: tuple[Any, ...]) -> tuple[Value, ...]:
    if kind is None:
        if given:
            raise ConvertError(f"expected case {case} without a value, got {describe(given[0])}")
        return ()
    if len(given) > 1 and isinstance(kind, types.Tuple):
        given = (given,)
    if not given and isinstance(kind, types.Option):
        given = (None,)
    if len(given) != 1:
        raise ConvertError(f"expected case {case} with one value of type {kind}, got {len(given)}")
    return (_within(f".{case}", given[0], kind),)


def _named(item: Any, kind: Type) -> Value:
    raise ConvertError(f"the parts of type {kind} are not known: give a value")


def _anything(item: Any, kind: Type) -> Value:
    if kind == types.NOTHING:
        return _tuple(item, types.UNIT)
    return natural(item, 1)


_CONVERTERS: Final[dict[type[Type], Callable[[Any, Type], Value]]] = {
    Primitive: _primitive,
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
