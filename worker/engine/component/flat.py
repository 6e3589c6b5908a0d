"""What both ends of a bridge agree on: places in its memory, and how values are flattened (canonical ABI)."""

from __future__ import annotations

from typing import Final

from theater import types
from worker.engine.component.handles import Mismatch
from worker.engine.component.kinds import Enum, Flags, Kind

SLOT_BYTES: Final = 8
PARAMS_MAX: Final = 16
"""More flat parameters than this travel in memory."""

NEXT: Final = 8
"""In the memory of a bridge: where the address of the first free byte is. A random number of its own is at 0."""
FLOOR: Final = 12
"""Where the address of the first byte is that a host call may use."""
PAGES: Final = 16
"""Where the size of the memory is noted before the host looks."""
NEED: Final = 20
"""Where the host says up to which byte it needs the memory."""
SLOTS: Final = 32
"""Where flat parameters and results are; behind them the address for a result that is not flat."""
START: Final = SLOTS + SLOT_BYTES * (PARAMS_MAX + 2)
"""Where values begin."""

_CORE: Final = {types.S64: "i64", types.U64: "i64", types.F32: "f32", types.F64: "f64"}


def flatten(kind: Kind) -> list[str]:
    """The core types that a value of this kind is passed as."""
    match kind:
        case types.STRING | types.List():
            return ["i32", "i32"]
        case types.Primitive():
            return [_CORE.get(kind, "i32")]
        case Enum() | Flags():
            return ["i32"]
        case types.Tuple(items=items):
            return [each for item in items for each in flatten(item)]
        case types.Record(fields=fields):
            return [each for _, item in fields for each in flatten(item)]
        case _:
            return ["i32", *_joined([flatten(each) for each in sides(kind) if each is not None])]


def sides(kind: Kind) -> list[Kind | None]:
    """The payloads of the cases of an option, a result or a variant."""
    match kind:
        case types.Option(item=item):
            return [None, item]
        case types.Result(ok=ok, err=err):
            return [None if each is types.NOTHING else each for each in (ok, err)]
        case types.Variant(cases=cases):
            return [payload for _, payload in cases]
        case _:
            raise Mismatch(f"values of type {kind} are not supported")


def _joined(payloads: list[list[str]]) -> list[str]:
    joined: list[str] = []
    for payload in payloads:
        for place, each in enumerate(payload):
            if place == len(joined):
                joined.append(each)
            elif joined[place] != each:
                joined[place] = "i32" if {joined[place], each} == {"i32", "f32"} else "i64"
    return joined
