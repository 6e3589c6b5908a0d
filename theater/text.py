"""The text form of values: one line, for people, logs and examples (pack-abi section 2.6).

    >>> format(Tuple((U32(42), String("hi"))))
    '(42u32, "hi")'

It is lossy: a variant's tag number is not written, infinities and NaN do not read back, and an item's type stands for
its list's. Keep the bytes where hashes matter.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from theater import floats, types, values
from theater.types import Primitive
from theater.values import Value

ELLIPSIS: Final = "…"

_ESCAPES: Final = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_IN_STRING: Final = str.maketrans(_ESCAPES | {'"': '\\"'})
_IN_CHAR: Final = str.maketrans(_ESCAPES | {"'": "\\'"})


def format(value: Value, limit: int | None = None) -> str:
    """Return a value's text; with a limit, at most so many characters, cut ones replaced by an ellipsis."""
    out: list[str] = []
    stack: list[Value | str] = [value]
    room = limit
    while stack and (room is None or room >= 0):
        part = stack.pop()
        text = part if isinstance(part, str) else _WRITERS[type(part)](part, stack, limit)
        out.append(text)
        if room is not None:
            room -= len(text)
    text = "".join(out)
    return text if limit is None or len(text) <= limit else text[: max(0, limit - 1)] + ELLIPSIS


def parse(text: str) -> Value:
    """Return the value that a text stands for.

    Raises:
        scanning.TextError: it is not the text form of a value; the error names the column.
    """
    from theater.textparse import read  # workers write text, few programs read it

    return read(text)


Stack = list[Value | str]
"""What is still to be written, the next on top. A writer returns how a value begins and puts the rest there."""


def _write_scalar(value: Any, _: Stack, limit: int | None) -> str:
    if isinstance(value, values.String):
        return '"' + value.value[:limit].translate(_IN_STRING) + '"'
    return _number(value.TYPE, value.bits if isinstance(value, values.F32 | values.F64) else value.value)


def _number(kind: Primitive, item: Any) -> str:
    """Return the text of a scalar as it is kept in packed lists."""
    if kind is types.BOOL:
        return "true" if item else "false"
    if kind is types.CHAR:
        return "'" + (item if isinstance(item, str) else chr(item)).translate(_IN_CHAR) + "'"
    if kind is types.FLAGS:
        return f"flags({item:#x})"
    if kind is types.F32:
        return floats.format_f32(item) + "f32"
    if kind is types.F64:
        return floats.format_f64(item) + "f64"
    return f"{item}{kind.name}"


def _write_list(value: values.List, stack: Stack, limit: int | None) -> str:
    if not value.items:
        return f"[]<{value.element}>"
    packed = values.FIXED_WIDTH.get(value.element)
    if packed is not None:
        return "[" + ", ".join(_number(packed, item) for item in value.items[:limit]) + "]"
    return _write_items(value.items[:limit], "[", "]", stack)  # type: ignore[arg-type]


def _write_items(items: tuple[Value, ...], begin: str, end: str, stack: Stack) -> str:
    stack.append(end)
    for place in range(len(items) - 1, -1, -1):
        stack.append(items[place])
        if place:
            stack.append(", ")
    return begin


def _write_tuple(value: values.Tuple, stack: Stack, limit: int | None) -> str:
    return _write_items(value.items[:limit], "(", ")", stack)


def _write_option(value: values.Option, stack: Stack, _: int | None) -> str:
    if value.value is None:
        return f"none<{value.inner}>"
    stack += (")", value.value)
    return f"some<{value.inner}>("


def _write_result(value: values.Result, stack: Stack, _: int | None) -> str:
    stack += (")", value.value)
    return f"{'ok' if value.is_ok else 'err'}<{value.ok}, {value.err}>("


def _write_record(value: values.Record, stack: Stack, limit: int | None) -> str:
    stack.append("}")
    fields = value.fields[:limit]
    for place in range(len(fields) - 1, -1, -1):
        name, item = fields[place]
        stack += (item, f"{', ' if place else ''}{name}: ")
    return value.name + "{"


def _write_variant(value: values.Variant, stack: Stack, limit: int | None) -> str:
    name = f"{value.type_name}::{value.case}"
    return _write_items(value.payload[:limit], name + "(", ")", stack) if value.payload else name


_WRITERS: Final[dict[type[Value], Callable[[Any, Stack, int | None], str]]] = {
    **dict.fromkeys(values.SCALARS, _write_scalar),
    values.List: _write_list,
    values.Tuple: _write_tuple,
    values.Option: _write_option,
    values.Result: _write_result,
    values.Record: _write_record,
    values.Variant: _write_variant,
}
