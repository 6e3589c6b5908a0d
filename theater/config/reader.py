"""Sections: mappings with known keys. One table says what each key wants, to the reader and the schema."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from theater.config.environment import Environment, Wrong
from theater.config.errors import Problems
from theater.config.node import BAD, MAP, TEXT, Node, describe, inside, quoted
from theater.config.scalars import resolve


class Reader(msgspec.Struct, frozen=True):
    """Reads one file: its name in messages, where problems go, which variables it may use (None: none).

    ``base_dir`` is the directory that relative paths in it are relative to.
    """

    file: str
    problems: Problems
    environment: Environment | None = None
    base_dir: str = ""

    def report(self, at: Any, path: str, message: str) -> None:
        """Note a problem at a node or an entry."""
        self.problems.add(self.file, at.line, at.column, path, message)

    def text(self, node: Node) -> str:
        """The text of a TEXT node with its variables put in. Raises Wrong."""
        text: str = node.value
        return text if self.environment is None or "$" not in text else self.environment.expand(text)

    def scalar(self, node: Node) -> tuple[str, Any]:
        """Kind and value of a node where no text is wanted: a variable's text is read like a plain scalar."""
        if node.kind != TEXT or self.environment is None or "${" not in node.value:
            return node.kind, node.value
        try:
            return resolve(self.environment.expand(node.value))
        except Wrong:
            raise
        except ValueError as error:
            raise Wrong(str(error)) from None

    def found(self, node: Node) -> str:
        """What is there, for a message. What a variable holds may be a secret and is not shown."""
        from_variable = node.kind == TEXT and self.environment is not None and "${" in node.value
        return describe(node) + (" (after its variables are put in)" if from_variable else "")


class Kind(Protocol):
    """What a key wants."""

    def read(self, node: Node, path: str, reader: Reader) -> Any:
        """Return the value. Raises Wrong, or reports what is wrong inside and returns the rest."""

    def schema(self) -> dict[str, Any]:
        """The JSON Schema of what may be written."""


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """One key: what it wants, what it means, the default in words, and the record field it becomes.

    ``missing`` is what a message says is missing, where that is more than the key.
    """

    wants: Kind
    doc: str
    default: str = ""
    required: bool = False
    missing: str = ""
    target: str = ""


class Section(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping with known keys. ``refused`` names keys that exist, but not here, with the reason."""

    name: str
    doc: str
    fields: dict[str, Field]
    refused: dict[str, str] = {}
    schema_extra: dict[str, Any] = {}


def read_section(section: Section, node: Node, path: str, reader: Reader) -> dict[str, Any]:
    """Return the values of a mapping by their targets. Keys that are wrong are reported and left out."""
    if node.kind != MAP:
        reader.report(node, path, f"expected a mapping of keys, found {reader.found(node)}")
        return {}
    values: dict[str, Any] = {}
    for key, entry in node.value.items():
        field = section.fields.get(key)
        if field is None:
            if not key.startswith("x-"):
                reader.report(entry, inside(path, key), _unknown(section, key))
            continue
        if entry.node.kind == BAD:
            continue
        try:
            values[field.target or key] = field.wants.read(entry.node, inside(path, key), reader)
        except Wrong as error:
            reader.report(entry.node, inside(path, key), str(error))
    for key, field in section.fields.items():
        if field.required and key not in node.value:
            reader.report(node, path, f"expected the key {field.missing or key}, found none")
    return values


def _unknown(section: Section, key: str) -> str:
    reason = section.refused.get(key)
    if reason is not None:
        return reason
    near = nearest(key, section.fields)
    return f"expected a known key, found {quoted(key)}" + (f"; did you mean {near}?" if near else "")


def nearest(word: str, known: Mapping[str, object]) -> str | None:
    """The known word a misspelt one is probably meant to be."""
    from difflib import get_close_matches

    return next(iter(get_close_matches(word[:64], known, 1, 0.7)), None)


def section_schema(section: Section) -> dict[str, Any]:
    """The JSON Schema of a section: the same keys, and anything that begins with x-."""
    properties = {}
    for key, field in section.fields.items():
        default = f" Default: {field.default}." if field.default else ""
        properties[key] = {"description": field.doc + default, **field.wants.schema()}
    schema: dict[str, Any] = {"description": section.doc, "type": "object", "properties": properties}
    required = [key for key, field in section.fields.items() if field.required]
    if required:
        schema["required"] = required
    return {
        **schema,
        "patternProperties": {"^x-": True},
        "additionalProperties": False,
        **section.schema_extra,
    }
