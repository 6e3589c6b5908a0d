"""The codec on random values and random damage."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.theater.strategies import VALUES
from theater import cgrf
from theater.cgrf import CgrfError, anyorder
from theater.values import Tuple, Value

DAMAGE = st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=4)


@settings(max_examples=200, deadline=None)
@given(VALUES)
def test_a_value_survives_encoding(value: Value) -> None:
    """decode(encode(v)) is v, by either way of decoding."""
    data = cgrf.encode(value)

    assert cgrf.decode(data) == value
    assert anyorder.decode(data, cgrf.DEFAULT, False) == value


@settings(max_examples=100, deadline=None)
@given(VALUES)
def test_a_value_survives_the_older_form(value: Value) -> None:
    """Lists with a node per item come back the same."""
    assert cgrf.decode(cgrf.encode(value, legacy_lists=True), legacy_lists=True) == value


@settings(max_examples=400, deadline=None)
@given(VALUES, DAMAGE)
def test_a_damaged_buffer_is_read_or_refused(value: Value, damage: list[tuple[int, int]]) -> None:
    """Any change of bytes gives a value or CgrfError, nothing else; both ways of decoding agree."""
    data = bytearray(cgrf.encode(value))
    for place, byte in damage:
        data[place % len(data)] = byte

    assert attempt(cgrf.decode, bytes(data)) == attempt(thoroughly, bytes(data))


@settings(max_examples=150, deadline=None)
@given(VALUES, st.integers(0, 10_000))
def test_a_cut_buffer_is_refused(value: Value, cut: int) -> None:
    """No proper prefix of a canonical buffer is a buffer."""
    data = cgrf.encode(value)

    assert isinstance(attempt(cgrf.decode, data[: cut % len(data)]), str)


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80))
def test_noise_behind_a_good_header_is_read_or_refused(noise: bytes) -> None:
    """Even nodes made of noise raise nothing but CgrfError."""
    for count in (1, 2, 3):
        attempt(cgrf.decode, b"CGRF\2\0\0\0" + count.to_bytes(4, "little") + b"\0\0\0\0" + noise)


@settings(max_examples=150, deadline=None)
@given(st.lists(VALUES, max_size=4))
def test_joining_encoded_values_is_encoding_their_tuple(items: list[Value]) -> None:
    """encode_tuple and prepend give the very bytes that encode gives."""
    encoded = [cgrf.encode(item) for item in items]
    whole = cgrf.encode(Tuple(tuple(items)))

    assert cgrf.encode_tuple(encoded) == whole
    if items:
        assert cgrf.prepend(encoded[0], cgrf.encode(Tuple(tuple(items[1:])))) == whole


def thoroughly(data: bytes) -> Value:
    return anyorder.decode(data, cgrf.DEFAULT, False)


def attempt(decode: object, data: bytes) -> Value | str:
    try:
        return decode(data)  # type: ignore[operator, no-any-return]
    except CgrfError as error:
        return str(error)
