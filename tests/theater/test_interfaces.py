"""Signatures and interface hashes (pack-abi section 8)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.theater.pack_vectors import VECTORS, declared, signature
from theater import types
from theater.interfaces import Signature, function_hash, interface_hash, parse_function, parse_type, type_hash
from theater.scanning import TextError
from theater.types import List, Option, Record, Result, Tuple, Type, Variant

INTERFACES = [(name, interface) for name, interface in VECTORS["standard_interfaces"].items()] + [
    (interface["interface"], interface) for interface in VECTORS["embedded_interfaces"]
]


@pytest.mark.parametrize("vector", VECTORS["hash_types"], ids=lambda vector: str(vector["type"])[:60])
def test_a_type_has_the_hash_of_its_vector(vector: dict[str, Any]) -> None:
    """Hashes of types."""
    assert type_hash(declared(vector["type"])).hex() == vector["hash"]


@pytest.mark.parametrize("vector", VECTORS["hash_functions"], ids=lambda vector: vector["hash"][:8])
def test_a_function_has_the_hash_of_its_vector(vector: dict[str, Any]) -> None:
    """Hashes of functions."""
    assert function_hash(signature(vector["params"], vector["results"])).hex() == vector["hash"]


@pytest.mark.parametrize(("name", "interface"), INTERFACES)
def test_an_interface_has_the_hash_of_its_vector(name: str, interface: dict[str, Any]) -> None:
    """Hashes of the standard interfaces and of those embedded in real guests."""
    functions = {key: signature(each["params"], each["results"]) for key, each in interface["functions"].items()}

    assert interface_hash(name, functions).hex() == interface["hash"]
    for key, each in interface["functions"].items():
        assert each.get("hash", function_hash(functions[key]).hex()) == function_hash(functions[key]).hex()


def test_the_runtime_interface_hashes_from_its_text() -> None:
    """The signatures as the specification prints them give the published hash; `_` counts as bool."""
    functions = {
        "log": "func(msg: string)",
        "self": "func() -> string",
        "shutdown": "func(data: option<list<u8>>) -> result<_, string>",
    }
    parsed = {name: parse_function(text) for name, text in functions.items()}

    digest = interface_hash("theater:simple/runtime", parsed).hex()
    assert digest == "5a8a7706304c531bd5a5aa83d0b3f60c3c5ca58e5ad99854175fb74660b2dfc4"


def test_the_podman_interface_hashes_from_its_text() -> None:
    """Records written in place or by name hash by their fields."""
    mount = parse_type("record mount-spec {source: string, target: string, read-only: bool}")
    names = {
        "mount-spec": mount,
        "container-spec": parse_type(
            "record {image: string, name: string, env: list<tuple<string, string>>, mounts: list<mount-spec>,"
            " cmd: list<string>, tty: bool, interactive: bool}",
            {"mount-spec": mount},
        ),
        "container-info": parse_type(
            "record {id: string, name: string, image: string, status: string, exit-code: s32,}"
        ),
    }
    functions = {
        "run": "func(spec: container-spec) -> result<string, string>",
        "stop": "func(name: string) -> result<_, string>",
        "rm": "func(name: string, force: bool) -> result<_, string>",
        "list": "func() -> result<list<container-info>, string>",
    }
    parsed = {name: parse_function(text, names) for name, text in functions.items()}

    digest = interface_hash("theater:simple/podman", parsed).hex()
    assert digest == VECTORS["standard_interfaces"]["theater:simple/podman"]["hash"]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("map<string, u32>", List(Tuple((types.STRING, types.U32)))),
        ("set<u8>", List(types.U8)),
        ("option<value>", Option(types.VALUE)),
        ("result<_, string>", Result(types.NOTHING, types.STRING)),
        ("record {a: u8, b: list<u8>}", Record("", (("a", types.U8), ("b", List(types.U8))))),
        ("variant v {none, some(u8)}", Variant("v", (("none", None), ("some", types.U8)))),
        ("enum color {red, green}", Variant("color", (("red", None), ("green", None)))),
        ("tuple<>", types.UNIT),
    ],
)
def test_a_type_reads_as(text: str, kind: Type) -> None:
    """All type forms of a signature."""
    assert parse_type(text) == kind


def test_a_signature_prints_as_it_is_written() -> None:
    """str() of a signature reads back."""
    text = "func(actor-id: string, msg: list<u8>) -> result<_, string>"

    assert str(parse_function(text)) == text
    assert parse_function("func()") == Signature()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("func", r"column 5: expected '\('"),
        ("fun()", "column 1: expected 'func'"),
        ("func(a)", "column 7: expected ':'"),
        ("func(a: foo)", "column 9: expected a known type, got 'foo"),
        ("func() -> list<>", "column 16: expected 1 type in list<…>, got 0"),
        ("func() -> result<u8>", "column 18: expected 2 types in result<…>, got 1"),
        ("func() u8", "column 8: expected the end"),
        ("func() -> " + "list<" * 80, r"column \d+: a type nests deeper than 64"),
    ],
)
def test_a_wrong_signature_is_refused_with_its_column(text: str, problem: str) -> None:
    """Errors say what was expected and where."""
    with pytest.raises(TextError, match=f"^{problem}"):
        parse_function(text)


def test_a_type_known_by_name_only_has_no_hash() -> None:
    """Hashing needs the fields of a record."""
    with pytest.raises(ValueError, match="point is known by its name only"):
        type_hash(List(types.Named("point")))
