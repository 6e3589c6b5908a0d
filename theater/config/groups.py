"""Kinds that are made of others: lists, mappings of texts; texts in a language of their own; paths."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from theater.config.environment import Wrong
from theater.config.kinds import FilePath, Text
from theater.config.limits import ENTRIES_MAX
from theater.config.node import LIST, MAP, Node, inside
from theater.config.reader import Kind, Reader
from theater.patterns import BadPattern


class ListOf(msgspec.Struct, frozen=True):
    """A list, each item of one kind."""

    item: Kind
    wanted: str

    def read(self, node: Node, path: str, reader: Reader) -> list[Any]:
        if node.kind != LIST:
            raise Wrong(f"expected {self.wanted}, found {reader.found(node)}")
        if len(node.value) > ENTRIES_MAX:
            raise Wrong(f"expected at most {ENTRIES_MAX} entries, found {len(node.value)}")
        found = []
        for index, each in enumerate(node.value):
            try:
                found.append(self.item.read(each, f"{path}[{index}]", reader))
            except Wrong as error:
                reader.report(each, f"{path}[{index}]", str(error))
        return found

    def schema(self) -> dict[str, Any]:
        return {"type": "array", "items": self.item.schema()}


class Texts(msgspec.Struct, frozen=True):
    """Texts by name. The names are any."""

    wanted: str

    def read(self, node: Node, path: str, reader: Reader) -> dict[str, str]:
        if node.kind != MAP:
            raise Wrong(f"expected {self.wanted}, found {reader.found(node)}")
        found = {}
        for key, entry in node.value.items():
            try:
                found[key] = Text().read(entry.node, inside(path, key), reader)
            except Wrong as error:
                reader.report(entry.node, inside(path, key), str(error))
        return found

    def schema(self) -> dict[str, Any]:
        return {"type": "object", "additionalProperties": {"type": "string"}}


class Checked(msgspec.Struct, frozen=True):
    """A text in a language of its own; ``check`` raises BadPattern for what is none of it."""

    wanted: str
    check: Callable[[str], object]
    shape: Mapping[str, Any]

    def read(self, node: Node, path: str, reader: Reader) -> str:
        text = Text(self.wanted).read(node, path, reader)
        try:
            self.check(text)
        except BadPattern as error:
            raise Wrong(str(error)) from None
        return text

    def schema(self) -> dict[str, Any]:
        return dict(self.shape)


class PathFromHere(msgspec.Struct, frozen=True):
    """A path relative to the file it is written in; read as an absolute one."""

    wanted: str

    def read(self, node: Node, path: str, reader: Reader) -> str:
        text = FilePath(self.wanted).read(node, path, reader)
        return os.path.normpath(os.path.join(reader.base_dir or os.getcwd(), text))

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1}
