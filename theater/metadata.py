"""What a package says about itself: its imports and exports, and their interfaces' hashes (pack-abi section 7).

Guests give it as a value in CGRF. Fields are found by name and types by tag, so that the variants other encoders
write read the same; ``encode`` writes what the guests' own macros write, byte for byte.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from struct import Struct
from typing import Final, TypeVar

import msgspec

from theater import cgrf, types, values
from theater.cgrf import CgrfError, Limits
from theater.interfaces import HASH_BYTES, Signature
from theater.types import DECLARED_DEPTH_MAX, Type
from theater.values import Record, String, Value, Variant

LIMITS: Final = Limits(buffer_bytes_max=16 << 20, nodes_max=1_000_000, depth_max=512)
"""Of a package's metadata; real ones have a few kilobytes."""


class MetadataError(ValueError):
    """A buffer that is not the metadata of a package. Says where in it, and what was expected."""


class FunctionSig(msgspec.Struct, frozen=True):
    """One function: its interface (empty for bare ones), its name, what it takes and gives."""

    interface: str
    name: str
    params: tuple[tuple[str, Type], ...] = ()
    results: tuple[Type, ...] = ()

    @property
    def full_name(self) -> str:
        return f"{self.interface}.{self.name}" if self.interface else self.name

    @property
    def signature(self) -> Signature:
        return Signature(self.params, self.results)


class Metadata(msgspec.Struct, frozen=True, dict=True):
    """All a package declares. Hashes are by interface; older packages have none."""

    imports: tuple[FunctionSig, ...] = ()
    exports: tuple[FunctionSig, ...] = ()
    import_hashes: dict[str, bytes] = {}
    export_hashes: dict[str, bytes] = {}
    type_params: tuple[tuple[str, str], ...] = ()
    """Names and constraints."""
    has_hashes: bool = True
    """False if the hashes are absent, not just empty (packages made before February 2026)."""

    def export(self, full_name: str) -> FunctionSig | None:
        """Return the exported function named ``interface.function``, or None."""
        return self._exports.get(full_name)

    def imported(self, interface: str) -> dict[str, FunctionSig]:
        """Return the functions imported from an interface, by name."""
        return {function.name: function for function in self.imports if function.interface == interface}

    def exported(self, interface: str) -> dict[str, FunctionSig]:
        """Return the functions exported in an interface, by name."""
        return {function.name: function for function in self.exports if function.interface == interface}

    @cached_property
    def _exports(self) -> dict[str, FunctionSig]:
        return {function.full_name: function for function in self.exports}


def decode(data: bytes) -> Metadata:
    """Return what encoded metadata says.

    Raises:
        MetadataError: it is not metadata.
    """
    try:
        value = cgrf.decode(data, LIMITS)
    except CgrfError as error:
        raise MetadataError(f"metadata: {error}") from None
    root = _Node(value, "metadata")
    return Metadata(
        imports=root["imports"].each(_read_function),
        exports=root["exports"].each(_read_function),
        import_hashes=_read_hashes(root, "import-hashes"),
        export_hashes=_read_hashes(root, "export-hashes"),
        type_params=root["type-params"].each(_read_type_param) if "type-params" in root else (),
        has_hashes="import-hashes" in root,
    )


Read = TypeVar("Read")


class _Node:
    """A value inside the metadata and the way to it, for errors."""

    __slots__ = ("path", "value")

    def __init__(self, value: Value, path: str) -> None:
        self.value = value
        self.path = path

    def __contains__(self, field: str) -> bool:
        return isinstance(self.value, Record) and any(name == field for name, _ in self.value.fields)

    def __getitem__(self, field: str) -> _Node:
        if not isinstance(self.value, Record):
            raise self.wrong(f"a record with the field {field}")
        try:
            return _Node(self.value[field], f"{self.path}.{field}")
        except KeyError:
            raise self.wrong(f"the field {field}") from None

    def each(self, read: Callable[[_Node], Read]) -> tuple[Read, ...]:
        if not isinstance(self.value, values.List):
            raise self.wrong("a list")
        items = values.items_of(self.value)
        return tuple(read(_Node(item, f"{self.path}[{place}]")) for place, item in enumerate(items))

    def text(self) -> str:
        if not isinstance(self.value, String):
            raise self.wrong("a string")
        return self.value.value

    def wrong(self, expected: str) -> MetadataError:
        from theater.text import format

        return MetadataError(f"{self.path}: expected {expected}, got {format(self.value, 60)}")


def _read_function(node: _Node) -> FunctionSig:
    params = node["params"].each(lambda param: (param["name"].text(), _read_type(param["type"])))
    return FunctionSig(node["interface"].text(), node["name"].text(), params, node["results"].each(_read_type))


def _read_type_param(node: _Node) -> tuple[str, str]:
    return node["name"].text(), node["constraint"].text()


def _read_hashes(root: _Node, field: str) -> dict[str, bytes]:
    if field not in root:
        return {}
    return dict(root[field].each(lambda node: (node["name"].text(), _read_hash(node["hash"]))))


def _read_hash(node: _Node) -> bytes:
    match node.value:
        case values.Tuple(items=(values.U64(a), values.U64(b), values.U64(c), values.U64(d))):
            return _HASH.pack(a, b, c, d)
        case values.List(element=types.U8, items=bytes(digest)) if len(digest) == HASH_BYTES:
            return digest
        case _:
            raise node.wrong("a hash: a tuple of four u64 or 32 bytes")


# Types: a variant whose tag alone counts.

_HASH: Final = Struct("<4Q")
_LIST, _OPTION, _RESULT, _RECORD, _VARIANT, _TUPLE, _VALUE, _UNIT = range(14, 22)


