"""What codecs are made of: a maker per sort of kind. ``layout``, ``structures`` and ``canonical`` have a table each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, NamedTuple, TypeVar

from theater import types
from worker.engine.component.handles import Mismatch
from worker.engine.component.kinds import Enum, Flags, Handle, Kind

T = TypeVar("T")


class Makers(NamedTuple, Generic[T]):
    """How each sort of kind is made, from its parts."""

    number: Callable[[types.Primitive], T]
    """Of a truth value also."""
    char: Callable[[], T]
    string: Callable[[], T]
    packed: Callable[[types.Primitive], T]
    """A list whose items have a fixed width."""
    list_: Callable[[Kind], T]
    tuple_: Callable[[tuple[Kind, ...]], T]
    record: Callable[[str, tuple[tuple[str, Kind], ...]], T]
    option: Callable[[Kind], T]
    result: Callable[[Kind, Kind], T]
    variant: Callable[[str, tuple[tuple[str, Kind | None], ...]], T]
    enum: Callable[[str, tuple[str, ...]], T]
    flags: Callable[[tuple[str, ...]], T]
    handle: Callable[[Handle], T]


def made(kind: Kind, by: Makers[T]) -> T:
    """What the makers make of a kind."""
    match kind:
        case types.CHAR:
            return by.char()
        case types.STRING:
            return by.string()
        case types.Primitive():
            return by.number(kind)
        case types.List(item=item):
            return by.packed(item) if isinstance(item, types.Primitive) and item.width else by.list_(item)
        case types.Tuple(items=items):
            return by.tuple_(items)
        case types.Record(name=name, fields=fields):
            return by.record(name, fields)
        case types.Option(item=item):
            return by.option(item)
        case types.Result(ok=ok, err=err):
            return by.result(ok, err)
        case types.Variant(name=name, cases=cases):
            return by.variant(name, cases)
        case Enum(name=name, names=names):
            return by.enum(name, names)
        case Flags(names=names):
            return by.flags(names)
        case Handle():
            return by.handle(kind)
        case _:
            raise unsupported(kind)


def unsupported(kind: Kind) -> Mismatch:
    """Values of a kind cannot cross here."""
    return Mismatch(f"values of type {kind} are not supported")
