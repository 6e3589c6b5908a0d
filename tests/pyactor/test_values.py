"""The guest library's own encoding of values, against the host's."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from theater import cgrf, convert, types
from theater import values as host
from theater.interfaces import parse_type
from theater_actor import F32, U8, U32, U64, Char, HostError, rpc, values
from theater_actor.values import As, Err, Ok, Some, ValueFormError


class Mood(enum.Enum):
    GOOD = 1
    NOT_SO_GOOD = 2


class Perms(enum.Flag):
    READ = enum.auto()
    WRITE = enum.auto()


@dataclass
class Circle:
    radius: float
    line_width: U8 = 1


@dataclass
class Nowhere:
    pass


class Point(NamedTuple):
    x: int
    y_axis: int


Shape = Circle | Nowhere
_WRAPPERS = {Ok: convert.Ok, Err: convert.Err, Some: convert.Some}


def hosts(value: Any) -> Any:
    """The same object with the host's words for results and options."""
    if type(value) in _WRAPPERS:
        return _WRAPPERS[type(value)](hosts(value.value))
    if isinstance(value, dict):
        return {name: hosts(item) for name, item in value.items()}
    if type(value) in (list, tuple):
        return type(value)(map(hosts, value))
    return value


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=10)
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | TEXT | st.binary()
)
PLAIN = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(TEXT, inner, max_size=4)
        | inner.map(Some)
        | inner.map(Ok)
        | inner.map(Err)
    ),
    max_leaves=20,
)


@given(PLAIN)
def test_plain_objects_are_encoded_as_the_host_does(value: Any) -> None:
    """Byte for byte, in their natural form."""
    assert values.encode(value) == cgrf.encode(convert.to_value(hosts(value), types.VALUE))


@given(PLAIN)
def test_what_is_decoded_is_what_the_host_makes_of_it(value: Any) -> None:
    """Plain objects, results and options included."""
    data = values.encode(value)

    assert hosts(values.decode(data)) == convert.from_value(cgrf.decode(data))


SHAPE = "variant shape {circle(record circle {radius: f64, line-width: u8}), nowhere}"
TYPED: list[tuple[Any, Any, str, Any]] = [
    (U32, 5, "u32", 5),
    (U64, 2**64 - 1, "u64", 2**64 - 1),
    (F32, 0.5, "f32", 0.5),
    (Char, "é", "char", "é"),
    (list[U8], [1, 2], "list<u8>", b"\1\2"),
    (list[U32], [], "list<u32>", []),
    (list[str], [], "list<string>", []),
    (list[Char], ["a"], "list<char>", ["a"]),
    (list[list[bytes]], [[b"a"]], "list<list<list<u8>>>", [[b"a"]]),
    (dict[str, U32], {"a": 1}, "list<tuple<string, u32>>", {"a": 1}),
    (U32 | None, None, "option<u32>", None),
    (U32 | None, 5, "option<u32>", 5),
    (tuple[bool, str], (True, "a"), "tuple<bool, string>", (True, "a")),
    (Point, Point(1, 2), "record point {x: s64, y-axis: s64}", {"x": 1, "y-axis": 2}),
    (Circle, {"radius": 1.0, "line_width": 2}, "record circle {radius: f64, line-width: u8}", Circle(1.0, 2)),
    (Mood, Mood.NOT_SO_GOOD, "enum mood {good, not-so-good}", "not-so-good"),
    (Perms, Perms.READ | Perms.WRITE, "flags", 3),
]


@pytest.mark.parametrize(("hint", "value", "wit", "same"), TYPED, ids=lambda it: it if isinstance(it, str) else "")
def test_a_hint_says_the_type(hint: Any, value: Any, wit: str, same: Any) -> None:
    """What the host makes of the same object and the WIT type."""
    expected = convert.to_value(same, parse_type(wit))

    assert cgrf.decode(values.encode(As(hint, value))) == expected


def test_a_union_is_a_variant() -> None:
    """With the case as payload, or without any where it has no fields."""
    assert values.decode(values.encode(As(Shape, Circle(2.0)))) == ("circle", {"radius": 2.0, "line-width": 1})
    assert values.decode(values.encode(As(Shape, Nowhere()))) == "nowhere"
    assert convert.fits(cgrf.decode(values.encode(As(Shape, Circle(2.0)))), parse_type(SHAPE)) is None


def test_members_of_enums_say_themselves_what_they_are() -> None:
    """No hint is needed."""
    assert values.decode(values.encode((Mood.GOOD, Perms.WRITE, Point(1, 2)))) == ("good", 2, {"x": 1, "y-axis": 2})


WRONG: list[Any] = [
    {1, 2},
    object(),
    {1: 2},
    2**64,
    "\ud800",
    As(U8, 256),
    As(U8, True),
    As(bool, 1),
    As(str, 5),
    As(set[int], {1}),
    As(Char, "ab"),
    As(tuple[int, int], (1,)),
    As(Circle, {"line-width": 1}),
    As(Mood, "good"),
    As(Shape, Point(1, 2)),
]


@pytest.mark.parametrize("value", WRONG, ids=repr)
def test_what_is_no_value_is_refused(value: Any) -> None:
    """With a ValueFormError, whatever it is."""
    with pytest.raises(ValueFormError, match=r"expected|no WIT type"):
        values.encode(value)


def test_nesting_has_an_end() -> None:
    """Of what is encoded and of what is decoded."""
    deep: Any = ()
    foreign: host.Value = host.UNIT
    for _ in range(200):
        deep, foreign = (deep,), host.Tuple((foreign,))

    with pytest.raises(ValueFormError, match="150 levels"):
        values.encode(deep)
    with pytest.raises(ValueFormError, match="nests too deep"):
        values.decode(cgrf.encode(foreign))


@given(PLAIN, st.data())
def test_damaged_bytes_are_refused_or_something_else(value: Any, data: st.DataObject) -> None:
    """Nothing but a ValueFormError comes of them."""
    encoded = bytearray(values.encode(value))
    for _ in range(data.draw(st.integers(1, 3))):
        encoded[data.draw(st.integers(0, len(encoded) - 1))] = data.draw(st.integers(0, 255))
    try:
        values.decode(bytes(encoded[: data.draw(st.integers(0, len(encoded)))]))
    except ValueFormError:
        pass


def test_ask_calls_with_plain_objects(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tuple of parameters goes, the result comes back; nothing is None."""
    asked: list[Any] = []

    def call(*given: Any) -> bytes:
        asked.append(given)
        return answers.pop()

    answers = [cgrf.encode(host.UNIT), cgrf.encode(host.U32(7))]
    monkeypatch.setattr(rpc, "call", call)

    assert rpc.ask("/a", "x:y/z.f", "a", As(U32, 5), timeout_ms=9) == 7
    assert rpc.ask("/a", "x:y/z.f") is None
    expected = host.Tuple((host.String("a"), host.U32(5)))
    assert asked == [("/a", "x:y/z.f", cgrf.encode(expected), 9), ("/a", "x:y/z.f", cgrf.encode(host.UNIT), None)]


def test_ask_raises_what_the_host_says() -> None:
    """Outside of a component there is none."""
    with pytest.raises(HostError, match="no host"):
        rpc.ask("/a", "x:y/z.f")
