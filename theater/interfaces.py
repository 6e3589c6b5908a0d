"""Interfaces: signatures read from text, and the hashes by which guest and host agree on them (pack-abi section 8).

    >>> log = parse_function("func(msg: string)")
    >>> interface_hash("theater:simple/runtime", {"log": log}).hex()
    '1dd3d02d5f489296fab56691f915636091203b3899500d8d6eb1706d54249e54'

Names of types and parameters do not count in a hash; names of fields, cases, functions and interfaces do.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from struct import Struct
from typing import Final, Protocol

import msgspec

from theater import types
from theater.scanning import Scanner, read_type
from theater.types import Type

HASH_BYTES: Final = 32


class Signature(msgspec.Struct, frozen=True):
    """What a function takes, by name, and what it gives (nothing or one value)."""

    params: tuple[tuple[str, Type], ...] = ()
    results: tuple[Type, ...] = ()

    def __str__(self) -> str:
        params = ", ".join(f"{name}: {kind}" for name, kind in self.params)
        return f"func({params})" + "".join(f" -> {kind}" for kind in self.results)


class HasSignature(Protocol):
    """Anything with parameters and results: a ``Signature``, or a function of a package's metadata."""

    @property
    def params(self) -> tuple[tuple[str, Type], ...]: ...
    @property
    def results(self) -> tuple[Type, ...]: ...


def parse_function(text: str, names: Mapping[str, Type] | None = None) -> Signature:
    """Return the signature in a text such as ``func(actor-id: string, msg: list<u8>) -> result<_, string>``.

    Records, variants and enums are written in place, ``record point {x: s32, y: s32}``, or named through ``names``.

    Raises:
        scanning.TextError: it is not a signature, or a type is unknown; the error names the column.
    """
    scanner = Scanner(text)
    if scanner.name("'func'") != "func":
        scanner.fail("'func'", 0)
    scanner.expect("(")
    resolve = _Resolver(names or {})
    params: list[tuple[str, Type]] = []
    scanner.items(")", lambda: params.append(resolve.field(scanner, "a parameter's name")))
    results = (read_type(scanner, resolve),) if scanner.accept("->") else ()
    scanner.end()
    return Signature(tuple(params), results)


def parse_type(text: str, names: Mapping[str, Type] | None = None) -> Type:
    """Return the type in a text, with the same rules as in a signature."""
    scanner = Scanner(text)
    kind = read_type(scanner, _Resolver(names or {}))
    scanner.end()
    return kind


def interface_hash(name: str, functions: Mapping[str, HasSignature]) -> bytes:
    """Return the hash of an interface made of just these functions."""
    parts = [b"\x17", _text(name), _count(0), _count(len(functions))]
    for function in sorted(functions, key=str.encode):
        parts += (_text(function), function_hash(functions[function]))
    return _digest(parts)


def function_hash(signature: HasSignature) -> bytes:
    """Return the hash of a function's parameters and results."""
    params = [type_hash(kind) for _, kind in signature.params]
    results = [type_hash(kind) for kind in signature.results]
    return _digest([b"\x16", _count(len(params)), *params, _count(len(results)), *results])


def type_hash(kind: Type) -> bytes:
    """Return a type's hash. Records and variants known by name only have none: ValueError."""
    constant = _CONSTANTS.get(kind)
    if constant is not None:
        return constant
    match kind:
        case types.List(item=item):
            return _digest([b"\x10", type_hash(item)])
        case types.Option(item=item):
            return _digest([b"\x11", type_hash(item)])
        case types.Result(ok=ok, err=err):
            return _digest([b"\x12", type_hash(_side(ok, types.BOOL)), type_hash(_side(err, types.STRING))])
        case types.Tuple(items=items):
            return _digest([b"\x13", _count(len(items)), *map(type_hash, items)])
        case types.Record(fields=fields):
            named = sorted((name.encode(), _text(name) + type_hash(item)) for name, item in fields)
            return _digest([b"\x14", _count(len(named)), *(part for _, part in named)])
        case types.Variant(cases=cases):
            named = sorted((name.encode(), _text(name) + _payload(item)) for name, item in cases)
            return _digest([b"\x15", _count(len(named)), *(part for _, part in named)])
        case types.Parameter():
            return _ANYTHING
        case _:
            raise ValueError(f"type {kind} is known by its name only, its parts are needed for a hash")


_ANYTHING: Final = b"\xff\xff" + bytes(30)
_CONSTANTS: Final[dict[Type, bytes]] = {
    types.VALUE: _ANYTHING,
    types.NOTHING: hashlib.sha256(b"\x13" + bytes(4)).digest(),
    **{kind: bytes([0, number]) + bytes(30) for number, kind in enumerate(types.PRIMITIVES, 1)},
}
_u32 = Struct("<I").pack


def _side(kind: Type, absent: Type) -> Type:
    """Return what an absent side of a result counts as."""
    return absent if kind == types.NOTHING else kind


def _payload(kind: Type | None) -> bytes:
    return b"\x00" if kind is None else b"\x01" + type_hash(kind)


def _digest(parts: list[bytes]) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def _count(number: int) -> bytes:
    return _u32(number)


def _text(text: str) -> bytes:
    encoded = text.encode()
    return _u32(len(encoded)) + encoded


class _Resolver:
    """What the words of a signature mean that are not built-in types."""

    def __init__(self, names: Mapping[str, Type]) -> None:
        self._names = names

    def __call__(self, scanner: Scanner, word: str) -> Type:
        at = scanner.at - len(word)
        match word:
            case "_":
                return types.NOTHING
            case "value":
                return types.VALUE
            case "record":
                return self._record(scanner)
            case "variant":
                return self._variant(scanner)
            case "enum":
                return self._variant(scanner)
        if word not in self._names:
            scanner.fail("a known type", at)
        return self._names[word]

    def field(self, scanner: Scanner, meaning: str) -> tuple[str, Type]:
        name = scanner.name(meaning)
        scanner.expect(":")
        return name, read_type(scanner, self)

    def _record(self, scanner: Scanner) -> Type:
        name = _optional_name(scanner)
        fields: list[tuple[str, Type]] = []
        scanner.items("}", lambda: fields.append(self.field(scanner, "a field's name")))
        return types.Record(name, tuple(fields))

    def _variant(self, scanner: Scanner) -> Type:
        name = _optional_name(scanner)
        cases: list[tuple[str, Type | None]] = []
        scanner.items("}", lambda: cases.append(self._case(scanner)))
        return types.Variant(name, tuple(cases))

    def _case(self, scanner: Scanner) -> tuple[str, Type | None]:
        name = scanner.name("a case's name")
        if not scanner.accept("("):
            return name, None
        kind = read_type(scanner, self)
        scanner.expect(")")
        return name, kind


def _optional_name(scanner: Scanner) -> str:
    if scanner.accept("{"):
        return ""
    name = scanner.name("a name or '{'")
    scanner.expect("{")
    return name
