"""What guests built with the C and the Rust library have in common (pack-abi §2, §4, §7 to §9)."""

from __future__ import annotations

import pytest
import wasmtime

from tests.guests.host import Guest
from tests.guests.pack import (
    Value,
    encode,
    listed,
    octets,
    ok,
    result,
    s64,
    scalar,
    some,
    text,
    tup,
    u8,
    u64,
    variant,
)
from tests.kits.probing import ANYTHING, GOOD, NUMBERS, PROBE, SHAPE_TAG, description, mixed

INIT = "theater:simple/actor.init"
OWN = {
    "c": {
        "grow-state": ("to: u64", ""),
        "narrow": ("it: u64", "u8"),
        "words": ("name: string, small: u32, big: u64, below: s32, far: s64", "string"),
        "wrong": ("", "u32"),
    },
    "rust": {
        "grow-state": ("by-much: u8", ""),
        "made": ("", "value"),
        "panics": ("why: string", ""),
        "read": ("it: value", "u32"),
    },
}
"""What only one of the probes exports."""
IMPORTS = {"c": [], "rust": [("theater:simple/runtime.log", "(msg: string)")]}


@pytest.fixture(params=["c", "rust"])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def probe(request: pytest.FixtureRequest, language: str) -> Guest:
    return Guest(request.getfixturevalue(f"{language}_probe"))


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


def test_description_is_exact(probe: Guest, language: str) -> None:
    """__pack_types gives byte for byte what the reference of these tests makes of the same declarations."""
    assert description(OWN[language], IMPORTS[language]) == probe.types()


def test_description_twice(probe: Guest) -> None:
    """The description stays where it is: asking again gives the same bytes."""
    first = probe.types()
    probe.call(PROBE + "sum", u8(0), NUMBERS)

    assert first == probe.types()


def test_lists_of_numbers_are_read(probe: Guest) -> None:
    """Items of a packed list are numbers with their sign."""
    assert (0, encode(ok(u8(0), s64(3)))) == probe.call(PROBE + "sum", u8(0), NUMBERS)


def test_variants_are_made(probe: Guest) -> None:
    """A case gets the tag its type declares, and is found by its name."""
    dot, line = variant("shape", "dot", 0), variant("shape", "line", 1, scalar("s16", -6))
    status, answer = probe.call(PROBE + "shape", u8(0), variant("", "line", 9, scalar("s16", -3)))

    assert (0, encode(ok(u8(0), listed(SHAPE_TAG, [dot, line])))) == (status, answer)


@pytest.mark.parametrize("given", [u8(7), u64(7), s64(7), scalar("s8", 7), some(u64(7))], ids=str)
def test_initial_state_of_another_width_is_converted(probe: Guest, given: Value) -> None:
    """Plain data arrives as s64; the state has its declared type all the same."""
    assert (0, encode(ok(u8(7)))) == probe.call(INIT, given)


@pytest.mark.parametrize(
    ("function", "items", "message"),
    [
        (INIT, [s64(-1)], "init: state: expected u8, found s64"),
        (INIT, [s64(256)], "init: state: expected u8, found s64"),
        (INIT, [text("x")], "init: state: expected u8, found string"),
        (PROBE + "sum", [u8(0)], "sum: expected 1 parameters, found 0"),
        (PROBE + "sum", [u8(0), u8(0), u8(0)], "sum: expected 1 parameters, found 2"),
        (PROBE + "sum", [u64(256), octets(b"")], "sum: state: expected u8, found u64"),
        (PROBE + "sum", [u8(0), listed(b"\x06", [text("x")])], "sum: numbers[0]: expected s32, found string"),
        (PROBE + "shape", [u8(0), variant("", "cube", 0)], "shape: it: there is no case cube"),
        (PROBE + "shape", [u8(0), variant("", "dot", 0, u8(1))], "shape: it.dot: expected no payload"),
    ],
)
def test_refusals_say_what_was_expected(probe: Guest, function: str, items: list[Value], message: str) -> None:
    """What does not fit the declared types is answered with status -1 and a message naming the place."""
    assert (-1, message.encode()) == probe.call(function, *items)


def test_truncated_input_is_refused(probe: Guest) -> None:
    """No prefix of a good input is taken for a value, and none breaks the guest."""
    for cut in range(1, len(GOOD)):
        assert probe.call(PROBE + "sum", GOOD[:cut])[0] == -1


@pytest.mark.parametrize("function", ["sum", "all", "anything"])
def test_spoilt_input_never_breaks_the_guest(probe: Guest, function: str) -> None:
    """Any byte changed: an answer or a refusal, never a trap."""
    good = GOOD if function == "sum" else encode(tup(u8(0), mixed(ANYTHING[5])))
    for place in range(len(good)):
        for byte in (0x00, 0x01, 0x07, 0x14, 0x7F, 0xFF):
            status, _ = probe.call(PROBE + function, good[:place] + bytes([byte]) + good[place + 1 :])
            assert status in (0, -1)


def test_running_out_of_stack_is_a_trap(probe: Guest) -> None:
    """Too deep a recursion ends the guest instead of overwriting its data."""
    with pytest.raises(wasmtime.Trap, match="out of bounds"):
        probe.call(PROBE + "deep", u8(0))


def test_memory_is_given_back(probe: Guest, language: str) -> None:
    """Ten large calls need no more memory than one in C, or than two in Rust."""
    large = octets(bytes(1 << 20))
    for _ in range({"c": 1, "rust": 2}[language]):
        probe.call(PROBE + "anything", u8(0), large)
    after_the_first = probe.pages
    for _ in range(10):
        assert probe.call(PROBE + "anything", u8(0), large)[0] == 0

    assert after_the_first == probe.pages


def test_nothing_is_no_size_to_allocate(probe: Guest) -> None:
    """Neither is more than there can be."""
    assert probe._call("__pack_alloc", 0) == 0
    assert probe._call("__pack_alloc", -1) == 0
    assert probe._call("__pack_alloc", 0x7FFFFFFF) == 0
