"""Numbers, bools and text of a declared type."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from theater import types, values
from theater.convert.wrappers import expected
from theater.types import Primitive, Type
from theater.values import Value


def integer(item: Any, kind: Primitive) -> Value:
    low, high = _bounds(kind)
    if not isinstance(item, int) or isinstance(item, bool) or not low <= item <= high:
        expected(kind, item)
    return values.CLASS_OF[kind](int(item))


@lru_cache(maxsize=32)
def _bounds(kind: Primitive) -> tuple[int, int]:
    return (0, (1 << 64) - 1) if kind is types.FLAGS else types.bounds(kind)


def are_integers(items: list[Any] | tuple[Any, ...], kind: Type) -> bool:
    """Whether all items are plain ints within an integer type's range: most long lists are."""
    if not isinstance(kind, Primitive) or kind not in types.INTEGERS:
        return False
    low, high = types.bounds(kind)
    return all(type(item) is int and low <= item <= high for item in items)


def floating(item: Any, kind: Primitive) -> Value:
    if not isinstance(item, float | int) or isinstance(item, bool):
        expected(kind, item)
    try:
        return (values.F32 if kind == types.F32 else values.F64).from_float(item)
    except OverflowError:
        expected(kind, item)


def boolean(item: Any, kind: Primitive) -> Value:
    return values.Bool(item) if isinstance(item, bool) else expected(kind, item)


def string(item: Any, kind: Primitive) -> Value:
    if not isinstance(item, str) or not _is_unicode(item):
        expected(kind, item)
    return values.String(item)


def char(item: Any, kind: Primitive) -> Value:
    if not isinstance(item, str) or len(item) != 1 or not _is_unicode(item):
        expected(kind, item)
    return values.Char(item)


def _is_unicode(text: str) -> bool:
    """Whether a text can be encoded: it holds no lone surrogate."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


SCALARS: Final[dict[str, Callable[[Any, Primitive], Value]]] = {
    **dict.fromkeys((kind.name for kind in types.INTEGERS), integer),
    "flags": integer,
    "f32": floating,
    "f64": floating,
    "bool": boolean,
    "string": string,
    "char": char,
}
