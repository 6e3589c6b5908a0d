"""What a record and a guest that is driven along it say, in words: compared, and told to people."""

from __future__ import annotations

from typing import Any, Final

from theater import cgrf
from theater.chain import ChainEvent, payloads
from theater.replay import shown
from theater.values import Tuple
from worker.engine import contract, fuel
from worker.engine.errors import CANCELLED, DEADLINE, Trap

STOPPED: Final = ("deadline of ", "limit ", CANCELLED)
"""How the end of a call begins that did not end by itself (worker.engine.clock, worker.budgets)."""


def is_stop(end: payloads.Payload) -> bool:
    """The call did not end by itself. (A guest may decline with such words, too; it then has half a second for it.)"""
    return isinstance(end, payloads.Error) and end.message.startswith(STOPPED)


def fuel_had(said: payloads.Payload) -> int | None:
    """How much fuel a call had that has ended for lack of it; None if it has ended otherwise."""
    return fuel.recorded(said.message) if isinstance(said, payloads.Error) else None


def told(end: payloads.Payload | None) -> str:
    """The words of an error."""
    return end.message if isinstance(end, payloads.Error) else ""


def needs_fuel(event: ChainEvent) -> bool:
    """Whether an event tells of a call that has ended for lack of fuel: only an engine that counts can repeat that."""
    is_likely = event.event_type == "wasm" and b"fuel: " in event.data
    return is_likely and fuel_had(payloads.read(event.data)) is not None


def failures(interface: str, function: str) -> tuple[str, str]:
    """How the end of a call begins that a failed host call has ended (worker.engine.traps)."""
    return f"in host call {interface}.{function}: ", f"host function {interface}.{function} failed: "


def agree(recorded: str, outcome: contract.Declined | Trap) -> bool:
    """Whether an end is the recorded one. How long a deadline was, and who cancelled, does not matter."""
    if isinstance(outcome, Trap) and outcome.kind in (DEADLINE, CANCELLED):
        return recorded.startswith(STOPPED)
    return recorded == outcome.text


def unknown_child_event(seq: int, said: payloads.Call) -> str:
    """Why a callback that was given an event of a child cannot be called again, and what can be done."""
    child = shown(said.params.items[0]) if isinstance(said.params, Tuple) and said.params.items else "a child"
    which = shown(said.params.items[1]) if isinstance(said.params, Tuple) and len(said.params.items) > 1 else "?"
    return (
        f"event {seq}: {said.function} was given an event of child {child}, of which this chain keeps only {which}: "
        "what the guest saw is in the child's chain, which is not at hand (--chain FILE names an exported one)"
    )


def ended(outcome: Any) -> str:
    """How a call has ended."""
    match outcome:
        case contract.Ok():
            return f"a return: {shown(cgrf.decode(outcome.response))}"
        case contract.Declined():
            return f"an error: {outcome.text}"
        case _:
            return f"a trap: {outcome.text}"


def recorded(said: payloads.Payload | None) -> str:
    """What the record says comes next."""
    match said:
        case payloads.HostCall():
            return f"a call of {said.interface}.{said.function}"
        case payloads.Result():
            return f"a return of {said.function}: {shown(said.response)}"
        case payloads.Error():
            return f"an error of {said.function}: {said.message}"
        case payloads.Call():
            return f"a call of {said.function}"
        case None:
            return "the end of the record"
        case _:
            return type(said).__name__.lower()
