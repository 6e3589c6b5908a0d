"""The key ``package`` of a manifest: a path, or a path with the digest it must have."""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from theater.config.environment import Wrong
from theater.config.kinds import Digest, FilePath
from theater.config.node import MAP, TEXT, Node
from theater.config.reader import Field, Reader, Section, read_section, section_schema

PACKAGES = (".wasm", ".wat")

_PATH = FilePath("a package (.wasm or .wat)", PACKAGES)
_PINNED = Section(
    name="package",
    doc="A package and its digest.",
    fields={
        "path": Field(wants=_PATH, doc="The .wasm or .wat file, relative to the manifest.", required=True),
        "sha256": Field(wants=Digest(), doc="The digest the package must have.", default="any"),
    },
)


class Pinned(NamedTuple):
    """A package as the manifest writes it: the path, the digest if any, and where the path stands."""

    path: str
    sha256: str | None
    node: Node


class Package(msgspec.Struct, frozen=True):
    """A path, or ``{path, sha256}``."""

    def read(self, node: Node, path: str, reader: Reader) -> Pinned | None:
        if node.kind == TEXT:
            return Pinned(_PATH.read(node, path, reader), None, node)
        if node.kind != MAP:
            raise Wrong(f"expected {_PATH.wanted}, found {reader.found(node)}")
        values = read_section(_PINNED, node, path, reader)
        if "path" not in values:
            return None
        return Pinned(values["path"], values.get("sha256"), node.value["path"].node)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [_PATH.schema(), section_schema(_PINNED)]}
