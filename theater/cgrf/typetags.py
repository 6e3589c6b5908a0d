"""Type tags: the declared types inside lists, options, results and arrays (pack-abi section 2.2).

A tag is a prefix code (no tag begins another), so a whole tag that was read once is known again by its bytes.
"""

from __future__ import annotations

from typing import Final

from theater import types
from theater.cgrf.layout import ARRAY, LIST, OPTION, RECORD, RESULT, TUPLE, U32, VARIANT, CgrfError
from theater.types import Named, Primitive, Type

TAG_DEPTH_MAX: Final = 512
KNOWN_MAX: Final = 1024
"""Tags kept in either direction."""
KNOWN_BYTES_MAX: Final = 256

PRIMITIVES: Final[dict[int, Type]] = {kind.tag: kind for kind in types.PRIMITIVES}
FIXED_WIDTH: Final[dict[int, Primitive]] = {kind.tag: kind for kind in types.PRIMITIVES if kind.width}

_types_by_bytes: dict[bytes, Type] = {bytes([tag]): kind for tag, kind in PRIMITIVES.items()}
_bytes_by_type: dict[Type, bytes] = {kind: tag for tag, kind in _types_by_bytes.items()}

_RESULT: Final = bytes([RESULT])
_MADE_OF: Final = {LIST: 1, OPTION: 1, RESULT: 2}


def known(tag: bytes) -> Type | None:
    """Return the type of a whole tag that was seen before."""
    return _types_by_bytes.get(tag)


def read(data: bytes, start: int, end: int) -> tuple[Type, int]:
    """Return the type that begins at ``start`` and the offset behind it."""
    if start < end:
        primitive = PRIMITIVES.get(data[start])
        if primitive is not None:
            return primitive, start + 1
    kind, at = _read_nested(data, start, end)
    _remember(kind, data[start:at])
    return kind, at


def read_pair(data: bytes, start: int, end: int) -> tuple[tuple[Type, Type], int]:
    """Return the two types of a result, which end 9 bytes before its payload does, and the offset behind them."""
    tag = _RESULT + data[start : end - 9]
    pair = _types_by_bytes.get(tag)
    if isinstance(pair, types.Result):
        return (pair.ok, pair.err), end - 9
    ok, at = read(data, start, end)
    err, at = read(data, at, end)
    if at == end - 9:
        _remember(types.Result(ok, err), tag)
    return (ok, err), at


def write(kind: Type) -> bytes:
    """Return a type's tag."""
    tag = _bytes_by_type.get(kind)
    if tag is None:
        tag = _write_nested(kind)
        _remember(kind, tag)
    return tag


def _remember(kind: Type, tag: bytes) -> None:
    if len(tag) <= KNOWN_BYTES_MAX and len(_types_by_bytes) < KNOWN_MAX and len(_bytes_by_type) < KNOWN_MAX:
        _types_by_bytes[tag] = kind
        _bytes_by_type[kind] = tag


def _read_nested(data: bytes, at: int, end: int) -> tuple[Type, int]:
    """Read with a stack of the types still open: [tag, parts wanted, parts so far]."""
    open_types: list[tuple[int, int, list[Type]]] = []
    while True:
        if at >= end:
            raise CgrfError("a type is cut short", offset=at)
        tag = data[at]
        at += 1
        kind: Type | None = PRIMITIVES.get(tag)
        if kind is None and tag in (RECORD, VARIANT):
            name, at = read_text(data, at, end)
            kind = Named(name, is_variant=tag == VARIANT)
        elif kind is None:
            wanted, at = _parts_wanted(data, tag, at, end)
            open_types.append((tag, wanted, []))
            if len(open_types) >= TAG_DEPTH_MAX:
                raise CgrfError(f"a type nests deeper than {TAG_DEPTH_MAX} levels", offset=at)
        kind = _close(kind, open_types)
        if kind is not None:
            return kind, at


def _parts_wanted(data: bytes, tag: int, at: int, end: int) -> tuple[int, int]:
    if tag in _MADE_OF:
        return _MADE_OF[tag], at
    if tag != TUPLE:
        why = "an array is a node, never a type" if tag == ARRAY else f"0x{tag:02x} is not a type"
        raise CgrfError(why, offset=at - 1)
    count, at = read_count(data, at, end, each=1)
    return count, at


def _close(kind: Type | None, open_types: list[tuple[int, int, list[Type]]]) -> Type | None:
    """Hand a finished type to the open ones; return it when none is open."""
    while True:
        if kind is not None:
            if not open_types:
                return kind
            open_types[-1][2].append(kind)
        tag, wanted, parts = open_types[-1]
        if len(parts) < wanted:
            return None
        open_types.pop()
        kind = _make(tag, parts)


def _make(tag: int, parts: list[Type]) -> Type:
    if tag == LIST:
        return types.List(parts[0])
    if tag == OPTION:
        return types.Option(parts[0])
    if tag == RESULT:
        return types.Result(parts[0], parts[1])
    return types.Tuple(tuple(parts))


def _write_nested(kind: Type) -> bytes:
    out = bytearray()
    stack: list[tuple[Type, int]] = [(kind, 1)]
    while stack:
        part, depth = stack.pop()
        if depth > TAG_DEPTH_MAX:
            raise CgrfError(f"a type nests deeper than {TAG_DEPTH_MAX} levels")
        head, inner = _parts(part)
        out += head
        stack.extend((item, depth + 1) for item in reversed(inner))
    return bytes(out)


def _parts(kind: Type) -> tuple[bytes, tuple[Type, ...]]:
    """Return the bytes a type begins with and the types that follow."""
    match kind:
        case Primitive(tag=tag):
            return bytes([tag]), ()
        case types.List(item=item):
            return bytes([LIST]), (item,)
        case types.Option(item=item):
            return bytes([OPTION]), (item,)
        case types.Result(ok=ok, err=err):
            return bytes([RESULT]), (ok, err)
        case types.Tuple(items=items):
            return bytes([TUPLE]) + U32.pack(len(items)), items
        case Named(name=name, is_variant=is_variant):
            return bytes([VARIANT if is_variant else RECORD]) + write_text(name), ()
        case _:
            raise CgrfError(f"{kind!r} cannot be declared inside a value (see types.tag_form)")


def read_count(data: bytes, at: int, end: int, each: int) -> tuple[int, int]:
    """Return a count of things that take at least ``each`` bytes, and the offset behind it."""
    if end - at < 4:
        raise CgrfError(f"expected a count, {max(0, end - at)} bytes remain", offset=at)
    count: int = U32.unpack_from(data, at)[0]
    if count * each > end - at - 4:
        raise CgrfError(f"a count of {count} does not fit into the {end - at - 4} bytes that remain", offset=at)
    return count, at + 4


def read_text(data: bytes, at: int, end: int) -> tuple[str, int]:
    """Return a length-prefixed UTF-8 text and the offset behind it."""
    length, at = read_count(data, at, end, each=1)
    try:
        return data[at : at + length].decode(), at + length
    except UnicodeDecodeError as error:
        raise CgrfError(f"text is not UTF-8: {error.reason}", offset=at + error.start) from None


def write_text(text: str) -> bytes:
    encoded = text.encode()
    return U32.pack(len(encoded)) + encoded
