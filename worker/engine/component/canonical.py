"""How a value lies in a component's own memory, and as flat parameters: the canonical ABI, by closures made per kind.

A *form* of a kind is either the one in memory (with alignment and padding) or the flat one, where every core value has
a slot of eight bytes: a float as its bits, whatever is narrower in the low bytes. What a value points to (strings and
the items of lists) is in memory in both.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from struct import Struct
from typing import Any, Final, NamedTuple

from theater import types, values
from theater.values import UNIT, Value
from worker.engine.component import checks
from worker.engine.component.flat import SLOT_BYTES, sides
from worker.engine.component.kinds import KEPT, Flags, Handle, Kind, plain
from worker.engine.component.making import Makers, made, unsupported


class Arena:
    """What is to be written into memory, and where: addresses are given out upwards."""

    __slots__ = ("next", "writes")

    def __init__(self, start: int) -> None:
        self.next = start
        self.writes: list[tuple[int, bytes]] = []

    def reserve(self, size: int, align: int) -> int:
        """Room for so many bytes."""
        at = (self.next + align - 1) & -align
        self.next = at + size
        return at

    def put(self, data: bytes, align: int) -> int:
        """The address that bytes will have."""
        at = self.reserve(len(data), align)
        self.writes.append((at, data))
        return at


Store = Callable[[Any, Arena], bytes]
"""Returns the bytes of a value, as many as the form has."""
Load = Callable[[Any, int], Value]
"""Reads the value at a place in a view of the memory."""


class Form(NamedTuple):
    """One of the two forms of a kind."""

    size: int
    align: int
    store: Store
    load: Load


@lru_cache(maxsize=KEPT)
def form(kind: Kind, is_flat: bool) -> Form:
    """Return a form of a kind."""
    return made(kind, _FLAT if is_flat else _IN_MEMORY)


# -- leaves ------------------------------------------------------------------------------------------------------------


def _leaf(
    size: int, is_flat: bool, letter: str, number_of: Callable[[Any], Any], make: Callable[[Any], Value]
) -> Form:
    pad = SLOT_BYTES - size if is_flat else 0
    pack, unpack = Struct(f"<{letter}{pad}x").pack, Struct(f"<{letter}").unpack_from

    def store(value: Any, arena: Arena) -> bytes:
        return pack(number_of(value))

    whole = SLOT_BYTES if is_flat else size
    return Form(whole, whole, store, lambda view, at: make(unpack(view, at)[0]))


def _number(kind: types.Primitive, is_flat: bool) -> Form:
    of: Any = values.CLASS_OF[kind]
    field = "bits" if kind in (types.F32, types.F64) else "value"  # NaN payloads would not survive a Python float

    def number_of(value: Any) -> Any:
        if type(value) is not of:
            raise checks.wrong(kind.name, value)
        return getattr(value, field)

    return _leaf(kind.width, is_flat, kind.format, number_of, of)


def _char(is_flat: bool) -> Form:
    return _leaf(4, is_flat, "I", checks.code_point, lambda code: values.Char(chr(code)))


def _pointing(is_flat: bool) -> Struct:
    """An address and a length."""
    return Struct("<QQ") if is_flat else Struct("<II")


def _string(is_flat: bool) -> Form:
    head = _pointing(is_flat)

    def store(value: Any, arena: Arena) -> bytes:
        data = checks.utf8(value)
        return head.pack(arena.put(data, 1), len(data))

    def load(view: Any, at: int) -> Value:
        data, size = head.unpack_from(view, at)
        return values.String(str(view[data : data + size], "utf-8"))

    return Form(head.size, head.size // 2, store, load)


# -- lists -------------------------------------------------------------------------------------------------------------


def _packed(item: types.Primitive, is_flat: bool) -> Form:
    """Items of fixed width: as they are, without a Python object per item; bytes are not even looked at."""
    head, width, is_bytes = _pointing(is_flat), item.width, item is types.U8

    def store(value: Any, arena: Arena) -> bytes:
        items = checks.packed(value, item)
        count = len(items)
        data = bytes(items) if is_bytes else Struct(f"<{count}{item.format}").pack(*items)
        return head.pack(arena.put(data, width), count)

    def load(view: Any, at: int) -> Value:
        data, count = head.unpack_from(view, at)
        if is_bytes:
            return values.List(item, bytes(view[data : data + count]))
        return values.List(item, Struct(f"<{count}{item.format}").unpack_from(view, data))

    return Form(head.size, head.size // 2, store, load)


def _list(element: Kind, is_flat: bool) -> Form:
    head, (size, align, store_item, load_item) = _pointing(is_flat), form(element, False)
    item_type = types.tag_form(plain(element))
    is_number = isinstance(element, Flags)  # kept without a record each

    def store(value: Any, arena: Arena) -> bytes:
        if type(value) is not values.List:
            raise checks.wrong("list", value)
        items = values.items_of(value)
        return head.pack(arena.put(b"".join([store_item(item, arena) for item in items]), align), len(items))

    def load(view: Any, at: int) -> Value:
        data, count = head.unpack_from(view, at)
        items = [load_item(view, place) for place in range(data, data + count * size, size)]
        return values.list_of(item_type, items) if is_number else values.List(item_type, tuple(items))

    return Form(head.size, head.size // 2, store, load)


# -- products ----------------------------------------------------------------------------------------------------------


class _Laid(NamedTuple):
    """Where parts lie behind each other."""

    size: int
    align: int
    parts: tuple[tuple[int, Form, bytes], ...]
    """Place, form, and what fills the gap up to the next."""


def _laid(kinds: Sequence[Kind], is_flat: bool) -> _Laid:
    forms = [form(each, is_flat) for each in kinds]
    places, end, align = [], 0, 1
    for each in forms:
        at = _up(end, each.align)
        places.append(at)
        end, align = at + each.size, max(align, each.align)
    size = _up(end, align)
    ends = [*places[1:], size]
    gaps = [bytes(after - at - each.size) for at, after, each in zip(places, ends, forms, strict=False)]
    return _Laid(size, align, tuple(zip(places, forms, gaps, strict=True)))


def _up(at: int, align: int) -> int:
    return (at + align - 1) & -align


def _tuple(elements: tuple[Kind, ...], is_flat: bool) -> Form:
    size, align, parts = _laid(elements, is_flat)
    count = len(elements)

    def store(value: Any, arena: Arena) -> bytes:
        if type(value) is not values.Tuple or len(value.items) != count:
            raise checks.wrong(f"a tuple of {count}", value)
        pairs = zip(parts, value.items, strict=True)
        return b"".join([piece for (_, each, gap), item in pairs for piece in (each.store(item, arena), gap)])

    def load(view: Any, at: int) -> Value:
        return values.Tuple(tuple([each.load(view, at + place) for place, each, _ in parts]))

    return Form(size, align, store, load)


def _record(type_name: str, fields: tuple[tuple[str, Kind], ...], is_flat: bool) -> Form:
    size, align, parts = _laid([kind for _, kind in fields], is_flat)
    named = tuple((name, *part) for (name, _), part in zip(fields, parts, strict=True))
    known = dict(fields).keys()

    def store(value: Any, arena: Arena) -> bytes:
        found = checks.fields(value, known)
        return b"".join([piece for name, _, each, gap in named for piece in (each.store(found[name], arena), gap)])

    def load(view: Any, at: int) -> Value:
        return values.Record(type_name, tuple([(name, each.load(view, at + place)) for name, place, each, _ in named]))

    return Form(size, align, store, load)


# -- sums --------------------------------------------------------------------------------------------------------------


_LETTERS: Final = {1: "B", 2: "H", 4: "I"}
"""Of ``struct``, for numbers of so many bytes."""


def _width(cases: int) -> int:
    return 1 if cases <= 1 << 8 else 2 if cases <= 1 << 16 else 4


class _Sum(NamedTuple):
    size: int
    align: int
    store: Callable[[int, Any, Arena], bytes]
    """Of the number of the case and its payload."""
    load: Callable[[Any, int], tuple[int, Value | None]]


def _sum(kind: Kind, is_flat: bool) -> _Sum:
    """The number of the case, and behind it the payload."""
    forms = [None if each is None else form(each, is_flat) for each in sides(kind)]
    known = [each for each in forms if each is not None]
    letter = _LETTERS[_width(len(forms))]
    tag_bytes = SLOT_BYTES if is_flat else _width(len(forms))
    align = max([tag_bytes, *(each.align for each in known)])
    start = _up(tag_bytes, max([1, *(each.align for each in known)]))
    size = _up(start + max([0, *(each.size for each in known)]), align)
    heads = [Struct(f"<{letter}").pack(tag) for tag in range(len(forms))]
    unpack = Struct(f"<{letter}").unpack_from

    def store(tag: int, payload: Any, arena: Arena) -> bytes:
        each = forms[tag]
        data = heads[tag]
        return (data if each is None else data.ljust(start, b"\0") + each.store(payload, arena)).ljust(size, b"\0")

    def load(view: Any, at: int) -> tuple[int, Value | None]:
        tag = unpack(view, at)[0]
        each = forms[tag]
        return tag, None if each is None else each.load(view, at + start)

    return _Sum(size, align, store, load)


def _option(item: Kind, is_flat: bool) -> Form:
    size, align, put, take = _sum(types.Option(item), is_flat)
    inner = types.tag_form(plain(item))

    def store(value: Any, arena: Arena) -> bytes:
        if type(value) is not values.Option:
            raise checks.wrong("option", value)
        return put(value.value is not None, value.value, arena)

    return Form(size, align, store, lambda view, at: values.Option(inner, take(view, at)[1]))


def _result(ok: Kind, err: Kind, is_flat: bool) -> Form:
    size, align, put, take = _sum(types.Result(ok, err), is_flat)
    absent = [each is types.NOTHING for each in (ok, err)]
    ok_type, err_type = (types.tag_form(plain(each)) for each in (ok, err))

    def store(value: Any, arena: Arena) -> bytes:
        if type(value) is not values.Result:
            raise checks.wrong("result", value)
        tag = int(not value.is_ok)
        if absent[tag]:
            checks.nothing(value.value)
        return put(tag, value.value, arena)

    def load(view: Any, at: int) -> Value:
        tag, found = take(view, at)
        return values.Result(ok_type, err_type, tag == 0, UNIT if found is None else found)

    return Form(size, align, store, load)


def _variant(type_name: str, cases: tuple[tuple[str, Kind | None], ...], is_flat: bool) -> Form:
    size, align, put, take = _sum(types.Variant(type_name, cases), is_flat)
    known = {name: (tag, payload is not None) for tag, (name, payload) in enumerate(cases)}

    def store(value: Any, arena: Arena) -> bytes:
        tag, has_payload = checks.case(value, known)
        return put(tag, checks.payload(value, has_payload), arena)

    def load(view: Any, at: int) -> Value:
        tag, found = take(view, at)
        return values.Variant(type_name, cases[tag][0], tag, () if found is None else (found,))

    return Form(size, align, store, load)


def _enum(type_name: str, names: tuple[str, ...], is_flat: bool) -> Form:
    variants = [values.Variant(type_name, name, tag) for tag, name in enumerate(names)]
    known = {name: tag for tag, name in enumerate(names)}
    width = _width(len(names))
    return _leaf(width, is_flat, _LETTERS[width], lambda value: checks.name(value, known), lambda tag: variants[tag])


def _flags(names: tuple[str, ...], is_flat: bool) -> Form:
    width = 1 if len(names) <= 8 else 2 if len(names) <= 16 else 4
    return _leaf(width, is_flat, _LETTERS[width], lambda value: checks.mask(value, names), values.Flags)


def _makers(is_flat: bool) -> Makers[Form]:
    return Makers(
        number=partial(_number, is_flat=is_flat),
        char=partial(_char, is_flat),
        string=partial(_string, is_flat),
        packed=partial(_packed, is_flat=is_flat),
        list_=partial(_list, is_flat=is_flat),
        tuple_=partial(_tuple, is_flat=is_flat),
        record=partial(_record, is_flat=is_flat),
        option=partial(_option, is_flat=is_flat),
        result=partial(_result, is_flat=is_flat),
        variant=partial(_variant, is_flat=is_flat),
        enum=partial(_enum, is_flat=is_flat),
        flags=partial(_flags, is_flat=is_flat),
        handle=_no_handle,
    )


def _no_handle(kind: Handle) -> Form:
    raise unsupported(kind)


_FLAT: Final = _makers(is_flat=True)
_IN_MEMORY: Final = _makers(is_flat=False)
