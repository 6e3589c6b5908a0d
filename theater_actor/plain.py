"""What plain Python has no word for, in values of other actors: results, options of options, and types of numbers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Ok:
    """The success of a ``result``."""

    value: Any = None


@dataclass(frozen=True)
class Err:
    """The failure of a ``result``."""

    value: Any = None


@dataclass(frozen=True)
class Some:
    """A value that is there, in an option of an option: ``Some(None)`` is not ``None``."""

    value: Any


@dataclass(frozen=True)
class As:
    """A value of the type that a hint stands for: ``As(U32, 5)``, ``As(str | None, "a")``, ``As(Shape, circle)``."""

    hint: Any
    value: Any
