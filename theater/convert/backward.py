"""Values into plain objects. Keeps its own stack: a guest may nest as deep as the codec allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from theater import types, values
from theater.convert.wrappers import Err, Ok, Some
from theater.values import Value


def from_value(value: Value) -> Any:
    """Return a value as a plain object."""
    order, stack = [], [value]
    while stack:
        part = stack.pop()
        order.append(part)
        inner = values.INNER.get(type(part))
        if inner is not None:
            stack.extend(inner(part))
    done: list[Any] = []
    for part in reversed(order):
        make, inner = _MAKERS[type(part)], values.INNER.get(type(part))
        count = len(inner(part)) if inner is not None else 0
        given = done[len(done) - count :]
        del done[len(done) - count :]
        done.append(make(part, given))
    return done[0]


def _from_float(value: Any, _: list[Any]) -> Any:
    return value.value


def _from_list(value: values.List, items: list[Any]) -> Any:
    packed = values.FIXED_WIDTH.get(value.element)
    if packed is None:
        return items
    if packed is types.U8:
        return value.items
    read = _UNPACK.get(packed.name)
    return list(value.items) if read is None else list(map(read, value.items))


_UNPACK: Final[dict[str, Callable[[int], Any]]] = {"f32": values.f32_float, "f64": values.f64_float, "char": chr}


def _from_option(value: values.Option, items: list[Any]) -> Any:
    if not items:
        return None
    return Some(items[0]) if isinstance(value.value, values.Option) else items[0]


_MAKERS: Final[dict[type[Value], Callable[[Any, list[Any]], Any]]] = {
    **dict.fromkeys(values.SCALARS, _from_float),
    values.List: _from_list,
    values.Option: _from_option,
    values.Result: lambda value, items: Ok(items[0]) if value.is_ok else Err(items[0]),
    values.Tuple: lambda _, items: tuple(items),
    values.Record: lambda value, items: dict(zip((name for name, _ in value.fields), items, strict=True)),
    values.Variant: lambda value, items: (value.case, *items) if items else value.case,
}
