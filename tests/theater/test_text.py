"""The text form of values (pack-abi section 2.6)."""

from __future__ import annotations

import math
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.theater.pack_vectors import VECTORS, names, value_of
from tests.theater.strategies import VALUES
from theater import cgrf, floats, text, types, values
from theater.scanning import TextError
from theater.values import F32, F64, U8, U32, Char, Flags, List, Option, Record, Result, String, Tuple, Value, Variant


@pytest.mark.parametrize("vector", VECTORS["cgrf"], ids=names("cgrf"))
def test_a_value_prints_as_its_vector(vector: dict[str, Any]) -> None:
    """The text is the same as other implementations write."""
    assert text.format(value_of(vector["value"])) == str(value_of(vector["value"])) == vector["text"]


@pytest.mark.parametrize("vector", VECTORS["cgrf"], ids=names("cgrf"))
def test_a_text_reads_back_unless_the_form_is_lossy(vector: dict[str, Any]) -> None:
    """The vectors say which texts come back as the same value."""
    try:
        came_back = text.parse(vector["text"]) == value_of(vector["value"])
    except TextError:
        came_back = False

    assert came_back == vector["text_roundtrips"]


@pytest.mark.parametrize("chain", [chain for chain in VECTORS["chains"] if "text" in chain])
def test_the_events_of_recorded_chains_print_as_recorded(chain: dict[str, Any]) -> None:
    """Payloads of a whole chain give the lines of its text file."""
    lines = [text.format(cgrf.decode(bytes.fromhex(event["data_hex"]))) for event in chain["events"]]

    assert lines == [line for line in chain["text"].splitlines() if line.startswith("chain-event-payload")]


@pytest.mark.parametrize(
    ("source", "value"),
    [
        (" ( 1u8 ,\n2u32, ) ", Tuple((U8(1), U32(2)))),
        ("[1u8, 2u8,]", List(types.U8, b"\1\2")),
        ("[]<list<string>>", List(types.List(types.STRING))),
        ("{}", Record("")),
        ("true{}", Record("true")),
        ("none::some", Variant("none", "some")),
        ("::case(1u8)", Variant("", "case", 0, (U8(1),))),
        ("some<point>(point{x: 1u8,})", Option(types.Named("point"), Record("point", (("x", U8(1)),)))),
        ("err<_x, tuple<>>(())", Result(types.Named("_x"), types.UNIT, False, Tuple())),
        ("none<value>", Option(types.Named("value"), None)),
        ("flags(0x1F)", Flags(31)),
        (r"'\''", Char("'")),
        ("'\"'", Char('"')),
        ("'\\\\'", Char("\\")),
        ('"a\nb\'"', String("a\nb'")),
        ("1f32", F32.from_float(1.0)),
        ("[::a, ::b]", List(types.Named("", is_variant=True), (Variant("", "a"), Variant("", "b")))),
    ],
)
def test_a_text_reads_as(source: str, value: Value) -> None:
    """Space, trailing commas and type names like keywords are read right."""
    assert text.parse(source) == value


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("", "column 1: expected a value, got the end"),
        ("(1u8", "column 5: expected ')', got the end"),
        ("1", "column 2: expected the number's type"),
        ("300u8", "column 1: 300 is out of range for u8, 0 to 255"),
        ("1.5u8", "column 1: expected an integer before u8"),
        ("[1u8, 2u16]", "column 1: expected u8 items, got u16"),
        ("some<u8>(1u8, 2u8)", "column 1: expected one value"),
        ("ok<u8>(1u8)", "column 4: expected 2 types, got 1"),
        ("{a 1u8}", "column 4: expected ':'"),
        ('"abc', "column 1: expected a string"),
        ("'ab'", "column 1: expected one character"),
        (r'"x\q"', r"column 3: \q is not an escape"),
        ("none", "column 5: expected '<'"),
        ("flags(0x11111111111111111)", "column 25: expected ')'"),
        ("nope", "column 1: expected a value, got 'nope'"),
        ("1u8 2u8", "column 5: expected the end"),
        ("9" * 2000 + "f64", "column 1: a number of 2000 characters"),
        ("1" + "0" * 400 + "f64", "column 1: the number is too large for f64"),
        ("1" + "0" * 39 + "f32", "column 1: the number is too large for f32"),
        ("(" * 600, "column 513: the value nests deeper"),
        ("none<" + "list<" * 100, "column 326: a type nests deeper"),
    ],
)
def test_a_wrong_text_is_refused_with_its_column(source: str, problem: str) -> None:
    """Errors say what was expected and where."""
    with pytest.raises(TextError) as caught:
        text.parse(source)

    assert str(caught.value).startswith(problem)


