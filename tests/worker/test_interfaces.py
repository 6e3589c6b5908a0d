"""The registry of host interfaces: hashes, dispatch, and each function of the two interfaces."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.worker.enginekit import FakeContext
from theater import cgrf, interfaces, types
from theater.actor import RUNTIME, SUPERVISOR
from theater.chain import encode_frame, event_hash
from theater.errors import HandlerError, NotAChild, ShuttingDown
from theater.values import NO_BYTES, U8, U32, U64, UNIT, List, Option, Result, String, Tuple, Value, bytes_of
from worker.engine.errors import Trap
from worker.interfaces import docs
from worker.interfaces.packing import packed
from worker.interfaces.registry import Dispatcher, Variant, known

VECTORS = Path(__file__).parents[1] / "vectors" / "pack-vectors.json"
CHILD = "11111111-2222-4333-8444-555555555555"
NO_VALUE = Option(types.UNIT, None)


class Calls:
    """Calls host functions as a guest would, through the dispatcher."""

    def __init__(self, interface: str) -> None:
        self.context = FakeContext()
        self.interface = interface
        self.dispatcher = Dispatcher(self.context)
        self.bind(0)

    def bind(self, number: int) -> None:
        """Serve the first, second … variant of each function (the last there is)."""
        functions = known()[self.interface].functions
        self.dispatcher.bind(
            {(self.interface, f.name): f.variants[min(number, len(f.variants) - 1)] for f in functions}
        )

    def __call__(self, function: str, data: Value) -> Value:
        return cgrf.decode(self.dispatcher.answer(self.interface, function, cgrf.encode(data)))


@pytest.fixture
def runtime() -> Calls:
    return Calls(RUNTIME)


@pytest.fixture
def supervisor() -> Calls:
    return Calls(SUPERVISOR)


def ok(value: Value) -> Value:
    return Result(types.STRING, types.STRING, True, value)


def err(text: str) -> Value:
    return Result(types.STRING, types.STRING, False, String(text))


# -- the registry ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [RUNTIME, SUPERVISOR])
def test_standard_hash(name: str) -> None:
    """What we declare of the standard has the standard's hash; functions of our own come on top."""
    functions = {item.name: item.variants[0].parsed for item in known()[name].functions if not item.own}
    expected = json.loads(VECTORS.read_text())["standard_interfaces"][name]

    assert interfaces.interface_hash(name, functions).hex() == expected["hash"]
    assert set(functions) == set(expected["functions"])


@pytest.mark.parametrize("name", [RUNTIME, SUPERVISOR])
def test_every_function_is_described(name: str) -> None:
    """A function without words is not finished."""
    for item in known()[name].functions:
        assert item.doc.endswith("."), item.name


@pytest.mark.parametrize("name", [RUNTIME, SUPERVISOR])
def test_variants_can_be_told_apart(name: str) -> None:
    """No two forms of a function have the same hash."""
    for item in known()[name].functions:
        assert len({variant.hash for variant in item.variants}) == len(item.variants)


def test_docs_are_current(capsys: pytest.CaptureFixture[str]) -> None:
    """docs/host-interfaces.md is what the registry says; see worker/interfaces/docs.py."""
    assert docs.main(["--check"]) == 0, capsys.readouterr().err


def test_stale_docs_are_noticed(tmp_path: Path) -> None:
    """--check fails on anything else, and without it the file is written."""
    file = tmp_path / "host-interfaces.md"
    file.write_text("old")

    assert docs.main(["--check", str(file)]) == 1
    assert docs.main([str(file)]) == 0
    assert docs.main(["--check", str(file)]) == 0


# -- dispatch ----------------------------------------------------------------------------------------------------------


def test_recorded_before_it_is_answered(runtime: Calls) -> None:
    """The event is there when the guest gets its answer (lifecycle 11.1)."""
    runtime("log", String("hello"))

    assert runtime.context.recorded == [(RUNTIME, "log", cgrf.encode(String("hello")), cgrf.encode(UNIT))]


def test_single_parameter_in_a_tuple(runtime: Calls) -> None:
    """A 1-tuple is accepted where one value is expected (pack-abi 5.2)."""
    runtime("log", Tuple((String("hello"),)))

    assert runtime.context.logged == [("info", "hello")]


