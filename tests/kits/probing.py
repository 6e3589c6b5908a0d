"""Values for the probes: one actor, written with the C and the Rust library, that passes on what it is given."""

from __future__ import annotations

from tests.guests import pack
from tests.guests.pack import (
    Value,
    boolean,
    encode,
    listed,
    none,
    octets,
    record,
    result,
    s64,
    scalar,
    some,
    text,
    tup,
    u8,
    u32,
    variant,
)

PROBE = "test:probe/probe."
SHAPE_TAG = b"\x08\x05\0\0\0shape"
NUMBERS = Value("array", b"\x07\x02", b"\x02\x02\0\0\0\xfe\xff\xff\xff\x05\0\0\0")
"""-2 and 5."""

GOOD = encode(tup(u8(0), Value("array", b"\x07\x02", b"\x02\x01\0\0\0\x05\0\0\0")))
ANYTHING = [text("x"),
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


def mixed(anything: Value) -> Value:
    """A value of the probe's type MANY."""
    dot, line = variant("shape", "dot", 0), variant("shape", "line", 1, scalar("s16", -3))
    shapes = listed(b"\x0b\x02\0\0\0\x0c" + SHAPE_TAG, [tup(u8(1), dot), tup(u8(2), line)])
    numbers = Value("array", b"\x07\x0d", b"\x0d\x02\0\0\0\x01\x00\x02\x00")
    fields = record("mixed", z=scalar("f64", 1.5), a=scalar("char", 233), b=scalar("flags", 10), c=boolean(True))
    names = listed(b"\x06", [text("é"), text("")])
    verdict = result(True, boolean(True), b"\x01", b"\x06")
    return tup(anything, shapes, verdict, some(numbers), names, fields, octets(b"abc\0"))


SHAPE = "variant shape { dot, line(s16) }"
FIELDS = "record mixed { z: f64, a: char, b: flags, c: bool }"
MANY = (
    f"tuple<value, list<tuple<u8, {SHAPE}>>, result<bool, string>, option<list<u16>>, list<string>, {FIELDS}, list<u8>>"
)
DECLARED = {
    "all": (f"it: {MANY}", MANY),
    "anything": ("it: value", "value"),
    "deep": ("", "s32"),
    "shape": (f"it: {SHAPE}", f"list<{SHAPE}>"),
    "sum": ("numbers: list<s32>", "s64"),
}
"""Parameters and answers of what both probes export."""


def description(own: dict[str, tuple[str, str]], imports: list[tuple[str, str]]) -> bytes:
    """What the reference of these tests makes of a probe's declarations."""
    exports = [
        (PROBE + name, pack.parse_signature(f"(state: u8, {params}) -> result<tuple<u8, {answer}>, string>"))
        for name, (params, answer) in sorted((DECLARED | own).items())
    ]
    init = pack.parse_signature("(state: value) -> result<tuple<u8>, string>")
    declared = [(name, pack.parse_signature(signature)) for name, signature in imports]
    return pack.metadata(declared, [*exports, ("theater:simple/actor.init", init)])
