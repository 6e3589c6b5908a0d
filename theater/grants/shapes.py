"""What may be written for an option. theater.config reads it and describes it as JSON Schema, by these shapes.

They hold no more than that, and import nothing: workers have them, too, and never read a configuration.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

import msgspec

if TYPE_CHECKING:
    from theater.grants.declaring import Group

CONTENT_BYTES_MAX: Final = 64 << 20
"""What a host call may carry at most: it is recorded in the chain as a whole."""


class Count(msgspec.Struct, frozen=True):
    """A whole number within bounds."""

    least: int
    most: int


class Size(msgspec.Struct, frozen=True):
    """A number of bytes, written with its unit; without ``most`` as large as sizes can be."""

    least: int = 0
    most: int | None = None


class Time(msgspec.Struct, frozen=True):
    """A number of milliseconds, written with its unit."""

    least: int = 1


class Flag(msgspec.Struct, frozen=True):
    """true or false."""


class Text(msgspec.Struct, frozen=True):
    """Any text."""


class Texts(msgspec.Struct, frozen=True):
    """Texts by name."""

    wanted: str


class Path(msgspec.Struct, frozen=True):
    """A path relative to the file it is written in; its value is absolute."""

    wanted: str


class Pattern(msgspec.Struct, frozen=True):
    """A text in a language of its own: ``check`` raises theater.patterns.BadPattern, ``schema`` is for editors."""

    wanted: str
    check: Callable[[str], object]
    schema: Mapping[str, Any]


class Nested(msgspec.Struct, frozen=True):
    """A mapping with options of its own."""

    group: Group


class ListOf(msgspec.Struct, frozen=True):
    """A list, each item of one shape."""

    item: Shape
    wanted: str


Shape = Count | Size | Time | Flag | Text | Texts | Path | Pattern | Nested | ListOf
