"""The place of the first difference, down to the character (``theater.replay.first_difference``)."""

from __future__ import annotations

import pytest

from theater import types
from theater.replay import first_difference
from theater.values import U32, List, Option, Record, Result, String, Tuple, Value, Variant


def record(**fields: Value) -> Record:
    return Record("it", tuple(fields.items()))


@pytest.mark.parametrize(
    ("expected", "actual", "place"),
    [
        (String("hello"), String("helXo"), "it[3]"),
        (String("hello"), String("hell"), "it[4]"),
        (String(""), String("a"), "it"),
        (List(types.U8, b"abcd"), List(types.U8, b"abXd"), "it[2]"),
        (Tuple((record(text=String("abcd")),)), Tuple((record(text=String("abcX")),)), "it[0].text[3]"),
        (Tuple((U32(1),)), Tuple((U32(1), U32(2))), "it"),
        (Option(types.STRING, String("ab")), Option(types.STRING, String("aX")), "it[1]"),
        (Option(types.STRING, String("ab")), Option(types.STRING, None), "it"),
        (Result(types.U32, types.U32, True, U32(1)), Result(types.U32, types.U32, False, U32(2)), "it"),
        (Variant("v", "a", 0, (U32(1),)), Variant("v", "b", 1, (U32(2),)), "it"),
        (Variant("v", "a", 0, (U32(1),)), Variant("v", "a", 0, (U32(2),)), "it[0]"),
        (U32(1), U32(2), "it"),
        (U32(1), String("1"), "it"),
        (record(a=U32(1)), record(b=U32(1)), "it"),
    ],
)
def test_the_place_is_named(expected: Value, actual: Value, place: str) -> None:
    """Fields by name, items, bytes and characters by number; the whole where the shapes differ."""
    assert first_difference(expected, actual, "it") == place


def test_equal_values_have_no_difference() -> None:
    """Not even an empty place."""
    assert first_difference(String("a"), String("a"), "it") is None


def test_the_deepest_values_can_be_compared() -> None:
    """As deep as the codec allows, which is deeper than Python compares."""

    def deep(leaf: Value) -> Value:
        for _ in range(510):
            leaf = Tuple((leaf,))
        return leaf

    assert first_difference(deep(U32(1)), deep(U32(2)), "it") == "it" + "[0]" * 510
    assert first_difference(deep(U32(1)), deep(U32(1)), "it") is None