def test_input_is_recorded_in_canonical_form(runtime: Calls) -> None:
    """Nodes the guest wrote in another order, or that nothing refers to, leave no trace in the chain."""
    node = bytes.fromhex("0c0000000100000009")
    text = cgrf.encode(String("hello"))
    odd = text[:8] + (2).to_bytes(4, "little") + (1).to_bytes(4, "little") + node + text[16:]
    runtime.dispatcher.answer(RUNTIME, "log", odd)

    assert runtime.context.recorded[0][2] == text


@pytest.mark.parametrize("element", [types.UNIT, types.STRING, types.Option(types.U8)])
def test_bytes_are_bytes_whatever_their_list_says(runtime: Calls, element: types.Type) -> None:
    """A list node may call its items anything: what fits arrives, and the chain has what was given."""
    given = Option(types.BYTES, List(element, (U8(98), U8(121), U8(101))))

    assert runtime("shutdown", given) == ok(UNIT)
    assert runtime.context.shutdowns == [b"bye"]
    assert runtime.context.recorded[0][2] == cgrf.encode(given)


def test_lists_of_numbers_inside_other_values() -> None:
    """Pairs with bytes in them, and lists of those."""
    kind = types.List(types.Tuple((types.STRING, types.BYTES)))
    pairs = List(types.UNIT, (Tuple((String("a"), List(types.UNIT, (U8(1),)))),))

    assert packed(pairs, kind) == List(types.UNIT, (Tuple((String("a"), bytes_of(b"\1"))),))
    assert packed(List(types.UNIT, (U32(7), U32(8))), types.List(types.U32)) == List(types.U32, (7, 8))
    assert packed(List(types.U32, ()), types.BYTES) == bytes_of(b"")


def test_a_refusal_without_a_place_in_the_answer_ends_the_guest(supervisor: Calls) -> None:
    """In the words of the refusal: list-children of 0.3.8 has no errors."""
    supervisor.bind(1)
    supervisor.context.answers["list-children"] = HandlerError("shutting-down")

    with pytest.raises(Trap, match="shutting-down"):
        supervisor("list-children", UNIT)


@pytest.mark.parametrize(
    "data", [U32(1), UNIT, Tuple((String("a"), String("b"))), Tuple((U32(1),)), List(types.STRING, (String("a"),))]
)
def test_misfitting_input(runtime: Calls, data: Value) -> None:
    """An input that does not fit ends the guest's call, and nothing is recorded."""
    with pytest.raises(Trap) as caught:
        runtime("log", data)

    assert caught.value.kind == "contract"
    assert "func(msg: string)" in caught.value.text
    assert runtime.context.recorded == []


def test_undecodable_input(runtime: Calls) -> None:
    """So does one that is no value."""
    with pytest.raises(Trap, match="the input of theater:simple/runtime"):
        runtime.dispatcher.answer(RUNTIME, "log", b"garbage")


def test_wrong_number_of_parameters(supervisor: Calls) -> None:
    """Both numbers are told."""
    with pytest.raises(Trap, match="expected 3 values, got 2"):
        supervisor("spawn", Tuple((String("m"), NO_VALUE)))


def test_refusal_is_an_error_result(supervisor: Calls) -> None:
    """What the root refuses is ``err`` with the error's text, and is recorded like any answer."""
    supervisor.context.answers["stop-child"] = NotAChild(CHILD)

    assert supervisor("stop-child", String(CHILD)) == err(f"{CHILD} is not a child of this actor")
    assert len(supervisor.context.recorded) == 1


def test_shutdown_during_a_host_call(supervisor: Calls) -> None:
    """A guest blocked in a host call gets the error and can return (L5.3)."""
    supervisor.context.answers["list-children"] = ShuttingDown()

    assert supervisor("list-children", UNIT) == err("Actor is shutting down")


def test_other_exceptions_pass(supervisor: Calls) -> None:
    """A broken host is not an answer."""
    supervisor.context.answers["list-children"] = RuntimeError("broken")
    with pytest.raises(RuntimeError):
        supervisor("list-children", UNIT)


def test_long_error_text_is_cut(supervisor: Calls) -> None:
    """The guest's copy of a text is bounded."""
    supervisor.context.answers["stop-child"] = HandlerError("x" * 10_000)
    answer = supervisor("stop-child", String(CHILD))

    assert isinstance(answer, Result)
    assert isinstance(answer.value, String)
    assert len(answer.value.value) == 4096


# -- runtime -----------------------------------------------------------------------------------------------------------


def test_self(runtime: Calls) -> None:
    """The actor's id as text."""
    assert runtime("self", UNIT) == String(runtime.context.actor_id)


