"""How a value lies in memory (wasmtime.h: wasmtime_component_val_t), written and read by closures made once per kind.

A value takes 32 bytes: its kind at 0, what it holds at 8. Values are laid out in bytes of Python's own, which CPython
keeps behind the header of the object; they are read where they lie. ``raw.unusable`` verifies that this is so.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache
from struct import Struct
from typing import Any, Final

from wasmtime import _ffi as ffi

from theater import types, values
from theater.values import U32, UNIT, Value
from worker.engine.component import checks
from worker.engine.component.handles import Handles, Room
from worker.engine.component.kinds import KEPT, Flags, Handle, Kind, plain
from worker.engine.component.making import Makers, made
from worker.engine.component.structures import KIND

VAL_BYTES: Final = 32
NAME_BYTES: Final = 16
"""Length and address, in front of a record's fields and for each flag."""
FIELD_BYTES: Final = NAME_BYTES + VAL_BYTES

MEMORY: Final = memoryview((ctypes.c_char * ((1 << 63) - 1)).from_address(0)).cast("B")
"""Memory by address, without a copy and an object for each look."""
HEADER_BYTES: Final = bytes.__basicsize__ - 1
"""Where the contents of a ``bytes`` begin."""
_two: Final = Struct("<QQ")
_one: Final = Struct("<Q")
_pointing: Final = Struct("<B7xQQ8x")
"""A value that holds a length and an address, or a flag and an address."""
_boxing: Final = Struct("<B7xQ16x")
_casing: Final = Struct("<B7xQQQ")

Lower = Callable[[Any, Room], bytes]
"""Returns the 32 bytes of a value; what they point to is kept in the room."""
Lift = Callable[[int, Handles], Value]
"""Reads the value at an address."""


@lru_cache(maxsize=KEPT)
def codec(kind: Kind) -> tuple[Lower, Lift]:
    """Return how values of a kind are written and read."""
    return made(kind, _MAKERS)


# -- leaves ------------------------------------------------------------------------------------------------------------


def _number(kind: types.Primitive) -> tuple[Lower, Lift]:
    of: Any = values.CLASS_OF[kind]
    layout = Struct(f"<B7x{kind.format}{VAL_BYTES - 8 - kind.width}x")
    number, pack, unpack = KIND[kind.name.upper()], layout.pack, Struct(f"<{kind.format}").unpack_from
    if kind in (types.F32, types.F64):  # as bits: NaN payloads would not survive a Python float

        def lower(value: Any, room: Room) -> bytes:
            if type(value) is not of:
                raise checks.wrong(kind.name, value)
            return pack(number, value.bits)
    else:

        def lower(value: Any, room: Room) -> bytes:
            if type(value) is not of:
                raise checks.wrong(kind.name, value)
            return pack(number, value.value)

    return lower, lambda at, handles: of(unpack(MEMORY, at + 8)[0])


def _char() -> tuple[Lower, Lift]:
    pack, unpack = Struct("<B7xI20x").pack, Struct("<I").unpack_from
    number = KIND["CHAR"]

    def lower(value: Any, room: Room) -> bytes:
        return pack(number, checks.code_point(value))

    return lower, lambda at, handles: values.Char(chr(unpack(MEMORY, at + 8)[0]))


_STRING: Final = KIND["STRING"]


def _string() -> tuple[Lower, Lift]:
    return _lower_string, _lift_string


def _lower_string(value: Any, room: Room) -> bytes:
    data = checks.utf8(value)
    room.append(data)
    return _pointing.pack(_STRING, len(data), id(data) + HEADER_BYTES)


def _lift_string(at: int, handles: Handles) -> Value:
    return values.String(_text(at + 8))


def _text(at: int) -> str:
    size, data = _two.unpack_from(MEMORY, at)
    return str(MEMORY[data : data + size], "utf-8")


def _name(text: str, kept: list[bytes]) -> bytes:
    """Length and address of a name that is kept for good."""
    data = text.encode()
    kept.append(data)
    return _two.pack(len(data), id(data) + HEADER_BYTES)


# -- lists -------------------------------------------------------------------------------------------------------------


