"""Values as the package's own structures of them (wasmtime.h: wasmtime_component_val_t), by closures made per kind.

The package's conversion of values is not used: it looks types up anew for each value, maps variants by what their cases
are, and leaks. What ``lower`` makes is allocated by the library: it may be given away (a host function's result) or
freed with ``free``. ``lift`` reads and leaves freeing to the caller. Lists of bytes are copied at once, with a stride.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from wasmtime import _ffi as ffi

from theater import types, values
from theater.values import UNIT, Value
from worker.engine.component.handles import Handles, Mismatch, Room
from worker.engine.component.kinds import KEPT, Enum, Flags, Handle, Kind, plain

Val: Final = ffi.wasmtime_component_val_t
VAL_BYTES: Final = ctypes.sizeof(Val)
Lower = Callable[[Value, Any, Room], None]
"""Writes a value into a structure. Mismatch where it is not of the type; then nothing is allocated."""
Lift = Callable[[Any, Handles], Value]
"""Reads one."""

_KINDS: Final = (
    *("BOOL", "S8", "U8", "S16", "U16", "S32", "U32", "S64", "U64", "F32", "F64", "CHAR", "STRING"),
    *("LIST", "RECORD", "TUPLE", "VARIANT", "ENUM", "OPTION", "RESULT", "FLAGS", "RESOURCE"),
)
KIND: Final = {name: getattr(ffi, f"WASMTIME_COMPONENT_{name}").value for name in _KINDS}

_U8: Final = KIND["U8"]


def free(value: Any) -> None:
    """Free what a structure holds; it may be used again."""
    ffi.wasmtime_component_val_delete(ctypes.byref(value))
    blank(value)


def blank(value: Any) -> None:
    """Make a structure hold nothing that is to be freed."""
    value.kind = KIND["BOOL"]
    value.of.boolean = False


@lru_cache(maxsize=KEPT)
def codec(kind: Kind) -> tuple[Lower, Lift]:
    """Return how values of a kind are written and read."""
    scalar = _SCALARS.get(kind)
    if scalar is not None:
        return _scalar(*scalar)
    match kind:
        case types.CHAR:
            return _char()
        case types.F32 | types.F64:
            return _float(kind is types.F32)
        case types.STRING:
            return _lower_string, _lift_string
        case types.List(item=item):
            return _bytes() if item is types.U8 else _list(item)
        case types.Option(item=item):
            return _option(item)
        case types.Result(ok=ok, err=err):
            return _result(ok, err)
        case types.Tuple(items=items):
            return _tuple(items)
        case types.Record(name=name, fields=fields):
            return _record(name, fields)
        case types.Variant(name=name, cases=cases):
            return _variant(name, cases)
        case Enum(name=name, names=names):
            return _enum(name, names)
        case Flags(names=names):
            return _flags(names)
        case Handle():
            return _handle(kind)
        case _:
            raise Mismatch(f"values of type {kind} are not supported")


# -- leaves ----------------------------------------------------------------------------------------------------------


_SCALARS: Final[dict[Kind, tuple[str, str, type[Any]]]] = {
    types.BOOL: ("BOOL", "boolean", values.Bool),
    types.S8: ("S8", "s8", values.S8),
    types.S16: ("S16", "s16", values.S16),
    types.S32: ("S32", "s32", values.S32),
    types.S64: ("S64", "s64", values.S64),
    types.U8: ("U8", "u8", values.U8),
    types.U16: ("U16", "u16", values.U16),
    types.U32: ("U32", "u32", values.U32),
    types.U64: ("U64", "u64", values.U64),
}


def _wrong(wanted: str, value: Any) -> Mismatch:
    return Mismatch(f"expected {wanted}, got {type(value).__name__.lower()}")


def _scalar(name: str, field: str, made: type[Any]) -> tuple[Lower, Lift]:
    kind = KIND[name]

    def lower(value: Any, out: Any, room: Room) -> None:
        if type(value) is not made:
            raise _wrong(field, value)
        out.kind = kind
        setattr(out.of, field, value.value)

    def lift(given: Any, handles: Handles) -> Value:
        lifted: Value = made(getattr(given.of, field))
        return lifted

    return lower, lift


def _float(is_short: bool) -> tuple[Lower, Lift]:
    kind, field = (KIND["F32"], "u32") if is_short else (KIND["F64"], "u64")
    made: Any = values.F32 if is_short else values.F64

    def lower(value: Any, out: Any, room: Room) -> None:
        if type(value) is not made:
            raise _wrong("a float", value)
        out.kind = kind
        setattr(out.of, field, value.bits)  # as bits: NaN payloads would not survive a Python float

    return lower, lambda given, handles: made(getattr(given.of, field))


def _char() -> tuple[Lower, Lift]:
    def lower(value: Any, out: Any, room: Room) -> None:
        if type(value) is not values.Char:
            raise _wrong("a char", value)
        out.kind = KIND["CHAR"]
        out.of.character = ord(value.value)

    return lower, lambda given, handles: values.Char(chr(given.of.character))


def _lower_string(value: Any, out: Any, room: Room) -> None:
    if type(value) is not values.String:
        raise _wrong("a string", value)
    data = _utf8(value.value)
    _set_name(out.of.string, data)
    out.kind = KIND["STRING"]


def _lift_string(given: Any, handles: Handles) -> Value:
    return values.String(_name(given.of.string))


def _utf8(text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        raise Mismatch(f"expected a string of Unicode scalar values: {error}") from None


def _set_name(vector: Any, data: bytes) -> None:
    ffi.wasm_byte_vec_new_uninitialized(ctypes.byref(vector), len(data))
    if data:
        ctypes.memmove(vector.data, data, len(data))


def _name(vector: Any) -> str:
    return ctypes.string_at(vector.data, vector.size).decode() if vector.size else ""


# -- containers ------------------------------------------------------------------------------------------------------


def _boxed(lower: Lower, value: Value, room: Room) -> Any:
    """A value in memory of the library's."""
    inner = Val()
    lower(value, inner, room)
    return ffi.wasmtime_component_val_new(ctypes.byref(inner))


