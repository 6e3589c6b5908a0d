"""What the store's writer reports."""

from __future__ import annotations

import msgspec


class Stored(msgspec.Struct, frozen=True):
    """Everything of an actor up to ``last_seq`` is in the store."""

    actor: str
    last_seq: int


class Broken(msgspec.Struct, frozen=True):
    """What does not continue what is stored; it was not stored."""

    actor: str
    text: str


class Trouble(msgspec.Struct, frozen=True):
    """The store cannot be written at the moment; told once."""

    text: str


class Recovered(msgspec.Struct, frozen=True):
    """It can be written again."""


class Known(msgspec.Struct, frozen=True):
    """An actor's identity is in the store."""

    path: str


class Trimmed(msgspec.Struct, frozen=True):
    """The oldest events of an actor are not kept any more: so many, in so many bytes."""

    path: str
    events: int
    bytes: int


Result = Stored | Broken | Trouble | Recovered | Known | Trimmed