def _packed(item: types.Primitive) -> tuple[Lower, Lift]:
    """Items of fixed width: copied byte by byte of the item, each with a stride, without a Python object per item."""
    width, number, is_bytes = item.width, KIND[item.name.upper()], item is types.U8

    def lower(value: Any, room: Room) -> bytes:
        items = checks.packed(value, item)
        count = len(items)
        if not count:
            return _pointing.pack(KIND["LIST"], 0, 8)
        data = items if is_bytes else Struct(f"<{count}{item.format}").pack(*items)
        body = bytearray(VAL_BYTES * count)
        body[::VAL_BYTES] = bytes((number,)) * count
        for place in range(width):
            body[8 + place :: VAL_BYTES] = data[place::width]
        room.append(body)
        area = (ctypes.c_char * len(body)).from_buffer(body)
        room.append(area)
        return _pointing.pack(KIND["LIST"], count, ctypes.addressof(area))

    def lift(at: int, handles: Handles) -> Value:
        count, data = _two.unpack_from(MEMORY, at + 8)
        if is_bytes:
            return values.List(item, bytes(MEMORY[data + 8 : data + VAL_BYTES * count : VAL_BYTES]) if count else b"")
        found = bytearray(width * count)
        for place in range(width if count else 0):
            found[place::width] = MEMORY[data + 8 + place : data + VAL_BYTES * count : VAL_BYTES]
        return values.List(item, Struct(f"<{count}{item.format}").unpack(found))

    return lower, lift


def _list(element: Kind) -> tuple[Lower, Lift]:
    lower_item, lift_item = codec(element)
    item_type = types.tag_form(plain(element))
    is_number = isinstance(element, Flags | Handle)  # kept without a record each
    number = KIND["LIST"]

    def lower(value: Any, room: Room) -> bytes:
        if type(value) is not values.List:
            raise checks.wrong("list", value)
        items = values.items_of(value)
        body = b"".join([lower_item(item, room) for item in items])
        room.append(body)
        return _pointing.pack(number, len(items), id(body) + HEADER_BYTES)

    def lift(at: int, handles: Handles) -> Value:
        count, data = _two.unpack_from(MEMORY, at + 8)
        items = [lift_item(place, handles) for place in range(data, data + VAL_BYTES * count, VAL_BYTES)]
        return values.list_of(item_type, items) if is_number else values.List(item_type, tuple(items))

    return lower, lift


# -- products ----------------------------------------------------------------------------------------------------------


def _tuple(elements: tuple[Kind, ...]) -> tuple[Lower, Lift]:
    lowers = tuple(codec(each)[0] for each in elements)
    lifts = tuple((place * VAL_BYTES, codec(each)[1]) for place, each in enumerate(elements))
    number, count = KIND["TUPLE"], len(elements)

    def lower(value: Any, room: Room) -> bytes:
        if type(value) is not values.Tuple or len(value.items) != count:
            raise checks.wrong(f"a tuple of {count}", value)
        body = b"".join([each(item, room) for each, item in zip(lowers, value.items, strict=True)])
        room.append(body)
        return _pointing.pack(number, count, id(body) + HEADER_BYTES)

    def lift(at: int, handles: Handles) -> Value:
        (data,) = _one.unpack_from(MEMORY, at + 16)
        return values.Tuple(tuple([each(data + offset, handles) for offset, each in lifts]))

    return lower, lift


def _record(type_name: str, fields: tuple[tuple[str, Kind], ...]) -> tuple[Lower, Lift]:
    kept: list[bytes] = []
    parts = tuple((name, _name(name, kept), codec(kind)[0]) for name, kind in fields)
    lifts = tuple(
        (name, place * FIELD_BYTES + NAME_BYTES, codec(kind)[1]) for place, (name, kind) in enumerate(fields)
    )
    number, count, known = KIND["RECORD"], len(parts), dict(fields).keys()

    def lower(value: Any, room: Room) -> bytes:
        found = checks.fields(value, known)
        body = b"".join([piece for name, head, each in parts for piece in (head, each(found[name], room))])
        room.append((body, kept))
        return _pointing.pack(number, count, id(body) + HEADER_BYTES)

    def lift(at: int, handles: Handles) -> Value:
        (data,) = _one.unpack_from(MEMORY, at + 16)
        return values.Record(type_name, tuple([(name, each(data + offset, handles)) for name, offset, each in lifts]))

    return lower, lift


# -- sums --------------------------------------------------------------------------------------------------------------


def _boxed(data: bytes, room: Room) -> int:
    room.append(data)
    return id(data) + HEADER_BYTES


def _option(item: Kind) -> tuple[Lower, Lift]:
    lower_it, lift_it = codec(item)
    inner, number = types.tag_form(plain(item)), KIND["OPTION"]
    none = _boxing.pack(number, 0)

    def lower(value: Any, room: Room) -> bytes:
        if type(value) is not values.Option:
            raise checks.wrong("option", value)
        if value.value is None:
            return none
        return _boxing.pack(number, _boxed(lower_it(value.value, room), room))

    def lift(at: int, handles: Handles) -> Value:
        (box,) = _one.unpack_from(MEMORY, at + 8)
        return values.Option(inner, lift_it(box, handles) if box else None)

    return lower, lift


