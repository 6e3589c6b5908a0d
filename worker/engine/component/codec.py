"""Values of ours to values of the engine's component model and back, by closures made once per type.

The package's own conversion looks types up anew for each value, maps variants by what their cases are, and leaks; so
this writes and reads the library's structures itself (wasmtime.h: wasmtime_component_val_t). What ``lower`` makes is
allocated by the library: it may be given away (a host function's result) or freed with ``free``. ``lift`` reads and
leaves freeing to the caller. Lists of bytes are copied at once, with a stride.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, Final

from wasmtime import _ffi as ffi
from wasmtime import component as wc

from theater import types, values
from theater.values import Value
from worker.engine.component.introspect import ENUM, RECORD, VARIANT, to_type

Val: Final = ffi.wasmtime_component_val_t
VAL_BYTES: Final = ctypes.sizeof(Val)
Lower = Callable[[Value, Any], None]
"""Writes a value into a structure. TypeError or ValueError where it is not of the type; then nothing is allocated."""
Lift = Callable[[Any], Value]
"""Reads one."""

_KINDS: Final = (
    *("BOOL", "S8", "U8", "S16", "U16", "S32", "U32", "S64", "U64", "F32", "F64", "CHAR", "STRING"),
    *("LIST", "RECORD", "TUPLE", "VARIANT", "ENUM", "OPTION", "RESULT", "FLAGS"),
)
_KIND: Final = {name: getattr(ffi, f"WASMTIME_COMPONENT_{name}").value for name in _KINDS}
_U8: Final = _KIND["U8"]


class Mismatch(TypeError):
    """A value is not of the type it should have."""


def free(value: Any) -> None:
    """Free what a structure holds; it may be used again."""
    ffi.wasmtime_component_val_delete(ctypes.byref(value))
    blank(value)


def blank(value: Any) -> None:
    """Make a structure hold nothing that is to be freed."""
    value.kind = _KIND["BOOL"]
    value.of.boolean = False


def codec(kind: Any) -> tuple[Lower, Lift]:
    """Return how values of an engine type are written and read."""
    scalar = _SCALARS.get(type(kind))
    if scalar is not None:
        return _scalar(*scalar)
    match kind:
        case wc.Char():
            return _char()
        case wc.F32() | wc.F64():
            return _float(isinstance(kind, wc.F32))
        case wc.String():
            return _lower_string, _lift_string
        case wc.ListType():
            return _bytes() if isinstance(kind.element, wc.U8) else _list(kind.element)
        case wc.OptionType():
            return _option(kind.payload)
        case wc.ResultType():
            return _result(kind.ok, kind.err)
        case wc.TupleType():
            return _tuple(kind.elements)
        case wc.RecordType():
            return _record(kind.fields)
        case wc.VariantType():
            return _variant(kind.cases)
        case wc.EnumType():
            return _enum(kind.names)
        case wc.FlagsType():
            return _flags(kind.names)
        case _:
            raise Mismatch(f"values of type {type(kind).__name__} are not supported")


# -- leaves ----------------------------------------------------------------------------------------------------------


_SCALARS: Final[dict[type, tuple[str, str, type[Any]]]] = {
    wc.Bool: ("BOOL", "boolean", values.Bool),
    wc.S8: ("S8", "s8", values.S8),
    wc.S16: ("S16", "s16", values.S16),
    wc.S32: ("S32", "s32", values.S32),
    wc.S64: ("S64", "s64", values.S64),
    wc.U8: ("U8", "u8", values.U8),
    wc.U16: ("U16", "u16", values.U16),
    wc.U32: ("U32", "u32", values.U32),
    wc.U64: ("U64", "u64", values.U64),
}


def _wrong(wanted: str, value: Any) -> Mismatch:
    return Mismatch(f"expected {wanted}, got {type(value).__name__.lower()}")


def _scalar(name: str, field: str, made: type[Any]) -> tuple[Lower, Lift]:
    kind = _KIND[name]

    def lower(value: Any, out: Any) -> None:
        if type(value) is not made:
            raise _wrong(field, value)
        out.kind = kind
        setattr(out.of, field, value.value)

    def lift(given: Any) -> Value:
        lifted: Value = made(getattr(given.of, field))
        return lifted

    return lower, lift


def _float(is_short: bool) -> tuple[Lower, Lift]:
    kind, field = (_KIND["F32"], "u32") if is_short else (_KIND["F64"], "u64")
    made: Any = values.F32 if is_short else values.F64

    def lower(value: Any, out: Any) -> None:
        if type(value) is not made:
            raise _wrong("a float", value)
        out.kind = kind
        setattr(out.of, field, value.bits)  # as bits: NaN payloads would not survive a Python float

    return lower, lambda given: made(getattr(given.of, field))


def _char() -> tuple[Lower, Lift]:
    def lower(value: Any, out: Any) -> None:
        if type(value) is not values.Char:
            raise _wrong("a char", value)
        out.kind = _KIND["CHAR"]
        out.of.character = ord(value.value)

    return lower, lambda given: values.Char(chr(given.of.character))


def _lower_string(value: Any, out: Any) -> None:
    if type(value) is not values.String:
        raise _wrong("a string", value)
    data = _utf8(value.value)
    _set_name(out.of.string, data)
    out.kind = _KIND["STRING"]


def _lift_string(given: Any) -> Value:
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


def _boxed(lower: Lower, value: Value) -> Any:
    """A value in memory of the library's."""
    room = Val()
    lower(value, room)
    return ffi.wasmtime_component_val_new(ctypes.byref(room))


