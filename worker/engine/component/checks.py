"""Whether a value is of the kind that is to be written: the same words wherever it is written to."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, TypeVar

from theater import types, values
from theater.values import UNIT, Value
from worker.engine.component.handles import Mismatch

T = TypeVar("T")


def wrong(wanted: str, value: Any) -> Mismatch:
    """A value is not what is wanted."""
    return Mismatch(f"expected {wanted}, got {type(value).__name__.lower()}")


def code_point(value: Any) -> int:
    """The number of a character."""
    if type(value) is not values.Char:
        raise wrong("char", value)
    return ord(value.value)


def utf8(value: Any) -> bytes:
    """The bytes of a string."""
    if type(value) is not values.String:
        raise wrong("string", value)
    try:
        return value.value.encode()
    except UnicodeEncodeError as error:
        raise Mismatch(f"expected a string of Unicode scalar values: {error}") from None


def packed(value: Any, item: types.Primitive) -> Any:
    """The items of a list of numbers."""
    if type(value) is not values.List or (value.element != item and value.items):
        raise wrong(f"list<{item}>", value)
    return value.items


def fields(value: Any, names: Collection[str]) -> dict[str, Value]:
    """The fields of a record that has exactly these."""
    found = dict(value.fields) if type(value) is values.Record else {}
    if found.keys() != names or len(value.fields) != len(names):
        raise wrong(f"a record of {', '.join(names)}", value)
    return found


def case(value: Any, known: Mapping[str, T]) -> T:
    """What is known of the case of a variant."""
    found = known.get(value.case) if type(value) is values.Variant else None
    if found is None:
        raise wrong(f"one of {', '.join(known)}", value)
    return found


def payload(value: Any, has_one: bool) -> Value | None:
    """The payload of a case that has one, or has none."""
    if len(value.payload) != has_one:
        raise wrong(f"the payload of {value.case}", value)
    return value.payload[0] if has_one else None


def name(value: Any, known: Mapping[str, T]) -> T:
    """What is known of the name of an enum."""
    found = known.get(value.case) if type(value) is values.Variant and not value.payload else None
    if found is None:
        raise wrong(f"one of {', '.join(known)}", value)
    return found


def mask(value: Any, names: Collection[str]) -> int:
    """The mask of flags, of which there are only these."""
    if type(value) is not values.Flags or value.value >> len(names):
        raise wrong(f"flags of {', '.join(names)}", value)
    return value.value


def nothing(value: Value) -> None:
    """A result's side that has no value."""
    if value != UNIT:
        raise wrong("a result without a value", value)
