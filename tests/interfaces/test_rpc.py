"""theater:simple/rpc and theater:simple/names, function by function, without another worker or a root."""

from __future__ import annotations

from typing import Any

import pytest

from tests.interfaces.calling import Host
from tests.interfaces.talkkit import OWN_ID
from tests.worker.enginekit import FakeContext
from theater import cgrf, metadata, types
from theater.errors import ChannelClosed, OperationTimeout, PermissionDenied
from theater.grants import NAMES, RPC
from theater.values import U8, U32, U64, UNIT, Bool, List, Option, Record, Result, String, Tuple, Value, Variant
from worker.asks import RootRefusal
from worker.interfaces import registry

API = "test:counter/api"
NONE = Option(types.UNIT, None)
DIGEST = bytes(range(32))
B = String("b")


def ok(value: Value) -> Result:
    return Result(types.STRING, types.STRING, True, Variant("result", "ok", 0, (value,)))


def err(text: str) -> Result:
    return Result(types.STRING, types.STRING, True, Variant("result", "err", 1, (String(text),)))


@pytest.fixture
def context() -> FakeContext:
    context = FakeContext()
    context.peers.add("b")
    return context


@pytest.fixture
def host(context: FakeContext) -> Host:
    return Host({RPC: {"timeout_ms": 2000, "timeout_max_ms": 5000}}, context)


def call(host: Host, function: str = f"{API}.bump", params: Value = UNIT, options: Value = NONE) -> Any:
    return host.call(RPC, "call", B, String(function), params, options)


def test_an_answer_is_doubly_wrapped(host: Host, context: FakeContext) -> None:
    """ok(result::ok(v)), with both declared types string (pack-abi 10.6)."""
    context.peers.answer = cgrf.encode(U32(7))

    assert call(host, params=Tuple((U32(1),))) == ok(U32(7))
    ((path, sent, body),) = context.peers.exchanged
    assert (path, sent.function, body) == ("/b", f"{API}.bump", cgrf.encode(Tuple((U32(1),))))
    assert 1000 < sent.timeout_ms <= 2001


@pytest.mark.parametrize(
    "error", [OperationTimeout(2.0), ChannelClosed(None), PermissionDenied("rpc", "b"), RootRefusal("shutting-down")]
)
def test_an_error_is_doubly_wrapped(host: Host, context: FakeContext, error: Any) -> None:
    """ok(result::err(text)): the guest does not see an err of the host."""
    context.peers.answer = error

    assert call(host) == err(error.text())


def test_an_answer_that_is_no_value(host: Host, context: FakeContext) -> None:
    """The other worker's fault, in words."""
    context.peers.answer = b"rubbish"

    assert call(host).value.payload[0].value.startswith("Serialization error")


CALLBACKS = sorted({each.name for item in registry.known().values() for each in item.callbacks})


@pytest.mark.parametrize("function", [*CALLBACKS, "theater:simple/actor.init", "wasi:http/incoming-handler.handle"])
def test_what_only_the_host_calls_is_refused(host: Host, context: FakeContext, function: str) -> None:
    """A guest believes its callbacks: nobody forges a message, an exit signal, a tick or a child's end."""
    context.peers.answer = cgrf.encode(UNIT)

    assert call(host, function) == err(f"Not permitted: rpc (only the host calls {function})")
    assert context.peers.exchanged == []


def test_there_are_callbacks_to_refuse() -> None:
    """The table above is not empty."""
    assert len(CALLBACKS) > 15


def timeout(value: Value | None) -> Value:
    return Option(types.UNIT, Record("options", (("timeout-ms", Option(types.U64, value)),)))


@pytest.mark.parametrize(
    ("options", "most_ms"),
    [
        (NONE, 2000),
        (UNIT, 2000),
        (timeout(None), 2000),
        (timeout(U64(100)), 100),
        (timeout(U8(100)), 100),
        (timeout(U64(2**64 - 1)), 5000),
        (Record("options", (("timeout-ms", U64(100)),)), 100),
        (Option(types.UNIT, Record("options", ())), 2000),
    ],
    ids=str,
)
def test_options(host: Host, context: FakeContext, options: Value, most_ms: int) -> None:
    """The grant's time-out, or what is asked for, up to the grant's maximum."""
    context.peers.answer = cgrf.encode(UNIT)

    assert call(host, options=options) == ok(UNIT)
    assert most_ms // 2 < context.peers.exchanged[0][1].timeout_ms <= most_ms + 1


