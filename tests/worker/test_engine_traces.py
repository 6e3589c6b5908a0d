"""The recorded conversations with a real guest (pack-vectors.json, ``traces``): same bytes in, same bytes out."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.worker.enginekit import FakeContext, load, ticking
from theater import cgrf, types, values
from theater.actor import RUNTIME, ActorOptions
from worker.engine import contract
from worker.engine.contract import Contract, Declined, Ok
from worker.engine.crossing import GuestError, Returned
from worker.engine.errors import Trap
from worker.engine.pack import PackDoor
from worker.interfaces.registry import Dispatcher, known

VECTORS = Path(__file__).parents[1] / "vectors" / "pack-vectors.json"


@cache
def vectors() -> Any:
    return json.loads(VECTORS.read_text(encoding="utf-8"))


def states_and_responses() -> list[Any]:
    return [call for trace in vectors()["traces"].values() for call in trace if isinstance(call, dict)]


class Counter:
    """The counter fixture as the traces drive it."""

    def __init__(self, fast: bool) -> None:
        self.context = FakeContext()
        self.door: PackDoor = load(
            vectors()["fixtures"]["counter_wat"], fast=fast, context=self.context, grants={RUNTIME: {}}
        )
        self.contract = Contract(self.door.functions, ActorOptions(check_types=False))
        self.state = contract.NO_STATE

    def call(self, export: str, params: bytes) -> tuple[bytes, Ok | Declined | str]:
        """Return the input the guest got, and what came of it."""
        data = self.contract.input(export, self.state, params)
        self.door.arm(5)
        with ticking(self.door.clock):
            answer = self.door.call(export, data)
        if isinstance(answer, GuestError):
            return data, answer.text
        assert isinstance(answer, Returned)
        outcome = self.contract.outcome(export, answer.output)
        if isinstance(outcome, Ok):
            self.state = outcome.state
        return data, outcome


@pytest.mark.parametrize("fast", [True, False], ids=["raw", "stock"])
def test_counter_conversation(fast: bool) -> None:
    """Every call of the counter trace: its input, its host calls, its response, its state, its error."""
    counter = Counter(fast)
    for step in vectors()["traces"]["counter"]:
        counter.context.recorded.clear()
        params = json_value(step["params"])
        try:
            data, outcome = counter.call(step["export"], params)
        except Trap as trap:
            assert step["error"] is not None, step
            assert trap.kind == "deadline"
            continue

        assert data.hex() == step["input_hex"]
        assert [(i, f, a.hex(), b.hex()) for i, f, a, b in counter.context.recorded] == [
            (call["module"], call["name"], call["input_hex"], call["output_hex"]) for call in step["host_calls"]
        ]
        match outcome:
            case Ok(response=response):
                assert response == json_value(step["response"])
            case Declined(text=words):
                assert words == step["error"]
            case words:
                assert words in step["error"]
        assert counter.state == json_value(step["state_after"])


@pytest.mark.parametrize("step", [pytest.param(s, id=f"{n}") for n, s in enumerate(states_and_responses())])
def test_inputs_of_every_trace(step: Any) -> None:
    """Joining state and parameters gives the recorded input of every call, also of actors we have no binary of."""
    assert contract.join(json_value(step["state"]), json_value(step["params"])).hex() == step["input_hex"]


@pytest.mark.parametrize("step", [pytest.param(s, id=f"{n}") for n, s in enumerate(states_and_responses())])
def test_runtime_host_calls_of_every_trace(step: Any) -> None:
    """Our runtime interface answers the recorded host calls with the recorded bytes."""
    dispatcher = Dispatcher(FakeContext())
    runtime = known()[RUNTIME]
    dispatcher.bind({(RUNTIME, function.name): function.variants[0] for function in runtime.functions})
    for call in step["host_calls"]:
        if call["module"] == RUNTIME:
            output = dispatcher.answer(RUNTIME, call["name"], bytes.fromhex(call["input_hex"]))
            assert output.hex() == call["output_hex"]


def json_value(data: Any) -> bytes:
    """Encode the vectors' JSON notation of a value, as far as the traces use it."""
    return cgrf.encode(_value(data))


def _value(data: dict[str, Any]) -> values.Value:
    [(kind, it)] = data.items()
    match kind:
        case "U8" | "U32" | "S32" | "U64" | "Bool" | "String":
            return getattr(values, kind)(it)
        case "Tuple":
            return values.Tuple(tuple(map(_value, it)))
        case "Option":
            return values.Option(_type(it["inner_type"]), None if it["value"] is None else _value(it["value"]))
        case "List":
            return values.list_of(_type(it["elem_type"]), map(_value, it["items"]))
        case "Record":
            return values.Record(it["type_name"], tuple((name, _value(field)) for name, field in it["fields"]))
    raise AssertionError(f"no {kind} expected in the traces")


def _type(data: Any) -> types.Type:
    return types.List(_type(data["List"])) if isinstance(data, dict) else types.BY_NAME[data.lower()]
