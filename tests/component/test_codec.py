"""Every WIT type, four times over the border: out of a value and into one, as argument and as result of both sides."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wasmtime import component as wc

from tests.component.echo import component, nameless, nameless_type
from tests.component.loading import EACH, Loose, compiled, made
from tests.worker.enginekit import engine
from theater import cgrf, types, values
from theater.actor import ActorOptions
from theater.types import Type
from theater.values import Tuple, Value
from worker.engine.clock import GuestClock
from worker.engine.component import introspect
from worker.engine.component.door import ComponentDoor
from worker.engine.component.kinds import Enum, Flags
from worker.engine.crossing import GuestError, Returned
from worker.engine.errors import StartError, Trap

COLOURS = Enum("enum", ("red", "green", "blue-ish"))
RIGHTS = Flags(("read", "write", "run"))
POINT = types.Record("record", (("x", types.S32), ("a-name", types.STRING)))
SHAPE = types.Variant("variant", (("nothing", None), ("point", POINT), ("sizes", types.List(types.U16))))
FLOATS = [0, 1 << 31, 0x7FC00000, 0x3F800000]
DOUBLES = [0, 1 << 63, 0x7FF8000000000000, 0x3FF0000000000000]

TABLE: list[tuple[Type, list[Value]]] = [
    (types.BOOL, [values.Bool(True), values.Bool(False)]),
    (types.S8, [values.S8(-128), values.S8(127)]),
    (types.U8, [values.U8(0), values.U8(255)]),
    (types.S16, [values.S16(-(1 << 15)), values.S16(7)]),
    (types.U16, [values.U16(65535)]),
    (types.S32, [values.S32(-(1 << 31)), values.S32(1)]),
    (types.U32, [values.U32((1 << 32) - 1)]),
    (types.S64, [values.S64(-(1 << 63))]),
    (types.U64, [values.U64((1 << 64) - 1)]),
    (types.F32, [values.F32(bits) for bits in FLOATS]),
    (types.F64, [values.F64(bits) for bits in DOUBLES]),
    (types.CHAR, [values.Char("a"), values.Char("\U0001f600")]),
    (types.STRING, [values.String(""), values.String("grüße \0 😀")]),
    (types.BYTES, [values.bytes_of(b""), values.bytes_of(bytes(range(256)))]),
    (types.List(types.U32), [values.list_of(types.U32, [values.U32(1), values.U32(1 << 31)])]),
    (types.List(types.BOOL), [values.List(types.BOOL, (True, False, True))]),
    (types.List(types.S8), [values.List(types.S8, (-128, 0, 127))]),
    (types.List(types.S16), [values.List(types.S16, (-(1 << 15), 7) * 300)]),
    (types.List(types.S64), [values.List(types.S64, (-(1 << 63), (1 << 63) - 1))]),
    (types.List(types.U64), [values.List(types.U64, ((1 << 64) - 1, 0, 1))]),
    (types.List(types.F32), [values.List(types.F32, tuple(FLOATS))]),
    (types.List(types.F64), [values.List(types.F64, tuple(DOUBLES))]),
    (types.List(COLOURS), [values.List(types.Named("", True), (values.Variant("enum", "green", 1),))]),
    (types.List(RIGHTS), [values.List(types.FLAGS, (0, 7, 5))]),
    (types.List(types.CHAR), [values.list_of(types.CHAR, [values.Char("x"), values.Char("é")])]),
    (types.List(types.STRING), [values.List(types.STRING, (values.String("a"), values.String("b")))]),
    (types.List(types.BYTES), [values.List(types.BYTES, (values.bytes_of(b"ab"), values.bytes_of(b"")))]),
    (types.Option(types.U8), [values.Option(types.U8, None), values.Option(types.U8, values.U8(3))]),
    (
        types.Option(types.Option(types.STRING)),
        [
            values.Option(types.Option(types.STRING), None),
            values.Option(types.Option(types.STRING), values.Option(types.STRING, None)),
            values.Option(types.Option(types.STRING), values.Option(types.STRING, values.String("x"))),
        ],
    ),
    (
        types.Result(types.U32, types.STRING),
        [
            values.Result(types.U32, types.STRING, True, values.U32(1)),
            values.Result(types.U32, types.STRING, False, values.String("no")),
        ],
    ),
    (
        types.Result(types.NOTHING, types.NOTHING),
        [values.Result(types.UNIT, types.UNIT, is_ok, values.UNIT) for is_ok in (True, False)],
    ),
    (types.Tuple((types.U8, types.F64)), [Tuple((values.U8(1), values.F64(DOUBLES[3])))]),
    (types.Tuple((types.U64,) * 20), [Tuple(tuple(values.U64(n) for n in range(20)))]),
    (POINT, [values.Record("record", (("x", values.S32(-1)), ("a-name", values.String("n"))))]),
    (
        SHAPE,
        [
            values.Variant("variant", "nothing", 0),
            values.Variant(
                "variant", "point", 1, (values.Record("record", (("x", values.S32(5)), ("a-name", values.String("")))),)
            ),
            values.Variant("variant", "sizes", 2, (values.list_of(types.U16, [values.U16(9)]),)),
        ],
    ),
    (COLOURS, [values.Variant("enum", name, tag) for tag, name in enumerate(COLOURS.names)]),
    (RIGHTS, [values.Flags(mask) for mask in range(8)]),
    (types.List(POINT), [values.List(types.Named("record"), ())]),
]


class Mirror:
    """A host that answers with what it is given."""

    def __init__(self) -> None:
        self.seen: list[Value] = []
        self.answers: list[bytes] = []

    def answer(self, interface: str, function: str, data: bytes) -> bytes:
        self.seen.append(cgrf.decode(data))
        return self.answers.pop() if self.answers else data


def opened(kind: Type, host: Mirror, fast: bool | None) -> ComponentDoor:
    how = {"options": ActorOptions(), "grants": {}, "answers": host, "clock": GuestClock(engine()), "is_replay": True}
    return Loose.load(engine(), made(component(kind), fast), fast=fast, **how)  # type: ignore[arg-type]


def echoed(kind: Type, value: Value, fast: bool | None) -> Value:
    host = Mirror()
    door = opened(kind, host, fast)
    try:
        answer = door.call("echo", cgrf.encode(Tuple((value,))))
        assert isinstance(answer, Returned), answer
        found = cgrf.decode(answer.output)
    finally:
        door.close()
    assert [nameless(each) for each in host.seen] == [nameless(value)]
    return found


@EACH
@pytest.mark.parametrize(("kind", "examples"), TABLE, ids=[repr(kind)[:40] for kind, _ in TABLE])
def test_values_cross_the_border(kind: Type, examples: list[Value], fast: bool | None) -> None:
    """As they are, there and back."""
    for value in examples:
        assert nameless(echoed(kind, value, fast)) == nameless(value)


def test_types_are_seen_as_they_are() -> None:
    """By introspection, inside other types too."""
    kind = types.Tuple((types.Option(POINT), types.List(SHAPE), types.Result(types.NOTHING, types.BYTES)))
    (sig,) = [item.sig for item in introspect.shape(engine(), compiled(component(kind))).imports]

    assert sig.full_name == "test:echo/host.echo"
    (given,) = sig.params
    assert given[0] == "v"
    assert nameless_type(given[1]) == nameless_type(kind)
    assert sig.results == (given[1],)


@EACH
@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (types.U32, values.S32(1)),
        (types.STRING, values.U8(1)),
        (types.STRING, values.String("\ud800")),
        (types.BYTES, values.String("x")),
        (types.List(types.U32), values.bytes_of(b"x")),
        (types.Option(types.U8), values.U8(1)),
        (types.Option(types.U8), values.Option(types.U8, values.String("x"))),
        (types.Result(types.NOTHING, types.STRING), values.Result(types.UNIT, types.STRING, True, values.U8(1))),
        (types.Tuple((types.U8, types.U8)), Tuple((values.U8(1),))),
        (types.Tuple((types.STRING, types.U8)), Tuple((values.String("freed"), values.String("wrong")))),
        (POINT, values.Record("record", (("x", values.S32(1)),))),
        (SHAPE, values.Variant("variant", "circle", 3)),
        (SHAPE, values.Variant("variant", "point", 1)),
        (COLOURS, values.Variant("enum", "black", 0)),
        (RIGHTS, values.Flags(8)),
    ],
    ids=range(15),
)
def test_ill_typed_values_are_refused(kind: Type, value: Value, fast: bool | None) -> None:
    """As arguments they are the caller's error, and the guest is not entered; as a host's answer the call ends."""
    good = next((examples[0] for each, examples in TABLE if each == kind), None)
    host = Mirror()
    door = opened(kind, host, fast)
    try:
        encoded = cgrf.encode(Tuple((value,)))
    except (ValueError, UnicodeEncodeError):
        door.close()
        return  # no value at all
    refused = door.call("echo", encoded)
    assert isinstance(refused, GuestError)
    assert "expected" in refused.text
    assert host.seen == []
    if good is not None:
        assert isinstance(door.call("echo", cgrf.encode(Tuple((good,)))), Returned)  # nothing happened to it
        host.answers = [cgrf.encode(value)]
        with pytest.raises(Trap, match=r"host function test:echo/host\.echo failed: Mismatch: expected"):
            door.call("echo", cgrf.encode(Tuple((good,))))
    door.close()


@EACH
def test_the_number_of_values_is_checked(fast: bool | None) -> None:
    """Too many are as wrong as too few."""
    door = opened(types.U8, Mirror(), fast)
    for items in ((), (values.U8(1), values.U8(2))):
        assert door.call("echo", cgrf.encode(Tuple(items))) == GuestError(f"expected 1 values, got {len(items)}")
    door.close()


NAMED = """
(component
  (type $host (instance
    (type $p (record (field "x" u32))) (export "point" (type $point (eq $p)))
    (type $c (enum "red" "green")) (export "colour" (type $colour (eq $c)))
    (type $a (variant (case "a" $point))) (export "first" (type $first (eq $a)))
    (type $b (variant (case "a" $point))) (export "second" (type (eq $b)))
    (export "show" (func (param "points" (list $point)) (param "first" $first) (result $colour)))))
  (import "test:named/host@1.2.3" (instance (type $host))))
