"""How a grant is declared: its options, each with what may be written, what it means, and what a child may have of it.

From a declaration follow how it is read and its JSON Schema (theater.config.grants), what a worker keeps to
(``GRANT.held_by(context)["timers_max"]``), what a child is refused (supervisor.fleet.permits), what ``theater
explain`` says, and the tables of docs/host-interfaces.md (worker.interfaces.docs).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from theater.grants.comparing import Comparison
from theater.grants.shapes import ListOf, Nested, Shape

Options = Mapping[str, Any]
"""Options of a grant by their names, as far as they are written."""


class Holder(Protocol):
    """An actor, or its side of the host functions."""

    def grant(self, name: str) -> Options:
        """The options of a grant as they are written; empty if it is not held."""


class Option(msgspec.Struct, frozen=True):
    """One option: the key it is written under, what may be written, what it means, and what a child may have of it.

    Written or not it has a value: ``default`` holds where nothing is written, ``shown`` is how people are told so where
    the value does not speak for itself. ``target`` is the name of the value where that is not the key: with its unit.
    """

    key: str
    wants: Shape
    doc: str
    child: Comparison
    default: Any = None
    target: str = ""
    shown: str = ""
    is_required: bool = False
    is_secret: bool = False
    """Names may be shown to people, texts may not."""

    @property
    def name(self) -> str:
        """What the value is called."""
        return self.target or self.key


class Group(msgspec.Struct, frozen=True):
    """Options that belong together: those of a grant, or of a mapping within one.

    ``added`` are values that nobody writes: they are put beside those that are written when these are settled.
    """

    name: str
    doc: str
    options: tuple[Option, ...] = ()
    added: tuple[str, ...] = ()

    def of(self, written: Options) -> dict[str, Any]:
        """Every option by its name, those that are not written with their defaults. Others are not there."""
        whole = {each.name: _whole(each.wants, written.get(each.name, each.default)) for each in self.options}
        return whole | {name: written[name] for name in self.added if name in written}

    def held_by(self, holder: Holder) -> dict[str, Any]:
        """The same of what an actor holds."""
        return self.of(holder.grant(self.name))

    def beyond(self, held: Options, asked: Options) -> list[str]:
        """What a child that asks for these options has more of than its parent, which holds those; one text each.

        What is not written is the default, on both sides: it may be more than the parent has.
        """
        mine, theirs = self.of(held), self.of(asked)
        return [text for each in self.options for text in each.child.beyond(each, mine, theirs)]


def _whole(shape: Shape, value: Any) -> Any:
    match shape:
        case Nested(group=group):
            return group.of(value)
        case ListOf(item=Nested(group=group)):
            return [group.of(each) for each in value]
        case _:
            return value