def _fill(out: Any, field: str, allocate: Any, items: list[tuple[Lower, Value]], room: Room) -> None:
    """Write items one behind the other into a new vector, all of them or none."""
    vector = getattr(out.of, field)
    allocate(ctypes.byref(vector), len(items))
    data = vector.data
    for place in range(len(items)):
        blank(data[place])
    try:
        for place, (lower, item) in enumerate(items):
            lower(item, data[place], room)
    except BaseException:
        out.kind = KIND["LIST" if field == "list" else "TUPLE"]
        free(out)
        raise


def _list(element: Kind) -> tuple[Lower, Lift]:
    lower_item, lift_item = codec(element)
    kind = plain(element)
    item_type = types.tag_form(kind)
    made = values.CLASS_OF.get(kind)

    def lower(value: Any, out: Any, room: Room) -> None:
        if type(value) is not values.List:
            raise _wrong("a list", value)
        items = [(lower_item, item) for item in values.items_of(value)]
        _fill(out, "list", ffi.wasmtime_component_vallist_new_uninit, items, room)
        out.kind = KIND["LIST"]

    def lift(given: Any, handles: Handles) -> Value:
        data, size = given.of.list.data, given.of.list.size
        items = [lift_item(data[place], handles) for place in range(size)]
        return values.list_of(item_type, items) if made is not None else values.List(item_type, tuple(items))

    return lower, lift


def _bytes() -> tuple[Lower, Lift]:
    def lower(value: Any, out: Any, room: Room) -> None:
        if type(value) is not values.List or not isinstance(value.items, bytes):
            if type(value) is values.List and not value.items:
                value = values.bytes_of(b"")
            else:
                raise _wrong("a list of bytes", value)
        data = value.items
        vector = out.of.list
        ffi.wasmtime_component_vallist_new_uninit(ctypes.byref(vector), len(data))
        if data:
            body = bytearray(VAL_BYTES * len(data))
            body[0::VAL_BYTES] = bytes((_U8,)) * len(data)
            body[Val.of.offset :: VAL_BYTES] = data
            ctypes.memmove(vector.data, (ctypes.c_char * len(body)).from_buffer(body), len(body))
        out.kind = KIND["LIST"]

    def lift(given: Any, handles: Handles) -> Value:
        vector = given.of.list
        if not vector.size:
            return values.bytes_of(b"")
        at = ctypes.addressof(vector.data.contents)
        whole = memoryview((ctypes.c_char * (VAL_BYTES * vector.size)).from_address(at)).cast("B")
        return values.bytes_of(bytes(whole[Val.of.offset :: VAL_BYTES]))

    return lower, lift


def _option(payload: Kind) -> tuple[Lower, Lift]:
    lower_it, lift_it = codec(payload)
    inner = types.tag_form(plain(payload))

    def lower(value: Any, out: Any, room: Room) -> None:
        if type(value) is not values.Option:
            raise _wrong("an option", value)
        out.of.option = None if value.value is None else _boxed(lower_it, value.value, room)
        out.kind = KIND["OPTION"]

    def lift(given: Any, handles: Handles) -> Value:
        box = given.of.option
        return values.Option(inner, lift_it(box.contents, handles) if box else None)

    return lower, lift


def _result(ok: Kind, err: Kind) -> tuple[Lower, Lift]:
    sides = [None if each is types.NOTHING else codec(each) for each in (ok, err)]
    ok_type, err_type = (types.tag_form(plain(each)) for each in (ok, err))

    def lower(value: Any, out: Any, room: Room) -> None:
        if type(value) is not values.Result:
            raise _wrong("a result", value)
        side = sides[0 if value.is_ok else 1]
        if side is None and value.value != values.UNIT:
            raise _wrong("a result without a value", value.value)
        box = None if side is None else _boxed(side[0], value.value, room)
        out.of.result.is_ok = value.is_ok
        out.of.result.val = box
        out.kind = KIND["RESULT"]

    def lift(given: Any, handles: Handles) -> Value:
        is_ok = bool(given.of.result.is_ok)
        side = sides[0 if is_ok else 1]
        box = given.of.result.val
        value = UNIT if side is None else side[1](box.contents, handles)
        return values.Result(ok_type, err_type, is_ok, value)

    return lower, lift