@pytest.mark.parametrize(("data", "value"), [(NO_BYTES, None), (Option(types.BYTES, bytes_of(b"bye")), b"bye")])
def test_shutdown(runtime: Calls, data: Value, value: bytes | None) -> None:
    """Returns ok at once and leaves the ending to the worker."""
    assert runtime("shutdown", data) == ok(UNIT)
    assert runtime.context.shutdowns == [value]


def test_get_chain(runtime: Calls) -> None:
    """A 1-tuple of a list of (index, (type, parent index, data)), as 0.3.8 really answered."""
    runtime.context.events = [(0, "genesis", b"a"), (1, "wasm", b"b")]
    answer = runtime("get-chain", UNIT)

    assert isinstance(answer, Tuple)
    [events] = answer.items
    assert isinstance(events, List)
    assert events.items == (
        Tuple((U64(0), Tuple((String("genesis"), Option(types.U64, None), bytes_of(b"a"))))),
        Tuple((U64(1), Tuple((String("wasm"), Option(types.U64, U64(0)), bytes_of(b"b"))))),
    )


def test_get_chain_is_bounded(runtime: Calls) -> None:
    """The newest events that fit: an answer that holds all earlier answers would double each time."""
    runtime.context.events = [(number, "wasm", bytes(300_000)) for number in range(10)]
    answer = runtime("get-chain", UNIT)

    assert isinstance(answer, Tuple)
    assert [event.items[0].value for event in answer.items[0].items] == [7, 8, 9]  # type: ignore[attr-defined]


# -- supervisor: starting ----------------------------------------------------------------------------------------------


def asked(calls: Calls) -> tuple[dict[str, Any], list[bytes]]:
    [(function, arguments, bodies)] = calls.context.asked
    assert function == "spawn"
    return arguments, bodies


def plain(**changed: Any) -> dict[str, Any]:
    """The arguments of a spawn with nothing special."""
    arguments = {"manifest": "m.toml", "state_body": None, "wasm_body": None, "wait": False, "timeout_ms": None}
    return {**arguments, "resume": False, **changed}


def test_spawn(supervisor: Calls) -> None:
    """Answers the child's id; from then on there are children to stop."""
    supervisor.context.answers["spawn"] = ({"id": CHILD}, [])

    assert supervisor("spawn", Tuple((String("m.toml"), NO_VALUE, NO_BYTES))) == ok(String(CHILD))
    assert asked(supervisor) == (plain(), [])
    assert supervisor.context.has_children


def test_spawn_with_state_and_package(supervisor: Calls) -> None:
    """some(v) is exactly v, whatever its type; the package travels as it is."""
    supervisor.context.answers["spawn"] = ({"id": CHILD}, [])
    wasm = Option(types.BYTES, bytes_of(b"\0asm"))
    supervisor("spawn", Tuple((String("m.toml"), Option(types.U32, U32(7)), wasm)))

    assert asked(supervisor) == (plain(state_body=0, wasm_body=1), [cgrf.encode(U32(7)), b"\0asm"])


def test_spawn_of_0_3_8(supervisor: Calls) -> None:
    """Two arguments; the optional bytes are the state as that time's actors declare it."""
    supervisor.bind(2)
    supervisor.context.answers["spawn"] = ({"id": CHILD}, [])
    state = Option(types.BYTES, bytes_of(b"S"))
    supervisor("spawn", Tuple((String("m.toml"), state)))

    assert asked(supervisor) == (plain(state_body=0), [cgrf.encode(state)])


def test_refused_spawn(supervisor: Calls) -> None:
    """The child might be there all the same, so children are to be stopped at the end."""
    supervisor.context.answers["spawn"] = HandlerError("no room")

    assert supervisor("spawn", Tuple((String("m.toml"), NO_VALUE, NO_BYTES))) == err("Handler error: no room")
    assert supervisor.context.has_children


@pytest.mark.parametrize(("value", "answer"), [(None, NO_BYTES), (b"done", Option(types.BYTES, bytes_of(b"done")))])
def test_spawn_and_wait(supervisor: Calls, value: bytes | None, answer: Value) -> None:
    """What the child gave to shutdown."""
    supervisor.context.answers["spawn"] = ({"value": value}, [])
    data = Tuple((String("m.toml"), NO_VALUE, NO_BYTES, Option(types.U64, U64(500))))

    assert supervisor("spawn-and-wait", data) == ok(answer)
    assert asked(supervisor)[0] == plain(wait=True, timeout_ms=500)


