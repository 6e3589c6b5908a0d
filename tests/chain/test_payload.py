"""What events say: built from encoded values, the bytes of the Rust Theater, read back as records."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.chain.chains import VECTORS, vector_data
from theater import cgrf, types
from theater.cause import Cause
from theater.cgrf import encode
from theater.chain import ChainError, payload, payloads
from theater.values import U8, U32, List, Option, Record, Result, String, Tuple, Value, Variant, bytes_of, unit

SOME = Variant("shape", "circle", 2, (Record("point", (("x", U32(1)), ("y", String("é")))),))
VALUES: list[Value] = [
    unit(),
    U32(5),
    String("hi"),
    Tuple((U32(5),)),
    Tuple((U32(5), String("x"))),
    Tuple((Tuple((U32(1),)), U32(2))),
    SOME,
    Option(types.BYTES, bytes_of(b"abc")),
    List(types.STRING, (String("a"), String("b"))),
    Result(types.U32, types.STRING, False, String("no")),
    Tuple((Option(types.U32, U32(1)), SOME)),
    Tuple(tuple(U8(n) for n in range(40))),
]


def wasm(case: str, tag: int, record: Record) -> Variant:
    return Variant("chain-event-payload", "wasm", 1, (Variant("wasm-event-data", case, tag, (record,)),))


# -- the bytes ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", range(3))
def test_the_recorded_chains_have_our_bytes(number: int) -> None:
    """Pack-abi 12.4: every event of the recorded chains is built byte for byte."""
    for entry in VECTORS[number]["events"]:
        data = vector_data(entry)

        assert data == _rebuilt(payloads.read(data))


def _rebuilt(said: payloads.Payload) -> bytes:
    match said:
        case payloads.Call():
            return payload.call(said.function, encode(said.params))
        case payloads.Result():
            assert said.state is not None
            return payload.result_full(said.function, encode(said.state), encode(said.response))
        case payloads.Error():
            return payload.error(said.function, said.message)
        case payloads.HostCall():
            return payload.host_call(said.interface, said.function, encode(said.input), encode(said.output))
        case _:
            raise AssertionError(said)


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_joining_equals_encoding(value: Value) -> None:
    """Whatever the parts are, the joined bytes are those of encoding the whole."""
    part = encode(value)
    name = ("function-name", String("a/b.c"))

    assert encode(wasm("wasm-call", 0, Record("wasm-call", (name, ("params", value))))) == payload.call("a/b.c", part)
    full = Record("wasm-result", (name, ("state", value), ("response", SOME)))
    assert encode(wasm("wasm-result", 1, full)) == payload.result_full("a/b.c", part, encode(SOME))
    host = (("interface", String("i")), ("function", String("f")), ("input", value), ("output", U32(1)))
    assert encode(
        Variant("chain-event-payload", "host-function", 0, (Record("host-function-call", host),))
    ) == payload.host_call("i", "f", part, encode(U32(1)))


@given(st.recursive(
    st.one_of(st.builds(U32, st.integers(0, 9)), st.builds(String, st.text("aé", max_size=3))),
    lambda inner: st.builds(lambda items: Tuple(tuple(items)), st.lists(inner, max_size=4)),
    max_leaves=12,
))  # fmt: skip
def test_joining_equals_encoding_for_any_tuples(value: Value) -> None:
    """The quick way for flat tuples and the general way agree with the encoder."""
    record = Record("wasm-call", (("function-name", String("f")), ("params", value)))

    assert encode(wasm("wasm-call", 0, record)) == payload.call("f", encode(value))


def test_parameters_that_share_a_node_stay_right() -> None:
    """A foreign compiler may write a node once for two parents: the quick way must not take it for a flat tuple."""
    shared = bytes.fromhex(
        "43475246020000000300000002000000"
        "0e0000000400000005000000"  # 5u32
        "0b000000080000000100000000000000"  # (node 0)
        "0b0000000c000000020000000000000001000000"  # (node 0, node 1)
    )
    said = payloads.read(payload.call("f", shared))

    assert said == payloads.Call("f", Tuple((U32(5), Tuple((U32(5),)))))


@pytest.mark.parametrize("junk", [b"", b"CGRF", b"x" * 40])
def test_what_is_not_encoded_is_refused(junk: bytes) -> None:
    """Builders join, they do not repair."""
    with pytest.raises(cgrf.CgrfError):
        payload.call("f", junk)


# -- there and back ----------------------------------------------------------------------------------------------------


def test_a_result_carries_the_hash_of_its_state() -> None:
    """Lifecycle 8.2: SHA-256 of the encoded state, unless the actor records states in full."""
    state = encode(SOME)
    said = payloads.read(payload.result("f", state, encode(U32(1))))

    assert said == payloads.Result("f", U32(1), None, sha256(state).digest())


def test_a_full_result_carries_its_state() -> None:
    """As Theater does."""
    assert payloads.read(payload.result_full("f", encode(SOME), encode(U32(1)))) == payloads.Result("f", U32(1), SOME)


def test_a_result_without_a_state_has_the_unit_as_state() -> None:
    """An empty encoding stands for no state."""
    assert payloads.read(payload.result_full("f", b"", encode(U32(1)))) == payloads.Result("f", U32(1), unit())


def test_an_error_is_always_writable() -> None:
    """A message that is no Unicode is recorded with replacements, for an event must not fail."""
    assert payloads.read(payload.error("f", "bad \ud800 text")) == payloads.Error("f", "bad ? text")


@pytest.mark.parametrize(("state", "expected"), [(b"", None), (encode(SOME), SOME)])
def test_genesis(state: bytes, expected: Value | None) -> None:
    """The origin says from what a replay starts; no state is no field."""
    said = payloads.read(payload.genesis("aa", "pack-2", "bb", state))

    assert said == payloads.Genesis("aa", "pack-2", "bb", expected)


@pytest.mark.parametrize(
    ("plain", "expected"),
    [(None, None), ({"kind": "crashed", "signal": 9, "text": None}, Cause(kind="crashed", signal=9))],
)
def test_incarnation(plain: dict[str, Any] | None, expected: Cause | None) -> None:
    """A later life names its number and how the one before ended."""
    said = payloads.read(payload.incarnation(2, "aa", "pack-2", "bb", encode(U32(1)), plain))

    assert said == payloads.Incarnation(2, "aa", "pack-2", "bb", U32(1), expected)


@pytest.mark.parametrize(
    "cause",
    [
        Cause(kind="completed", value=b"\0\xff"),
        Cause(kind="stopped", by="supervisor"),
        Cause(kind="killed", by="cli", escalated=True),
        Cause(kind="crashed", exit_code=-1),
    ],
)
def test_shutdown(cause: Cause) -> None:
    """Every kind of cause comes back as it was."""
    assert payloads.read(payload.shutdown(cause.plain())) == payloads.Shutdown(cause)


def test_runtime() -> None:
    """Events of the runtime itself have a payload of their own: a replayer must not execute them (8.1)."""
    said = payloads.read(payload.runtime("gap", U32(3)))

    assert said == payloads.Runtime("gap", U32(3))


@pytest.mark.parametrize("error", [None, "3 hash mismatches detected"])
def test_replay_summary(error: str | None) -> None:
    """Pack-abi 12.2."""
    said = payloads.read(payload.replay_summary(9, 8, 3, error is None, error))

    assert said == payloads.ReplaySummary(9, 8, 3, error is None, error)


@pytest.mark.parametrize("number", range(4))
def test_data_say_their_event_type(number: int) -> None:
    """In every recorded chain the type follows from the data."""
    for entry in VECTORS[number]["events"]:
        assert entry["event_type"] == payloads.event_type_of(vector_data(entry))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (payload.genesis("a", "b", "c", b""), "genesis"),
        (payload.incarnation(2, "a", "b", "c", b"", None), "incarnation"),
        (payload.shutdown({"kind": "stopped"}), "shutdown"),
        (payload.runtime("gap", U32(3)), "theater-runtime/gap"),
        (payload.replay_summary(1, 1, 0, True, None), "replay-summary"),
        (b"junk", None),
    ],
)
def test_our_own_data_say_their_event_type(data: bytes, expected: str | None) -> None:
    """Ours, too; what cannot be read says nothing."""
    assert payloads.event_type_of(data) == expected


def test_json_of_before_april_is_read() -> None:
    """Pack-abi 12.2: the same things as JSON, with values as lists of byte numbers."""
    said = [payloads.read(vector_data(entry)) for entry in VECTORS[3]["events"]]

    assert said[0] == payloads.Call("theater:simple/actor.init", bytes_of(b"null"))
    assert isinstance(said[1], payloads.HostCall)
    assert said[1].input == bytes_of(b'"Runtime test actor initialized"')
    assert isinstance(said[-1], payloads.Result)
    assert said[-1].response == bytes_of(b"null")


def test_json_errors_are_read() -> None:
    """The one JSON shape that the recorded chain does not have."""
    data = b'{"category":"Wasm","WasmError":{"function_name":"f","message":"no"}}'

    assert payloads.read(data) == payloads.Error("f", "no")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"{}",
        b'{"category":"Wasm","WasmCall":{"function_name":"f","params":[256]}}',
        b'{"category":"Wasm","WasmResult":{"function_name":"f","result":null}}',
        encode(U32(1)),
        encode(Record("wasm-call", (("function-name", String("f")),))),
        encode(Record("wasm-call", (("function-name", U32(1)), ("params", unit())))),
        encode(Record("shutdown", (("cause", U32(1)),))),
        encode(Record("shutdown", (("cause", Record("cause", (("kind", unit()),))),))),
    ],
)
def test_other_data_are_refused(data: bytes) -> None:
    """One error class, whatever is wrong."""
    with pytest.raises(ChainError):
        payloads.read(data)


def test_causes_must_be_plain() -> None:
    """Misuse is a TypeError that names the field."""
    with pytest.raises(TypeError, match="value: expected"):
        payload.shutdown({"kind": "stopped", "value": [1]})