def _tuple(elements: tuple[Kind, ...]) -> tuple[Lower, Lift]:
    parts = [codec(each) for each in elements]

    def lower(value: Any, out: Any, room: Room) -> None:
        if type(value) is not values.Tuple or len(value.items) != len(parts):
            raise _wrong(f"a tuple of {len(parts)}", value)
        items = [(part[0], item) for part, item in zip(parts, value.items, strict=True)]
        _fill(out, "tuple", ffi.wasmtime_component_valtuple_new_uninit, items, room)
        out.kind = KIND["TUPLE"]

    def lift(given: Any, handles: Handles) -> Value:
        data = given.of.tuple.data
        return values.Tuple(tuple(part[1](data[place], handles) for place, part in enumerate(parts)))

    return lower, lift


def _record(type_name: str, fields: tuple[tuple[str, Kind], ...]) -> tuple[Lower, Lift]:
    parts = [(name, name.encode(), *codec(kind)) for name, kind in fields]

    def lower(value: Any, out: Any, room: Room) -> None:
        if type(value) is not values.Record or {name for name, _ in value.fields} != {part[0] for part in parts}:
            raise _wrong(f"a record of {', '.join(part[0] for part in parts)}", value)
        vector = out.of.record
        ffi.wasmtime_component_valrecord_new_uninit(ctypes.byref(vector), len(parts))
        data = vector.data
        for place in range(len(parts)):
            _set_name(data[place].name, parts[place][1])
            blank(data[place].val)
        out.kind = KIND["RECORD"]
        try:
            for place, (name, _, lower_field, _) in enumerate(parts):
                lower_field(value[name], data[place].val, room)
        except BaseException:
            free(out)
            raise

    def lift(given: Any, handles: Handles) -> Value:
        data = given.of.record.data
        found = tuple((part[0], part[3](data[place].val, handles)) for place, part in enumerate(parts))
        return values.Record(type_name, found)

    return lower, lift


def _variant(type_name: str, cases: tuple[tuple[str, Kind | None], ...]) -> tuple[Lower, Lift]:
    parts = {name: (tag, None if kind is None else codec(kind)) for tag, (name, kind) in enumerate(cases)}

    def lower(value: Any, out: Any, room: Room) -> None:
        known = parts.get(value.case) if type(value) is values.Variant else None
        if known is None:
            raise _wrong(f"one of {', '.join(parts)}", value)
        side = known[1]
        if (side is None) == bool(value.payload) or len(value.payload) > 1:
            raise _wrong(f"the payload of {value.case}", value)
        box = None if side is None else _boxed(side[0], value.payload[0], room)
        _set_name(out.of.variant.discriminant, value.case.encode())
        out.of.variant.val = box
        out.kind = KIND["VARIANT"]

    def lift(given: Any, handles: Handles) -> Value:
        case = _name(given.of.variant.discriminant)
        tag, side = parts[case]
        payload = () if side is None else (side[1](given.of.variant.val.contents, handles),)
        return values.Variant(type_name, case, tag, payload)

    return lower, lift


def _enum(type_name: str, names: tuple[str, ...]) -> tuple[Lower, Lift]:
    tags = {name: tag for tag, name in enumerate(names)}

    def lower(value: Any, out: Any, room: Room) -> None:
        if type(value) is not values.Variant or value.case not in tags or value.payload:
            raise _wrong(f"one of {', '.join(tags)}", value)
        _set_name(out.of.enumeration, value.case.encode())
        out.kind = KIND["ENUM"]

    def lift(given: Any, handles: Handles) -> Value:
        case = _name(given.of.enumeration)
        return values.Variant(type_name, case, tags[case])

    return lower, lift


def _flags(names: tuple[str, ...]) -> tuple[Lower, Lift]:
    bits = {name: 1 << place for place, name in enumerate(names)}

    def lower(value: Any, out: Any, room: Room) -> None:
        if type(value) is not values.Flags or value.value >> len(names):
            raise _wrong(f"flags of {', '.join(names)}", value)
        chosen = [name.encode() for name, bit in bits.items() if value.value & bit]
        vector = out.of.flags
        ffi.wasmtime_component_valflags_new_uninit(ctypes.byref(vector), len(chosen))
        for place, name in enumerate(chosen):
            _set_name(vector.data[place], name)
        out.kind = KIND["FLAGS"]

    def lift(given: Any, handles: Handles) -> Value:
        vector = given.of.flags
        return values.Flags(sum(bits[_name(vector.data[place])] for place in range(vector.size)))

    return lower, lift


def _handle(kind: Handle) -> tuple[Lower, Lift]:
    def lower(value: Any, out: Any, room: Room) -> None:
        if type(value) is not values.U32:
            raise _wrong("the number of a resource", value)
        out.of.resource = room.handles.give(kind, value.value, room)
        out.kind = KIND["RESOURCE"]

    return lower, lambda given, handles: values.U32(handles.take(kind, given.of.resource))
