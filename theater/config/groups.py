"""Kinds of which there are several under one key: texts, mappings of texts, lists of sections."""

from __future__ import annotations

import os
from typing import Any

import msgspec

from theater import addresses
from theater.config.environment import Wrong
from theater.config.kinds import FilePath, Text
from theater.config.limits import ENTRIES_MAX
from theater.config.node import LIST, MAP, Node, inside
from theater.config.reader import Kind, Reader
from theater.content.sharing import BadOwner, checked_owner
from theater.hostports import BadHostPort, pattern
from theater.listening import BadAddress, split
from theater.origins import BadOrigin, parse
from theater.reach import BadPattern, check


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


class Origin(msgspec.Struct, frozen=True):
    """An origin, ``https://api.example.com``; ``*.`` in front of the host stands for every host below."""

    def read(self, node: Node, path: str, reader: Reader) -> str:
        text = Text("an origin such as https://api.example.com").read(node, path, reader)
        try:
            parse(text)
        except BadOrigin as error:
            raise Wrong(str(error)) from None
        return text

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "^(https?://|.*\\$\\{)"}


class Address(msgspec.Struct, frozen=True):
    """An address to listen on, ``127.0.0.1:8080``."""

    def read(self, node: Node, path: str, reader: Reader) -> str:
        text = Text("an address such as 127.0.0.1:8080").read(node, path, reader)
        try:
            split(text)
        except BadAddress as error:
            raise Wrong(str(error)) from None
        return text

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "^.*:[0-9]+$|\\$\\{"}


class Reachable(msgspec.Struct, frozen=True):
    """An actor that may be reached: a path in the tree, a pattern of such paths, or a name."""

    def read(self, node: Node, path: str, reader: Reader) -> str:
        text = Text("a path such as /a/b, /a/* or /a/**, or a name").read(node, path, reader)
        try:
            addresses.check(text)
        except BadPattern as error:
            raise Wrong(str(error)) from None
        return text

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1}


class ActorPaths(msgspec.Struct, frozen=True):
    """A path in the tree, or a pattern of such paths."""

    def read(self, node: Node, path: str, reader: Reader) -> str:
        text = Text("a path such as /a/b, /a/* or /a/**").read(node, path, reader)
        try:
            check(text)
        except BadPattern as error:
            raise Wrong(str(error)) from None
        return text

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "^(/|.*\\$\\{)"}


class Owner(msgspec.Struct, frozen=True):
    """Whose: an actor by its path, ``PATH/*`` for those below, ``*`` for everybody, ``parent`` or ``children``."""

    def read(self, node: Node, path: str, reader: Reader) -> str:
        text = Text("an actor such as /library").read(node, path, reader)
        try:
            return checked_owner(text)
        except BadOwner as error:
            raise Wrong(str(error)) from None

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "^(/|\\*$|parent$|children$|.*\\$\\{)"}


class HostPorts(msgspec.Struct, frozen=True):
    """Addresses of TCP, ``*.example.com:443`` (theater.hostports)."""

    def read(self, node: Node, path: str, reader: Reader) -> str:
        text = Text("a pattern such as db.example.com:5432").read(node, path, reader)
        try:
            pattern(text)
        except BadHostPort as error:
            raise Wrong(str(error)) from None
        return text

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "(:|\\$\\{)"}


class PathFromHere(msgspec.Struct, frozen=True):
    """A path relative to the file it is written in; read as an absolute one."""

    wanted: str

    def read(self, node: Node, path: str, reader: Reader) -> str:
        text = FilePath(self.wanted).read(node, path, reader)
        return os.path.normpath(os.path.join(reader.base_dir or os.getcwd(), text))

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1}
