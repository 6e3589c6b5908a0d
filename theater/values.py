"""Values that cross the sandbox: one frozen record per kind, equal when their encodings are (pack-abi section 2).

Records are not checked when made, so that making them is cheap; ``cgrf.encode`` refuses what has no encoding.
Comparing goes as deep as Python recurses (about 400 levels); beyond, compare encodings.
To make values from plain Python objects, and back, use ``theater.convert``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from struct import Struct
from typing import Any, ClassVar, Final

import msgspec

from theater import types
from theater.types import Primitive, Type

_F32 = Struct("<f")
_F64 = Struct("<d")
_U32 = Struct("<I")
_U64 = Struct("<Q")


class Value(msgspec.Struct, frozen=True, gc=False):
    """Base of all values. ``str(value)`` is the text form."""

    def __str__(self) -> str:
        from theater.text import format

        return format(self)


class Scalar(Value, frozen=True, gc=False):
    """Base of the values without parts."""

    TYPE: ClassVar[Primitive]


class Bool(Scalar, frozen=True, gc=False):
    TYPE: ClassVar[Primitive] = types.BOOL
    value: bool


class S8(Scalar, frozen=True, gc=False):
    TYPE: ClassVar[Primitive] = types.S8
    value: int


class S16(Scalar, frozen=True, gc=False):
    TYPE: ClassVar[Primitive] = types.S16
    value: int


class S32(Scalar, frozen=True, gc=False):
    TYPE: ClassVar[Primitive] = types.S32
    value: int


class S64(Scalar, frozen=True, gc=False):
    TYPE: ClassVar[Primitive] = types.S64
    value: int


class U8(Scalar, frozen=True, gc=False):
    TYPE: ClassVar[Primitive] = types.U8
    value: int


class U16(Scalar, frozen=True, gc=False):
    TYPE: ClassVar[Primitive] = types.U16
    value: int


class U32(Scalar, frozen=True, gc=False):
    TYPE: ClassVar[Primitive] = types.U32
    value: int


class U64(Scalar, frozen=True, gc=False):
    TYPE: ClassVar[Primitive] = types.U64
    value: int


class F32(Scalar, frozen=True, gc=False):
    """A 32-bit float, kept as its bits: NaN payloads would not survive a Python float."""

    TYPE: ClassVar[Primitive] = types.F32
    bits: int

    @classmethod
    def from_float(cls, number: float) -> F32:
        """Return the nearest 32-bit float. Raises OverflowError when there is none."""
        return cls(f32_bits(number))

    @property
    def value(self) -> float:
        return f32_float(self.bits)


class F64(Scalar, frozen=True, gc=False):
    """A 64-bit float, kept as its bits."""

    TYPE: ClassVar[Primitive] = types.F64
    bits: int

    @classmethod
    def from_float(cls, number: float) -> F64:
        return cls(f64_bits(number))

    @property
    def value(self) -> float:
        return f64_float(self.bits)


class Char(Scalar, frozen=True, gc=False):
    """One Unicode scalar value, as a string of length 1."""

    TYPE: ClassVar[Primitive] = types.CHAR
    value: str


class String(Scalar, frozen=True, gc=False):
    TYPE: ClassVar[Primitive] = types.STRING
    value: str


class Flags(Scalar, frozen=True, gc=False):
    """A mask of up to 64 flags."""

    TYPE: ClassVar[Primitive] = types.FLAGS
    value: int


class List(Value, frozen=True, gc=False):
    """A list of one declared element type.

    ``items`` is a tuple of values, except for elements of fixed width, which are kept without a record each: bytes for
    ``list<u8>``, else a tuple of bools or ints (bits of floats, code points of chars). See ``list_of``.
    """

    element: Type
    items: bytes | tuple[Any, ...] = ()


class Option(Value, frozen=True, gc=False):
    """Some value, or none (``value`` is None)."""

    inner: Type
    value: Value | None = None


class Result(Value, frozen=True, gc=False):
    """A success or a failure, with the declared types of both."""

    ok: Type
    err: Type
    is_ok: bool
    value: Value


class Tuple(Value, frozen=True, gc=False):
    items: tuple[Value, ...] = ()


class Record(Value, frozen=True, gc=False):
    """Named fields in order. ``record["field"]`` finds one."""

    name: str
    fields: tuple[tuple[str, Value], ...] = ()

    def __getitem__(self, field: str) -> Value:
        for name, value in self.fields:
            if name == field:
                return value
        raise KeyError(field)


class Variant(Value, frozen=True, gc=False):
    """One case of a variant or enum, with its number and what it carries."""

    type_name: str
    case: str
    tag: int = 0
    payload: tuple[Value, ...] = ()


SCALARS: Final[tuple[type[Scalar], ...]] = (
    Bool, S8, S16, S32, S64, U8, U16, U32, U64, F32, F64, Char, String, Flags,
)  # fmt: skip
CLASS_OF: Final[dict[Type, type[Scalar]]] = {kind.TYPE: kind for kind in SCALARS}
FIXED_WIDTH: Final[dict[Type, Primitive]] = {kind.TYPE: kind.TYPE for kind in SCALARS if kind.TYPE.width}
"""The element types whose lists are kept and encoded without a node per item."""

UNIT: Final = Tuple(())
NO_BYTES: Final = Option(types.BYTES, None)
"""``none<list<u8>>``: the state an actor starts from when nothing else is said (pack-abi section 9.2)."""


def unit() -> Tuple:
    """Return the empty tuple, which stands for "no value"."""
    return UNIT


def bytes_of(data: bytes) -> List:
    """Return a ``list<u8>``."""
    return List(types.U8, data)


def list_of(element: Type, items: Iterable[Value]) -> List:
    """Return a list of values, packed when the element type has a fixed width.

    Raises:
        TypeError: the element type has a fixed width and an item is of another type.
    """
    if element not in FIXED_WIDTH:
        return List(element, tuple(items))
    kind = CLASS_OF[element]
    packed = tuple(_number(item, kind) for item in items)
    return List(element, bytes(packed) if kind is U8 else packed)


def items_of(value: List) -> tuple[Value, ...]:
    """Return a list's items as values, whatever their width."""
    kind = CLASS_OF.get(value.element)
    if kind is None or kind is String:
        return tuple(value.items)
    if kind is Char:
        return tuple(Char(chr(code)) for code in value.items)
    return tuple(map(kind, value.items))


