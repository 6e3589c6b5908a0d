"""A second, deliberately plain implementation of the guest's side of the Pack ABI, for tests only.

It shares no code with ``theater``: fixture modules and the C kit are checked against the product *and* against this,
so a mistake has to be made twice to go unnoticed. Nothing here is fast, bounded or meant for untrusted input.

Values are built with small functions (``u32(5)``, ``text("hi")``, ``tup(a, b)``, ``ok(state, answer)``) and encoded
with ``encode``. Types and signatures are written as text (``list<u8>``, ``record point {x: s32, y: s32}``,
``func(state: value, by: u32) -> result<tuple<value, u32>, string>``). ``metadata`` encodes a module's ``__pack_types``.
"""

from __future__ import annotations

import hashlib
import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Union

# --- values -----------------------------------------------------------------------------------------------------------

KIND = {
    "bool": 0x01, "s32": 0x02, "s64": 0x03, "f32": 0x04, "f64": 0x05, "string": 0x06, "list": 0x07, "variant": 0x08,
    "record": 0x09, "option": 0x0A, "tuple": 0x0B, "u8": 0x0C, "u16": 0x0D, "u32": 0x0E, "u64": 0x0F, "s8": 0x10,
    "s16": 0x11, "char": 0x12, "flags": 0x13, "result": 0x14, "array": 0x15,
}  # fmt: skip
PACKING = {
    "bool": "<B", "u8": "<B", "u16": "<H", "u32": "<I", "u64": "<Q", "s8": "<b", "s16": "<h", "s32": "<i", "s64": "<q",
    "f32": "<f", "f64": "<d", "char": "<I", "flags": "<Q",
}  # fmt: skip


@dataclass(frozen=True)
class Value:
    """One node to be: its kind, the bytes of its payload before and after the children's indices, and the children."""

    kind: str
    tag: bytes
    before: bytes
    children: tuple[Value, ...] = ()


def scalar(kind: str, number: float) -> Value:
    """A number, boolean, character (as a number) or flags value of the named primitive type."""
    return Value(kind, bytes([KIND[kind]]), struct.pack(PACKING[kind], number))


def boolean(it: bool) -> Value:
    return scalar("bool", int(it))


def u8(it: int) -> Value:
    return scalar("u8", it)


def u32(it: int) -> Value:
    return scalar("u32", it)


def u64(it: int) -> Value:
    return scalar("u64", it)


def s64(it: int) -> Value:
    return scalar("s64", it)


def text(it: str) -> Value:
    return Value("string", b"\x06", _text(it))


def tup(*items: Value) -> Value:
    """A tuple; ``tup()`` is unit."""
    tag = b"\x0b" + _u32(len(items)) + b"".join(item.tag for item in items)
    return Value("tuple", tag, _u32(len(items)), items)


def octets(data: bytes) -> Value:
    """A ``list<u8>``."""
    return Value("array", b"\x07\x0c", b"\x0c" + _u32(len(data)) + data)


def listed(element: bytes, items: Sequence[Value]) -> Value:
    """A list of anything that is not a fixed-width primitive; ``element`` is the type tag."""
    return Value("list", b"\x07" + element, element + _u32(len(items)), tuple(items))


def some(item: Value) -> Value:
    return Value("option", b"\x0a" + item.tag, item.tag + b"\x01", (item,))


def none(inner: bytes = b"\x07\x0c") -> Value:
    """An absent value; the default inner type is ``list<u8>``, the state of an actor that was given none."""
    return Value("option", b"\x0a" + inner, inner + b"\x00")


def result(is_ok: bool, payload: Value, ok_tag: bytes, err_tag: bytes) -> Value:
    return Value("result", b"\x14" + ok_tag + err_tag, ok_tag + err_tag + _u32(int(not is_ok)) + b"\x01", (payload,))


def ok(state: Value, *response: Value) -> Value:
    """What an actor function returns on success: ``ok((state, response…))``."""
    return good(tup(state, *response))


def good(payload: Value) -> Value:
    return result(True, payload, payload.tag, b"\x06")


def err(message: str) -> Value:
    """What an actor function returns to decline: ``err("text")``."""
    return result(False, text(message), b"\x0b\x00\x00\x00\x00", b"\x06")


def record(name: str, /, **fields: Value) -> Value:
    """A record; underscores in field names become hyphens."""
    names = b"".join(_text(field.replace("_", "-")) for field in fields)
    return Value("record", b"\x09" + _text(name), _text(name) + _u32(len(fields)) + names, tuple(fields.values()))


def variant(name: str, case: str, tag: int, *payload: Value) -> Value:
    before = _text(name) + _text(case) + _u32(tag) + _u32(len(payload))
    return Value("variant", b"\x08" + _text(name), before, payload)


