"""Encoding: always the canonical form, children before parents (pack-abi section 2.3).

Visiting a tree parents first and right to left, then turning the list round, gives children first and left to right:
two plain loops instead of recursion. In the second one a parent finds its children's numbers on top of a stack.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from struct import Struct
from struct import error as StructError
from typing import Any, Final

from theater import types, values
from theater.cgrf import layout, typetags
from theater.cgrf.layout import DEFAULT, HEADER, HEADER_BYTES, MAGIC, NODE, NODE_BYTES, U32, VERSION, CgrfError, Limits
from theater.cgrf.typetags import write_text
from theater.types import Primitive
from theater.values import Value

_PACK_NODE: Final[dict[type[Value], tuple[Callable[..., bytes], bytes]]] = {
    kind: (Struct("<8s" + kind.TYPE.format).pack, NODE.pack(kind.TYPE.tag, kind.TYPE.width))
    for kind in values.SCALARS
    if kind.TYPE.width and kind is not values.Char
}
"""By class: what packs a whole scalar node, and the node's head."""
_FLOATS: Final = (values.F32, values.F64)
_SHOWN: Final = 60
"""Characters of a value shown in an error."""


def encode(value: Value, limits: Limits = DEFAULT, *, legacy_lists: bool = False) -> bytes:
    """Return the canonical encoding of a value.

    ``legacy_lists`` writes lists of primitives as a node per item, for guests made before April 2026 (section 2.7).

    Raises:
        CgrfError: a number out of range, a text that is not Unicode, items of another type than their list declares,
            or a value beyond a limit.
    """
    order = _parents_first(value, limits, legacy_lists)
    parts: list[bytes] = [b""]
    done: list[int] = []
    depths: list[int] = []
    room = limits.buffer_bytes_max - HEADER_BYTES
    for item in reversed(order):
        number = len(parts) - 1
        kind = item.__class__
        packing = _PACK_NODE.get(kind)
        depth = 1
        try:
            if packing is not None:
                pack, head = packing
                parts.append(pack(head, item.bits if kind in _FLOATS else item.value))  # type: ignore[attr-defined]
            elif kind is values.String:
                text = item.value.encode()  # type: ignore[attr-defined]
                room = _append(parts, layout.STRING, U32.pack(len(text)) + text, limits, room)
            else:
                node, payload, used = _WRITERS[kind](item)
                if used:
                    payload += _children(done[-used:])
                    depth += max(depths[-used:])
                    del done[-used:], depths[-used:]
                room = _append(parts, node, payload, limits, room)
        except _MISTAKES as error:
            raise _refusal(item, error) from None
        done.append(number)
        depths.append(depth)
    parts[0] = HEADER.pack(MAGIC, VERSION, 0, len(order), len(order) - 1)
    if depths[0] > limits.depth_max:
        raise CgrfError(f"the value nests deeper than {limits.depth_max} levels")
    return b"".join(parts)


_MISTAKES: Final = (StructError, TypeError, AttributeError, KeyError, ValueError, OverflowError)
"""What a value with the wrong things in it makes the packing raise."""


def _parents_first(value: Value, limits: Limits, legacy: bool) -> list[Value]:
    """Return all values of a tree, each parent before its children, later siblings first."""
    order: list[Value] = []
    stack = [value]
    inners = _INNER_UNPACKED if legacy else values.INNER
    while stack:
        item = stack.pop()
        kind = item.__class__
        if kind is values.List and legacy:
            item = _unpacked(item)  # type: ignore[arg-type]
            kind = item.__class__
        order.append(item)
        inner = inners.get(kind)
        if inner is not None:
            stack.extend(inner(item))
            if len(order) + len(stack) > limits.nodes_max:
                raise CgrfError(f"the value has more than {limits.nodes_max} nodes")
    return order


class _Unpacked(Value, frozen=True, gc=False):
    """A list to be written with a node per item although its elements have a fixed width."""

    element: types.Type
    items: tuple[Value, ...]


def _unpacked(value: values.List) -> Value:
    return _Unpacked(value.element, values.items_of(value)) if value.element in values.FIXED_WIDTH else value