def _list_values(value: Any) -> Sequence[Value]:
    return () if value.element in FIXED_WIDTH else value.items


INNER: Final[dict[type[Value], Callable[[Any], Sequence[Value]]]] = {
    Tuple: lambda value: value.items,
    List: _list_values,
    Option: lambda value: () if value.value is None else (value.value,),
    Result: lambda value: (value.value,),
    Record: lambda value: [item for _, item in value.fields],
    Variant: lambda value: value.payload,
}
"""By class: the values directly inside, in order. Packed lists have none."""


def type_of(value: Value) -> Type:
    """Return the type of a value, as a container of it would declare it."""
    match value:
        case Scalar():
            return value.TYPE
        case List(element=element):
            return types.List(element)
        case Option(inner=inner):
            return types.Option(inner)
        case Result(ok=ok, err=err):
            return types.Result(ok, err)
        case Record(name=name):
            return types.Named(name)
        case Variant(type_name=name):
            return types.Named(name, is_variant=True)
        case Tuple(items=items):
            return types.Tuple(tuple(map(type_of, items)))
        case _:
            raise TypeError(f"expected a value, got {type(value).__name__}")


def f32_bits(number: float) -> int:
    return int.from_bytes(_F32.pack(float(number)), "little")


def f64_bits(number: float) -> int:
    return int.from_bytes(_F64.pack(float(number)), "little")


def f32_float(bits: int) -> float:
    return _F32.unpack(_U32.pack(bits))[0]  # type: ignore[no-any-return]


def f64_float(bits: int) -> float:
    return _F64.unpack(_U64.pack(bits))[0]  # type: ignore[no-any-return]


def _number(item: Value, kind: type[Scalar]) -> int:
    if type(item) is not kind:
        raise TypeError(f"expected {kind.TYPE.name} items, got {type_of(item)}")
    match item:
        case F32(bits=bits) | F64(bits=bits):
            return bits
        case Char(value=char):
            return ord(char)
        case _:
            return item.value  # type: ignore[attr-defined, no-any-return]
