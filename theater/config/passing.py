"""What an actor's children may hold of what it holds: ``pass: {others: inherit, wasi: disallow, links: {allow: […]}}``.

As Theater describes it (inherit, restrict, disallow), and enforced: see supervisor.fleet.permits.
"""

from __future__ import annotations

from typing import Any

import msgspec

from theater.config.environment import Wrong
from theater.config.grants import FULL_NAMES, section_of
from theater.config.node import MAP, TEXT, Node, inside
from theater.config.reader import Field, Reader, nearest, read_section, section_schema

OTHERS = "others"
INHERIT, DISALLOW = "inherit", "disallow"
WORDS = (INHERIT, DISALLOW)


class PassMapping(msgspec.Struct, frozen=True):
    """Host interfaces by name, each with a word or with the options that children have at most."""

    def read(self, node: Node, path: str, reader: Reader) -> dict[str, Any]:
        if node.kind != MAP:
            raise Wrong(f"expected a mapping of host interfaces and others, found {reader.found(node)}")
        rules: dict[str, Any] = {}
        for key, entry in node.value.items():
            here = inside(path, key)
            full = OTHERS if key == OTHERS else FULL_NAMES.get(key)
            if full is None and not key.startswith("x-"):
                near = nearest(key, {OTHERS: "", **FULL_NAMES})
                hint = f"; did you mean {near}?" if near else ""
                reader.report(entry, here, f"expected a host interface or others, found {key!r}{hint}")
            elif full in rules:
                reader.report(entry, here, f"expected each interface once, found {full} again")
            elif full is not None:
                rules[full] = self._rule(full, entry.node, here, reader)
        return rules

    def _rule(self, full: str, node: Node, path: str, reader: Reader) -> Any:
        word = reader.text(node) if node.kind == TEXT else None
        if word in WORDS:
            return word
        if full == OTHERS or node.kind != MAP:
            options = "" if full == OTHERS else " or the options that children have at most"
            reader.report(node, path, f"expected inherit, disallow{options}, found {reader.found(node)}")
            return DISALLOW
        return read_section(_bounds(full), node, path, reader)

    def schema(self) -> dict[str, Any]:
        word = {"enum": list(WORDS)}
        bounds = {name: {"anyOf": [word, section_schema(_bounds(full))]} for name, full in FULL_NAMES.items()}
        shape = {"type": "object", "properties": {OTHERS: word, **bounds}}
        return {**shape, "patternProperties": {"^x-": True}, "additionalProperties": False}


def _bounds(full: str) -> Any:
    """The options of a grant, none of them required: what is not written is as the actor itself holds it."""
    section = section_of(full)
    fields = {key: msgspec.structs.replace(field, required=False) for key, field in section.fields.items()}
    return msgspec.structs.replace(section, fields=fields)


def pass_field() -> Field:
    """The key ``pass``, as trees and manifests have it."""
    doc = "What the children it spawns may hold of its grants: inherit, disallow, narrower options; others: the rest."
    return Field(wants=PassMapping(), doc=doc, default="others: inherit", target="passes")
