"""Numbers and characters as WIT has them. To a type checker they are int, float and str.

A plain ``int`` is an ``s64`` and a plain ``float`` an ``f64``.
"""

from __future__ import annotations

from typing import Annotated


class Width:
    """The WIT type that an annotated int, float or str stands for."""

    def __init__(self, wit: str) -> None:
        self.wit = wit


U8 = Annotated[int, Width("u8")]
U16 = Annotated[int, Width("u16")]
U32 = Annotated[int, Width("u32")]
U64 = Annotated[int, Width("u64")]
S8 = Annotated[int, Width("s8")]
S16 = Annotated[int, Width("s16")]
S32 = Annotated[int, Width("s32")]
S64 = Annotated[int, Width("s64")]
F32 = Annotated[float, Width("f32")]
Char = Annotated[str, Width("char")]
"""One character."""