def _result(ok: Kind, err: Kind) -> tuple[Lower, Lift]:
    sides = [None if each is types.NOTHING else codec(each) for each in (err, ok)]
    ok_type, err_type = (types.tag_form(plain(each)) for each in (ok, err))
    number = KIND["RESULT"]

    def lower(value: Any, room: Room) -> bytes:
        if type(value) is not values.Result:
            raise checks.wrong("result", value)
        side = sides[value.is_ok]
        if side is None:
            checks.nothing(value.value)
            return _pointing.pack(number, value.is_ok, 0)
        return _pointing.pack(number, value.is_ok, _boxed(side[0](value.value, room), room))

    def lift(at: int, handles: Handles) -> Value:
        is_ok = MEMORY[at + 8] == 1
        side = sides[is_ok]
        (box,) = _one.unpack_from(MEMORY, at + 16)
        return values.Result(ok_type, err_type, is_ok, UNIT if side is None else side[1](box, handles))

    return lower, lift


def _variant(type_name: str, cases: tuple[tuple[str, Kind | None], ...]) -> tuple[Lower, Lift]:
    kept: list[bytes] = []
    parts = {
        name: (tag, None if kind is None else codec(kind), _two.unpack(_name(name, kept)))
        for tag, (name, kind) in enumerate(cases)
    }
    number = KIND["VARIANT"]

    def lower(value: Any, room: Room) -> bytes:
        _, side, (size, at) = checks.case(value, parts)
        payload = checks.payload(value, side is not None)
        box = 0 if side is None else _boxed(side[0](payload, room), room)
        room.append(kept)
        return _casing.pack(number, size, at, box)

    def lift(at: int, handles: Handles) -> Value:
        case = _text(at + 8)
        tag, side, _ = parts[case]
        if side is None:
            return values.Variant(type_name, case, tag)
        return values.Variant(type_name, case, tag, (side[1](_one.unpack_from(MEMORY, at + 24)[0], handles),))

    return lower, lift


def _enum(type_name: str, names: tuple[str, ...]) -> tuple[Lower, Lift]:
    kept: list[bytes] = []
    known = {
        name: (values.Variant(type_name, name, tag), _pointing.pack(KIND["ENUM"], *_two.unpack(_name(name, kept))))
        for tag, name in enumerate(names)
    }

    def lower(value: Any, room: Room) -> bytes:
        data = checks.name(value, known)[1]
        room.append(kept)
        return data

    return lower, lambda at, handles: known[_text(at + 8)][0]


def _flags(names: tuple[str, ...]) -> tuple[Lower, Lift]:
    kept: list[bytes] = []
    heads = [(1 << place, _name(name, kept)) for place, name in enumerate(names)]
    bits = {name: 1 << place for place, name in enumerate(names)}
    number = KIND["FLAGS"]

    def lower(value: Any, room: Room) -> bytes:
        mask = checks.mask(value, names)
        chosen = [head for bit, head in heads if mask & bit]
        body = b"".join(chosen)
        room.append((body, kept))
        return _pointing.pack(number, len(chosen), id(body) + HEADER_BYTES)

    def lift(at: int, handles: Handles) -> Value:
        count, data = _two.unpack_from(MEMORY, at + 8)
        return values.Flags(sum(bits[_text(place)] for place in range(data, data + NAME_BYTES * count, NAME_BYTES)))

    return lower, lift


def _handle(kind: Handle) -> tuple[Lower, Lift]:
    number = KIND["RESOURCE"]
    pointer = ctypes.POINTER(ffi.wasmtime_component_resource_any_t)

    def lower(value: Any, room: Room) -> bytes:
        if type(value) is not U32:
            raise checks.wrong("the number of a resource", value)
        box = room.handles.give(kind, value.value, room)
        room.append(box)
        return _boxing.pack(number, ctypes.cast(box, ctypes.c_void_p).value or 0)

    def lift(at: int, handles: Handles) -> Value:
        (box,) = _one.unpack_from(MEMORY, at + 8)
        return U32(handles.take(kind, ctypes.cast(box, pointer)))

    return lower, lift


_MAKERS: Final = Makers(
    number=_number,
    char=_char,
    string=_string,
    packed=_packed,
    list_=_list,
    tuple_=_tuple,
    record=_record,
    option=_option,
    result=_result,
    variant=_variant,
    enum=_enum,
    flags=_flags,
    handle=_handle,
)
