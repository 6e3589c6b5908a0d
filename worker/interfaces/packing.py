"""Lists of numbers as host functions expect them: packed, whatever the guest's list says of its items.

A list node may call its items anything, also where they are numbers (pack-abi section 9.4 looks at the items): such a
list fits, and is the same list.
"""

from __future__ import annotations

from functools import lru_cache

from theater import types
from theater.types import Type
from theater.values import FIXED_WIDTH, List, Option, Tuple, Value, items_of, list_of


def packed(value: Value, kind: Type) -> Value:
    """Return a value that fits its type with every ``list<u8>`` in it as bytes, and other lists of numbers likewise."""
    match kind, value:
        case types.List(item=item), List(element=element) as given:
            if item in FIXED_WIDTH:
                return value if element == item else list_of(item, items_of(given))
            if _holds_numbers(item):
                return List(element, tuple(packed(each, item) for each in items_of(given)))
        case types.Option(item=item), Option(inner=inner, value=Value() as some):
            if _holds_numbers(item):
                return Option(inner, packed(some, item))
        case types.Tuple(items=kinds), Tuple(items=items):
            if _holds_numbers(kind):
                return Tuple(tuple(map(packed, items, kinds)))
    return value


@lru_cache(maxsize=1024)
def _holds_numbers(kind: Type) -> bool:
    """Whether there are lists of numbers in values of a type."""
    match kind:
        case types.List(item=item):
            return item in FIXED_WIDTH or _holds_numbers(item)
        case types.Option(item=item):
            return _holds_numbers(item)
        case types.Tuple(items=items):
            return any(map(_holds_numbers, items))
        case _:
            return False