def test_a_limit_cuts_long_texts() -> None:
    """Logs get at most so many characters, the last one an ellipsis."""
    assert text.format(List(types.U8, bytes(10**6)), limit=20) == "[0u8, 0u8, 0u8, 0u8…"
    assert text.format(String("x" * 10**6), limit=5) == '"xxx…'
    assert text.format(Tuple((U8(1), U8(2))), limit=10) == "(1u8, 2u8)"


def test_a_deep_value_prints() -> None:
    """Printing does not recurse."""
    value: Value = Tuple()
    for _ in range(5000):
        value = Tuple((value,))

    assert text.format(value, limit=30) == "(" * 29 + "…"
    assert len(text.format(value)) == 10_002


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_every_value_prints_on_one_limit(value: Value) -> None:
    """A limited text is the beginning of the whole one."""
    whole = text.format(value)
    cut = text.format(value, limit=12)

    assert cut == whole if len(whole) <= 12 else whole.startswith(cut[:-1]) and len(cut) == 12


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_a_value_that_was_read_from_text_survives_text(value: Value) -> None:
    """What the form loses it loses once: a value that came from text goes through text unchanged."""
    try:
        once = text.parse(text.format(value))
    except TextError:
        return

    assert text.parse(text.format(once)) == once


@settings(max_examples=200, deadline=None)
@given(st.text("(){}[]<>,:'\"\\truensomeok1u8f32.- ab", max_size=20))
def test_any_text_is_read_or_refused(source: str) -> None:
    """Nothing but TextError is raised for any text."""
    try:
        text.parse(source)
    except TextError:
        pass


@pytest.mark.parametrize(
    ("number", "digits"),
    [
        (0.1, "0.1"),
        (-0.0, "-0.0"),
        (16777216.0, "16777216.0"),
        (1e-45, "0." + "0" * 44 + "1"),
        (3.4028234663852886e38, "34028235" + "0" * 31 + ".0"),
        (2.0**-24, "0.000000059604645"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
    ],
)
def test_32_bit_floats_print_shortest(number: float, digits: str) -> None:
    """The fewest digits that name the float among 32-bit floats, never an exponent."""
    assert text.format(F32.from_float(number)) == digits + "f32"


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32 - 1).filter(lambda bits: bits >> 23 & 0xFF != 0xFF))
def test_32_bit_floats_read_back(bits: int) -> None:
    """Every finite 32-bit float reads back with its bits, and no shorter decimal does."""
    digits = floats.format_f32(bits)

    assert floats.parse_f32(digits) == bits


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 2**31 - 2**23 - 1), st.booleans())
def test_a_decimal_next_to_the_middle_of_two_floats_reads_exactly(bits: int, is_above: bool) -> None:
    """Rounding happens once: a hair above or below the middle decides."""
    low, high = (struct.unpack("<f", struct.pack("<I", number))[0] for number in (bits - 1, bits))
    middle = f"{(low + high) / 2:.200f}"
    decimal = middle + "1" if is_above else f"{low:.200f}"

    assert floats.parse_f32(decimal) == (bits if is_above else bits - 1)


@settings(max_examples=100, deadline=None)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_64_bit_floats_read_back(number: float) -> None:
    """Every finite 64-bit float reads back with its bits."""
    value = F64.from_float(number)

    assert text.parse(text.format(value)) == value
    assert "e" not in text.format(value)


def test_packed_lists_of_every_width_print_their_items() -> None:
    """Bools, chars, floats and flags print as they do alone."""
    items: list[Value] = [F32.from_float(1.5), F32.from_float(-2.0)]

    assert text.format(values.list_of(types.F32, items)) == "[1.5f32, -2.0f32]"
    assert text.format(values.list_of(types.CHAR, [Char("'")])) == r"['\'']"
