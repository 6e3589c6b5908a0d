"""Plain Python objects to values and back."""

from __future__ import annotations

import math
import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, NamedTuple

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.theater.strategies import TYPES, VALUES, fitting
from theater import cgrf, text, types, values
from theater.convert import ConvertError, Err, Ok, Some, fits, from_value, to_value
from theater.interfaces import parse_type
from theater.types import Type
from theater.values import (
    F32,
    F64,
    S64,
    U8,
    U16,
    U32,
    U64,
    Bool,
    Char,
    List,
    Option,
    Record,
    Result,
    String,
    Tuple,
    Value,
    Variant,
)

POINT = parse_type("record point {x: s32, max-count: option<u8>}")
SHAPE = parse_type("variant shape {empty, circle(u32), box-of(tuple<u8, u8>), maybe(option<u8>)}")


@dataclass
class DataPoint:
    x: int
    max_count: int | None = None


class StructPoint(msgspec.Struct):
    x: int
    max_count: int | None = None


class NamedPoint(NamedTuple):
    x: int
    max_count: int | None = None


def point(x: int, count: int | None) -> Record:
    given = Option(types.U8, None if count is None else U8(count))
    return Record("point", (("x", values.S32(x)), ("max-count", given)))


@pytest.mark.parametrize(
    ("item", "kind", "value"),
    [
        (True, "bool", Bool(True)),
        (255, "u8", U8(255)),
        (-(2**63), "s64", S64(-(2**63))),
        (3, "f32", F32.from_float(3.0)),
        (math.inf, "f32", F32.from_float(math.inf)),
        (0.1, "f64", F64.from_float(0.1)),
        ("é", "char", Char("é")),
        ("", "string", String("")),
        (5, "flags", values.Flags(5)),
        (b"ab", "list<u8>", List(types.U8, b"ab")),
        (bytearray(b"ab"), "list<u8>", List(types.U8, b"ab")),
        ([97, 98], "list<u8>", List(types.U8, b"ab")),
        ([1, -1], "list<s16>", List(types.S16, (1, -1))),
        ([1.0], "list<f32>", List(types.F32, (0x3F800000,))),
        (("a", "b"), "list<string>", List(types.STRING, (String("a"), String("b")))),
        ({3, 1, 2}, "set<u8>", List(types.U8, b"\1\2\3")),
        ({"b": 1, "a": 2}, "map<string, u8>", to_value([("a", 2), ("b", 1)], parse_type("list<tuple<string, u8>>"))),
        (None, "option<u8>", Option(types.U8, None)),
        (1, "option<u8>", Option(types.U8, U8(1))),
        (Some(None), "option<option<u8>>", Option(types.Option(types.U8), Option(types.U8, None))),
        (None, "option<value>", values.NO_BYTES),
        ("x", "option<value>", Option(types.STRING, String("x"))),
        (Ok(1), "result<u8, string>", Result(types.U8, types.STRING, True, U8(1))),
        ({"err": "no"}, "result<u8, string>", Result(types.U8, types.STRING, False, String("no"))),
        (Ok(), "result<_, string>", Result(types.UNIT, types.STRING, True, values.UNIT)),
        (Ok(), "result<bool, string>", Result(types.BOOL, types.STRING, True, values.UNIT)),
        ((), "tuple<>", values.UNIT),
        (None, "tuple<>", values.UNIT),
        ([1, "a"], "tuple<u8, string>", Tuple((U8(1), String("a")))),
        ([], "list<value>", List(types.UNIT, ())),
        ([1, "a"], "list<value>", List(types.UNIT, (S64(1), String("a")))),
    ],
)
def test_an_object_becomes_a_value_of_its_type(item: Any, kind: str, value: Value) -> None:
    """Every type takes its natural Python objects."""
    assert to_value(item, parse_type(kind)) == value
    assert cgrf.decode(cgrf.encode(value)) == value


@pytest.mark.parametrize(
    "item",
    [
        {"x": 1, "max-count": 2},
        {"max_count": 2, "x": 1},
        OrderedDict(x=1, max_count=2),
        DataPoint(1, 2),
        StructPoint(1, 2),
        NamedPoint(1, 2),
    ],
    ids=repr,
)
def test_a_record_comes_from_anything_with_named_parts(item: Any) -> None:
    """Fields are matched by name, with _ for -, in any order."""
    assert to_value(item, POINT) == point(1, 2)


def test_a_field_of_option_type_may_be_left_out() -> None:
    """Left out means none."""
    assert to_value({"x": 1}, POINT) == point(1, None)


