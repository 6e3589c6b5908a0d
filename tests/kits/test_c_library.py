"""``theater.h``: what is C's own of what a guest built with it answers and refuses (pack-abi §2, §4, §9)."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.guests.host import Guest
from tests.guests.pack import (
    Value,
    encode,
    err,
    ok,
    record,
    result,
    s64,
    scalar,
    text,
    tup,
    u8,
    u32,
    u64,
    variant,
)
from tests.kits.probing import PROBE

ROOT = Path(__file__).parents[2]


@pytest.fixture
def probe(c_probe: bytes) -> Guest:
    return Guest(c_probe)


def test_format(probe: Guest) -> None:
    """Every conversion of format."""
    given = [text("héllo"), u32(2**32 - 1), u64(2**64 - 1), scalar("s32", -(2**31)), s64(-(2**63))]
    words = f"héllo|{2**32 - 1}|{2**64 - 1}|{-(2**31)}|{-(2**63)}|100%"

    assert (0, encode(ok(u8(0), text(words)))) == probe.call(PROBE + "words", u8(0), *given)


@pytest.mark.parametrize(
    ("function", "items", "message"),
    [
        (PROBE + "shape", [u8(0), variant("", "line", 1, text(""))], "shape: it: expected s16, found string"),
        (PROBE + "narrow", [u8(0), u64(256)], "encode error: narrow: answer[1]: expected u8, found u64"),
        (PROBE + "wrong", [u8(0)], "encode error: wrong: answer[1]: expected u32, found string"),
        (PROBE + "grow-state", [u8(0), u64(300)], "encode error: grow-state: answer[0]: expected u8, found u64"),
    ],
)
def test_refusals_say_what_was_expected(probe: Guest, function: str, items: list[Value], message: str) -> None:
    """What does not fit the declared types is answered with status -1 and a message naming the place."""
    assert (-1, message.encode()) == probe.call(function, *items)


def test_freed_blocks_are_used_again(probe: Guest) -> None:
    """Allocating what was freed gives the same place."""
    first = probe._call("__pack_alloc", 100)
    probe._call("__pack_free", first, 100)

    assert first == probe._call("__pack_alloc", 120)


def test_declining_has_the_declared_types() -> None:
    """An error answer carries the same type tags as a good one."""
    counter = Guest((ROOT / "examples" / "counter" / "counter.wasm").read_bytes())
    state = record("counter", count=u64(1))
    expected = result(False, text("declined, as you asked"), tup(state).tag, b"\x06")

    assert (0, encode(expected)) == counter.call("counter:example/counter.fail", state)
    assert encode(expected) != encode(err("declined, as you asked"))
