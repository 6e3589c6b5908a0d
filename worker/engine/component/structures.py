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
from worker.engine.component import checks
from worker.engine.component.handles import Handles, Room
from worker.engine.component.kinds import KEPT, Handle, Kind, plain
from worker.engine.component.making import Makers, made

Val: Final = ffi.wasmtime_component_val_t
VAL_BYTES: Final = ctypes.sizeof(Val)
Lower = Callable[[Any, Any, Room], None]
"""Writes a value into a structure. Mismatch where it is not of the type; then nothing is allocated."""
Lift = Callable[[Any, Handles], Value]
"""Reads one."""

_KINDS: Final = (
    *("BOOL", "S8", "U8", "S16", "U16", "S32", "U32", "S64", "U64", "F32", "F64", "CHAR", "STRING"),
    *("LIST", "RECORD", "TUPLE", "VARIANT", "ENUM", "OPTION", "RESULT", "FLAGS", "RESOURCE"),
)
KIND: Final = {name: getattr(ffi, f"WASMTIME_COMPONENT_{name}").value for name in _KINDS}


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
    return made(kind, _MAKERS)


# -- leaves ----------------------------------------------------------------------------------------------------------


def _number(kind: types.Primitive) -> tuple[Lower, Lift]:
    of: Any = values.CLASS_OF[kind]
    number, field, ours = KIND[kind.name.upper()], _FIELDS.get(kind, kind.name), "value"
    if kind in (types.F32, types.F64):
        ours = "bits"  # NaN payloads would not survive a Python float

    def lower(value: Any, out: Any, room: Room) -> None:
        if type(value) is not of:
            raise checks.wrong(kind.name, value)
        out.kind = number
        setattr(out.of, field, getattr(value, ours))

    return lower, lambda given, handles: of(getattr(given.of, field))


_FIELDS: Final[dict[Kind, str]] = {types.BOOL: "boolean", types.F32: "u32", types.F64: "u64"}
"""Where values are that are not under the name of their type."""


def _char() -> tuple[Lower, Lift]:
    def lower(value: Any, out: Any, room: Room) -> None:
        out.of.character = checks.code_point(value)
        out.kind = KIND["CHAR"]

    return lower, lambda given, handles: values.Char(chr(given.of.character))


def _string() -> tuple[Lower, Lift]:
    def lower(value: Any, out: Any, room: Room) -> None:
        _set_name(out.of.string, checks.utf8(value))
        out.kind = KIND["STRING"]

    return lower, lambda given, handles: values.String(_name(given.of.string))


def _set_name(vector: Any, data: bytes) -> None:
    ffi.wasm_byte_vec_new_uninitialized(ctypes.byref(vector), len(data))
    if data:
        ctypes.memmove(vector.data, data, len(data))


def _name(vector: Any) -> str:
    return ctypes.string_at(vector.data, vector.size).decode() if vector.size else ""


# -- containers ------------------------------------------------------------------------------------------------------


def _boxed(lower: Lower, value: Any, room: Room) -> Any:
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
    is_number = kind in values.CLASS_OF

    def lower(value: Any, out: Any, room: Room) -> None:
        if type(value) is not values.List:
            raise checks.wrong("list", value)
        items = [(lower_item, item) for item in values.items_of(value)]
        _fill(out, "list", ffi.wasmtime_component_vallist_new_uninit, items, room)
        out.kind = KIND["LIST"]

    def lift(given: Any, handles: Handles) -> Value:
        data, size = given.of.list.data, given.of.list.size
        items = [lift_item(data[place], handles) for place in range(size)]
        return values.list_of(item_type, items) if is_number else values.List(item_type, tuple(items))

    return lower, lift


def _packed(item: types.Primitive) -> tuple[Lower, Lift]:
    if item is types.U8:
        return _bytes()
    lower_items, lift = _list(item)

    def lower(value: Any, out: Any, room: Room) -> None:
        checks.packed(value, item)
        lower_items(value, out, room)

    return lower, lift


def _bytes() -> tuple[Lower, Lift]:
    def lower(value: Any, out: Any, room: Room) -> None:
        data = bytes(checks.packed(value, types.U8))
        vector = out.of.list
        ffi.wasmtime_component_vallist_new_uninit(ctypes.byref(vector), len(data))
        if data:
            body = bytearray(VAL_BYTES * len(data))
            body[0::VAL_BYTES] = bytes((KIND["U8"],)) * len(data)
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
            raise checks.wrong("option", value)
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
            raise checks.wrong("result", value)
        side = sides[0 if value.is_ok else 1]
        if side is None:
            checks.nothing(value.value)
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
            raise checks.wrong(f"a tuple of {len(parts)}", value)
        items = [(part[0], item) for part, item in zip(parts, value.items, strict=True)]
        _fill(out, "tuple", ffi.wasmtime_component_valtuple_new_uninit, items, room)
        out.kind = KIND["TUPLE"]

    def lift(given: Any, handles: Handles) -> Value:
        data = given.of.tuple.data
        return values.Tuple(tuple(part[1](data[place], handles) for place, part in enumerate(parts)))

    return lower, lift


def _record(type_name: str, fields: tuple[tuple[str, Kind], ...]) -> tuple[Lower, Lift]:
    parts = [(name, name.encode(), *codec(kind)) for name, kind in fields]
    known = dict(fields).keys()

    def lower(value: Any, out: Any, room: Room) -> None:
        found = checks.fields(value, known)
        vector = out.of.record
        ffi.wasmtime_component_valrecord_new_uninit(ctypes.byref(vector), len(parts))
        data = vector.data
        for place in range(len(parts)):
            _set_name(data[place].name, parts[place][1])
            blank(data[place].val)
        out.kind = KIND["RECORD"]
        try:
            for place, (name, _, lower_field, _) in enumerate(parts):
                lower_field(found[name], data[place].val, room)
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
        _, side = checks.case(value, parts)
        payload = checks.payload(value, side is not None)
        box = None if side is None else _boxed(side[0], payload, room)
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
        checks.name(value, tags)
        _set_name(out.of.enumeration, value.case.encode())
        out.kind = KIND["ENUM"]

    def lift(given: Any, handles: Handles) -> Value:
        case = _name(given.of.enumeration)
        return values.Variant(type_name, case, tags[case])

    return lower, lift


def _flags(names: tuple[str, ...]) -> tuple[Lower, Lift]:
    bits = {name: 1 << place for place, name in enumerate(names)}

    def lower(value: Any, out: Any, room: Room) -> None:
        mask = checks.mask(value, names)
        chosen = [name.encode() for name, bit in bits.items() if mask & bit]
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
            raise checks.wrong("the number of a resource", value)
        out.of.resource = room.handles.give(kind, value.value, room)
        out.kind = KIND["RESOURCE"]

    return lower, lambda given, handles: values.U32(handles.take(kind, given.of.resource))


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
