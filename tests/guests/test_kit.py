"""The C kit: what a guest built with it accepts, answers and refuses (pack-abi §2, §4, §9)."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime

from supervisor.kits import clang
from tests.guests import pack
from tests.guests.host import Guest
from tests.guests.pack import (
    Value,
    boolean,
    encode,
    err,
    listed,
    none,
    octets,
    ok,
    record,
    result,
    s64,
    scalar,
    some,
    text,
    tup,
    u8,
    u32,
    u64,
    variant,
)

ROOT = Path(__file__).parents[2]
PROBE = "test:probe/probe."
SHAPE_TAG = b"\x08\x05\0\0\0shape"


@pytest.fixture(scope="session")
def probe_wasm(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    if clang.compiler() is None:
        pytest.skip(clang.MISSING)
    output = tmp_path_factory.mktemp("probe") / "probe.wasm"
    return clang.build(Path(__file__).with_name("probe.c"), output).read_bytes()


@pytest.fixture
def probe(probe_wasm: bytes) -> Guest:
    return Guest(probe_wasm)


def mixed(anything: Value) -> Value:
    """A value of the probe's type MANY."""
    dot, line = variant("shape", "dot", 0), variant("shape", "line", 1, scalar("s16", -3))
    shapes = listed(b"\x0b\x02\0\0\0\x0c" + SHAPE_TAG, [tup(u8(1), dot), tup(u8(2), line)])
    numbers = Value("array", b"\x07\x0d", b"\x0d\x02\0\0\0\x01\x00\x02\x00")
    fields = record("mixed", z=scalar("f64", 1.5), a=scalar("char", 233), b=scalar("flags", 10), c=boolean(True))
    names = listed(b"\x06", [text("é"), text("")])
    verdict = result(True, boolean(True), b"\x01", b"\x06")
    return tup(anything, shapes, verdict, some(numbers), names, fields, octets(b"abc\0"))


ANYTHING = [
    text("x"),
    none(),
    some(u32(4)),
    octets(b"abc"),
    listed(b"\x06", []),
    tup(u8(1), s64(-1)),
    record("point", x=s64(1), y=tup()),
    result(False, text("no"), b"\x0b\0\0\0\0", b"\x06"),
    variant("kind", "odd", 7, u8(1), text("two")),
    Value("array", b"\x07\x02", b"\x02\x01\0\0\0\xff\xff\xff\xff"),
]


@pytest.mark.parametrize("anything", ANYTHING, ids=lambda it: it.kind)
def test_every_type_comes_back(probe: Guest, anything: Value) -> None:
    """A value of every kind, passed on, is encoded as it came: canonical, with the declared type tags."""
    given = mixed(anything)
    unit_for_value = b"\x0b\x07\0\0\0" + tup().tag + b"".join(child.tag for child in given.children[1:])
    answer = result(True, tup(u8(1), given), b"\x0b\x02\0\0\0\x0c" + unit_for_value, b"\x06")

    assert (0, encode(answer)) == probe.call(PROBE + "all", u8(1), given)


@pytest.mark.parametrize("anything", ANYTHING, ids=lambda it: it.kind)
def test_a_value_keeps_its_type_tags(probe: Guest, anything: Value) -> None:
    """What is declared as `value` is encoded as it came, its own type tags included."""
    answer = result(True, tup(u8(1), anything), b"\x0b\x02\0\0\0\x0c" + tup().tag, b"\x06")

    assert (0, encode(answer)) == probe.call(PROBE + "anything", u8(1), anything)


def test_description_is_exact(probe: Guest) -> None:
    """__pack_types gives byte for byte what the reference of these tests makes of the same declarations."""
    shape = "variant shape { dot, line(s16) }"
    fields = "record mixed { z: f64, a: char, b: flags, c: bool }"
    many = (
        f"tuple<value, list<tuple<u8, {shape}>>, result<bool, string>, option<list<u16>>, list<string>, {fields}, "
        "list<u8>>"
    )
    declared = {
        "all": (f"it: {many}", many),
        "anything": ("it: value", "value"),
        "deep": ("", "s32"),
        "grow-state": ("to: u64", ""),
        "narrow": ("it: u64", "u8"),
        "shape": (f"it: {shape}", f"list<{shape}>"),
        "sum": ("numbers: list<s32>", "s64"),
        "words": ("name: string, small: u32, big: u64, below: s32, far: s64", "string"),
        "wrong": ("", "u32"),
    }
    exports = [
        (PROBE + name, pack.parse_signature(f"(state: u8, {params}) -> result<tuple<u8, {answer}>, string>"))
        for name, (params, answer) in declared.items()
    ]
    init = pack.parse_signature("(state: value) -> result<tuple<u8>, string>")

    assert pack.metadata([], [*exports, ("theater:simple/actor.init", init)]) == probe.types()


def test_description_twice(probe: Guest) -> None:
    """The description stays where it is: asking again gives the same bytes."""
    first = probe.types()
    probe.call(PROBE + "sum", u8(0), Value("array", b"\x07\x02", b"\x02\0\0\0\0"))

    assert first == probe.types()


def test_lists_of_numbers_are_read(probe: Guest) -> None:
    """Items of a packed list are numbers with their sign."""
    numbers = Value("array", b"\x07\x02", b"\x02\x02\0\0\0\xfe\xff\xff\xff\x05\0\0\0")

    assert (0, encode(ok(u8(0), s64(3)))) == probe.call(PROBE + "sum", u8(0), numbers)