def _fill(out: Any, field: str, allocate: Any, items: list[tuple[Lower, Value]]) -> None:
    """Write items one behind the other into a new vector, all of them or none."""
    vector = getattr(out.of, field)
    allocate(ctypes.byref(vector), len(items))
    data = vector.data
    for place in range(len(items)):
        blank(data[place])
    try:
        for place, (lower, item) in enumerate(items):
            lower(item, data[place])
    except BaseException:
        out.kind = _KIND["LIST" if field == "list" else "TUPLE"]
        free(out)
        raise


def _list(element: Any) -> tuple[Lower, Lift]:
    lower_item, lift_item = codec(element)
    kind = to_type(element)
    item_type = types.tag_form(kind)
    made = values.CLASS_OF.get(kind)

    def lower(value: Any, out: Any) -> None:
        if type(value) is not values.List:
            raise _wrong("a list", value)
        _fill(out, "list", ffi.wasmtime_component_vallist_new_uninit, [(lower_item, item) for item in _items(value)])
        out.kind = _KIND["LIST"]

    def lift(given: Any) -> Value:
        data, size = given.of.list.data, given.of.list.size
        items = [lift_item(data[place]) for place in range(size)]
        return values.list_of(item_type, items) if made is not None else values.List(item_type, tuple(items))

    return lower, lift


def _items(value: values.List) -> list[Value]:
    """The items as values: those of fixed width are kept without a record each."""
    made = values.CLASS_OF.get(value.element)
    if value.element not in values.FIXED_WIDTH or made is None:
        return list(value.items)
    if made is values.Char:
        return [values.Char(chr(item)) for item in value.items]
    return [made(item) for item in value.items]


def _bytes() -> tuple[Lower, Lift]:
    def lower(value: Any, out: Any) -> None:
        if type(value) is not values.List or not isinstance(value.items, bytes):
            if type(value) is values.List and not value.items:
                value = values.bytes_of(b"")
            else:
                raise _wrong("a list of bytes", value)
        data = value.items
        vector = out.of.list
        ffi.wasmtime_component_vallist_new_uninit(ctypes.byref(vector), len(data))
        if data:
            room = bytearray(VAL_BYTES * len(data))
            room[0::VAL_BYTES] = bytes((_U8,)) * len(data)
            room[Val.of.offset :: VAL_BYTES] = data
            ctypes.memmove(vector.data, (ctypes.c_char * len(room)).from_buffer(room), len(room))
        out.kind = _KIND["LIST"]

    def lift(given: Any) -> Value:
        vector = given.of.list
        if not vector.size:
            return values.bytes_of(b"")
        at = ctypes.addressof(vector.data.contents)
        whole = memoryview((ctypes.c_char * (VAL_BYTES * vector.size)).from_address(at)).cast("B")
        return values.bytes_of(bytes(whole[Val.of.offset :: VAL_BYTES]))

    return lower, lift


def _option(payload: Any) -> tuple[Lower, Lift]:
    lower_it, lift_it = codec(payload)
    inner = types.tag_form(to_type(payload))

    def lower(value: Any, out: Any) -> None:
        if type(value) is not values.Option:
            raise _wrong("an option", value)
        out.of.option = None if value.value is None else _boxed(lower_it, value.value)
        out.kind = _KIND["OPTION"]

    def lift(given: Any) -> Value:
        box = given.of.option
        return values.Option(inner, lift_it(box.contents) if box else None)

    return lower, lift


def _result(ok: Any, err: Any) -> tuple[Lower, Lift]:
    sides = [None if each is None else codec(each) for each in (ok, err)]
    ok_type, err_type = (types.UNIT if each is None else types.tag_form(to_type(each)) for each in (ok, err))

    def lower(value: Any, out: Any) -> None:
        if type(value) is not values.Result:
            raise _wrong("a result", value)
        side = sides[0 if value.is_ok else 1]
        if side is None and value.value != values.UNIT:
            raise _wrong("a result without a value", value.value)
        box = None if side is None else _boxed(side[0], value.value)
        out.of.result.is_ok = value.is_ok
        out.of.result.val = box
        out.kind = _KIND["RESULT"]

    def lift(given: Any) -> Value:
        is_ok = bool(given.of.result.is_ok)
        side = sides[0 if is_ok else 1]
        box = given.of.result.val
        return values.Result(ok_type, err_type, is_ok, side[1](box.contents) if side is not None else values.UNIT)

    return lower, lift


