"""Reading one node: what its payload says, each kind in one function (pack-abi sections 2.1 and 2.4).

A leaf reader returns the value. A parent reader returns the indices of the children and a function that makes the
value from them. All of them raise ``CgrfError`` for a payload that is not exactly right.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from struct import Struct
from typing import Final

from theater import types, values
from theater.cgrf import layout, typetags
from theater.cgrf.layout import U32, CgrfError
from theater.types import Type
from theater.values import Value

Build = Callable[[tuple[Value, ...]], Value]
Parent = tuple[tuple[int, ...], Build]
Reader = Callable[[bytes, int, int], Parent]
"""Of a payload: the buffer, where it begins, where it ends."""

INDICES: Final = tuple(Struct(f"<{count}I").unpack_from for count in range(17))

_NUMBERS: Final = {
    kind.TYPE.tag: (Struct("<" + kind.TYPE.format).unpack_from, kind.TYPE.width, kind)
    for kind in values.SCALARS
    if kind not in (values.Bool, values.Char, values.String)
}
SCALARS: Final = tuple(map(_NUMBERS.get, range(256)))
"""By kind: how to read a number, its width and its record. Bool and char are not here: not every bit pattern is one."""


def indices(data: bytes, at: int, count: int) -> tuple[int, ...]:
    if count < 17:
        return INDICES[count](data, at)
    return Struct(f"<{count}I").unpack_from(data, at)


def read_leaf(kind: int, data: bytes, at: int, end: int) -> Value:
    """Return the value of a scalar, string or array node."""
    scalar = SCALARS[kind]
    if scalar is not None:
        read, width, make = scalar
        _expect_width(width, at, end)
        return make(*read(data, at))
    if kind == layout.STRING:
        return read_string(data, at, end)
    if kind == layout.ARRAY:
        return read_array(data, at, end)
    if kind == layout.BOOL:
        return _read_bool(data, at, end)
    if kind == layout.CHAR:
        return _read_char(data, at, end)
    raise CgrfError(f"0x{kind:02x} is not a kind of node", offset=at - layout.NODE_BYTES)


def read_string(data: bytes, at: int, end: int) -> Value:
    text, behind = typetags.read_text(data, at, end)
    _expect_end(behind, end)
    return values.String(text)


def read_array(data: bytes, at: int, end: int) -> Value:
    element = typetags.FIXED_WIDTH.get(data[at]) if at < end else None
    if element is None:
        raise CgrfError("expected an array's element type: a primitive of fixed width", offset=at)
    count, at = typetags.read_count(data, at + 1, end, each=element.width)
    _expect_end(at + count * element.width, end)
    if element is types.U8:
        return values.List(element, data[at:end])
    items = Struct(f"<{count}{element.format}").unpack_from(data, at)
    if element is types.CHAR and not all(map(layout.is_char, items)):
        raise CgrfError("an array holds a number that is not a Unicode scalar value", offset=at)
    return values.List(element, items)


def read_tuple(data: bytes, at: int, end: int) -> Parent:
    return _children(data, at, end), values.Tuple


def read_list(data: bytes, at: int, end: int, *, legacy: bool = False) -> Parent:
    start = at
    element, at = typetags.read(data, at, end)
    children = _children(data, at, end)
    if element not in values.FIXED_WIDTH:
        return children, partial(values.List, element)
    if not legacy:
        raise CgrfError(f"a list of {element} must be an array", offset=start)
    return children, partial(_pack, element, start)


def read_variant(data: bytes, at: int, end: int) -> Parent:
    type_name, at = typetags.read_text(data, at, end)
    case, at = typetags.read_text(data, at, end)
    if end - at < 4:
        raise CgrfError("expected the number of a case", offset=at)
    return _children(data, at + 4, end), partial(values.Variant, type_name, case, U32.unpack_from(data, at)[0])


def read_record(data: bytes, at: int, end: int) -> Parent:
    name, at = typetags.read_text(data, at, end)
    count, at = typetags.read_count(data, at, end, each=8)
    fields = []
    for _ in range(count):
        field, at = typetags.read_text(data, at, end)
        fields.append(field)
    _expect_end(at + 4 * count, end)
    return indices(data, at, count), partial(_record, name, fields)


def read_option(data: bytes, at: int, end: int) -> Parent:
    inner = typetags.known(data[at : end - 5]) if end - at > 5 else None
    at, inner = (end - 5, inner) if inner else _type_and_offset(data, at, end)
    if end - at == 5 and data[at] == 1:
        return INDICES[1](data, at + 1), partial(_some, inner)
    if end - at == 1 and data[at] != 1:
        return (), partial(_none, inner)
    raise CgrfError("expected 1 and a child, or 0 and nothing", offset=at)


def read_result(data: bytes, at: int, end: int) -> Parent:
    (ok, err), at = typetags.read_pair(data, at, end)
    if end - at != 9 or data[at + 4] != 1:
        raise CgrfError("expected a result's tag, 1 and a child", offset=at)
    tag, child = U32.unpack_from(data, at)[0], U32.unpack_from(data, at + 5)[0]
    return (child,), partial(_result, ok, err, tag == 0)


PARENTS: Final[dict[int, Reader]] = {
    layout.LIST: read_list,
    layout.VARIANT: read_variant,
    layout.RECORD: read_record,
    layout.OPTION: read_option,
    layout.TUPLE: read_tuple,
    layout.RESULT: read_result,
}
PARENTS_LEGACY: Final[dict[int, Reader]] = {**PARENTS, layout.LIST: partial(read_list, legacy=True)}
LEAVES: Final = frozenset((*typetags.FIXED_WIDTH, layout.STRING, layout.ARRAY))


def _read_bool(data: bytes, at: int, end: int) -> Value:
    _expect_width(1, at, end)
    if data[at] > 1:
        raise CgrfError(f"expected a bool, 0 or 1, got {data[at]}", offset=at)
    return values.Bool(data[at] == 1)


def _read_char(data: bytes, at: int, end: int) -> Value:
    _expect_width(4, at, end)
    code = U32.unpack_from(data, at)[0]
    if not layout.is_char(code):
        raise CgrfError(f"expected a Unicode scalar value, got 0x{code:x}", offset=at)
    return values.Char(chr(code))


def _type_and_offset(data: bytes, at: int, end: int) -> tuple[int, Type]:
    kind, behind = typetags.read(data, at, end)
    return behind, kind


def _children(data: bytes, at: int, end: int) -> tuple[int, ...]:
    count, at = typetags.read_count(data, at, end, each=4)
    _expect_end(at + 4 * count, end)
    return indices(data, at, count)


def _expect_width(width: int, at: int, end: int) -> None:
    if end - at != width:
        raise CgrfError(f"expected a payload of {width} bytes, got {end - at}", offset=at)


def _expect_end(at: int, end: int) -> None:
    if at != end:
        raise CgrfError(f"{end - at} bytes too many in a payload" if at < end else "a payload is too short", offset=at)


def _some(inner: Type, children: tuple[Value, ...]) -> Value:
    return values.Option(inner, children[0])


def _none(inner: Type, _: tuple[Value, ...]) -> Value:
    return values.Option(inner, None)


def _result(ok: Type, err: Type, is_ok: bool, children: tuple[Value, ...]) -> Value:
    return values.Result(ok, err, is_ok, children[0])


def _record(name: str, fields: list[str], children: tuple[Value, ...]) -> Value:
    return values.Record(name, tuple(zip(fields, children, strict=True)))


def _pack(element: Type, offset: int, children: tuple[Value, ...]) -> Value:
    try:
        return values.list_of(element, children)
    except TypeError as error:
        raise CgrfError(f"in a list of {element}: {error}", offset=offset) from None
