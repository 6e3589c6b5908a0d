"""Package metadata (pack-abi section 7)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.theater.pack_vectors import VECTORS, names, signature
from tests.theater.strategies import TYPES
from theater import cgrf, metadata, types, values
from theater.metadata import FunctionSig, Metadata, MetadataError
from theater.values import List, Record, String, Tuple, Value, Variant

BLOBS = [bytes.fromhex(vector["hex"]) for vector in VECTORS["metadata"]]
EMPTY = List(types.Named(""))


def functions(listed: list[list[Any]]) -> tuple[FunctionSig, ...]:
    signatures = [(interface, name, signature(params, results)) for interface, name, params, results in listed]
    return tuple(FunctionSig(interface, name, each.params, each.results) for interface, name, each in signatures)


def root(*exports: Value, **others: Value) -> bytes:
    fields = {"imports": EMPTY, "exports": List(types.Named(""), exports), **others}
    return cgrf.encode(Record("anything", tuple(fields.items())))


def function(kind: Value) -> Value:
    params = List(types.Named(""), (Record("", (("name", String("p")), ("type", kind))),))
    none = List(types.Named("", is_variant=True))
    return Record("", (("interface", String("i")), ("name", String("f")), ("params", params), ("results", none)))


@pytest.mark.parametrize("vector", VECTORS["metadata"], ids=names("metadata", "source"))
def test_real_metadata_reads_as_its_vector(vector: dict[str, Any]) -> None:
    """Functions, hashes and type parameters of blobs found in real guests."""
    found = metadata.decode(bytes.fromhex(vector["hex"]))

    assert found.imports == functions(vector["imports"])
    assert found.exports == functions(vector["exports"])
    assert {name: digest.hex() for name, digest in found.import_hashes.items()} == vector["import_hashes"]
    assert {name: digest.hex() for name, digest in found.export_hashes.items()} == vector["export_hashes"]
    assert [list(pair) for pair in found.type_params] == vector["type_params"]


@pytest.mark.parametrize("blob", BLOBS, ids=names("metadata", "source"))
def test_real_metadata_encodes_to_the_same_bytes(blob: bytes) -> None:
    """Our layout is the guests' own."""
    assert metadata.encode(metadata.decode(blob)) == blob


def test_an_export_is_found_by_its_full_name() -> None:
    """Interface, dot, function; the bare name for functions without interface; None for others."""
    found = metadata.decode(BLOBS[3])

    assert found.export("theater:simple/state-test.increment") is found.exports[1]
    assert found.export("increment") is None
    assert metadata.decode(BLOBS[0]).export("double") is not None


def test_functions_are_listed_by_interface() -> None:
    """What is imported from an interface is what its hash is made of."""
    found = metadata.decode(BLOBS[2])

    assert set(found.imported("theater:simple/runtime")) == {"log"}
    assert set(found.exported("theater:simple/actor")) == {"init"}


def test_metadata_without_hashes_is_read() -> None:
    """Packages made before February 2026 have none, which is not the same as having empty ones."""
    old = metadata.decode(root())

    assert old == Metadata(has_hashes=False)
    assert metadata.decode(metadata.encode(old)) == old
    assert metadata.decode(metadata.encode(Metadata())) == Metadata()


def test_a_hash_may_be_32_bytes() -> None:
    """Host-side encoders write list<u8> instead of four numbers."""
    digest = bytes(range(32))
    hashes = List(types.Named("x"), (Record("h", (("name", String("i")), ("hash", values.bytes_of(digest)))),))

    assert metadata.decode(root(**{"import-hashes": hashes, "export-hashes": EMPTY})).import_hashes == {"i": digest}


def test_a_hash_of_numbers_is_little_endian() -> None:
    """Each u64 is the next eight bytes."""
    numbers = Tuple(tuple(map(values.U64, (1, 2, 3, 4))))
    hashes = List(types.Named(""), (Record("", (("hash", numbers), ("name", String("i")))),))

    found = metadata.decode(root(**{"import-hashes": hashes, "export-hashes": EMPTY})).import_hashes["i"]
    assert found.hex() == "".join(f"0{digit}{'00' * 7}" for digit in range(1, 5))


def test_types_are_read_by_tag_alone() -> None:
    """The names of cases do not matter; tag 21 is the unit type."""
    strange = Variant("", "whatever", 14, (Variant("x", "y", 21),))

    assert metadata.decode(root(function(strange))).exports[0].params == (("p", types.List(types.UNIT)),)


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"nonsense", "metadata: CGRF: expected a header"),
        (cgrf.encode(String("x")), 'metadata: expected a record with the field imports, got "x"'),
        (cgrf.encode(Record("m", (("imports", EMPTY),))), "metadata: expected the field exports"),
        (cgrf.encode(Record("m", (("imports", values.U8(1)),))), "metadata.imports: expected a list, got 1u8"),
        (root(Record("", ())), r"metadata.exports\[0\]: expected the field params"),
        (root(function(String("u8"))), r"metadata.exports\[0\].params\[0\].type: expected a type, got \"u8\""),
        (root(function(Variant("", "", 22))), "expected a type"),
        (root(function(Variant("", "list", 14))), "expected a type"),
        (root(function(Variant("", "tuple", 19, (values.U8(1),)))), r"type.tuple: expected a list, got 1u8"),
    ],
)
def test_what_is_not_metadata_is_refused_with_its_place(data: bytes, problem: str) -> None:
    """Errors say where in the metadata and what was expected."""
    with pytest.raises(MetadataError, match=problem):
        metadata.decode(data)


def test_a_type_of_many_levels_is_refused() -> None:
    """Declared types nest 64 levels at most."""
    kind: Value = Variant("", "u8", 1)
    for _ in range(100):
        kind = Variant("", "list", 14, (kind,))

    with pytest.raises(MetadataError, match="deeper than 64"):
        metadata.decode(root(function(kind)))


@settings(max_examples=60, deadline=None)
@given(TYPES, TYPES)
def test_any_signature_survives(param: types.Type, result: types.Type) -> None:
    """What can be declared can be written and read."""
    export = FunctionSig("a:b/c", "f", (("p", param),), (result,))
    package = Metadata(exports=(export,), export_hashes={"a:b/c": bytes(32)})

    assert metadata.decode(metadata.encode(package)) == package


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(BLOBS), st.lists(st.tuples(st.integers(16, 5000), st.integers(0, 255)), min_size=1, max_size=4))
def test_damaged_metadata_is_read_or_refused(blob: bytes, damage: list[tuple[int, int]]) -> None:
    """Nothing but MetadataError is raised for any bytes."""
    data = bytearray(blob)
    for place, byte in damage:
        data[place % len(data)] = byte
    try:
        metadata.decode(bytes(data))
    except MetadataError:
        pass
