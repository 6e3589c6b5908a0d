"""What is wrong with a configuration: one record per problem, and the error that carries them."""

from __future__ import annotations

import msgspec

from theater.config.limits import OPERATORS, Bounds
from theater.errors import TheaterError


class Problem(msgspec.Struct, frozen=True, order=True):
    """One thing to correct. Lines and columns (in characters) count from 1; no ``path``: the whole file."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}: "
        return f"{where}{self.path}: {self.message}" if self.path else where + self.message


class ConfigError(TheaterError):
    """The configuration cannot be used. ``problems`` are all that were found, by file and line."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        self.problems = problems
        super().__init__(problems)

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


class Enough(Exception):
    """As many problems are collected as may be: reading on would help nobody. Never leaves this package."""


class Problems:
    """The problems found so far in all files of one load, and what that load may cost."""

    def __init__(self, bounds: Bounds = OPERATORS) -> None:
        self.bounds = bounds
        self._found: list[Problem] = []

    def __bool__(self) -> bool:
        return bool(self._found)

    def add(self, file: str, line: int, column: int, path: str, message: str) -> None:
        """Keep a problem; raises Enough with the last one there is room for."""
        most = self.bounds.problems
        if len(self._found) >= most - 1:
            message = f"{message} (this is problem {most}; the search ended here)"
        self._found.append(Problem(file, line, column, path, message))
        if len(self._found) >= most:
            raise Enough

    def error(self) -> ConfigError:
        """Everything found, sorted by file and line, each problem once."""
        return ConfigError(tuple(sorted(set(self._found))))