def test_variants_are_made(probe: Guest) -> None:
    """A case named in C gets the tag its type declares."""
    dot, line = variant("shape", "dot", 0), variant("shape", "line", 1, scalar("s16", -6))
    status, answer = probe.call(PROBE + "shape", u8(0), variant("", "line", 9, scalar("s16", -3)))

    assert (0, encode(ok(u8(0), listed(SHAPE_TAG, [dot, line])))) == (status, answer)


def test_format(probe: Guest) -> None:
    """Every conversion of format."""
    given = [text("héllo"), u32(2**32 - 1), u64(2**64 - 1), scalar("s32", -(2**31)), s64(-(2**63))]
    words = f"héllo|{2**32 - 1}|{2**64 - 1}|{-(2**31)}|{-(2**63)}|100%"

    assert (0, encode(ok(u8(0), text(words)))) == probe.call(PROBE + "words", u8(0), *given)


@pytest.mark.parametrize("given", [u8(7), u64(7), s64(7), scalar("s8", 7), some(u64(7))], ids=str)
def test_initial_state_of_another_width_is_converted(probe: Guest, given: Value) -> None:
    """Plain data arrives as s64; the state has its declared type all the same."""
    assert (0, encode(ok(u8(7)))) == probe.call("theater:simple/actor.init", given)


@pytest.mark.parametrize(
    ("function", "items", "message"),
    [
        ("theater:simple/actor.init", [s64(-1)], "init: state: expected u8, found s64"),
        ("theater:simple/actor.init", [s64(256)], "init: state: expected u8, found s64"),
        ("theater:simple/actor.init", [text("x")], "init: state: expected u8, found string"),
        (PROBE + "sum", [u8(0)], "sum: expected 1 parameters, found 0"),
        (PROBE + "sum", [u8(0), u8(0), u8(0)], "sum: expected 1 parameters, found 2"),
        (PROBE + "sum", [u64(256), octets(b"")], "sum: state: expected u8, found u64"),
        (PROBE + "sum", [u8(0), listed(b"\x06", [text("x")])], "sum: numbers[0]: expected s32, found string"),
        (PROBE + "shape", [u8(0), variant("", "cube", 0)], "shape: it: there is no case cube"),
        (PROBE + "shape", [u8(0), variant("", "dot", 0, u8(1))], "shape: it.dot: expected no payload"),
        (PROBE + "shape", [u8(0), variant("", "line", 1, text(""))], "shape: it: expected s16, found string"),
        (PROBE + "narrow", [u8(0), u64(256)], "encode error: narrow: answer[1]: expected u8, found u64"),
        (PROBE + "wrong", [u8(0)], "encode error: wrong: answer[1]: expected u32, found string"),
        (PROBE + "grow-state", [u8(0), u64(300)], "encode error: grow-state: answer[0]: expected u8, found u64"),
    ],
)
def test_refusals_say_what_was_expected(probe: Guest, function: str, items: list[Value], message: str) -> None:
    """What does not fit the declared types is answered with status -1 and a message naming the place."""
    assert (-1, message.encode()) == probe.call(function, *items)


GOOD = encode(tup(u8(0), Value("array", b"\x07\x02", b"\x02\x01\0\0\0\x05\0\0\0")))


def test_truncated_input_is_refused(probe: Guest) -> None:
    """No prefix of a good input is taken for a value, and none breaks the guest."""
    for cut in range(1, len(GOOD)):
        assert probe.call(PROBE + "sum", GOOD[:cut])[0] == -1


def test_spoilt_input_never_breaks_the_guest(probe: Guest) -> None:
    """Any byte changed: an answer or a refusal, never a trap."""
    for place in range(len(GOOD)):
        for byte in (0x00, 0x01, 0x07, 0x7F, 0xFF):
            status, _ = probe.call(PROBE + "sum", GOOD[:place] + bytes([byte]) + GOOD[place + 1 :])
            assert status in (0, -1)


def test_running_out_of_stack_is_a_trap(probe: Guest) -> None:
    """Too deep a recursion ends the guest instead of overwriting its data."""
    with pytest.raises(wasmtime.Trap, match="out of bounds"):
        probe.call(PROBE + "deep", u8(0))


def test_memory_is_given_back(probe: Guest) -> None:
    """Ten large calls need no more memory than one."""
    large = octets(bytes(1 << 20))
    probe.call(PROBE + "anything", u8(0), large)
    after_one = probe.pages
    for _ in range(10):
        assert probe.call(PROBE + "anything", u8(0), large)[0] == 0

    assert after_one == probe.pages


def test_freed_blocks_are_used_again(probe: Guest) -> None:
    """Allocating what was freed gives the same place; nothing is no size to allocate."""
    first = probe._call("__pack_alloc", 100)
    probe._call("__pack_free", first, 100)

    assert first == probe._call("__pack_alloc", 120)
    assert probe._call("__pack_alloc", 0) == 0
    assert probe._call("__pack_alloc", 0x7FFFFFFF) == 0


def test_declining_has_the_declared_types(probe_wasm: bytes) -> None:
    """An error answer carries the same type tags as a good one."""
    counter = Guest((ROOT / "examples" / "counter" / "counter.wasm").read_bytes())
    state = record("counter", count=u64(1))
    expected = result(False, text("declined, as you asked"), tup(state).tag, b"\x06")

    assert (0, encode(expected)) == counter.call("counter:example/counter.fail", state)
    assert encode(expected) != encode(err("declined, as you asked"))
