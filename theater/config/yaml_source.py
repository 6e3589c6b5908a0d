"""YAML text to nodes with places, one parser event at a time: no recursion, tags or merges, bounded aliases.

PyYAML's parser does the syntax (libyaml where it is there). What scalars mean is decided here, by YAML 1.2,
and what a document may cost is bounded before anything is built.
"""

from __future__ import annotations

import re
from typing import Any

from theater.config.errors import Problems
from theater.config.limits import LEVELS_MAX
from theater.config.node import BAD, LIST, MAP, NULL, TEXT, Entry, Node, describe, inside, quoted
from theater.config.scalars import resolve

_SURROGATE = re.compile("[\ud800-\udfff]")


class Unusable(Exception):
    """The text cannot be read on from here: line, column, path and message."""


def compose(text: str, file: str, problems: Problems, *, pure: bool = False) -> Node | None:
    """Return the only document of a YAML text, None for an empty one. Raises Unusable; reports what is wrong.

    ``pure`` asks for the parser in Python even where libyaml is there.
    """
    import yaml

    loader: Any = yaml.SafeLoader if pure else getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    composer = _Composer(file, problems)
    try:
        for event in yaml.parse(text, Loader=loader):
            composer.feed(type(event).__name__, event)
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text) from None
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        raise Unusable(
            composer.line, composer.column, "", f"expected YAML, found a fault: {_one_line(error)}"
        ) from None
    return composer.root


class _Frame:
    """A list or mapping that is not complete yet."""

    __slots__ = ("anchor", "column", "entries", "height", "items", "key", "kind", "line", "weight")

    def __init__(self, kind: str, line: int, column: int, anchor: str | None) -> None:
        self.kind = kind
        self.line = line
        self.column = column
        self.anchor = anchor
        self.items: list[Node] = []
        self.entries: dict[str, Entry] = {}
        self.key: tuple[str | None, int, int] | None = None
        self.weight = 1
        self.height = 0


