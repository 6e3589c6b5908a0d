"""Types of values: what a container declares about its items, and what a function declares about its parameters.

The same few records serve both. Inside a value only *tags* occur: a record or variant is there by name alone
(``Named``). A function's signature says everything: ``Record`` and ``Variant`` with their parts, ``VALUE`` for
"anything" (pack-abi sections 2.2 and 7).

Types are equal by structure and can be dictionary keys. ``str(a_type)`` prints it as the text form of values does.
"""

from __future__ import annotations

from typing import Final

import msgspec

DECLARED_DEPTH_MAX: Final = 64
"""Levels of nesting in a type that is read from text or from a package's metadata."""


class Type(msgspec.Struct, frozen=True, cache_hash=True, gc=False):
    """Base of all types."""

    def __str__(self) -> str:
        return render(self)


class Primitive(Type, frozen=True, gc=False):
    """A type without parts. ``tag`` is its number in CGRF, ``width`` its bytes there (0: not fixed)."""

    name: str
    tag: int
    width: int
    format: str
    """The ``struct`` letter of the encoded form; empty for a string. Floats are handled as bits."""


class List(Type, frozen=True, gc=False):
    """``list<item>``."""

    item: Type


class Option(Type, frozen=True, gc=False):
    """``option<item>``."""

    item: Type


class Result(Type, frozen=True, gc=False):
    """``result<ok, err>``."""

    ok: Type
    err: Type


class Tuple(Type, frozen=True, gc=False):
    """``tuple<…>``; without items it is the unit type."""

    items: tuple[Type, ...] = ()


class Named(Type, frozen=True, gc=False):
    """A record or variant known by its name only, as containers declare their items."""

    name: str
    is_variant: bool = False


class Record(Type, frozen=True, gc=False):
    """A record with its fields, in declared order."""

    name: str
    fields: tuple[tuple[str, Type], ...] = ()


class Variant(Type, frozen=True, gc=False):
    """A variant or enum with its cases in declared order: the position of a case is its tag."""

    name: str
    cases: tuple[tuple[str, Type | None], ...] = ()


class Parameter(Type, frozen=True, gc=False):
    """A type parameter of an interface (``ref`` in metadata): anything, and hashed as such."""

    name: str


class Special(Type, frozen=True, gc=False):
    """``VALUE`` or ``NOTHING``."""

    name: str


BOOL: Final = Primitive("bool", 0x01, 1, "?")
S32: Final = Primitive("s32", 0x02, 4, "i")
S64: Final = Primitive("s64", 0x03, 8, "q")
F32: Final = Primitive("f32", 0x04, 4, "I")
F64: Final = Primitive("f64", 0x05, 8, "Q")
STRING: Final = Primitive("string", 0x06, 0, "")
U8: Final = Primitive("u8", 0x0C, 1, "B")
U16: Final = Primitive("u16", 0x0D, 2, "H")
U32: Final = Primitive("u32", 0x0E, 4, "I")
U64: Final = Primitive("u64", 0x0F, 8, "Q")
S8: Final = Primitive("s8", 0x10, 1, "b")
S16: Final = Primitive("s16", 0x11, 2, "h")
CHAR: Final = Primitive("char", 0x12, 4, "I")
FLAGS: Final = Primitive("flags", 0x13, 8, "Q")

VALUE: Final = Special("value")
"""Any value at all."""
NOTHING: Final = Special("_")
"""The absent side of a ``result``: carries the unit value, counts as bool (ok) or string (err) in hashes."""
UNIT: Final = Tuple(())
BYTES: Final = List(U8)

PRIMITIVES: Final[tuple[Primitive, ...]] = (
    BOOL, U8, U16, U32, U64, S8, S16, S32, S64, F32, F64, CHAR, STRING, FLAGS,
)  # fmt: skip
"""In the order of their numbers in metadata and interface hashes (pack-abi sections 7 and 8)."""
BY_NAME: Final[dict[str, Primitive]] = {kind.name: kind for kind in PRIMITIVES}

INTEGERS: Final[tuple[Primitive, ...]] = (U8, U16, U32, U64, S8, S16, S32, S64)


def bounds(kind: Primitive) -> tuple[int, int]:
    """Return the smallest and the largest number of an integer type."""
    bits = 8 * kind.width
    return (-(1 << bits - 1), (1 << bits - 1) - 1) if kind.name.startswith("s") else (0, (1 << bits) - 1)


def tag_form(kind: Type) -> Type:
    """Return the type as a value can carry it: records and variants by name, "anything" as the unit type."""
    match kind:
        case Record(name=name):
            return Named(name)
        case Variant(name=name):
            return Named(name, is_variant=True)
        case List(item=item):
            return List(tag_form(item))
        case Option(item=item):
            return Option(tag_form(item))
        case Result(ok=ok, err=err):
            return Result(tag_form(ok), tag_form(err))
        case Tuple(items=items):
            return Tuple(tuple(map(tag_form, items)))
        case Special() | Parameter():
            return UNIT
        case _:
            return kind


def render(kind: Type) -> str:
    """Return the type as text. Records and variants appear by name: ``list<point>``."""
    out: list[str] = []
    stack: list[Type | str] = [kind]
    while stack:
        part = stack.pop()
        out.append(part if isinstance(part, str) else _open(part, stack))
    return "".join(out)


def _open(kind: Type, stack: list[Type | str]) -> str:
    """Return the beginning of a type's text and leave the rest on the stack."""
    match kind:
        case List(item=item):
            stack += (">", item)
            return "list<"
        case Option(item=item):
            stack += (">", item)
            return "option<"
        case Result(ok=ok, err=err):
            stack += (">", err, ", ", ok)
            return "result<"
        case Tuple(items=items):
            stack.append(">")
            for place in range(len(items) - 1, -1, -1):
                stack.append(items[place])
                if place:
                    stack.append(", ")
            return "tuple<"
        case _:
            return kind.name  # type: ignore[attr-defined, no-any-return]