def _tuple(elements: list[Any]) -> tuple[Lower, Lift]:
    parts = [codec(each) for each in elements]

    def lower(value: Any, out: Any) -> None:
        if type(value) is not values.Tuple or len(value.items) != len(parts):
            raise _wrong(f"a tuple of {len(parts)}", value)
        items = [(part[0], item) for part, item in zip(parts, value.items, strict=True)]
        _fill(out, "tuple", ffi.wasmtime_component_valtuple_new_uninit, items)
        out.kind = _KIND["TUPLE"]

    def lift(given: Any) -> Value:
        data = given.of.tuple.data
        return values.Tuple(tuple(part[1](data[place]) for place, part in enumerate(parts)))

    return lower, lift


def _record(fields: list[tuple[str, Any]]) -> tuple[Lower, Lift]:
    parts = [(name, name.encode(), *codec(kind)) for name, kind in fields]

    def lower(value: Any, out: Any) -> None:
        if type(value) is not values.Record or {name for name, _ in value.fields} != {part[0] for part in parts}:
            raise _wrong(f"a record of {', '.join(part[0] for part in parts)}", value)
        vector = out.of.record
        ffi.wasmtime_component_valrecord_new_uninit(ctypes.byref(vector), len(parts))
        data = vector.data
        for place in range(len(parts)):
            _set_name(data[place].name, parts[place][1])
            blank(data[place].val)
        out.kind = _KIND["RECORD"]
        try:
            for place, (name, _, lower_field, _) in enumerate(parts):
                lower_field(value[name], data[place].val)
        except BaseException:
            free(out)
            raise

    def lift(given: Any) -> Value:
        data = given.of.record.data
        found = tuple((part[0], part[3](data[place].val)) for place, part in enumerate(parts))
        return values.Record(RECORD, found)

    return lower, lift


def _variant(cases: list[tuple[str, Any]]) -> tuple[Lower, Lift]:
    parts = {name: (tag, None if kind is None else codec(kind)) for tag, (name, kind) in enumerate(cases)}

    def lower(value: Any, out: Any) -> None:
        known = parts.get(value.case) if type(value) is values.Variant else None
        if known is None:
            raise _wrong(f"one of {', '.join(parts)}", value)
        side = known[1]
        if (side is None) == bool(value.payload) or len(value.payload) > 1:
            raise _wrong(f"the payload of {value.case}", value)
        box = None if side is None else _boxed(side[0], value.payload[0])
        _set_name(out.of.variant.discriminant, value.case.encode())
        out.of.variant.val = box
        out.kind = _KIND["VARIANT"]

    def lift(given: Any) -> Value:
        case = _name(given.of.variant.discriminant)
        tag, side = parts[case]
        payload = () if side is None else (side[1](given.of.variant.val.contents),)
        return values.Variant(VARIANT, case, tag, payload)

    return lower, lift


def _enum(names: list[str]) -> tuple[Lower, Lift]:
    tags = {name: tag for tag, name in enumerate(names)}

    def lower(value: Any, out: Any) -> None:
        if type(value) is not values.Variant or value.case not in tags or value.payload:
            raise _wrong(f"one of {', '.join(tags)}", value)
        _set_name(out.of.enumeration, value.case.encode())
        out.kind = _KIND["ENUM"]

    def lift(given: Any) -> Value:
        case = _name(given.of.enumeration)
        return values.Variant(ENUM, case, tags[case])

    return lower, lift


def _flags(names: list[str]) -> tuple[Lower, Lift]:
    bits = {name: 1 << place for place, name in enumerate(names)}

    def lower(value: Any, out: Any) -> None:
        if type(value) is not values.Flags or value.value >> len(names):
            raise _wrong(f"flags of {', '.join(names)}", value)
        chosen = [name.encode() for name, bit in bits.items() if value.value & bit]
        vector = out.of.flags
        ffi.wasmtime_component_valflags_new_uninit(ctypes.byref(vector), len(chosen))
        for place, name in enumerate(chosen):
            _set_name(vector.data[place], name)
        out.kind = _KIND["FLAGS"]

    def lift(given: Any) -> Value:
        vector = given.of.flags
        return values.Flags(sum(bits[_name(vector.data[place])] for place in range(vector.size)))

    return lower, lift


