"""Objects whose type nobody declared, in their natural form (see ``theater.convert``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from theater import types, values
from theater.convert import scalars
from theater.convert.wrappers import ConvertError, Err, Ok, Some, attributes, expected, in_order
from theater.values import Value

DEPTH_MAX: Final = 150
"""Levels of nesting."""
_S64_MAX: Final = (1 << 63) - 1


def natural(item: Any, depth: int) -> Value:
    """Return an object in its natural form, see the module."""
    if depth > DEPTH_MAX:
        raise ConvertError(f"expected at most {DEPTH_MAX} levels of nesting")
    if isinstance(item, Value):
        return item
    if item is None:
        return values.NO_BYTES
    if isinstance(item, bool | int | float | str | bytes | bytearray | memoryview):
        return _natural_scalar(item)
    if isinstance(item, Some | Ok | Err):
        return _natural_wrapped(item, depth)
    given = attributes(item)
    if given is not None:
        is_mapping = isinstance(item, Mapping)
        return values.Record("", tuple(_natural_field(*pair, depth, is_mapping) for pair in given.items()))
    if isinstance(item, set | frozenset):
        item = in_order(item, types.VALUE)
    if not isinstance(item, list | tuple):
        expected("None, a bool, number, str, bytes, list, tuple, dict or a value", item)
    items = [_natural_part(f"[{place}]", part, depth) for place, part in enumerate(item)]
    return values.Tuple(tuple(items)) if isinstance(item, tuple) else list_of_anything(items)


def _natural_scalar(item: Any) -> Value:
    if isinstance(item, str):
        return scalars.string(item, types.STRING)
    if isinstance(item, bool):
        return values.Bool(item)
    if isinstance(item, int):
        return scalars.integer(item, types.U64 if item > _S64_MAX else types.S64)
    return values.F64.from_float(item) if isinstance(item, float) else values.bytes_of(bytes(item))


def _natural_part(place: str, item: Any, depth: int) -> Value:
    try:
        return natural(item, depth + 1)
    except ConvertError as error:
        error.path = place + error.path
        raise


def _natural_field(name: Any, item: Any, depth: int, is_key: bool) -> tuple[str, Value]:
    if not isinstance(name, str):
        expected("a str as the name of a field", name)
    return name if is_key else name.replace("_", "-"), _natural_part(f".{name}", item, depth)


def _natural_wrapped(item: Some | Ok | Err, depth: int) -> Value:
    if isinstance(item, Some):
        inner = natural(item.value, depth + 1)
        return values.Option(values.type_of(inner), inner)
    inner = values.UNIT if item.value is None else natural(item.value, depth + 1)
    if isinstance(item, Ok):
        return values.Result(values.type_of(inner), types.STRING, True, inner)
    return values.Result(types.UNIT, values.type_of(inner), False, inner)


def list_of_anything(items: list[Value]) -> Value:
    """Declare the items' own type if they agree, else the unit type: nobody looks (pack-abi section 2.2)."""
    kinds = {values.type_of(item) for item in items}
    return values.list_of(kinds.pop() if len(kinds) == 1 else types.UNIT, items)
