"""The WIT type that a Python type hint stands for.

============================  =========================================================
hint                          WIT
============================  =========================================================
bool, str, bytes              bool, string, list<u8>
int, float                    s64, f64
U8 … U64, S8 … S64, F32       u8 … u64, s8 … s64, f32
Char                          char
list[T], tuple[T, ...]        list<T>
dict[K, V]                    list<tuple<K, V>>
tuple[A, B]                   tuple<A, B>
T | None                      option<T>
a dataclass, a NamedTuple     record; its fields in order
an Enum                       enum; its members in order
a Flag                        flags
A | B of dataclasses          variant; a case for each, a dataclass without fields has no payload
============================  =========================================================
"""

from __future__ import annotations

import dataclasses
import enum
import functools
import operator
import re
import sys
import types
import typing
from dataclasses import dataclass
from typing import Any, Final, Union

from theater_actor.widths import Width

SCALARS: Final[dict[Any, str]] = {bool: "bool", int: "s64", float: "f64", str: "string", bytes: "list<u8>"}
EXPECTED: Final = (
    "expected bool, int, U8 … S64, float, F32, str, Char, bytes, list[T], tuple[…], dict[K, V], T | None, a dataclass, "
    "a NamedTuple, an Enum, a Flag or a union of dataclasses"
)
_WORDS: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z][a-z0-9]*)*")
FLAGS_MAX: Final = 32
WIT_NAME: Final = "WIT_NAME"
"""A record's name, on a class whose own one is not it."""


class HintError(Exception):
    """A hint that has no WIT type. ``owner`` and ``part`` say where it stands, if not where it was asked for."""

    def __init__(self, text: str, owner: Any = None, part: str | None = None) -> None:
        super().__init__(text)
        self.owner = owner
        self.part = part


@dataclass(frozen=True)
class Scalar:
    """A type without parts."""

    wit: str


@dataclass(frozen=True)
class Listed:
    """A list; ``make`` is what Python has for it: list, tuple or dict (of an item that is a pair)."""

    item: Kind
    make: type


@dataclass(frozen=True)
class Optional:
    """Something, or None."""

    item: Kind


@dataclass(frozen=True)
class Tupled:
    """A tuple of a fixed length."""

    items: tuple[Kind, ...]


@dataclass(frozen=True)
class Record:
    """A dataclass or a NamedTuple. Compared by its class."""

    cls: type
    name: str
    fields: tuple[tuple[str, Kind], ...] = dataclasses.field(compare=False)


@dataclass(frozen=True)
class Enumerated:
    """An Enum."""

    cls: type[enum.Enum]
    name: str


@dataclass(frozen=True)
class Flagged:
    """A Flag."""

    cls: type[enum.Flag]
    name: str


@dataclass(frozen=True)
class Variant:
    """One of several dataclasses."""

    name: str
    cases: tuple[Record, ...]


Kind = Scalar | Listed | Optional | Tupled | Record | Enumerated | Flagged | Variant
Named = Record | Enumerated | Flagged | Variant


