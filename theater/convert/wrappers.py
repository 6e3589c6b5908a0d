"""What both directions and both ways of converting share: wrappers, the error, and a look at foreign objects."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, NoReturn

import msgspec

from theater.types import Type

_SHOWN: Final = 60
"""Characters of an object shown in an error."""
_SHOWN_BITS: Final = 128
"""Size of an int shown in an error."""


class Ok(msgspec.Struct, frozen=True):
    """The success of a ``result``."""

    value: Any = None


class Err(msgspec.Struct, frozen=True):
    """The failure of a ``result``."""

    value: Any = None


class Some(msgspec.Struct, frozen=True):
    """A value that is there, in an option of an option: ``Some(None)`` is not ``None``."""

    value: Any


class ConvertError(ValueError):
    """An object that is not of the declared type: ``params[0].items[3]: expected u8, got 300``."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(problem, path)
        self.problem = problem
        self.path = path

    def __str__(self) -> str:
        return f"{self.path.removeprefix('.')}: {self.problem}" if self.path else self.problem


def expected(what: object, item: Any) -> NoReturn:
    raise ConvertError(f"expected {what}, got {describe(item)}")


def describe(item: Any) -> str:
    if isinstance(item, int) and item.bit_length() > _SHOWN_BITS:
        return f"an int of {item.bit_length()} bits"
    if item is None or isinstance(item, bool | int | float | str):
        shown = repr(item[:_SHOWN] if isinstance(item, str) else item)
        return shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
    if isinstance(item, bytes | bytearray | list | tuple | dict | set | frozenset):
        return f"{type(item).__name__} of length {len(item)}"
    return f"an object of type {type(item).__name__}"


def attributes(item: Any) -> Mapping[Any, Any] | None:
    """Return what has named parts as a mapping, anything else as None."""
    if isinstance(item, Mapping):
        return item
    names = getattr(type(item), "__struct_fields__", None) or getattr(type(item), "__dataclass_fields__", None)
    names = names or getattr(type(item), "_fields", None)
    if isinstance(item, type | Ok | Err | Some) or names is None:
        return None
    return {name: getattr(item, name) for name in names}


def in_order(items: Iterable[Any], kind: Type) -> list[Any]:
    """Maps and sets travel sorted (pack-abi section 2.3)."""
    try:
        return sorted(items)
    except TypeError:
        raise ConvertError(f"expected {kind}, got items that have no order") from None