class _Composer:
    def __init__(self, file: str, problems: Problems) -> None:
        self.root: Node | None = None
        self.line = self.column = 1
        self._file = file
        self._problems = problems
        self._frames: list[_Frame] = []
        self._anchors: dict[str, Node | None] = {}
        self._documents = 0
        self._weight = 0
        self._is_merge = False

    def feed(self, name: str, event: Any) -> None:
        self.line, self.column = event.start_mark.line + 1, event.start_mark.column + 1
        match name:
            case "ScalarEvent":
                self._attach(self._scalar(event), event.anchor)
            case "MappingStartEvent":
                self._open(MAP, event)
            case "SequenceStartEvent":
                self._open(LIST, event)
            case "MappingEndEvent" | "SequenceEndEvent":
                self._close()
            case "AliasEvent":
                self._attach(self._alias(event.anchor), None, is_alias=True)
            case "DocumentStartEvent":
                self._documents += 1
                if self._documents > 1:
                    raise self._unusable("expected one document, found the beginning of another")

    def _open(self, kind: str, event: Any) -> None:
        self._refuse_tag(event.tag)
        if len(self._frames) >= LEVELS_MAX:
            raise self._unusable(f"expected at most {LEVELS_MAX} levels of nesting, found more", path="")
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        self._frames.append(_Frame(kind, self.line, self.column, event.anchor))

    def _close(self) -> None:
        frame = self._frames.pop()
        value: Any = frame.items if frame.kind == LIST else frame.entries
        node = Node(frame.kind, value, frame.line, frame.column, frame.weight, frame.height + 1)
        self._attach(node, frame.anchor)

    def _scalar(self, event: Any) -> Node:
        if event.tag is not None:
            self._refuse_tag(event.tag)
            return Node(BAD, None, self.line, self.column)
        text = event.value
        self._is_merge = text == "<<" and not event.style
        if event.style == '"' and _SURROGATE.search(text):
            raise self._unusable("expected Unicode text, found half of a surrogate pair")
        if event.style:
            return Node(TEXT, text, self.line, self.column)
        try:
            kind, value = resolve(text)
        except ValueError as error:
            self._report(self.line, self.column, str(error))
            kind, value = BAD, None
        return Node(kind, value, self.line, self.column)

    def _alias(self, anchor: str) -> Node:
        if anchor not in self._anchors:
            raise self._unusable(f"expected an anchor &{anchor} before the alias *{anchor}, found none")
        node = self._anchors[anchor]
        if node is None:
            raise self._unusable(
                f"expected an alias of something complete, found a cycle: *{anchor} contains itself"
            )
        if len(self._frames) + node.height > LEVELS_MAX:
            raise self._unusable(f"expected at most {LEVELS_MAX} levels of nesting, found more", path="")
        return node

    def _attach(self, node: Node, anchor: str | None, *, is_alias: bool = False) -> None:
        if anchor is not None:
            self._anchors[anchor] = node
        self._weight += node.weight if is_alias else 1
        most = self._problems.bounds.nodes
        if self._weight > most:
            raise self._unusable(f"expected at most {most} values (aliases counted in full), found more", path="")
        if not self._frames:
            self.root = node
            return
        frame = self._frames[-1]
        frame.weight += node.weight
        frame.height = max(frame.height, node.height)
        if frame.kind == LIST:
            frame.items.append(node)
        elif frame.key is None:
            frame.key = self._key(frame, node)
        else:
            name, line, column = frame.key
            frame.key = None
            if name is not None:
                frame.entries[name] = Entry(line, column, node)

    def _key(self, frame: _Frame, node: Node) -> tuple[str | None, int, int]:
        if self._is_merge:
            self._report(node.line, node.column, "expected a key, found << (YAML 1.2 has no merge keys)")
            return None, node.line, node.column
        if node.kind == BAD:
            return None, node.line, node.column
        if node.kind != TEXT:
            hint = "" if node.kind in (LIST, MAP, NULL) else " (quotes make it one)"
            self._report(node.line, node.column, f"expected a text as key, found {describe(node)}{hint}")
            return None, node.line, node.column
        first = frame.entries.get(node.value)
        if first is not None:
            message = f"expected each key once, found it a second time (the first is in line {first.line})"
            self._report(self.line, self.column, message, key=node.value)
            return None, self.line, self.column
        return node.value, self.line, self.column

    def _refuse_tag(self, tag: str | None) -> None:
        if tag is not None:
            self._report(
                self.line, self.column, f"expected a value without a tag, found the tag {quoted(tag)}"
            )

    def _report(self, line: int, column: int, message: str, *, key: str | None = None) -> None:
        path = self._path() if key is None else inside(self._path(), key)
        self._problems.add(self._file, line, column, path, message)

    def _unusable(self, message: str, *, path: str | None = None) -> Unusable:
        return Unusable(self.line, self.column, self._path() if path is None else path, message)

    def _path(self) -> str:
        path = ""
        for frame in self._frames:
            if frame.kind == LIST:
                path += f"[{len(frame.items)}]"
            elif frame.key is not None and frame.key[0] is not None:
                path = inside(path, frame.key[0])
        return path


def _syntax_error(error: Any, text: str) -> Unusable:
    """The parser's complaint in one line; the commonest, a tab where YAML wants spaces, has its own words."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
    lines = text.split("\n", line)
    if line <= len(lines) and lines[line - 1][:column].endswith("\t"):
        return Unusable(line, column, "", "expected spaces, found a tab (YAML is indented with spaces)")
    message = f"expected YAML, found a fault: {_one_line(error.problem or error.context or error)}"
    if error.context and error.problem:
        message += f" ({_one_line(error.context)}"
        message += f" begun in line {error.context_mark.line + 1})" if error.context_mark else ")"
    return Unusable(line, column, "", message)


def _one_line(what: object) -> str:
    return " ".join(str(what).split())[:200]