def _read_type(node: _Node, depth: int = 1) -> Type:
    value = node.value
    if not isinstance(value, Variant):
        raise node.wrong("a type")
    if depth > DECLARED_DEPTH_MAX:
        raise MetadataError(f"metadata: a type nests deeper than {DECLARED_DEPTH_MAX} levels")
    if value.tag < _LIST:
        return types.PRIMITIVES[value.tag]
    if value.tag == _VALUE:
        return types.VALUE
    if value.tag == _UNIT:
        return types.UNIT
    read = _READERS.get(value.tag)
    if read is None or len(value.payload) != 1:
        raise node.wrong("a type")
    return read(_Node(value.payload[0], f"{node.path}.{value.case}"), depth + 1)


def _read_result(node: _Node, depth: int) -> Type:
    return types.Result(_read_type(node["ok"], depth), _read_type(node["err"], depth))


def _read_record(node: _Node, depth: int) -> Type:
    fields = node["fields"].each(lambda field: (field["name"].text(), _read_type(field["type"], depth)))
    return types.Record(node["name"].text(), fields)


def _read_variant_or_ref(node: _Node, depth: int) -> Type:
    if "cases" not in node:
        return types.Parameter(node["name"].text())
    cases = node["cases"].each(lambda case: (case["name"].text(), _read_payload(case["payload"], depth)))
    return types.Variant(node["name"].text(), cases)


def _read_payload(node: _Node, depth: int) -> Type | None:
    if not isinstance(node.value, values.Option):
        raise node.wrong("an option")
    return None if node.value.value is None else _read_type(_Node(node.value.value, node.path), depth)


_READERS: Final[dict[int, Callable[[_Node, int], Type]]] = {
    _LIST: lambda node, depth: types.List(_read_type(node, depth)),
    _OPTION: lambda node, depth: types.Option(_read_type(node, depth)),
    _RESULT: _read_result,
    _RECORD: _read_record,
    _VARIANT: _read_variant_or_ref,
    _TUPLE: lambda node, depth: types.Tuple(node.each(lambda item: _read_type(item, depth))),
}

# Writing, in the guests' own layout: item types with empty names, hashes sorted by interface.

_RECORDS: Final = types.Named("")
_TYPES: Final = types.Named("", is_variant=True)


def encode(metadata: Metadata) -> bytes:
    """Return metadata encoded as guests do. A record or variant known by name only has no metadata: ValueError."""
    fields = [
        ("imports", _list(map(_function, metadata.imports))),
        ("exports", _list(map(_function, metadata.exports))),
    ]
    if metadata.has_hashes:
        fields.append(("import-hashes", _hashes(metadata.import_hashes)))
        fields.append(("export-hashes", _hashes(metadata.export_hashes)))
    if metadata.type_params:
        fields.append(("type-params", _list(_type_param(*param) for param in metadata.type_params)))
    return cgrf.encode(Record("package-metadata", tuple(fields)), LIMITS)


def _list(items: Iterable[Value]) -> Value:
    return values.List(_RECORDS, tuple(items))


def _record(kind: str, /, **fields: Value) -> Value:
    return Record(kind, tuple(fields.items()))


def _function(function: FunctionSig) -> Value:
    return _record(
        "function-sig",
        interface=String(function.interface),
        name=String(function.name),
        params=_list(_record("param-sig", name=String(name), type=_type(kind)) for name, kind in function.params),
        results=_type_list(function.results),
    )


def _type_param(name: str, constraint: str) -> Value:
    return _record("type-param", name=String(name), constraint=String(constraint))


def _hashes(hashes: dict[str, bytes]) -> Value:
    return _list(
        _record("interface-hash", name=String(name), hash=values.Tuple(tuple(map(values.U64, _HASH.unpack(digest)))))
        for name, digest in sorted(hashes.items(), key=lambda item: item[0].encode())
    )


def _type_list(kinds: Iterable[Type]) -> Value:
    return values.List(_TYPES, tuple(map(_type, kinds)))


def _type(kind: Type) -> Value:
    match kind:
        case types.Primitive(name=name):
            return _desc(name, types.PRIMITIVES.index(kind))
        case types.List(item=item):
            return _desc("list", _LIST, _type(item))
        case types.Option(item=item):
            return _desc("option", _OPTION, _type(item))
        case types.Result(ok=ok, err=err):
            sides = _side(ok, types.BOOL), _side(err, types.STRING)
            return _desc("result", _RESULT, _record("result-desc", ok=_type(sides[0]), err=_type(sides[1])))
        case types.Record(name=name, fields=fields):
            items = _list(_record("field-desc", name=String(field), type=_type(item)) for field, item in fields)
            return _desc("record", _RECORD, _record("record-desc", name=String(name), fields=items))
        case types.Variant(name=name, cases=cases):
            items = _list(_record("case-desc", name=String(case), payload=_payload(item)) for case, item in cases)
            return _desc("variant", _VARIANT, _record("variant-desc", name=String(name), cases=items))
        case types.Parameter(name=name):
            return _desc("ref", _VARIANT, _record("TypeRef", name=String(name)))
        case types.Tuple(items=items_):
            return _desc("tuple", _TUPLE, _type_list(items_))
        case types.VALUE:
            return _desc("value", _VALUE)
        case _:
            raise ValueError(f"type {kind} has no place in metadata")


def _side(kind: Type, absent: Type) -> Type:
    return absent if kind == types.NOTHING else kind


def _payload(kind: Type | None) -> Value:
    return values.Option(_TYPES, None if kind is None else _type(kind))


def _desc(case: str, tag: int, *payload: Value) -> Value:
    return Variant("type-desc", case, tag, payload)
