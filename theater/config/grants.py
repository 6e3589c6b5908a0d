"""How grants are read: by their declarations (theater.grants), each by its short or full name.

Two ways to write them are read: a mapping (``grants: {runtime: {}}``) and Theater's list of handlers (``[[handler]]``
with ``type = "runtime"``).
"""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec

from theater.config import groups, kinds
from theater.config.environment import Wrong
from theater.config.limits import SIZE_BYTES_MAX
from theater.config.node import LIST, MAP, NULL, TEXT, Node, inside, quoted
from theater.config.reader import Field, Kind, Reader, Section, nearest, read_section, section_schema
from theater.config.units import BYTES, MILLISECONDS, shown
from theater.grants import SHORT_NAMES, declared, shapes
from theater.grants.declaring import Group, Option

FULL_NAMES: dict[str, str] = {**SHORT_NAMES, **{name: name for name in SHORT_NAMES.values()}}
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
        properties = {name: _or_null(section_schema(section_of(full))) for name, full in FULL_NAMES.items()}
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
            options = section_schema(section_of(full))
            properties = {"type": {"const": name}, **options["properties"]}
            handlers.append(
                {**options, "properties": properties, "required": ["type", *options.get("required", [])]}
            )
        return {"anyOf": [{"type": "array", "items": {"anyOf": handlers}}, GrantMapping().schema()]}


def grants_field(doc: str) -> Field:
    """The key ``grants``, as trees and manifests have it."""
    return Field(wants=GrantMapping(), doc=doc, default="none: what is not granted does not exist")


@cache
def section_of(grant: str) -> Section:
    """The keys of a grant, given by its full name."""
    return _section(declared(grant))


def shown_value(option: Option, value: Any) -> Any:
    """A value in the words of a configuration."""
    match option.wants:
        case shapes.Time() if value is not None:
            return shown(value, MILLISECONDS)
        case shapes.Size() if value is not None:
            return shown(value, BYTES)
        case _:
            return value


def shown_default(option: Option) -> str:
    """What holds where nothing is written, in words."""
    if option.shown or option.is_required:
        return option.shown
    if option.default is False:
        return "false"
    return str(shown_value(option, option.default)) if option.default not in (None, (), {}) else "none"


def places_of(node: Node, file: str) -> dict[str, str]:
    """Where each grant of an actor is written, ``file:line``, by its full name."""
    places: dict[str, str] = {}
    for key in ("grants", "handlers", "handler"):
        entry = node.value.get(key)
        if entry is not None and entry.node.kind == MAP:
            named = [(name, each.line) for name, each in entry.node.value.items()]
        elif entry is not None and entry.node.kind == LIST:
            kinds = [each.value["type"].node for each in entry.node.value if each.kind == MAP and "type" in each.value]
            named = [(kind.value, kind.line) for kind in kinds if kind.kind == TEXT]
        else:
            continue
        places |= {FULL_NAMES[name]: f"{file}:{line}" for name, line in named if name in FULL_NAMES}
    return places


def _section(group: Group) -> Section:
    return Section(name=group.name, doc=group.doc, fields={each.key: _field(each) for each in group.options})


def _field(option: Option) -> Field:
    return Field(
        wants=_kind(option.wants),
        doc=option.doc,
        default=shown_default(option),
        required=option.is_required,
        target=option.target,
    )


def _kind(shape: shapes.Shape) -> Kind:
    match shape:
        case shapes.Count(least=least, most=most):
            return kinds.Whole(least, most)
        case shapes.Size(least=least, most=most):
            return kinds.size(least, SIZE_BYTES_MAX if most is None else most)
        case shapes.Time(least=least):
            return kinds.duration(least)
        case shapes.Flag():
            return kinds.Flag()
        case shapes.Text():
            return kinds.Text()
        case shapes.Texts(wanted=wanted):
            return groups.Texts(wanted)
        case shapes.Path(wanted=wanted):
            return groups.PathFromHere(wanted)
        case shapes.Pattern(wanted=wanted, check=check, schema=schema):
            return groups.Checked(wanted, check, schema)
        case shapes.ListOf(item=item, wanted=wanted):
            return groups.ListOf(_kind(item), wanted)
        case shapes.Nested(group=group):
            return kinds.Part(_section(group))


def _options(full: str, node: Node, path: str, reader: Reader) -> dict[str, Any]:
    return {} if node.kind == NULL else read_section(section_of(full), node, path, reader)


def _unknown(name: str) -> str:
    near = nearest(name, FULL_NAMES)
    hint = f"; did you mean {near}?" if near else ""
    return f"expected a known host interface ({', '.join(SHORT_NAMES)}), found {quoted(name)}{hint}"


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]}
