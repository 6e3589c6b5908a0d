"""The codec against the vectors shared with other implementations (pack-abi section 2.8)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.theater.pack_vectors import VECTORS, names, value_of
from theater import cgrf
from theater.cgrf import CgrfError, anyorder

TRACED = [
    bytes.fromhex(data)
    for steps in VECTORS["traces"].values()
    for step in steps
    for data in (step["input_hex"], *(call[key] for call in step["host_calls"] for key in ("input_hex", "output_hex")))
]


@pytest.mark.parametrize("vector", VECTORS["cgrf"], ids=names("cgrf"))
def test_a_value_encodes_to_the_bytes_of_its_vector(vector: dict[str, Any]) -> None:
    """Encoding is canonical, byte for byte."""
    assert cgrf.encode(value_of(vector["value"])).hex() == vector["hex"]


@pytest.mark.parametrize("vector", VECTORS["cgrf"], ids=names("cgrf"))
def test_the_bytes_of_a_vector_decode_to_its_value(vector: dict[str, Any]) -> None:
    """Decoding gives back the value with the types it declares."""
    assert cgrf.decode(bytes.fromhex(vector["hex"])) == value_of(vector["value"])


@pytest.mark.parametrize("vector", VECTORS["cgrf"], ids=names("cgrf"))
def test_the_thorough_way_reads_canonical_bytes_too(vector: dict[str, Any]) -> None:
    """Both ways of decoding agree on canonical buffers."""
    data = bytes.fromhex(vector["hex"])

    assert anyorder.decode(data, cgrf.DEFAULT, False) == value_of(vector["value"])


@pytest.mark.parametrize("vector", VECTORS["cgrf_accept_noncanonical"], ids=names("cgrf_accept_noncanonical"))
def test_a_valid_buffer_in_another_form_decodes(vector: dict[str, Any]) -> None:
    """Node order, sharing, unreachable nodes and unused bits do not change what is read."""
    assert cgrf.decode(bytes.fromhex(vector["hex"])) == value_of(vector["value"])


@pytest.mark.parametrize("vector", VECTORS["cgrf_accept_noncanonical"], ids=names("cgrf_accept_noncanonical"))
def test_canonical_rewrites_a_valid_buffer(vector: dict[str, Any]) -> None:
    """Whatever the form, the canonical bytes are the same."""
    assert cgrf.canonical(bytes.fromhex(vector["hex"])).hex() == vector["canonical_hex"]


@pytest.mark.parametrize("vector", VECTORS["cgrf_reject"], ids=names("cgrf_reject"))
def test_an_invalid_buffer_is_refused(vector: dict[str, Any]) -> None:
    """Everything that must be rejected is, with an error that says where or what."""
    with pytest.raises(CgrfError, match=r"expected|node|byte|root|count|payload"):
        cgrf.decode(bytes.fromhex(vector["hex"]))


@pytest.mark.parametrize("data", TRACED)
def test_what_real_guests_exchanged_reads_and_writes_the_same(data: bytes) -> None:
    """Inputs, host inputs and host outputs of recorded calls are canonical for us too."""
    assert cgrf.encode(cgrf.decode(data)) == data


def test_bytes_of_other_kinds_are_taken() -> None:
    """A bytearray or memoryview decodes like bytes."""
    data = bytes.fromhex(VECTORS["cgrf"][22]["hex"])

    assert cgrf.decode(bytearray(data)) == cgrf.decode(memoryview(data)) == cgrf.decode(data)
