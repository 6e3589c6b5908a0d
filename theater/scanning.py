"""Reading text token by token, and the types in it.

Shared by values (``theater.textparse``) and signatures (``theater.interfaces``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, NoReturn

from theater import types
from theater.types import BY_NAME, DECLARED_DEPTH_MAX, Type

NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_SPACE: Final = re.compile(r"\s*")
_SHOWN: Final = 20
"""Characters of the text shown in an error."""

Resolve = Callable[["Scanner", str], Type]
"""What a name means that is not a built-in type. May read on: ``record {…}``."""


class TextError(ValueError):
    """Text that does not say what it should; ``column`` (from 1) is where."""

    def __init__(self, column: int, problem: str) -> None:
        super().__init__(f"column {column}: {problem}")
        self.column = column
        self.problem = problem


class Scanner:
    """A place in a text. Space between tokens does not count."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def skip_space(self) -> None:
        match = _SPACE.match(self.text, self.at)
        assert match is not None
        self.at = match.end()

    def sees(self, token: str) -> bool:
        """Whether a token comes next."""
        self.skip_space()
        return self.text.startswith(token, self.at)

    def accept(self, token: str) -> bool:
        """Take a token if it comes next."""
        if not self.sees(token):
            return False
        self.at += len(token)
        return True

    def expect(self, token: str) -> None:
        if not self.accept(token):
            self.fail(repr(token))

    def match(self, pattern: re.Pattern[str]) -> str | None:
        """Take what a pattern matches here, if it does."""
        self.skip_space()
        found = pattern.match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found.group()

    def name(self, meaning: str) -> str:
        return self.match(NAME) or self.fail(meaning)

    def end(self) -> None:
        self.skip_space()
        if self.at < len(self.text):
            self.fail("the end")

    def fail(self, expected: str, at: int | None = None) -> NoReturn:
        """Raise the error that something else was expected here."""
        at = self.at if at is None else at
        rest = self.text[at : at + _SHOWN]
        raise TextError(at + 1, f"expected {expected}, got {rest!r}" if rest else f"expected {expected}, got the end")

    def refuse(self, problem: str, at: int) -> NoReturn:
        raise TextError(at + 1, problem)

    def items(self, close: str, read: Callable[[], None]) -> None:
        """Read items separated by commas up to a closing token; a trailing comma is allowed."""
        while not self.accept(close):
            read()
            if not self.accept(","):
                self.expect(close)
                return


def read_type(scanner: Scanner, resolve: Resolve, depth: int = 1) -> Type:
    """Read a type: ``result<list<u8>, string>``."""
    start = scanner.at
    if depth > DECLARED_DEPTH_MAX:
        scanner.refuse(f"a type nests deeper than {DECLARED_DEPTH_MAX} levels", start)
    name = scanner.name("a type")
    if name in _ARITY and scanner.accept("<"):
        return _read_parts(scanner, name, resolve, depth)
    return BY_NAME.get(name) or resolve(scanner, name)


def named(_: Scanner, name: str) -> Type:
    """Take every name for that of a record, as the text form does, which does not say record or variant."""
    return types.Named(name)


_ARITY: Final[dict[str, int | None]] = {"list": 1, "option": 1, "set": 1, "result": 2, "map": 2, "tuple": None}


def _read_parts(scanner: Scanner, name: str, resolve: Resolve, depth: int) -> Type:
    parts: list[Type] = []
    start = scanner.at
    scanner.items(">", lambda: parts.append(read_type(scanner, resolve, depth + 1)))
    wanted = _ARITY[name]
    if wanted is not None and len(parts) != wanted:
        scanner.refuse(f"expected {wanted} type{'s' if wanted > 1 else ''} in {name}<…>, got {len(parts)}", start)
    match name:
        case "list" | "set":  # a set travels as the list of its items, a map as the list of its pairs
            return types.List(parts[0])
        case "option":
            return types.Option(parts[0])
        case "map":
            return types.List(types.Tuple((parts[0], parts[1])))
        case "result":
            return types.Result(parts[0], parts[1])
        case _:
            return types.Tuple(tuple(parts))
