"""TOML text to nodes with places: the standard library's parser for values, toml_places for places."""

from __future__ import annotations

import re
from typing import Any

from theater.config.errors import Problems
from theater.config.limits import NUMBER_DIGITS_MAX, TOML_LEVELS_MAX
from theater.config.node import BOOL, DATE, FLOAT, INT, LIST, MAP, TEXT, Entry, Node, inside
from theater.config.toml_places import Path, Place, Scanner, TooMuch
from theater.config.yaml_source import Unusable

_LINE_AND_COLUMN = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_KINDS: dict[type, str] = {bool: BOOL, int: INT, float: FLOAT, str: TEXT}


def compose(text: str, file: str, problems: Problems) -> Node | None:
    """Return the table a TOML text is. Repeated keys are reported and make it None. Raises Unusable."""
    import tomllib

    scanner = Scanner(text, problems.bounds.nodes)
    try:
        scanner.run()
        for again in scanner.repeated:
            message = (
                f"expected each key once, found it a second time (the first is in line {again.first_line})"
            )
            problems.add(file, again.line, again.column, _path_text(again.path), message)
        values = tomllib.loads(text)
    except TooMuch as error:
        line, column, message = error.args
        raise Unusable(line, column, "", message) from None
    except ValueError as error:
        if scanner.repeated:
            return None  # told already, and with a better place
        raise _syntax_error(error, text) from None
    except RecursionError:
        raise Unusable(
            1, 1, "", f"expected at most {TOML_LEVELS_MAX} levels of nesting, found more"
        ) from None
    return _Builder(scanner.places).node(values, (), 0)


class _Builder:
    def __init__(self, places: dict[Path, Place]) -> None:
        self._places = places

    def node(self, value: Any, path: Path, level: int) -> Node:
        place = self._place(path)
        if level > TOML_LEVELS_MAX:
            raise Unusable(
                place.line, place.column, "", f"expected at most {TOML_LEVELS_MAX} levels, found more"
            )
        if isinstance(value, dict):
            entries = {key: self._entry(item, (*path, key), level) for key, item in value.items()}
            return Node(MAP, entries, place.line, place.column)
        if isinstance(value, list):
            items = [self.node(item, (*path, index), level + 1) for index, item in enumerate(value)]
            return Node(LIST, items, place.line, place.column)
        return Node(_KINDS.get(type(value), DATE), value, place.line, place.column)

    def _entry(self, value: Any, path: Path, level: int) -> Entry:
        place = self._place(path)
        return Entry(place.key_line, place.key_column, self.node(value, path, level + 1))

    def _place(self, path: Path) -> Place:
        """The place of the path, or of the nearest thing around it that has one."""
        while path:
            place = self._places.get(path)
            if place is not None:
                return place
            path = path[:-1]
        return Place(1, 1, 1, 1)


def _syntax_error(error: ValueError, text: str) -> Unusable:
    """The parser's complaint at its place; numbers too long to convert are refused without one."""
    message = str(error)
    found = _LINE_AND_COLUMN.search(message)
    if found is None:
        return Unusable(
            1, 1, "", f"expected numbers of at most {NUMBER_DIGITS_MAX} digits, found a longer one"
        )
    if found[1]:
        line, column = int(found[1]), int(found[2])
    else:
        line, column = text.count("\n") + 1, len(text) - text.rfind("\n")
    reason = message[: found.start()]
    return Unusable(line, column, "", f"expected TOML, found a fault: {reason[:1].lower()}{reason[1:200]}")


def _path_text(path: Path) -> str:
    text = ""
    for part in path:
        text = f"{text}[{part}]" if isinstance(part, int) else inside(text, part)
    return text