"""


def test_types_have_the_names_they_are_exported_under() -> None:
    """Unless two types of that structure are."""
    (sig,) = [item.sig for item in introspect.shape(engine(), wc.Component(engine(), NAMED)).imports]
    (_, points), (_, first) = sig.params

    assert sig.full_name == "test:named/host.show"
    assert points == types.List(types.Record("point", (("x", types.U32),)))
    assert isinstance(first, types.Variant)
    assert (first.name, sig.results) == ("variant", (types.Variant("colour", (("red", None), ("green", None))),))


def test_streams_are_refused_by_name() -> None:
    """Not served: a clear error, no crash."""
    text = '(component (import "test:res/api" (instance (export "make" (func (result (stream u8)))))))'
    with pytest.raises(StartError, match=r"import test:res/api\.make: values of type stream are not supported"):
        ComponentDoor.load(engine(), wc.Component(engine(), text), options=ActorOptions(), grants={}, answers=Mirror())


# -- any type, any value -----------------------------------------------------------------------------------------------

LEAVES: list[tuple[Type, Any]] = [
    (types.BOOL, st.booleans().map(values.Bool)),
    (types.U8, st.integers(0, 255).map(values.U8)),
    (types.S32, st.integers(-(1 << 31), (1 << 31) - 1).map(values.S32)),
    (types.U64, st.integers(0, (1 << 64) - 1).map(values.U64)),
    (types.F32, st.sampled_from(FLOATS).map(values.F32)),
    (types.F64, st.sampled_from(DOUBLES).map(values.F64)),
    (types.STRING, st.text(max_size=20).map(values.String)),
    (types.BYTES, st.binary(max_size=40).map(values.bytes_of)),
    (types.CHAR, st.characters(exclude_categories=("Cs",)).map(values.Char)),
]
Typed = tuple[Type, Any]


def _listed(inner: Typed) -> Typed:
    tag = types.tag_form(inner[0])
    made = values.CLASS_OF.get(inner[0])
    join = values.list_of if made is not None else lambda element, items: values.List(element, tuple(items))
    return types.List(inner[0]), st.lists(inner[1], max_size=4).map(lambda items: join(tag, items))


def _optional(inner: Typed) -> Typed:
    tag = types.tag_form(inner[0])
    return types.Option(inner[0]), st.none().map(lambda _: values.Option(tag, None)) | inner[1].map(
        lambda it: values.Option(tag, it)
    )


def _paired(parts: list[Typed]) -> Typed:
    return types.Tuple(tuple(kind for kind, _ in parts)), st.tuples(*(each for _, each in parts)).map(Tuple)


def _recorded(parts: list[Typed]) -> Typed:
    names = [f"f{place}" for place in range(len(parts))]
    kind = types.Record("record", tuple(zip(names, (each for each, _ in parts), strict=True)))
    made = st.tuples(*(each for _, each in parts))
    return kind, made.map(lambda items: values.Record("record", tuple(zip(names, items, strict=True))))


def _either(parts: list[Typed]) -> Typed:
    (ok, oks), (err, errs) = parts[0], parts[-1]
    left, right = types.tag_form(ok), types.tag_form(err)
    yes = oks.map(lambda it: values.Result(left, right, True, it))
    return types.Result(ok, err), yes | errs.map(lambda it: values.Result(left, right, False, it))


typed = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        inner.map(_listed),
        inner.map(_optional),
        st.lists(inner, min_size=1, max_size=3).map(_paired),
        st.lists(inner, min_size=1, max_size=3).map(_recorded),
        st.lists(inner, min_size=2, max_size=2).map(_either),
    ),
    max_leaves=5,
)


@settings(max_examples=60, deadline=None)
@given(typed.flatmap(lambda it: st.tuples(st.just(it[0]), it[1])))
def test_any_value_of_any_type_crosses_the_border(pair: tuple[Type, Value]) -> None:
    """Whatever is nested in what."""
    kind, value = pair
    for fast in (True, False, None):
        assert nameless(echoed(kind, value, fast)) == nameless(value)


@EACH
def test_nothing_is_leaked(fast: bool | None) -> None:
    """Thousands of calls with everything in them: the process does not grow."""
    import psutil

    kind = types.Tuple((types.Option(POINT), types.List(types.STRING), SHAPE, types.Result(types.BYTES, types.STRING)))
    point = values.Record("record", (("x", values.S32(1)), ("a-name", values.String("a longer name than that"))))
    value = Tuple(
        (
            values.Option(types.Named("record"), point),
            values.List(types.STRING, tuple(values.String("x" * 50) for _ in range(10))),
            values.Variant("variant", "point", 1, (point,)),
            values.Result(types.BYTES, types.STRING, True, values.bytes_of(b"y" * 300)),
        )
    )
    encoded = cgrf.encode(Tuple((value,)))

    def rounds(count: int) -> int:
        for _ in range(count):
            host = Mirror()
            door = opened(kind, host, fast)
            for _ in range(20):
                door.call("echo", encoded)
            door.close()
        return int(psutil.Process().memory_info().rss)

    before = rounds(20)
    assert rounds(100) - before < 3 << 20
