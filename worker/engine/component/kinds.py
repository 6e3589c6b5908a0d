"""What a component says a value is: the types of ours, and the few of WIT's that values of ours do not tell apart.

Enums are variants to us, flags are a mask, and a resource is known by a number (``u32``); on the border they differ.
Kinds are equal by structure and hashable, so whatever is made of one is made once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

import msgspec

from theater import types
from theater.types import Type

RECORD: Final = "record"
VARIANT: Final = "variant"
ENUM: Final = "enum"
"""What types are called whose name cannot be told."""
KEPT: Final = 4096
"""Kinds whose types are remembered."""

Kind = Type
"""A type of ours in which ``Enum``, ``Flags`` and ``Handle`` may occur."""


class Enum(types.Type, frozen=True, gc=False):
    """Cases without a payload."""

    name: str
    names: tuple[str, ...]


class Flags(types.Type, frozen=True, gc=False):
    """Flags with names; the first is the lowest bit of the mask."""

    names: tuple[str, ...]


class Handle(types.Type, frozen=True, gc=False):
    """``own`` or ``borrow`` of a resource."""

    resource: int
    """Its number among the component's resources."""
    is_own: bool


@lru_cache(maxsize=KEPT)
def plain(kind: Kind) -> Type:
    """The type that values of a kind have."""
    match kind:
        case Enum(name=name, names=names):
            return types.Variant(name, tuple((each, None) for each in names))
        case Flags():
            return types.FLAGS
        case Handle():
            return types.U32
        case _:
            return mapped(kind, plain)


def mapped(kind: Kind, change: Callable[[Kind], Kind]) -> Kind:
    """The kind with each of its parts changed."""
    match kind:
        case types.List(item=item):
            return types.List(change(item))
        case types.Option(item=item):
            return types.Option(change(item))
        case types.Result(ok=ok, err=err):
            return types.Result(change(ok), change(err))
        case types.Tuple(items=items):
            return types.Tuple(tuple(map(change, items)))
        case types.Record(name=name, fields=fields):
            return types.Record(name, tuple((field, change(item)) for field, item in fields))
        case types.Variant(name=name, cases=cases):
            return types.Variant(name, tuple((case, None if item is None else change(item)) for case, item in cases))
        case _:
            return kind


def named(kind: Kind, names: Mapping[Kind, str | None]) -> Kind:
    """The kind with the names that its records, variants and enums are known under; ``names`` is by nameless kind."""
    name = names.get(kind)
    inner = mapped(kind, lambda each: named(each, names))
    if name is None or not isinstance(inner, types.Record | types.Variant | Enum):
        return inner
    return msgspec.structs.replace(inner, name=name)


def holds_handle(kind: Kind) -> bool:
    """Whether a resource occurs in values of a kind."""
    return _holds(kind, lambda each: isinstance(each, Handle))


def holds_list(kind: Kind) -> bool:
    """Whether a list occurs in values of a kind."""
    return _holds(kind, lambda each: isinstance(each, types.List))


def holds_text(kind: Kind) -> bool:
    """Whether a string occurs in values of a kind."""
    return _holds(kind, lambda each: each == types.STRING)


def _holds(kind: Kind, is_it: Callable[[Kind], bool]) -> bool:
    found = False

    def look(each: Kind) -> Kind:
        nonlocal found
        found = found or is_it(each)
        return mapped(each, look)

    look(kind)
    return found