class Kinds:
    """Hints of one actor into kinds; every class is looked into once."""

    def __init__(self) -> None:
        self._known: dict[type, Kind] = {}
        self._open: list[type] = []
        """The classes being looked into, outermost first: none of them may turn up again."""

    def of(self, hint: Any, module: str = "") -> Kind:
        """The kind of a hint that stands in a module.

        Raises:
            HintError: there is none.
        """
        while hasattr(hint, "__supertype__") or isinstance(hint, getattr(typing, "TypeAliasType", ())):
            hint = hint.__supertype__ if hasattr(hint, "__supertype__") else hint.__value__
        origin, arguments = typing.get_origin(hint), typing.get_args(hint)
        if origin is typing.Annotated:
            return self._annotated(arguments, module)
        if hint in SCALARS:
            return Scalar(SCALARS[hint])
        if origin in (Union, types.UnionType):
            return self._union(hint, arguments, module)
        if origin in _GENERIC:
            return self._generic(hint, origin, arguments, module)
        if isinstance(hint, type) and origin is None:
            found = self._class(hint)
            if isinstance(found, Record) and not found.fields:
                raise HintError(f"{found.cls.__name__}: expected a field; only a case of a union may have none")
            return found
        raise HintError(f"{shown(hint)} has no WIT type; {EXPECTED}")

    def _annotated(self, arguments: tuple[Any, ...], module: str) -> Kind:
        width = next((each for each in arguments[1:] if isinstance(each, Width)), None)
        return Scalar(width.wit) if width is not None else self.of(arguments[0], module)

    def _generic(self, hint: Any, origin: Any, arguments: tuple[Any, ...], module: str) -> Kind:
        if origin is dict:
            return Listed(Tupled((self.of(arguments[0], module), self.of(arguments[1], module))), dict)
        if origin is tuple and arguments[-1:] != (...,):
            if not arguments:
                raise HintError(f"{shown(hint)} has no WIT type: expected a tuple of at least one item")
            return Tupled(tuple(self.of(each, module) for each in arguments))
        return Listed(self.of(arguments[0], module), origin)

    def _union(self, hint: Any, arguments: tuple[Any, ...], module: str) -> Kind:
        rest = tuple(each for each in arguments if each is not type(None))
        if len(rest) < len(arguments):
            return Optional(self.of(functools.reduce(operator.or_, rest), module))
        cases = [self._class(each) if isinstance(each, type) and each not in SCALARS else None for each in rest]
        records = tuple(each for each in cases if isinstance(each, Record))
        if len(records) < len(cases):
            raise HintError(f"{shown(hint)} has no WIT type: expected a union of dataclasses, or of one type and None")
        return Variant(_name_of_union(hint, records, module), records)

    def _class(self, cls: type) -> Kind:
        if cls in self._open:
            raise HintError(f"{cls.__name__} contains itself, which no WIT type can")
        found = self._known.get(cls)
        if found is None:
            self._open.append(cls)
            try:
                found = self._known[cls] = self._new(cls)
            finally:
                self._open.pop()
        return found

    def _new(self, cls: type) -> Kind:
        if issubclass(cls, enum.Flag):
            return _flags(cls)
        if issubclass(cls, enum.Enum):
            return _enum(cls)
        if dataclasses.is_dataclass(cls):
            names = [each.name for each in dataclasses.fields(cls)]
            for each in dataclasses.fields(cls):
                if not each.init:
                    raise HintError("expected a field that __init__ takes: the host makes the object", cls, each.name)
        elif issubclass(cls, tuple) and hasattr(cls, "_fields"):
            names = list(cls._fields)
        else:
            raise HintError(f"{shown(cls)} has no WIT type; {EXPECTED}")
        hints = hints_of(cls)
        fields = []
        for name in names:
            word(name, "a field", cls, name)
            try:
                fields.append((name, self.of(hints[name], cls.__module__)))
            except HintError as error:
                raise error if error.owner is not None else HintError(str(error), cls, name) from None
        return Record(cls, getattr(cls, WIT_NAME, None) or kebab(cls.__name__, cls), tuple(fields))


_GENERIC: Final = (list, tuple, dict)


def hints_of(owner: Any) -> dict[str, Any]:
    """The hints of a class or a function, evaluated."""
    try:
        return typing.get_type_hints(owner, include_extras=True)
    except (NameError, TypeError) as error:
        text = f"{error}: the hints are evaluated when the actor is built, so import what they name as you do code"
        raise HintError(text, owner) from None


def _enum(cls: type[enum.Enum]) -> Kind:
    for name in cls.__members__:
        word(name.lower(), "a member", cls, name)
    if len(cls.__members__) != len(cls) or not len(cls):
        raise HintError(f"{cls.__name__}: expected members, each with a value of its own", cls)
    return Enumerated(cls, kebab(cls.__name__, cls))


def _flags(cls: type[enum.Flag]) -> Kind:
    for name in cls.__members__:
        word(name.lower(), "a member", cls, name)
    values = [each.value for each in cls.__members__.values()]
    if values != [1 << bit for bit in range(len(values))] or not 0 < len(values) <= FLAGS_MAX:
        raise HintError(f"{cls.__name__}: expected up to {FLAGS_MAX} members with the values 1, 2, 4 … (auto())", cls)
    return Flagged(cls, kebab(cls.__name__, cls))


def _name_of_union(hint: Any, cases: tuple[Record, ...], module: str) -> str:
    """What the module calls it; else all its cases."""
    for name, value in vars(sys.modules.get(module, types)).items():
        if not name.startswith("_") and getattr(value, "__value__", value) == hint:
            return kebab(name, None)
    return "-or-".join(case.name for case in cases)


def kebab(name: str, owner: Any) -> str:
    """``HTTPRequest`` and ``http_request`` are ``http-request`` in WIT."""
    parted = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
    return word(parted, "a name", owner, None)


def word(name: str, what: str, owner: Any, part: str | None) -> str:
    """A name as WIT writes it, if WIT has such names."""
    if not _WORDS.fullmatch(name):
        text = f"{name}: expected {what} of words that begin with a letter, with single underscores between them"
        raise HintError(text, owner, part)
    return name.replace("_", "-")


def shown(hint: Any) -> str:
    """A hint as its author wrote it, nearly."""
    if isinstance(hint, type) and typing.get_origin(hint) is None:
        return hint.__qualname__
    return repr(hint).replace("typing.", "")
