"""The grant ``assembler``."""

from __future__ import annotations

from typing import Final

from theater.grants import ASSEMBLER
from theater.grants.comparing import AT_MOST
from theater.grants.declaring import Group, Option
from theater.grants.shapes import Size

GRANT: Final = Group(
    ASSEMBLER,
    "Make modules from WebAssembly text.",
    (Option("max_source", Size(), "Longest text.", AT_MOST, 1 << 20, "source_bytes_max"),),
)
