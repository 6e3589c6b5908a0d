"""Whether the raw port and the stock port mean the same: each reads what the other has written, every kind of value."""

from __future__ import annotations

import ctypes
from typing import Any, Final, cast

from theater import types, values
from theater.values import Tuple, Value
from worker.engine.component import layout, raw, structures
from worker.engine.component.handles import Handles, Room
from worker.engine.component.kinds import Enum, Flags, Kind

_POINT: Final = types.Record("point", (("x", types.S16), ("name", types.STRING)))
_EITHER: Final = types.Variant("either", (("neither", None), ("one", types.U16)))
_A_POINT: Final = values.Record("point", (("x", values.S16(-2)), ("name", values.String("grün"))))
SAMPLES: Final[tuple[tuple[Kind, Value], ...]] = (
    (types.BOOL, values.Bool(True)),
    (types.S8, values.S8(-3)),
    (types.U8, values.U8(250)),
    (types.U32, values.U32(0xFEDCBA98)),
    (types.S32, values.S32(-5)),
    (types.U64, values.U64(0xFEDCBA9876543210)),
    (types.S64, values.S64(-7)),
    (types.F32, values.F32(0x7FC00001)),
    (types.F64, values.F64(0x7FF8000000000001)),
    (types.CHAR, values.Char("ü")),
    (types.BYTES, values.bytes_of(b"bytes")),
    (types.List(types.U32), values.List(types.U32, (1, 1 << 31))),
    (types.List(types.STRING), values.List(types.STRING, (values.String(""), values.String("x")))),
    (types.Option(types.U8), values.Option(types.U8, values.U8(1))),
    (types.Option(types.U8), values.Option(types.U8, None)),
    (types.Result(types.U8, types.NOTHING), values.Result(types.U8, types.UNIT, True, values.U8(9))),
    (types.Result(types.U8, types.NOTHING), values.Result(types.U8, types.UNIT, False, values.UNIT)),
    (_POINT, _A_POINT),
    (_EITHER, values.Variant("either", "one", 1, (values.U16(65535),))),
    (_EITHER, values.Variant("either", "neither", 0)),
    (Enum("colour", ("red", "green")), values.Variant("colour", "green", 1)),
    (Flags(("read", "write", "run")), values.Flags(5)),
)
_ALL: Final = types.Tuple(tuple(kind for kind, _ in SAMPLES))
_VALUE: Final = Tuple(tuple(value for _, value in SAMPLES))
_NONE: Final = cast(Handles, None)
"""No resource occurs here."""


def differences() -> str | None:
    """Return what does not agree, or None."""
    theirs, copied, room = structures.Val(), structures.Val(), Room(_NONE)
    ours = layout.codec(_ALL)[0](_VALUE, room)
    structures.codec(_ALL)[0](_VALUE, theirs, Room(_NONE))
    try:
        raw.clone(id(ours) + layout.HEADER_BYTES, ctypes.addressof(copied))
        found: dict[str, Any] = {
            "written, read by the stock port": structures.codec(_ALL)[1](copied, _NONE),
            "written and read": layout.codec(_ALL)[1](id(ours) + layout.HEADER_BYTES, _NONE),
            "written by the stock port, read": layout.codec(_ALL)[1](ctypes.addressof(theirs), _NONE),
        }
        wrong = [how for how, value in found.items() if value != _VALUE]
        return f"not the same value: {', '.join(wrong)}" if wrong else None
    finally:
        structures.free(theirs)
        structures.free(copied)
        room.clear()