@pytest.mark.parametrize(
    ("item", "case"),
    [
        ("empty", ("empty", 0, ())),
        (("circle", 3), ("circle", 1, (U32(3),))),
        (["circle", 3], ("circle", 1, (U32(3),))),
        ({"circle": 3}, ("circle", 1, (U32(3),))),
        (("box_of", 1, 2), ("box-of", 2, (Tuple((U8(1), U8(2))),))),
        (("box-of", (1, 2)), ("box-of", 2, (Tuple((U8(1), U8(2))),))),
        ({"empty": None}, ("empty", 0, ())),
        ("maybe", ("maybe", 3, (Option(types.U8, None),))),
    ],
)
def test_a_variant_is_a_case_with_what_it_carries(item: Any, case: tuple[str, int, tuple[Value, ...]]) -> None:
    """The case's place in the declaration is its tag."""
    assert to_value(item, SHAPE) == Variant("shape", *case)


@pytest.mark.parametrize(
    ("item", "kind", "problem"),
    [
        (256, "u8", "p: expected u8, got 256"),
        (True, "u8", "p: expected u8, got True"),
        (1.0, "u8", "p: expected u8, got 1.0"),
        (1, "bool", "p: expected bool, got 1"),
        ("1", "f64", "p: expected f64, got '1'"),
        (1e300, "f32", "p: expected f32, got 1e\\+300"),
        pytest.param(1 << 2000, "f64", "p: expected f64, got an int of 2001 bits", id="huge"),
        ("ab", "char", "p: expected char, got 'ab'"),
        ("\ud800", "string", r"p: expected string, got '\\ud800'"),
        ("ab", "list<u8>", "p: expected list<u8>, got 'ab'"),
        (b"ab", "list<string>", "p: expected list<string>, got bytes of length 2"),
        ([1, 300], "list<u8>", r"p\[1\]: expected u8, got 300"),
        ({1: 2}, "list<u8>", "p: expected list<u8>, got dict of length 1"),
        ({1, "a"}, "list<value>", "p: expected list<value>, got items that have no order"),
        (1, "result<u8, u8>", r"p: expected Ok\(…\) or Err\(…\) of result<u8, u8>, got 1"),
        (Ok("x"), "result<u8, u8>", r"p\.ok: expected u8, got 'x'"),
        ((1,), "tuple<u8, u8>", "p: expected tuple<u8, u8>, got tuple of length 1"),
        ({"x": [1, {"y": "z"}]}, "record {x: list<value>, y: u8}", "p: field y is missing"),
        ({"items": [0, 0, 0, -1]}, "record {items: list<u8>}", r"p\.items\[3\]: expected u8, got -1"),
        ({"a": 1, "b": 2}, "record {a: u8}", "p: field b is not one of: a"),
        (5, "record r {a: u8}", "p: expected a record r, got 5"),
        ("x", "variant v {a, b(u8)}", "p: expected one of the cases a, b, got 'x'"),
        (5, "variant v {a, b(u8)}", "p: expected one of the cases a, b, got 5"),
        (("a", 1), "variant v {a, b(u8)}", "p: expected case a without a value, got 1"),
        ("b", "variant v {a, b(u8)}", "p: expected case b with one value of type u8, got 0"),
        (("b", "x"), "variant v {a, b(u8)}", r"p\.b: expected u8, got 'x'"),
        (U8(1), "u16", "p: expected u16, got 1u8"),
        (object(), "value", "p: expected None, a bool, number"),
        ({1: 2}, "value", "p: expected a str as the name of a field, got 1"),
        ({"a": [object()]}, "value", r"p\.a\[0\]: expected None"),
        (2**64, "value", "p: expected u64, got 18446744073709551616"),
    ],
)
def test_an_object_of_another_type_is_refused_with_its_path(item: Any, kind: str, problem: str) -> None:
    """Errors name the place, what was expected and what is there."""
    with pytest.raises(ConvertError, match=f"^{problem}"):
        to_value(item, parse_type(kind), "p")


def test_a_path_without_a_root_begins_with_the_field() -> None:
    """Nothing stands in front of the first field."""
    with pytest.raises(ConvertError, match=r"^a\[0\]: expected u8"):
        to_value({"a": [-1]}, parse_type("record {a: list<u8>}"))


def test_a_list_that_contains_itself_is_refused() -> None:
    """Endless nesting ends in a clear error."""
    endless: list[Any] = []
    endless.append(endless)

    with pytest.raises(ConvertError, match="at most 150 levels"):
        to_value(endless)


