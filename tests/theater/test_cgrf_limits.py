"""What the codec refuses to do for a hostile buffer or value (pack-abi section 2.5); lists of older guests (2.7)."""

from __future__ import annotations

from struct import pack

import pytest

from theater import cgrf, types, values
from theater.cgrf import CgrfError, Limits, anyorder
from theater.values import F32, U8, Bool, Char, List, Option, String, Tuple, Value


def buffer(*nodes: tuple[int, bytes], root: int | None = None) -> bytes:
    """Return a buffer made of nodes given as kind and payload."""
    last = len(nodes) - 1 if root is None else root
    body = b"".join(pack("<BxxxI", kind, len(payload)) + payload for kind, payload in nodes)
    return b"CGRF" + pack("<HHII", 2, 0, len(nodes), last) + body


def tuple_of(*children: int) -> tuple[int, bytes]:
    return 0x0B, pack(f"<{len(children) + 1}I", len(children), *children)


def nested(levels: int) -> Value:
    value: Value = Tuple(())
    for _ in range(levels - 1):
        value = Tuple((value,))
    return value


def test_a_value_of_512_levels_passes_both_ways() -> None:
    """The depth limit itself is allowed."""
    data = cgrf.encode(nested(512))

    assert cgrf.encode(cgrf.decode(data)) == data
    assert cgrf.encode(anyorder.decode(data, cgrf.DEFAULT, False)) == data


def test_encoding_a_value_of_513_levels_is_refused() -> None:
    """One level more is an error, not a crash."""
    with pytest.raises(CgrfError, match="deeper than 512"):
        cgrf.encode(nested(513))


def test_decoding_513_levels_is_refused() -> None:
    """A chain of tuples one longer than allowed is refused."""
    data = buffer(tuple_of(), *(tuple_of(child) for child in range(512)))

    with pytest.raises(CgrfError, match="deeper than 512"):
        cgrf.decode(data)


def test_a_chain_of_100_000_tuples_needs_no_recursion() -> None:
    """Depth far beyond any stack is refused as well, in either node order."""
    count = 100_000
    children_first = buffer(tuple_of(), *(tuple_of(child) for child in range(count)))
    parents_first = buffer(*(tuple_of(child + 1) for child in range(count)), tuple_of(), root=0)

    for data in (children_first, parents_first):
        with pytest.raises(CgrfError, match="deeper"):
            cgrf.decode(data)


def test_a_type_of_100_000_levels_is_refused() -> None:
    """Declared types nest within the limit too."""
    with pytest.raises(CgrfError, match="type nests deeper"):
        cgrf.decode(buffer((0x0A, b"\x0a" * 100_000 + b"\x0c\x00")))


def test_a_sharing_bomb_is_refused() -> None:
    """A buffer of a few hundred bytes may not stand for billions of values."""
    data = buffer((0x0C, b"\x01"), *(tuple_of(child, child) for child in range(40)))

    with pytest.raises(CgrfError, match="expands to more than"):
        cgrf.decode(data)


def test_shared_bytes_count_as_often_as_they_are_used() -> None:
    """The limit on bytes holds for what a buffer expands to."""
    text = (0x06, pack("<I", 1000) + b"x" * 1000)
    data = buffer(text, tuple_of(*[0] * 100))

    with pytest.raises(CgrfError, match="expands to more than 50000 bytes"):
        cgrf.decode(data, Limits(buffer_bytes_max=50_000))


def test_sharing_within_the_limits_is_allowed() -> None:
    """A node used twice reads as two equal values."""
    data = buffer((0x0C, b"\x01"), tuple_of(0, 0), tuple_of(1, 1))

    assert cgrf.decode(data) == Tuple((Tuple((U8(1), U8(1))), Tuple((U8(1), U8(1)))))


@pytest.mark.parametrize(
    "node",
    [
        (0x0B, pack("<I", 0xFFFFFFFF)),
        (0x07, b"\x06" + pack("<I", 0xFFFFFFFF)),
        (0x15, b"\x0e" + pack("<I", 0x40000001) + b"\0\0\0\0"),
        (0x09, pack("<II", 0, 0xFFFFFFFF)),
        (0x06, pack("<I", 0xFFFFFFFF)),
        (0x0A, b"\x0b" + pack("<I", 0xFFFFFFFF) + b"\0"),
    ],
    ids=["tuple", "list", "array", "record", "string", "tuple type"],
)
def test_a_count_is_not_believed(node: tuple[int, bytes]) -> None:
    """A count larger than what remains is refused before anything is set aside for it."""
    with pytest.raises(CgrfError, match="count"):
        cgrf.decode(buffer(node))