def encode(value: Value) -> bytes:
    """The canonical CGRF of a value: children before parents, the root last."""
    nodes: list[bytes] = []

    def add(it: Value) -> int:
        payload = it.before + b"".join([_u32(add(child)) for child in it.children])
        nodes.append(struct.pack("<BBHI", KIND[it.kind], 0, 0, len(payload)) + payload)
        return len(nodes) - 1

    root = add(value)
    return b"CGRF" + struct.pack("<HHII", 2, 0, len(nodes), root) + b"".join(nodes)


def _u32(number: int) -> bytes:
    return struct.pack("<I", number)


def _text(it: str) -> bytes:
    data = it.encode()
    return _u32(len(data)) + data


# --- types ------------------------------------------------------------------------------------------------------------

PRIMITIVES = ("bool", "u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "f32", "f64", "char", "string", "flags")

Parts = tuple[Union["Type", tuple[str, "Type | None"]], ...]


@dataclass(frozen=True)
class Type:
    """A type: its constructor, the name of a record or variant, and what it is made of."""

    kind: str
    name: str = ""
    parts: Parts = ()


@dataclass(frozen=True)
class Signature:
    """Parameters with their names, and no or one result."""

    params: tuple[tuple[str, Type], ...]
    results: tuple[Type, ...]


class _Parser:
    TOKEN = re.compile(r"\s*(->|[A-Za-z_%][A-Za-z0-9_-]*|[<>{}():,])")

    def __init__(self, source: str) -> None:
        self.tokens = self.TOKEN.findall(source)
        if "".join(self.tokens) != re.sub(r"\s+", "", source):
            raise ValueError(f"not a type or signature: {source!r}")

    def peek(self) -> str:
        return self.tokens[0] if self.tokens else ""

    def take(self, *wanted: str) -> str:
        token = self.tokens.pop(0) if self.tokens else "end"
        if wanted and token not in wanted:
            raise ValueError(f"expected {' or '.join(wanted)}, found {token!r}")
        return str(token)

    def signature(self) -> Signature:
        if self.peek() == "func":
            self.take()
        params = self.fields("(", ")")
        results: tuple[Type, ...] = ()
        if self.peek() == "->":
            self.take()
            results = (self.type(),)
        return Signature(params, results)

    def fields(self, opening: str, closing: str) -> tuple[tuple[str, Type], ...]:
        found = []
        self.take(opening)
        while self.peek() != closing:
            name = self.take()
            self.take(":")
            found.append((name, self.type()))
            if self.peek() != closing:
                self.take(",")
        self.take(closing)
        return tuple(found)

    def cases(self) -> tuple[tuple[str, Type | None], ...]:
        found: list[tuple[str, Type | None]] = []
        self.take("{")
        while self.peek() != "}":
            name, payload = self.take(), None
            if self.peek() == "(":
                self.take()
                payload = self.type()
                self.take(")")
            found.append((name, payload))
            if self.peek() != "}":
                self.take(",")
        self.take("}")
        return tuple(found)

    def type(self) -> Type:
        word = self.take()
        if word in PRIMITIVES or word == "value":
            return Type(word)
        if word in ("record", "variant", "enum"):
            name = self.take() if self.peek() != "{" else ""
            parts: Parts = self.fields("{", "}") if word == "record" else self.cases()
            return Type("record" if word == "record" else "variant", name, parts)
        if word in ("list", "option", "result", "tuple"):
            return Type(word, "", self.arguments(word))
        raise ValueError(f"unknown type {word!r}")

    def arguments(self, word: str) -> tuple[Type, ...]:
        found: list[Type] = []
        if self.peek() != "<":
            return ()
        self.take("<")
        while self.peek() != ">":
            if self.peek() == "_":  # unit in a result is recorded as bool (ok) or string (err), pack-abi §7
                self.take()
                found.append(Type("string" if found else "bool"))
            else:
                found.append(self.type())
            if self.peek() != ">":
                self.take(",")
        self.take(">")
        if word == "result" and len(found) == 1:
            found.append(Type("string"))
        return tuple(found)


def parse_type(source: str) -> Type:
    """Read a type written as text."""
    return _Parser(source).type()


def parse_signature(source: str) -> Signature:
    """Read ``func(name: type, …) -> type``; the word ``func`` and the result may be missing."""
    return _Parser(source).signature()


# --- interface hashes (pack-abi §8) -----------------------------------------------------------------------------------


def type_hash(it: Type) -> bytes:
    """The 32 bytes that stand for a type inside a function's hash."""
    if it.kind in PRIMITIVES:
        return bytes([0, PRIMITIVES.index(it.kind) + 1]) + bytes(30)
    if it.kind == "value":
        return b"\xff\xff" + bytes(30)
    if it.kind in ("list", "option", "result"):
        tag = {"list": 0x10, "option": 0x11, "result": 0x12}[it.kind]
        return _sha(bytes([tag]) + b"".join(type_hash(part) for part in it.parts if isinstance(part, Type)))
    if it.kind == "tuple":
        inner = b"".join(type_hash(part) for part in it.parts if isinstance(part, Type))
        return _sha(b"\x13" + _u32(len(it.parts)) + inner)
    named = sorted((part for part in it.parts if isinstance(part, tuple)), key=lambda part: part[0].encode())
    if it.kind == "record":
        return _sha(b"\x14" + _u32(len(named)) + b"".join(_text(n) + type_hash(t) for n, t in named if t))
    cases = b"".join(_text(n) + (b"\x01" + type_hash(t) if t else b"\x00") for n, t in named)
    return _sha(b"\x15" + _u32(len(named)) + cases)


def function_hash(it: Signature) -> bytes:
    params = b"".join(type_hash(kind) for _, kind in it.params)
    results = b"".join(type_hash(kind) for kind in it.results)
    return _sha(b"\x16" + _u32(len(it.params)) + params + _u32(len(it.results)) + results)


def interface_hash(name: str, functions: dict[str, Signature]) -> bytes:
    """The hash of an interface with exactly these functions."""
    inner = b"".join(_text(each) + function_hash(functions[each]) for each in sorted(functions, key=str.encode))
    return _sha(b"\x17" + _text(name) + _u32(0) + _u32(len(functions)) + inner)


def _sha(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


# --- metadata (pack-abi §7) -------------------------------------------------------------------------------------------

RECORDS, VARIANTS = b"\x09" + _u32(0), b"\x08" + _u32(0)

Declared = tuple[str, Signature]
"""A function's full name, ``interface.function`` (or bare), and its signature."""


def metadata(
    imports: Iterable[Declared], exports: Iterable[Declared], *, hashes: bool = True, wrong_hashes: bool = False
) -> bytes:
    """What ``__pack_types`` of a module with these functions returns, in the guest's own layout."""
    imports, exports = list(imports), list(exports)
    fields = {
        "imports": listed(RECORDS, [_function_sig(it) for it in imports]),
        "exports": listed(RECORDS, [_function_sig(it) for it in exports]),
    }
    if hashes:
        fields["import_hashes"] = listed(RECORDS, _hashes(imports, wrong_hashes))
        fields["export_hashes"] = listed(RECORDS, _hashes(exports, wrong_hashes))
    return encode(record("package-metadata", **fields))


def split_name(full: str) -> tuple[str, str]:
    """``theater:simple/actor.init`` → the interface and the function; names of methods have a dot of their own."""
    interface, dot, method = full.partition(".[")
    if dot:
        return interface, f"[{method}"
    interface, _, name = full.rpartition(".")
    return interface, name


def _function_sig(it: Declared) -> Value:
    interface, name = split_name(it[0])
    params = [record("param-sig", name=text(each), type=_desc(kind)) for each, kind in it[1].params]
    results = [_desc(kind) for kind in it[1].results]
    return record(
        "function-sig",
        interface=text(interface),
        name=text(name),
        params=listed(RECORDS, params),
        results=listed(VARIANTS, results),
    )


def _hashes(functions: list[Declared], wrong: bool) -> list[Value]:
    interfaces: dict[str, dict[str, Signature]] = {}
    for full, signature in functions:
        interface, name = split_name(full)
        interfaces.setdefault(interface, {})[name] = signature
    found = []
    for interface in sorted(interfaces, key=str.encode):
        digest = bytes(32) if wrong else interface_hash(interface, interfaces[interface])
        words = tup(*(u64(number) for number in struct.unpack("<4Q", digest)))
        found.append(record("interface-hash", name=text(interface), hash=words))
    return found


DESC_TAGS = (
    "bool", "u8", "u16", "u32", "u64", "s8", "s16", "s32", "s64", "f32", "f64", "char", "string", "flags",
    "list", "option", "result", "record", "variant", "tuple", "value",
)  # fmt: skip


def _desc(it: Type) -> Value:
    types = [_desc(part) for part in it.parts if isinstance(part, Type)]
    payload: tuple[Value, ...] = ()
    if it.kind in ("list", "option"):
        payload = (types[0],)
    elif it.kind == "result":
        payload = (record("result-desc", ok=types[0], err=types[1]),)
    elif it.kind == "tuple":
        payload = (listed(VARIANTS, types),)
    elif it.kind == "record":
        fields = [record("field-desc", name=text(n), type=_desc(t)) for n, t in it.parts if t]  # type: ignore[misc]
        payload = (record("record-desc", name=text(it.name), fields=listed(RECORDS, fields)),)
    elif it.kind == "variant":
        payload = (record("variant-desc", name=text(it.name), cases=listed(RECORDS, _cases(it))),)
    return variant("type-desc", it.kind, DESC_TAGS.index(it.kind), *payload)


def _cases(it: Type) -> list[Value]:
    found = []
    for part in it.parts:
        assert isinstance(part, tuple)
        name, payload = part
        inner = Value("option", b"\x0a" + VARIANTS, VARIANTS + (b"\x01" if payload else b"\x00"))
        if payload:
            inner = Value("option", inner.tag, inner.before, (_desc(payload),))
        found.append(record("case-desc", name=text(name), payload=inner))
    return found
