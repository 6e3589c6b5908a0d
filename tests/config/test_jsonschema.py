"""The published schemas are those of the loader's tables, and judge as the loader does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.config.conftest import Desk
from tests.config.test_tree import DESIGN
from theater.actor import ActorOptions
from theater.config import files, keys
from theater.config.errors import Problems
from theater.config.jsonschema import DIRECTORY, main, manifest_schema, outdated, tree_schema
from theater.config.node import Node
from theater.config.reader import Field, Reader, Section
from theater.config.scalars import resolve

TYPES: dict[str, Any] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}

ALL_SECTIONS = (
    *files.SECTIONS,
    keys.LIMITS,
    keys.ABI,
    keys.CHAIN,
    keys.HEARTBEAT,
    files.BACKOFF,
    files.SUPERVISION,
    files.TREE_SUPERVISION,
)


def fits(value: Any, schema: Any, root: dict[str, Any]) -> bool:
    """Judge a value by the part of JSON Schema that the published files use."""
    if schema is True:
        return True
    if "$ref" in schema:
        return fits(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")], root)
    if "anyOf" in schema and not any(fits(value, one, root) for one in schema["anyOf"]):
        return False
    if "oneOf" in schema and sum(fits(value, one, root) for one in schema["oneOf"]) != 1:
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    if "const" in schema and (value != schema["const"] or type(value) is not type(schema["const"])):
        return False
    kind = schema.get("type")
    if kind and (not isinstance(value, TYPES[kind]) or (isinstance(value, bool) and kind != "boolean")):
        return False
    if isinstance(value, str):
        return re.search(schema.get("pattern", ""), value) is not None and len(value) >= schema.get("minLength", 0)
    if isinstance(value, int | float) and not schema.get("minimum", value) <= value <= schema.get("maximum", value):
        return False
    if isinstance(value, list):
        return all(fits(item, schema.get("items", True), root) for item in value)
    return not isinstance(value, dict) or fits_object(value, schema, root)


def fits_object(value: dict[str, Any], schema: dict[str, Any], root: dict[str, Any]) -> bool:
    """The keys of an object."""
    known = schema.get("properties", {})
    if any(key not in value for key in schema.get("required", ())):
        return False
    closed = schema.get("additionalProperties", True) is False
    return all(
        fits(item, known[key], root) if key in known else key.startswith("x-") or not closed
        for key, item in value.items()
    )


def test_published_files_are_current() -> None:
    """docs/ holds what the tables say now; ``python -m theater.config.jsonschema`` writes it."""
    assert outdated(DIRECTORY) == []
    assert main(["--check"]) == 0


def test_a_stale_file_is_noticed(tmp_path: Path) -> None:
    """A missing or differing file is named."""
    (tmp_path / "tree.schema.json").write_text("{}")

    assert outdated(tmp_path) == ["tree.schema.json", "manifest.schema.json"]


def test_the_design_example_fits() -> None:
    """The example of the design is valid by the schema."""
    import yaml

    schema = tree_schema()

    assert fits(yaml.safe_load(DESIGN), schema, schema)


GOOD: list[dict[str, Any]] = [
    {"version": 1, "children": []},
    {"version": 1, "x-anything": 1, "children": [{"id": "x", "actor": "a.wasm", "x-note": []}]},
    {"version": 1, "strategy": "simple_one_for_one", "child": {"id": "x", "actor": "a.wasm"}},
    {
        "version": 1,
        "children": [{"id": "x", "actor": "a.wasm", "shutdown": "infinity", "state": [1, {"a": None}]}],
    },
    {"version": 1, "children": [{"id": "x", "supervisor": {"children": []}, "shutdown": "1.5s"}]},
    {"version": 1, "intensity": "${N:-1}", "children": [{"id": "x", "actor": "${A:-a.wasm}"}]},
    {"version": 1, "children": [{"id": "x", "actor": "a.wasm", "grants": {"runtime": None}}]},
]

BAD: list[dict[str, Any]] = [
    {"children": []},
    {"version": 1},
    {"version": True, "children": []},
    {"version": 1, "colour": 1, "children": []},
    {"version": 1, "strategy": "all", "children": []},
    {"version": 1, "period": 5, "children": []},
    {"version": 1, "intensity": -1, "children": []},
    {"version": 1, "children": [{"id": "x"}]},
    {"version": 1, "children": [{"id": "a/b", "actor": "a.wasm"}]},
    {"version": 1, "children": [{"id": "x", "actor": "a.exe"}]},
    {"version": 1, "children": [{"id": "x", "actor": "a.wasm", "supervisor": {"children": []}}]},
    {"version": 1, "children": [{"id": "x", "supervisor": {"children": []}, "grants": {}}]},
    {"version": 1, "children": [{"id": "x", "actor": "a.wasm", "grants": {"nosuch": {}}}]},
    {"version": 1, "children": [{"id": "x", "actor": "a.wasm", "limits": {"memory": "64MB"}}]},
    {"version": 1, "children": [{"id": "x", "actor": "a.wasm", "limits": {"memory": 64}}]},
    {"version": 1, "children": [{"id": "x", "actor": "a.wasm", "recover": "never"}]},
]


@pytest.mark.parametrize("tree", GOOD, ids=json.dumps)
def test_good_for_both(desk: Desk, tree: dict[str, Any]) -> None:
    """What the schema allows the loader loads."""
    schema = tree_schema()

    assert fits(tree, schema, schema)
    desk.tree(json.dumps(tree), {})


@pytest.mark.parametrize("tree", BAD, ids=json.dumps)
def test_bad_for_both(desk: Desk, tree: dict[str, Any]) -> None:
    """What the schema refuses the loader refuses."""
    schema = tree_schema()

    assert not fits(tree, schema, schema)
    assert desk.problems(json.dumps(tree), {})


@pytest.mark.parametrize(
    ("manifest", "good"),
    [
        ({"name": "x", "package": "a.wasm"}, True),
        ({"name": "x", "package": {"path": "a.wasm", "sha256": "ab" * 32}}, True),
        ({"name": "x", "package": "a.wasm", "handler": [{"type": "runtime"}], "save_chain": True}, True),
        ({"name": "x", "package": "a.wasm", "handlers": {"runtime": {}}}, True),
        ({"name": "x", "package": "a.wasm", "supervision": {"restart": "transient"}}, True),
        ({"name": "x"}, False),
        ({"name": "x", "package": "a.wasm", "handler": [{"type": "nosuch"}]}, False),
        ({"name": "x", "package": "a.wasm", "handler": [{}]}, False),
        ({"name": "x", "package": "a.wasm", "save_chain": False}, False),
    ],
)
def test_manifests(desk: Desk, manifest: dict[str, Any], good: bool) -> None:
    """The manifest schema and the loader agree."""
    from theater.config import load_manifest

    schema = manifest_schema()

    assert fits(manifest, schema, schema) == good
    if good:
        load_manifest(desk.write("actor.yaml", json.dumps(manifest)))
    else:
        assert desk.manifest_problems(json.dumps(manifest), "actor.yaml")


def _fields() -> list[tuple[str, Section, str, Field]]:
    return [(f"{s.name}.{key}", s, key, field) for s in ALL_SECTIONS for key, field in s.fields.items()]


@pytest.mark.parametrize(("section", "key", "field"), [row[1:] for row in _fields()], ids=[row[0] for row in _fields()])
def test_documented(section: Section, key: str, field: Field) -> None:
    """Every key has a sentence of its own and is named in docs/configuration.md."""
    text = (DIRECTORY / "configuration.md").read_text(encoding="utf-8")

    assert field.doc.endswith(".")
    assert f"`{key}`" in text


OPTIONS = [
    (f"{section.name}.{key}", field, field.target or key)
    for section in (keys.LIMITS, keys.ABI, keys.CHAIN, keys.HEARTBEAT, keys.SNAPSHOT, files.MANIFEST)
    for key, field in section.fields.items()
    if (field.target or key) in ActorOptions.__struct_fields__
]


@pytest.mark.parametrize(("field", "target"), [row[1:] for row in OPTIONS], ids=[row[0] for row in OPTIONS])
def test_documented_defaults_are_true(field: Field, target: str) -> None:
    """The default that the tables tell people is the one the record has."""
    kind, value = resolve(field.default)

    assert field.wants.read(Node(kind, value, 1, 1), "", Reader("f", Problems())) == getattr(ActorOptions(), target)


def test_every_option_can_be_written() -> None:
    """No option of an actor is out of reach of the configuration; shutdown_ms comes from shutdown."""
    assert {target for _, _, target in OPTIONS} | {"shutdown_ms"} == set(ActorOptions.__struct_fields__)
