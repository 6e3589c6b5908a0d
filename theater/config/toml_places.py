"""Where things are in a TOML text: the standard library's parser tells only values, this lines and columns.

It also finds all keys that occur twice, and stops what would cost the parser too much: deep nesting, long keys of
many parts, and more keys and values than there may be. It knows just enough TOML to step over values; what it does not
understand is left to the parser to refuse.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple

from theater.config.limits import NODES_MAX, TOML_KEY_PARTS_MAX, TOML_LEVELS_MAX

Path = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t]*")
_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_BASIC = re.compile(r'"(?:[^"\\\n]|\\.)*"')
_LITERAL = re.compile(r"'[^'\n]*'")
_LONG_BASIC = re.compile(r'"""(?:[^"\\]|\\[\s\S]|"{1,2}(?!"))*"{3,5}')
_LONG_LITERAL = re.compile(r"'''(?:[^']|'{1,2}(?!'))*'{3,5}")
_PLAIN = re.compile(r"[^,\]}#\n]+")
_SEPARATOR = re.compile(r"[=,.\[{\n]")


class Place(NamedTuple):
    """Lines and columns of a key and of its value, from 1."""

    key_line: int
    key_column: int
    line: int
    column: int


class Repeated(NamedTuple):
    """A key that occurs again: its path, where, and the line of the first."""

    path: Path
    line: int
    column: int
    first_line: int


class TooMuch(Exception):
    """The text goes beyond a bound: line, column and message."""


class _Lost(Exception):
    """This is not TOML as far as the scanner can tell."""


class Scanner:
    """One pass over a text. ``places`` and ``repeated`` are the result, as far as the text was understood."""

    def __init__(self, text: str, nodes_max: int = NODES_MAX) -> None:
        self.places: dict[Path, Place] = {}
        self.repeated: list[Repeated] = []
        self._text = text
        self._at = 0
        self._nodes_max = nodes_max
        self._nodes = 0
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]
        self._array_lengths: dict[Path, int] = {}
        self._written: set[Path] = set()

    def run(self) -> Scanner:
        """Scan the text. Raises TooMuch."""
        table: Path = ()
        try:
            while self._skip(_BLANK) < len(self._text):
                if self._text.startswith("[", self._at):
                    table = self._header()
                else:
                    self._pair(table, 0)
        except _Lost:
            # Whatever comes now, the parser gets no more to do than it would with a text that is understood.
            self._count(len(_SEPARATOR.findall(self._text, self._at)))
        return self

    def _header(self) -> Path:
        brackets = "[[" if self._text.startswith("[[", self._at) else "["
        self._at += len(brackets)
        keys = self._key()
        self._skip(_SPACE)
        self._take("]]" if brackets == "[[" else "]")
        path: Path = ()
        for key, _ in keys[:-1]:
            path = self._inside_arrays((*path, key))
            self._remember(path, keys[0][1], keys[0][1])
        path, begin = (*path, keys[-1][0]), keys[-1][1]
        if brackets == "[[":
            self._remember(path, begin, begin)
            index = self._array_lengths.get(path, 0)
            self._array_lengths[path] = index + 1
            path = (*path, index)
        self._write(path, begin, begin)
        return path

    def _inside_arrays(self, path: Path) -> Path:
        length = self._array_lengths.get(path)
        return path if length is None else (*path, length - 1)

    def _pair(self, table: Path, level: int) -> None:
        keys = self._key()
        self._skip(_SPACE)
        self._take("=")
        self._skip(_SPACE)
        path = table
        for key, begin in keys[:-1]:
            path = (*path, key)
            self._remember(path, begin, begin)
        path = (*path, keys[-1][0])
        self._write(path, keys[-1][1], self._at)
        self._value(path, level)

    def _key(self) -> list[tuple[str, int]]:
        parts: list[tuple[str, int]] = []
        while True:
            begin = self._skip(_SPACE)
            parts.append((self._key_part(), begin))
            if len(parts) > TOML_KEY_PARTS_MAX:
                raise self._too_much(f"expected a key of at most {TOML_KEY_PARTS_MAX} parts, found more")
            self._skip(_SPACE)
            if not self._text.startswith(".", self._at):
                return parts
            self._at += 1

    def _key_part(self) -> str:
        for form in (_BARE_KEY, _BASIC, _LITERAL):
            match = form.match(self._text, self._at)
            if match:
                self._at = match.end()
                return _unquoted(match[0])
        raise _Lost

    def _value(self, path: Path, level: int) -> None:
        if level > TOML_LEVELS_MAX:
            raise self._too_much(f"expected at most {TOML_LEVELS_MAX} levels of nesting, found more")
        if self._text.startswith("[", self._at):
            self._array(path, level)
        elif self._text.startswith("{", self._at):
            self._inline_table(path, level)
        else:
            self._scalar()

    def _array(self, path: Path, level: int) -> None:
        self._at += 1
        index = 0
        while True:
            self._skip(_BLANK)
            if self._text.startswith("]", self._at):
                break
            self._remember((*path, index), self._at, self._at)
            self._value((*path, index), level + 1)
            index += 1
            self._skip(_BLANK)
            if not self._text.startswith(",", self._at):
                break
            self._at += 1
        self._take("]")

    def _inline_table(self, path: Path, level: int) -> None:
        self._at += 1
        self._skip(_BLANK)
        while not self._text.startswith("}", self._at):
            self._pair(path, level + 1)
            self._skip(_BLANK)
            if not self._text.startswith(",", self._at):
                break
            self._at += 1
            self._skip(_BLANK)
        self._take("}")

    def _scalar(self) -> None:
        for form in (_LONG_BASIC, _LONG_LITERAL, _BASIC, _LITERAL, _PLAIN):
            match = form.match(self._text, self._at)
            if match:
                self._at = match.end()
                return
        raise _Lost

    def _skip(self, what: re.Pattern[str]) -> int:
        match = what.match(self._text, self._at)
        self._at = match.end() if match else self._at
        return self._at

    def _take(self, token: str) -> None:
        if not self._text.startswith(token, self._at):
            raise _Lost
        self._at += len(token)

    def _write(self, path: Path, key_at: int, value_at: int) -> None:
        """A key that is spelled out here; a second time is one too many."""
        self._count(1)
        if path in self._written:
            self.repeated.append(Repeated(path, *self._place(key_at), self.places[path].key_line))
            return
        self._written.add(path)
        self.places[path] = Place(*self._place(key_at), *self._place(value_at))

    def _remember(self, path: Path, key_at: int, value_at: int) -> None:
        """A table that exists because something below it does."""
        self._count(1)
        if path not in self.places:
            self.places[path] = Place(*self._place(key_at), *self._place(value_at))

    def _count(self, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > self._nodes_max:
            raise self._too_much(f"expected at most {self._nodes_max} keys and values, found more")

    def _place(self, at: int) -> tuple[int, int]:
        line = bisect_right(self._starts, at)
        return line, at - self._starts[line - 1] + 1

    def _too_much(self, message: str) -> TooMuch:
        return TooMuch(*self._place(self._at), message)


def _unquoted(part: str) -> str:
    if part.startswith("'"):
        return part[1:-1]
    if part.startswith('"'):
        return _escaped(part) if "\\" in part else part[1:-1]
    return part


def _escaped(part: str) -> str:
    import tomllib

    try:
        return next(iter(tomllib.loads(f"{part}=0")))
    except ValueError:
        raise _Lost from None