@pytest.mark.parametrize("options", [String("soon"), timeout(String("soon")), U32(5), List(types.U8, b"")], ids=str)
def test_options_that_are_none(host: Host, options: Value) -> None:
    """Refused before anything is sent."""
    answer = call(host, options=options)

    assert answer.value.payload[0].value.startswith("Type mismatch for function call: options")


def described(context: FakeContext, **hashes: bytes) -> None:
    """What b's package says of itself."""
    named = {name.replace("_", ":", 1).replace("_", "/"): digest for name, digest in hashes.items()}
    data = metadata.encode(metadata.Metadata((), (), {}, named))
    context.answers["describe-peer"] = ({}, [data])


def test_the_interface_is_checked_before_the_first_call(host: Host, context: FakeContext) -> None:
    """Where our package says what it was built for; once per package."""
    context.peers.answer = cgrf.encode(UNIT)
    context.declared_hashes = {API: DIGEST}
    described(context, test_counter_api=DIGEST)
    assert call(host) == call(host) == ok(UNIT)
    assert [each[0] for each in context.asked] == ["describe-peer"]


@pytest.mark.parametrize("hashes", [{"test_counter_api": bytes(32)}, {}], ids=["other", "none"])
def test_another_interface_is_not_called(host: Host, context: FakeContext, hashes: dict[str, bytes]) -> None:
    """Nothing is sent."""
    context.declared_hashes = {API: DIGEST}
    described(context, **hashes)

    assert call(host).value.payload[0].value.startswith(f"Type mismatch for function {API}.bump: this actor was built")
    assert context.peers.exchanged == []


def test_exports_and_implements(host: Host, context: FakeContext) -> None:
    """As the other package says."""
    described(context, test_counter_api=DIGEST)

    pair = Tuple((String(API), String(DIGEST.hex())))
    assert host.call(RPC, "exports", B) == ok(List(types.Tuple((types.STRING, types.STRING)), (pair,)))
    assert host.call(RPC, "implements", B, String(API)) == ok(Bool(True))
    assert host.call(RPC, "implements", B, String("test:other/api")) == ok(Bool(False))
    assert host.call(RPC, "implements", String("nobody"), String(API)) == err("No such actor: nobody")


def test_the_forms_for_components(host: Host, context: FakeContext) -> None:
    """Encoded values, and plain results."""
    functions = registry.known()[RPC].functions
    host.dispatcher.bind({(RPC, function.name): function.variants[1] for function in functions})
    context.peers.answer = cgrf.encode(U32(7))
    params = List(types.U8, cgrf.encode(UNIT))

    answer = host.call(RPC, "call", B, String(f"{API}.bump"), params, Option(types.U64, None))
    assert (answer.is_ok, answer.value) == (True, List(types.U8, cgrf.encode(U32(7))))
    answer = host.call(RPC, "call", String("nobody"), String("f"), params, Option(types.U64, U64(1)))
    assert (answer.is_ok, answer.value) == (False, String("No such actor: nobody"))


# -- names -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("function", "asked", "arguments"),
    [
        ("register", "register-name", {"name": "b"}),
        ("unregister", "unregister-name", {"name": "b"}),
        ("leave", "leave-group", {"name": "b"}),
    ],
)
def test_names_are_the_roots(context: FakeContext, function: str, asked: str, arguments: dict[str, str]) -> None:
    """Each function asks it; its refusal is the guest's error."""
    host = Host({NAMES: {}}, context)
    assert host.call(NAMES, function, B).is_ok
    assert context.asked == [(asked, arguments, [])]

    context.answers[asked] = RootRefusal("b is taken")
    answer = host.call(NAMES, function, B)
    assert (answer.is_ok, answer.value) == (False, String("b is taken"))


def test_join_says_how(context: FakeContext) -> None:
    """The mode goes with it."""
    assert Host({NAMES: {}}, context).call(NAMES, "join", B, String("broadcast")).is_ok
    assert context.asked == [("join-group", {"name": "b", "mode": "broadcast"}, [])]


def test_who_has_a_name(context: FakeContext) -> None:
    """Ids, oldest first."""
    host = Host({NAMES: {}}, context)
    assert host.call(NAMES, "whereis", B).value == Option(types.STRING, None)

    context.answers["name-members"] = ({"ids": [OWN_ID, "other"]}, [])
    assert host.call(NAMES, "whereis", B).value == Option(types.STRING, String(OWN_ID))
    assert host.call(NAMES, "members", B).value == List(types.STRING, (String(OWN_ID), String("other")))