_INNER_UNPACKED: Final[dict[type[Value], Callable[[Any], Sequence[Value]]]] = {
    **values.INNER,
    _Unpacked: lambda value: value.items,
}

Written = tuple[int, bytes, int]
"""Kind of node, payload without the children, number of children."""


def _write_char(value: values.Char) -> Written:
    code = ord(value.value)
    if not layout.is_char(code):
        raise ValueError(f"0x{code:x} is not a Unicode scalar value")
    return layout.CHAR, U32.pack(code), 0


def _write_tuple(value: values.Tuple) -> Written:
    return layout.TUPLE, U32.pack(len(value.items)), len(value.items)


def _write_list(value: values.List) -> Written:
    packed = values.FIXED_WIDTH.get(value.element)
    if packed is not None:
        return layout.ARRAY, _array(packed, value.items), 0
    return layout.LIST, typetags.write(value.element) + U32.pack(len(value.items)), len(value.items)


def _write_unpacked(value: _Unpacked) -> Written:
    return layout.LIST, typetags.write(value.element) + U32.pack(len(value.items)), len(value.items)


def _write_option(value: values.Option) -> Written:
    has_value = value.value is not None
    return layout.OPTION, typetags.write(value.inner) + (b"\x01" if has_value else b"\x00"), int(has_value)


def _write_result(value: values.Result) -> Written:
    tag = b"\0\0\0\0\x01" if value.is_ok else b"\x01\0\0\0\x01"
    return layout.RESULT, typetags.write(value.ok) + typetags.write(value.err) + tag, 1


def _write_record(value: values.Record) -> Written:
    names = [write_text(name) for name, _ in value.fields]
    return layout.RECORD, b"".join((write_text(value.name), U32.pack(len(names)), *names)), len(names)


def _write_variant(value: values.Variant) -> Written:
    used = len(value.payload)
    return layout.VARIANT, write_text(value.type_name) + write_text(value.case) + _U32_PAIR.pack(value.tag, used), used


_U32_PAIR: Final = Struct("<II")

_WRITERS: Final[dict[type[Value], Callable[[Any], Written]]] = {
    values.Char: _write_char,
    values.Tuple: _write_tuple,
    values.List: _write_list,
    _Unpacked: _write_unpacked,
    values.Option: _write_option,
    values.Result: _write_result,
    values.Record: _write_record,
    values.Variant: _write_variant,
}


def _array(element: Primitive, items: bytes | tuple[Any, ...]) -> bytes:
    if element is types.U8:
        if not isinstance(items, bytes):
            raise TypeError(f"the items of a list<u8> are bytes, got {type(items).__name__}")
        packed = items
    else:
        if element is types.CHAR and not all(map(layout.is_char, items)):
            raise ValueError("an item is not a Unicode scalar value")
        packed = Struct(f"<{len(items)}{element.format}").pack(*items)
    return bytes([element.tag]) + U32.pack(len(items)) + packed


def _append(parts: list[bytes], kind: int, payload: bytes, limits: Limits, room: int) -> int:
    """Add a node; return how many bytes more there may be."""
    if len(payload) > limits.payload_bytes_max:
        raise CgrfError(f"a payload of {len(payload)} bytes is over the limit of {limits.payload_bytes_max}")
    room -= NODE_BYTES + len(payload)
    if room < 0:
        raise CgrfError(f"the value takes more than the limit of {limits.buffer_bytes_max} bytes")
    parts.append(NODE.pack(kind, len(payload)) + payload)
    return room


def _children(numbers: list[int]) -> bytes:
    return Struct(f"<{len(numbers)}I").pack(*numbers)


def _refusal(value: object, error: Exception) -> CgrfError:
    if isinstance(error, CgrfError):
        return error
    shown = repr(value)
    shown = shown if len(shown) <= _SHOWN else shown[:_SHOWN] + "…"
    why = f"{type(value).__name__} is not a value" if isinstance(error, KeyError) else str(error)
    return CgrfError(f"cannot encode {shown}: {why}")