@pytest.mark.parametrize("length", range(4))
@pytest.mark.parametrize("kind", [0x06, 0x07, 0x08, 0x09, 0x0A, 0x0B, 0x12, 0x14, 0x15])
def test_a_payload_of_a_few_bytes_is_refused(kind: int, length: int) -> None:
    """A payload too short for its own count or tag is an error of the buffer, not of ours."""
    with pytest.raises(CgrfError):
        cgrf.decode(buffer((kind, b"\x01" * length)))


def test_more_nodes_than_allowed_are_refused() -> None:
    """The limit on nodes holds when reading and when writing."""
    value = Tuple((Bool(True), Bool(False)))

    with pytest.raises(CgrfError, match="nodes"):
        cgrf.decode(cgrf.encode(value), Limits(nodes_max=2))
    with pytest.raises(CgrfError, match="nodes"):
        cgrf.encode(value, Limits(nodes_max=2))


def test_a_payload_over_its_limit_is_refused() -> None:
    """The limit on payloads holds when reading and when writing."""
    value = String("x" * 100)

    with pytest.raises(CgrfError, match="payload"):
        cgrf.decode(cgrf.encode(value), Limits(payload_bytes_max=103))
    with pytest.raises(CgrfError, match="payload"):
        cgrf.encode(value, Limits(payload_bytes_max=103))


def test_a_buffer_over_its_limit_is_refused() -> None:
    """The limit on the whole holds when reading and when writing."""
    value = String("x" * 100)

    with pytest.raises(CgrfError, match="limit"):
        cgrf.decode(cgrf.encode(value), Limits(buffer_bytes_max=100))
    with pytest.raises(CgrfError, match="limit"):
        cgrf.encode(value, Limits(buffer_bytes_max=100))


def test_a_cycle_nobody_reaches_does_not_matter() -> None:
    """Only what the root reaches is a value; unreachable tuples are checked for their shape alone."""
    assert cgrf.decode(buffer((0x0C, b"\x05"), tuple_of(1), root=0)) == U8(5)


def test_an_unreachable_list_is_not_looked_into() -> None:
    """Kinds that carry types are checked when reached, no sooner."""
    assert cgrf.decode(buffer((0x07, b"\xff"), (0x0C, b"\x05"))) == U8(5)


def test_an_unreachable_array_is_checked() -> None:
    """Leaves are checked wherever they are."""
    with pytest.raises(CgrfError, match="node 0"):
        cgrf.decode(buffer((0x15, b"\x06\0\0\0\0"), (0x0C, b"\x05")))


@pytest.mark.parametrize(
    "value",
    [
        U8(256),
        U8(-1),
        values.S32(2**31),
        U8("1"),  # type: ignore[arg-type]
        String("\ud800"),
        Char("ab"),
        Char("\ud800"),
        List(types.U8, (1, 2)),
        List(types.U16, (65536,)),
        List(types.CHAR, (0xD800,)),
        List(types.STRING, (5,)),
        Option(types.Record("r", ()), None),
        Tuple((3,)),  # type: ignore[arg-type]
        "text",
    ],
    ids=repr,
)
def test_what_has_no_encoding_is_refused(value: Value) -> None:
    """Values are not checked when made, but never encoded wrongly."""
    with pytest.raises(CgrfError):
        cgrf.encode(value)


def test_nan_payloads_survive() -> None:
    """A signalling NaN of 32 bits comes back with the same bits."""
    assert cgrf.decode(cgrf.encode(F32(0x7FA00001))) == F32(0x7FA00001)


LEGACY = bytes.fromhex("434752460200000002000000010000000c000000010000006107000000090000000c0100000000000000")


def test_lists_of_older_guests_are_read_on_request() -> None:
    """With legacy_lists a list of primitives may have a node per item."""
    assert cgrf.decode(LEGACY, legacy_lists=True) == List(types.U8, b"a")


def test_lists_for_older_guests_are_written_on_request() -> None:
    """With legacy_lists a list of primitives gets a node per item, also deep inside."""
    assert cgrf.encode(List(types.U8, b"a"), legacy_lists=True) == LEGACY
    floats = values.list_of(types.F32, [F32(1)])
    value = Tuple((Option(types.List(types.F32), floats), List(types.STRING, (String("s"),))))

    assert cgrf.decode(cgrf.encode(value, legacy_lists=True), legacy_lists=True) == value


def test_a_list_of_older_guests_still_needs_items_of_its_type() -> None:
    """A u16 in a list<u8> is refused."""
    data = buffer((0x0D, b"\x01\x00"), (0x07, b"\x0c" + pack("<II", 1, 0)))

    with pytest.raises(CgrfError, match="expected u8 items, got u16"):
        cgrf.decode(data, legacy_lists=True)


def test_values_are_equal_when_their_encodings_are() -> None:
    """Numbers of different types differ, also where Python says 1 == True."""
    assert U8(1) != values.U16(1)
    assert List(types.U8, b"") != List(types.U16, ())
    assert Tuple((U8(1),)) == Tuple((U8(1),))