@pytest.mark.parametrize(
    ("item", "value"),
    [
        (None, values.NO_BYTES),
        (True, Bool(True)),
        (-1, S64(-1)),
        (2**63, U64(2**63)),
        (1.5, F64.from_float(1.5)),
        ("s", String("s")),
        (b"b", List(types.U8, b"b")),
        ((1, "a"), Tuple((S64(1), String("a")))),
        ([1, 2], List(types.S64, (1, 2))),
        ({"a-b": 1}, Record("", (("a-b", S64(1)),))),
        (DataPoint(1, 2), Record("", (("x", S64(1)), ("max-count", S64(2))))),
        (Ok(), Result(types.UNIT, types.STRING, True, values.UNIT)),
        (Err("x"), Result(types.UNIT, types.STRING, False, String("x"))),
        (Some(1), Option(types.S64, S64(1))),
        (U16(7), U16(7)),
    ],
)
def test_an_object_nobody_declared_takes_its_natural_form(item: Any, value: Value) -> None:
    """Where anything may come, Python's own types decide."""
    assert to_value(item) == value


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_values_of_a_type_survive_python(data: st.DataObject) -> None:
    """to_value(from_value(v), T) is v for every value of a type T."""
    kind = data.draw(TYPES.filter(has_no_floats))
    value = data.draw(fitting(kind))

    assert to_value(from_value(value), kind) == value


def has_no_floats(kind: Type) -> bool:
    """The payload of a NaN does not survive a Python float."""
    return "'f32'" not in repr(kind) and "'f64'" not in repr(kind)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_values_of_a_type_fit_it(data: st.DataObject) -> None:
    """A value made for a type is of that type, and passes through unchanged."""
    kind = data.draw(TYPES)
    value = data.draw(fitting(kind))

    assert fits(value, kind) is None
    assert to_value(value, kind) is value


@settings(max_examples=150, deadline=None)
@given(VALUES, TYPES)
def test_any_value_fits_or_says_where_not(value: Value, kind: Type) -> None:
    """fits answers for every pair; to_value agrees with it."""
    wrong = fits(value, kind)

    if wrong is None:
        assert to_value(value, kind) is value
    else:
        with pytest.raises(ConvertError, match="expected "):
            to_value(value, kind)


NUMBERS = st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False)
JSON = st.recursive(
    NUMBERS | st.text("aé", max_size=3) | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab-", max_size=3), inner, max_size=3),
    max_leaves=10,
)


@settings(max_examples=150, deadline=None)
@given(JSON)
def test_plain_data_survives_without_a_declared_type(item: Any) -> None:
    """JSON-like data comes back as it was, and can be encoded."""
    value = to_value(item)

    assert from_value(cgrf.decode(cgrf.encode(value))) == item


def test_values_as_deep_as_the_codec_allows_become_objects() -> None:
    """Reading a value does not recurse."""
    value: Value = Tuple(())
    for _ in range(2000):
        value = Tuple((value,))

    assert len(from_value(value)) == 1


@pytest.mark.parametrize(
    ("value", "kind", "problem"),
    [
        ("(1u8, 2u16)", "tuple<u8, u8>", r"\[1\]: expected u8, got 2u16"),
        ("(1u8)", "tuple<u8, u8>", r"expected tuple<u8, u8>, got \(1u8\)"),
        ("p{a: 1u8, b: [1u8]}", "record p {b: list<u16>, a: u8}", r"b: expected list<u16>, got \[1u8\]"),
        ("p{a: 1u8}", "record p {a: u8, b: u8}", "expected exactly the fields a, b, got a"),
        ("p{a: 1u8, a: 2u8}", "record p {a: u8, b: u8}", "expected exactly the fields a, b, got a, a"),
        ('["a", "b"]', "list<u8>", r"\[0\]: expected u8, got \"a\""),
        ("some<u8>(1u16)", "option<u8>", "expected u8, got 1u16"),
        ('ok<u8, u8>("x")', "result<u8, u8>", r"ok: expected u8, got \"x\""),
        ("v::z", "variant v {a, b(u8)}", "expected one of the cases a, b, got v::z"),
        ("v::b", "variant v {a, b(u8)}", "expected case b with a value of type u8, got v::b"),
        ("v::a(1u8)", "variant v {a, b(u8)}", "expected case a without a value"),
        ("1u8", "list<u8>", "expected list<u8>, got 1u8"),
    ],
)
def test_a_mismatch_names_the_first_difference(value: str, kind: str, problem: str) -> None:
    """Where a value is not of a declared type, and why."""
    assert re.match(problem, str(fits(text.parse(value), parse_type(kind))))


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("q{b: 1u8, a: 2u8}", "record p {a: u8, b: u8}"),
        ("w::b(1u8)", "variant v {a, b(u8)}"),
        ("v::b(1u8, 2u8)", "variant v {b(tuple<u8, u8>)}"),
        ("[]<string>", "list<u8>"),
        ("[1u8]", "list<value>"),
        ("none<string>", "option<u8>"),
        ("ok<string, string>(())", "result<bool, string>"),
        ("ok<string, string>(())", "result<_, string>"),
        ("some<value>(5u8)", "option<value>"),
        ("{}", "value"),
    ],
)
def test_what_a_value_says_about_itself_does_not_matter(value: str, kind: str) -> None:
    """Names of types and declared item types are not compared; anything is a value (pack-abi 9.4)."""
    assert fits(text.parse(value), parse_type(kind)) is None