@pytest.mark.parametrize(
    ("given", "state"),
    [
        (cgrf.encode(U32(9)), U32(9)),
        (b"plain bytes", Option(types.BYTES, bytes_of(b"plain bytes"))),
    ],
)
def test_resume(supervisor: Calls, given: bytes, state: Value) -> None:
    """Bytes that are an encoded value are that value, other bytes a state of 0.3.8's kind."""
    supervisor.context.answers["spawn"] = ({"id": CHILD}, [])
    supervisor("resume", Tuple((String("m.toml"), Option(types.BYTES, bytes_of(given)), NO_BYTES)))

    assert asked(supervisor) == (plain(resume=True, state_body=0), [cgrf.encode(state)])


def test_resume_with_two_arguments(supervisor: Calls) -> None:
    """As the ancestor implements it: without a state."""
    supervisor.bind(1)
    supervisor.context.answers["spawn"] = ({"id": CHILD}, [])
    supervisor("resume", Tuple((String("m.toml"), NO_BYTES)))

    assert asked(supervisor) == (plain(resume=True), [])


# -- supervisor: children ----------------------------------------------------------------------------------------------


def test_list_children(supervisor: Calls) -> None:
    """Ids in start order, wrapped in a result."""
    supervisor.context.answers["list-children"] = ({"ids": ["a", "b"]}, [])

    assert supervisor("list-children", UNIT) == ok(List(types.STRING, (String("a"), String("b"))))


def test_list_children_of_0_3_8(supervisor: Calls) -> None:
    """A guest that declares the bare list gets the bare list."""
    supervisor.bind(1)
    supervisor.context.answers["list-children"] = ({"ids": []}, [])

    assert supervisor("list-children", UNIT) == List(types.STRING, ())


@pytest.mark.parametrize(
    "function", ["restart-child", "stop-child", "kill-child", "subscribe-to-child", "unsubscribe-from-child"]
)
def test_orders(supervisor: Calls, function: str) -> None:
    """Each names the child to the root and answers unit."""
    assert supervisor(function, String(CHILD)) == ok(UNIT)
    assert supervisor.context.asked == [(function, {"id": CHILD}, [])]


def test_child_state(supervisor: Calls) -> None:
    """The bare value, not an option of bytes."""
    supervisor.context.answers["get-child-state"] = ({}, [cgrf.encode(U32(3))])

    assert supervisor("get-child-state", String(CHILD)) == ok(U32(3))


def test_child_without_state(supervisor: Calls) -> None:
    """None while there is no committed state."""
    supervisor.context.answers["get-child-state"] = ({}, [])

    assert supervisor("get-child-state", String(CHILD)) == ok(NO_BYTES)


def test_child_events(supervisor: Calls) -> None:
    """Index, type and data of each event in the batch, oldest first."""
    first = event_hash(None, "genesis", b"a")
    frames = encode_frame(0, 1, "genesis", b"a", first) + encode_frame(
        1, 2, "wasm", b"b", event_hash(first, "wasm", b"b")
    )
    supervisor.context.answers["get-child-events"] = ({"base_hash": None}, [frames])
    answer = supervisor("get-child-events", String(CHILD))

    assert isinstance(answer, Result)
    assert isinstance(answer.value, List)
    assert answer.value.items == (
        Tuple((U64(0), String("genesis"), bytes_of(b"a"))),
        Tuple((U64(1), String("wasm"), bytes_of(b"b"))),
    )


def test_child_events_of_a_quiet_child(supervisor: Calls) -> None:
    """No events are an empty list of the right type."""
    event = types.Tuple((types.U64, types.STRING, types.BYTES))

    assert supervisor("get-child-events", String(CHILD)) == ok(List(event, ()))


@pytest.mark.parametrize("function", ["child-status", "child-metrics"])
def test_records(supervisor: Calls, function: str) -> None:
    """Plain data of the root becomes a record."""
    supervisor.context.answers[function] = ({"state": "idle", "queued": 0}, [])
    answer = supervisor(function, String(CHILD))

    assert isinstance(answer, Result)
    assert answer.is_ok
    assert answer.value["state"] == String("idle")  # type: ignore[index]


def test_variant_of_a_signature_is_parsed_once() -> None:
    """Types and hash of a signature are kept."""
    variant = Variant("func(a: u32) -> result<_, string>", lambda context: UNIT)

    assert variant.params is variant.params
    assert variant.is_result
