"""``theater:simple/runtime``: what every actor may want of its own host (pack-abi 10.2)."""

from __future__ import annotations

from typing import Final

from theater import types
from theater.actor import RUNTIME
from theater.values import U64, List, Option, String, Tuple, Value, unit
from worker.interfaces.context import Context
from worker.interfaces.registry import Function, Interface, Variant, octets
from worker.interfaces.sending import STAYS, Sends

CHAIN_BYTES_MAX: Final = 1 << 20
"""Event data ``get-chain`` answers with: the newest events that fit. Its answer is recorded in the chain itself."""
CHAIN_EVENTS_MAX: Final = 4096

_EVENT = types.Tuple((types.U64, types.Tuple((types.STRING, types.Option(types.U64), types.BYTES))))


def log(context: Context, message: String) -> Value:
    """Pass the line upward with the level info."""
    context.log("info", message.value)
    return unit()


def self_(context: Context) -> Value:
    """The actor's own id."""
    return String(context.actor_id)


def shutdown(context: Context, data: Option) -> Value:
    """Returns at once; the end comes when the running operation has returned."""
    context.request_shutdown(octets(data))
    return unit()


def get_chain(context: Context) -> Value:
    """The declared type is ``list<u8>``; what 0.3.8 really answered is this 1-tuple."""
    return Tuple((get_events(context),))


def get_events(context: Context) -> Value:
    """The same as it is, for components."""
    events: list[Value] = []
    room = CHAIN_BYTES_MAX
    for seq, type_, data in reversed(context.retained_events()):
        room -= len(data)
        if room < 0 or len(events) == CHAIN_EVENTS_MAX:
            break
        parent = Option(types.U64, U64(seq - 1) if seq else None)
        events.append(Tuple((U64(seq), Tuple((String(type_), parent, List(types.U8, data))))))
    events.reverse()
    return List(_EVENT, tuple(events))


def _value_bytes(context: Context, data: Option) -> int | None:
    """The parent is told the value; an end without one is never too much."""
    value = octets(data)
    return None if value is None else len(value)


INTERFACE: Final = Interface(
    RUNTIME,
    "What every actor may want of its own host.",
    (
        Function(
            "log",
            "Write a line to the log, with the actor's name and the level info.",
            (Variant("func(msg: string)", log),),
            sends=STAYS,
        ),
        Function("self", "The actor's id as text.", (Variant("func() -> string", self_),), sends=STAYS),
        Function(
            "shutdown",
            "End this actor as completed, with an optional value for its parent. Returns at once; the actor ends when "
            "the running operation has returned.",
            (Variant("func(data: option<list<u8>>) -> result<_, string>", shutdown),),
            sends=Sends(_value_bytes),
        ),
        Function(
            "get-chain",
            "The newest retained events of the actor's own chain, oldest first. The answer is a 1-tuple of a list of "
            "(index, (type, parent index, data)), as in Theater 0.3.8.",
            (
                Variant("func() -> list<u8>", get_chain, "up to June 2026", is_loose=True),
                Variant(
                    "func() -> list<tuple<u64, tuple<string, option<u64>, list<u8>>>>", get_events, "in WIT: the list"
                ),
            ),
            own=True,
            sends=STAYS,
        ),
    ),
)

INTERFACES: Final = (INTERFACE,)
