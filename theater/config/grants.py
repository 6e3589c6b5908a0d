"""The host interfaces a configuration may grant, by short and full name, each with the options it takes.

A new interface is one more line in GRANTS. Two ways to write grants are read: a mapping
(``grants: {runtime: {}}``) and Theater's list of handlers (``[[handler]]`` with ``type = "runtime"``).
"""

from __future__ import annotations

from typing import Any

import msgspec

from theater.actor import RUNTIME, SHORT_NAMES, SUPERVISOR
from theater.config.environment import Wrong
from theater.config.node import LIST, MAP, NULL, TEXT, Node, inside, quoted
from theater.config.reader import Field, Reader, Section, nearest, read_section, section_schema

GRANTS: dict[str, Section] = {
    RUNTIME: Section(name="runtime", doc="Log, own id, own shutdown, own chain.", fields={}),
    SUPERVISOR: Section(name="supervisor", doc="Spawn actors and supervise them as its children.", fields={}),
}
"""Full name of an interface to the options its grant takes."""

FULL_NAMES: dict[str, str] = {**SHORT_NAMES, **{name: name for name in GRANTS}}
"""Every name a configuration may use."""

Grants = dict[str, dict[str, Any]]


class GrantMapping(msgspec.Struct, frozen=True):
    """``{runtime: {}, supervisor: {}}``: interfaces by name, each with its options."""

    def read(self, node: Node, path: str, reader: Reader) -> Grants:
        if node.kind != MAP:
            raise Wrong(f"expected a mapping of host interfaces, found {reader.found(node)}")
        grants: Grants = {}
        for key, entry in node.value.items():
            here = inside(path, key)
            full = FULL_NAMES.get(key)
            if full is None and not key.startswith("x-"):
                reader.report(entry, here, _unknown(key))
            elif full in grants:
                reader.report(entry, here, f"expected each interface once, found {full} again")
            elif full is not None:
                grants[full] = _options(full, entry.node, here, reader)
        return grants

    def schema(self) -> dict[str, Any]:
        properties = {name: _or_null(section_schema(GRANTS[full])) for name, full in FULL_NAMES.items()}
        shape = {"type": "object", "properties": properties}
        return {**shape, "patternProperties": {"^x-": True}, "additionalProperties": False}


class GrantList(msgspec.Struct, frozen=True):
    """Theater's form, ``[{type: runtime}]``; a mapping is read as GrantMapping does."""

    def read(self, node: Node, path: str, reader: Reader) -> Grants:
        if node.kind == MAP:
            return GrantMapping().read(node, path, reader)
        if node.kind != LIST:
            raise Wrong(f"expected a list of handlers, found {reader.found(node)}")
        grants: Grants = {}
        for index, item in enumerate(node.value):
            self._handler(item, f"{path}[{index}]", reader, grants)
        return grants

    def _handler(self, node: Node, path: str, reader: Reader, grants: Grants) -> None:
        entry = node.value.get("type") if node.kind == MAP else None
        if entry is None or entry.node.kind != TEXT:
            reader.report(
                node, path, 'expected a handler with its type, such as {type = "runtime"}, found none'
            )
            return
        full = FULL_NAMES.get(entry.node.value)
        if full is None:
            reader.report(entry.node, inside(path, "type"), _unknown(entry.node.value))
        elif full in grants:
            reader.report(
                entry.node, inside(path, "type"), f"expected each interface once, found {full} again"
            )
        else:
            options = {key: value for key, value in node.value.items() if key != "type"}
            grants[full] = _options(full, msgspec.structs.replace(node, value=options), path, reader)

    def schema(self) -> dict[str, Any]:
        handlers = []
        for name, full in FULL_NAMES.items():
            options = section_schema(GRANTS[full])
            properties = {"type": {"const": name}, **options["properties"]}
            handlers.append(
                {**options, "properties": properties, "required": ["type", *options.get("required", [])]}
            )
        return {"anyOf": [{"type": "array", "items": {"anyOf": handlers}}, GrantMapping().schema()]}


def grants_field(doc: str) -> Field:
    """The key ``grants``, as trees and manifests have it."""
    return Field(wants=GrantMapping(), doc=doc, default="none: what is not granted does not exist")


def _options(full: str, node: Node, path: str, reader: Reader) -> dict[str, Any]:
    return {} if node.kind == NULL else read_section(GRANTS[full], node, path, reader)


def _unknown(name: str) -> str:
    near = nearest(name, FULL_NAMES)
    hint = f"; did you mean {near}?" if near else ""
    return f"expected a known host interface ({', '.join(SHORT_NAMES)}), found {quoted(name)}{hint}"


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}
