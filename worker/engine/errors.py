"""What can end a start or a guest call: a step that failed, a trap. Both carry words meant for people."""

from __future__ import annotations

from typing import Final

UNREACHABLE: Final = "unreachable"
OUT_OF_BOUNDS: Final = "out_of_bounds"
STACK_OVERFLOW: Final = "stack_overflow"
ARITHMETIC: Final = "arithmetic"
INDIRECT_CALL: Final = "indirect_call"
DEADLINE: Final = "deadline"
CANCELLED: Final = "cancelled"
FUEL: Final = "fuel"
CONTRACT: Final = "contract"
"""The guest broke the calling convention: bad pointer, undecodable value, wrong type."""
HOST: Final = "host"
"""A host function failed in a way its result type cannot express."""
ENGINE: Final = "engine"
"""Any other fault the engine reports."""


class StartError(Exception):
    """A start failed at ``step`` (lifecycle section 5); ``text`` says what, where and what was expected."""

    def __init__(self, step: str, text: str) -> None:
        super().__init__(step, text)
        self.step = step
        self.text = text

    def __str__(self) -> str:
        return f"{self.step}: {self.text}"


class StartRefused(StartError):
    """The guest wants what it is not granted."""


class Trap(Exception):
    """A guest call was ended by force; the instance must never be entered again. ``kind`` is a word from above."""

    def __init__(self, text: str, kind: str) -> None:
        super().__init__(text, kind)
        self.text = text
        self.kind = kind

    def __str__(self) -> str:
        return self.text
