"""Types of values."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from tests.theater.strategies import TAGS, VALUES
from theater import cgrf, types, values
from theater.scanning import Scanner, named, read_type
from theater.types import Type
from theater.values import Value

POINT = types.Record("point", (("x", types.S32), ("y", types.S32)))


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (types.U8, "u8"),
        (types.List(types.U8), "list<u8>"),
        (types.Result(types.NOTHING, types.STRING), "result<_, string>"),
        (types.Tuple((types.U8, types.Option(POINT))), "tuple<u8, option<point>>"),
        (types.UNIT, "tuple<>"),
        (types.VALUE, "value"),
    ],
)
def test_a_type_prints_as_in_signatures(kind: Type, text: str) -> None:
    """str() of a type is what people write."""
    assert str(kind) == text


def test_a_type_of_thousands_of_levels_prints() -> None:
    """Printing does not recurse."""
    kind: Type = types.U8
    for _ in range(3000):
        kind = types.Option(kind)

    assert str(kind) == "option<" * 3000 + "u8" + ">" * 3000


def test_types_are_equal_by_structure() -> None:
    """Two equal descriptions are one key, two kinds of container are not."""
    assert {types.List(types.U8): 1}[types.List(types.U8)] == 1
    assert types.List(types.U8) != types.Option(types.U8)
    assert types.Named("a") != types.Named("a", is_variant=True)


def test_a_tag_knows_records_by_name() -> None:
    """A value carries no more than the name of a record or variant."""
    color = types.Variant("color", (("red", None),))
    kind = types.Result(types.Tuple((POINT, types.VALUE)), types.List(types.Option(color)))

    assert types.tag_form(kind) == types.Result(
        types.Tuple((types.Named("point"), types.UNIT)), types.List(types.Option(types.Named("color", is_variant=True)))
    )


@pytest.mark.parametrize(
    ("kind", "bounds"),
    [
        (types.U8, (0, 255)),
        (types.S16, (-32768, 32767)),
        (types.U64, (0, 2**64 - 1)),
        (types.S64, (-(2**63), 2**63 - 1)),
    ],
)
def test_integers_know_their_bounds(kind: types.Primitive, bounds: tuple[int, int]) -> None:
    """Smallest and largest number of a type."""
    assert types.bounds(kind) == bounds


@settings(max_examples=100, deadline=None)
@given(TAGS)
def test_a_tag_survives_encoding(kind: Type) -> None:
    """Empty containers keep their declared types."""
    value = values.Option(kind, None)

    assert cgrf.decode(cgrf.encode(value)) == value


@settings(max_examples=100, deadline=None)
@given(TAGS.filter(lambda kind: "named" not in repr(kind).lower()))
def test_a_tag_without_names_reads_back_from_its_text(kind: Type) -> None:
    """The text of a type is a type."""
    assert read_type(Scanner(str(kind)), named) == kind


@settings(max_examples=100, deadline=None)
@given(VALUES)
def test_every_value_has_a_type_it_can_be_declared_with(value: Value) -> None:
    """type_of gives a tag that a list of such values can carry."""
    value = values.list_of(values.type_of(value), [value, value])

    assert cgrf.decode(cgrf.encode(value)) == value
    assert values.items_of(value) == (values.items_of(value)[0],) * 2


def test_a_packed_list_takes_only_its_own_items() -> None:
    """A list of u8 with a u16 in it cannot be made."""
    with pytest.raises(TypeError, match="expected u8 items, got u16"):
        values.list_of(types.U8, [values.U8(1), values.U16(2)])
