"""Joining encoded values without decoding them."""

from __future__ import annotations

import pytest

from tests.theater.pack_vectors import VECTORS
from theater import cgrf, values
from theater.cgrf import CgrfError
from theater.values import U8, String, Tuple

STATE = cgrf.encode(values.NO_BYTES)


def test_state_and_parameters_join_as_a_call_wants_them() -> None:
    """A state in front of a tuple of parameters is the recorded input of the call (pack-abi 9.1)."""
    for step in VECTORS["traces"]["counter"]:
        whole = cgrf.decode(bytes.fromhex(step["input_hex"]))
        assert isinstance(whole, Tuple)
        state, params = cgrf.encode(whole.items[0]), cgrf.encode(Tuple(whole.items[1:]))

        assert cgrf.prepend(state, params).hex() == step["input_hex"]


def test_parameters_that_are_no_tuple_become_the_second_item() -> None:
    """("tick") gives (state, "tick")."""
    joined = cgrf.prepend(STATE, cgrf.encode(String("tick")))

    assert cgrf.decode(joined) == Tuple((values.NO_BYTES, String("tick")))


def test_a_part_in_another_node_order_stays_valid() -> None:
    """A parent before its child may be joined; canonical puts it right."""
    parent_first = bytes.fromhex(VECTORS["cgrf_accept_noncanonical"][1]["hex"])
    joined = cgrf.encode_tuple([STATE, parent_first])

    assert cgrf.decode(joined) == Tuple((values.NO_BYTES, cgrf.decode(parent_first)))
    assert cgrf.prepend(STATE, parent_first) == cgrf.encode(Tuple((values.NO_BYTES, values.U32(7))))


def test_nothing_joined_is_the_unit_value() -> None:
    """The tuple of no parts is ()."""
    assert cgrf.encode_tuple([]) == cgrf.encode(values.unit())


@pytest.mark.parametrize("part", [b"", b"CGRF", cgrf.encode(Tuple((U8(1),)))[:-1], cgrf.encode(Tuple((U8(1),))) + b"x"])
def test_what_is_not_an_encoded_value_is_refused(part: bytes) -> None:
    """A part that is cut or too long is an error where it has to be read."""
    with pytest.raises(CgrfError):
        cgrf.encode_tuple([STATE, part])
