"""What a child may have of an option, given what its parent has (design D10). One of these is part of every option.

``words`` say it to people. ``beyond`` is given all options of both sides, with their defaults, and returns one text for
each thing that is too much.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, Protocol

import msgspec

from theater.grants.shapes import ListOf, Nested

if TYPE_CHECKING:
    from theater.grants.declaring import Group, Option

Values = Mapping[str, Any]
"""Every option of a group by its name."""


class Comparison(Protocol):
    """How a child's option compares with its parent's."""

    @property
    def words(self) -> str:
        """What a child may have, for the documentation."""

    def beyond(self, option: Option, held: Values, asked: Values) -> list[str]:
        """What of the option is too much."""


class Free(msgspec.Struct, frozen=True):
    """A child may have anything; ``because`` says why that gives it nothing."""

    because: str

    @property
    def words(self) -> str:
        """For the documentation."""
        return f"anything: {self.because}"

    def beyond(self, option: Option, held: Values, asked: Values) -> list[str]:
        """Nothing ever."""
        return []


class Bound(msgspec.Struct, frozen=True):
    """A number is compared."""

    words: str
    is_beyond: Callable[[int, int], bool]

    def beyond(self, option: Option, held: Values, asked: Values) -> list[str]:
        """A larger one, or a smaller one."""
        mine, theirs = held[option.name], asked[option.name]
        return [f"{option.name} of {theirs} (the parent has {mine})"] if self.is_beyond(theirs, mine) else []


AT_MOST: Final = Bound("at most its parent's", operator.gt)
AT_LEAST: Final = Bound("at least its parent's", operator.lt)


class Within(msgspec.Struct, frozen=True):
    """Each text of a list must be covered by one of the parent's: of this option, or of the others named."""

    told: str
    covers: Callable[[str, str], bool]
    words: str = "what one of its parent's stands for"
    others: tuple[str, ...] = ()

    def beyond(self, option: Option, held: Values, asked: Values) -> list[str]:
        """Those that are not."""
        mine = [each for name in (option.name, *self.others) for each in held[name]]
        theirs = asked[option.name]
        return [f"{self.told} {each}" for each in theirs if not any(self.covers(own, each) for own in mine)]


class OneWithin(msgspec.Struct, frozen=True):
    """A text must be covered by the parent's, if there is one."""

    told: str
    covers: Callable[[str, str], bool]
    words: str

    def beyond(self, option: Option, held: Values, asked: Values) -> list[str]:
        """The text, if it is not."""
        mine, theirs = held[option.name], asked[option.name]
        is_covered = theirs is None or (mine is not None and self.covers(mine, theirs))
        return [] if is_covered else [f"{self.told} {theirs}"]


class Same(msgspec.Struct, frozen=True):
    """As the parent has it, or the default."""

    told: str
    words: str = "its parent's, or none"

    def beyond(self, option: Option, held: Values, asked: Values) -> list[str]:
        """Any other."""
        theirs = asked[option.name]
        return [] if theirs in (option.default, held[option.name]) else [f"{self.told} {theirs}"]


class SameTexts(msgspec.Struct, frozen=True):
    """Names must have the texts that they have with the parent."""

    told: str
    words: str = "some of its parent's, with the same texts"

    def beyond(self, option: Option, held: Values, asked: Values) -> list[str]:
        """Names that have not."""
        mine, theirs = held[option.name], asked[option.name]
        return [f"{self.told} {name} as it is" for name, text in theirs.items() if mine.get(name) != text]


class IfHeld(msgspec.Struct, frozen=True):
    """A flag that may be set if the parent's is, or if what else the parent has comes to the same."""

    told: str
    words: str = "only if its parent has it"
    or_if: Callable[[Values], bool] | None = None

    def beyond(self, option: Option, held: Values, asked: Values) -> list[str]:
        """The flag, if it may not."""
        is_held = held[option.name] or (self.or_if is not None and self.or_if(held))
        return [self.told] if asked[option.name] and not is_held else []


class Each(msgspec.Struct, frozen=True):
    """A mapping: option by option."""

    words: str = "as said of each"

    def beyond(self, option: Option, held: Values, asked: Values) -> list[str]:
        """What they say."""
        return _group(option).beyond(held[option.name], asked[option.name])


class Entries(msgspec.Struct, frozen=True):
    """A list of mappings: each must be one of the parent's, option by option, but for those that all may have."""

    told: Callable[[Values], str]
    words: str = "each as one of its parent's, or narrower"
    is_free: Callable[[Values], bool] | None = None

    def beyond(self, option: Option, held: Values, asked: Values) -> list[str]:
        """Those that are not."""
        group, mine, theirs = _group(option), held[option.name], asked[option.name]
        return [
            self.told(each)
            for each in theirs
            if not (self.is_free is not None and self.is_free(each)) and all(group.beyond(own, each) for own in mine)
        ]


def _group(option: Option) -> Group:
    match option.wants:
        case Nested(group=group) | ListOf(item=Nested(group=group)):
            return group
        case other:
            raise TypeError(f"{option.key}: expected options inside, found {other}")
