"""Python objects as values, node by node: children before parents, the root last (pack-abi section 2.3).

Every function writes one object and returns its type.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from struct import error as StructError
from typing import Any, Final

from theater_actor import tags
from theater_actor.kinds import (
    Enumerated,
    Flagged,
    HintError,
    Kind,
    Kinds,
    Listed,
    Optional,
    Record,
    Scalar,
    Tupled,
    Variant,
)
from theater_actor.plain import As, Err, Ok, Some
from theater_actor.tags import COUNT, ValueFormError, named, text, tuple_of

S64_MAX: Final = (1 << 63) - 1
SHOWN: Final = 60
_KINDS: Final = Kinds()


class Writer:
    """Nodes so far."""

    def __init__(self) -> None:
        self.nodes: list[bytes] = []
        self._depth = 0

    def encoded(self) -> bytes:
        """All of them, the last one as the root."""
        count = len(self.nodes)
        return b"".join([tags.HEADER.pack(tags.MAGIC, tags.VERSION, 0, count, count - 1), *self.nodes])

    def _node(self, kind: int, payload: bytes) -> None:
        self.nodes.append(tags.NODE.pack(kind, len(payload)) + payload)

    def _inner(self, write: Callable[..., bytes], *given: Any) -> tuple[int, bytes]:
        """Write what is inside of another value; returns its number and its type."""
        self._depth += 1
        if self._depth >= tags.DEPTH_MAX:
            raise ValueFormError(f"expected at most {tags.DEPTH_MAX} levels of nesting")
        type_ = write(*given)
        self._depth -= 1
        return len(self.nodes) - 1, type_

    # -- as they come --------------------------------------------------------------------------------------------------

    def natural(self, value: Any) -> bytes:
        """Write an object that says itself what it is."""
        match value:
            case As(hint, inner):
                return self.typed(_kind(hint), inner)
            case None:
                return self._option(tags.BYTES, None)
            case enum.Enum():
                return self.typed(_kind(type(value)), value)
            case bool():
                return self._number("bool", value)
            case int():
                return self._number("u64" if value > S64_MAX else "s64", value)
            case float():
                return self._number("f64", value)
            case str():
                return self._text(value)
            case bytes() | bytearray() | memoryview():
                return self._array("u8", bytes(value))
            case Ok(inner):
                number, type_ = self._result_of(inner)
                return self._result(type_, bytes((tags.STRING,)), 0, number)
            case Err(inner):
                number, type_ = self._result_of(inner)
                return self._result(tags.UNIT, type_, 1, number)
            case Some(inner):
                number, type_ = self._inner(self.natural, inner)
                return self._option(type_, number)
            case list():
                return self._list(value)
            case _:
                return self._compound(value)

    def _compound(self, value: Any) -> bytes:
        fields = _fields(value)
        if fields is not None:
            return self._record("", [(name, *self._inner(self.natural, item)) for name, item in fields])
        if isinstance(value, tuple):
            return self._tuple([self._inner(self.natural, item) for item in value])
        raise _wrong("None, a bool, number, str, bytes, list, tuple, dict, dataclass or Enum", value)

    def _result_of(self, value: Any) -> tuple[int, bytes]:
        return self._inner(self._tuple, []) if value is None else self._inner(self.natural, value)

    def _list(self, items: list[Any]) -> bytes:
        at = len(self.nodes)
        written = [self._inner(self.natural, item) for item in items]
        types = {type_ for _, type_ in written}
        type_ = types.pop() if len(types) == 1 else tags.UNIT
        width = tags.WIDTHS.get(type_[0])
        if width is None:
            return self._list_node(type_, [number for number, _ in written])
        data = b"".join(node[tags.NODE.size :] for node in self.nodes[at:])
        del self.nodes[at:]
        self._node(tags.ARRAY, type_ + COUNT.pack(len(items)) + data)
        return bytes((tags.LIST,)) + type_

    # -- as a hint says ------------------------------------------------------------------------------------------------

    def typed(self, kind: Kind, value: Any) -> bytes:
        """Write an object that a hint says the type of."""
        match kind:
            case Scalar(wit):
                return self._scalar(wit, value)
            case Listed(item):
                items = list(value.items() if isinstance(value, Mapping) else value)
                return self._typed_list(item, items)
            case Optional(item):
                number = None if value is None else self._inner(self.typed, item, value)[0]
                return self._option(type_of(item), number)
            case Tupled(kinds):
                if len(value) != len(kinds):
                    raise _wrong(f"{len(kinds)} items", value)
                return self._tuple([self._inner(self.typed, *pair) for pair in zip(kinds, value, strict=True)])
            case Record(name=name, fields=fields):
                given = {word.replace("_", "-"): item for word, item in _fields(value) or ()}
                return self._record(name, [self._field(word, item, given) for word, item in fields])
            case Enumerated(cls, name):
                names = list(cls.__members__.values())
                if value not in names:
                    raise _wrong(f"a {cls.__name__}", value)
                return self._variant(name, value.name.lower().replace("_", "-"), names.index(value), [])
            case Flagged(cls):
                return self._number("flags", value.value if isinstance(value, cls) else value)
            case Variant(name, cases):
                return self._case(name, cases, value)

    def _field(self, name: str, kind: Kind, given: Mapping[str, Any]) -> tuple[str, int, bytes]:
        word = name.replace("_", "-")
        if word not in given and not isinstance(kind, Optional):
            raise ValueFormError(f"{word}: expected a value")
        return (word, *self._inner(self.typed, kind, given.get(word)))

    def _case(self, name: str, cases: tuple[Record, ...], value: Any) -> bytes:
        for tag, case in enumerate(cases):
            if type(value) is case.cls:
                payload = [self._inner(self.typed, case, value)[0]] if case.fields else []
                return self._variant(name, case.name, tag, payload)
        raise _wrong(f"one of {', '.join(case.cls.__name__ for case in cases)}", value)

    def _typed_list(self, item: Kind, items: list[Any]) -> bytes:
        if isinstance(item, Scalar) and item.wit in tags.NUMBERS:
            return self._array(item.wit, items)
        if isinstance(item, Flagged):
            return self._array("flags", [each.value for each in items])
        return self._list_node(type_of(item), [self._inner(self.typed, item, each)[0] for each in items])

    def _scalar(self, wit: str, value: Any) -> bytes:
        if wit == "string":
            return self._text(value)
        if wit == "list<u8>":
            return self._array("u8", bytes(value))
        return self._number(wit, value)

    # -- nodes ---------------------------------------------------------------------------------------------------------

    def _number(self, wit: str, value: Any) -> bytes:
        kind, _ = tags.NUMBERS[wit]
        self._node(kind, _packed(wit, value))
        return bytes((kind,))

    def _text(self, value: Any) -> bytes:
        try:
            self._node(tags.STRING, text(value))
        except (AttributeError, UnicodeError):
            raise _wrong("a str of Unicode characters", value) from None
        return bytes((tags.STRING,))

    def _array(self, wit: str, items: Sequence[Any]) -> bytes:
        type_ = bytes((tags.NUMBERS[wit][0],))
        data = items if isinstance(items, bytes) else b"".join(_packed(wit, item) for item in items)
        self._node(tags.ARRAY, type_ + COUNT.pack(len(items)) + data)
        return bytes((tags.LIST,)) + type_

    def _list_node(self, type_: bytes, numbers: list[int]) -> bytes:
        self._node(tags.LIST, type_ + _counted(numbers))
        return bytes((tags.LIST,)) + type_

    def _tuple(self, items: list[tuple[int, bytes]]) -> bytes:
        self._node(tags.TUPLE, _counted([number for number, _ in items]))
        return tuple_of(type_ for _, type_ in items)

    def _option(self, type_: bytes, number: int | None) -> bytes:
        self._node(tags.OPTION, type_ + (b"\0" if number is None else b"\1" + COUNT.pack(number)))
        return bytes((tags.OPTION,)) + type_

    def _result(self, ok: bytes, err: bytes, tag: int, number: int) -> bytes:
        self._node(tags.RESULT, ok + err + COUNT.pack(tag) + b"\1" + COUNT.pack(number))
        return bytes((tags.RESULT,)) + ok + err

    def _record(self, name: str, fields: list[tuple[str, int, bytes]]) -> bytes:
        names = b"".join(text(field) for field, _, _ in fields)
        numbers = b"".join(COUNT.pack(number) for _, number, _ in fields)
        self._node(tags.RECORD, text(name) + COUNT.pack(len(fields)) + names + numbers)
        return named(tags.RECORD, name)

    def _variant(self, name: str, case: str, tag: int, numbers: list[int]) -> bytes:
        self._node(tags.VARIANT, text(name) + text(case) + COUNT.pack(tag) + _counted(numbers))
        return named(tags.VARIANT, name)


def type_of(kind: Kind) -> bytes:
    """A kind as containers declare what they hold."""
    match kind:
        case Scalar("string"):
            return bytes((tags.STRING,))
        case Scalar("list<u8>"):
            return tags.BYTES
        case Scalar(wit):
            return bytes((tags.NUMBERS[wit][0],))
        case Listed(item):
            return bytes((tags.LIST,)) + type_of(item)
        case Optional(item):
            return bytes((tags.OPTION,)) + type_of(item)
        case Tupled(items):
            return tuple_of(map(type_of, items))
        case Record(name=name):
            return named(tags.RECORD, name)
        case Flagged():
            return bytes((tags.FLAGS,))
        case Enumerated(name=name) | Variant(name=name):
            return named(tags.VARIANT, name)


def _kind(hint: Any) -> Kind:
    try:
        return _KINDS.of(hint)
    except HintError as error:
        raise ValueFormError(str(error)) from None


def _fields(value: Any) -> list[tuple[str, Any]] | None:
    """The named parts of an object, if it has such."""
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise _wrong("a str as the name of a field", name)
        return list(value.items())
    if isinstance(value, type):
        return None
    names: Iterable[str] | None = getattr(value, "_fields", None) if isinstance(value, tuple) else None
    if dataclasses.is_dataclass(value):
        names = [each.name for each in dataclasses.fields(value)]
    return None if names is None else [(name.replace("_", "-"), getattr(value, name)) for name in names]


def _packed(wit: str, value: Any) -> bytes:
    _, form = tags.NUMBERS[wit]
    is_right = isinstance(value, bool) == (wit == "bool")
    try:
        if wit == "char":
            return form.pack(ord(value.encode().decode()))
        if is_right:
            return form.pack(value)
    except (StructError, TypeError, AttributeError, UnicodeError, OverflowError):
        pass
    raise _wrong(wit, value)


def _counted(numbers: list[int]) -> bytes:
    return COUNT.pack(len(numbers)) + b"".join(map(COUNT.pack, numbers))


def _wrong(what: str, value: Any) -> ValueFormError:
    return ValueFormError(f"expected {what}, got {repr(value)[:SHOWN]}")
