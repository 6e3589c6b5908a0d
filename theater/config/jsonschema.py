"""The JSON Schemas of trees and manifests, generated from the tables the loader reads by.

``python -m theater.config.jsonschema`` writes them into ``docs/``; with ``--check`` it only says whether they
are current. An editor shows them as completion: ``# yaml-language-server: $schema=…/tree.schema.json``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from theater.config.files import ACTOR_CHILD, MANIFEST, SUPERVISOR, SUPERVISOR_CHILD, TREE
from theater.config.kinds import VARIABLE
from theater.config.reader import section_schema

DIALECT = "https://json-schema.org/draft/2020-12/schema"

DIRECTORY = Path(__file__).parents[2] / "docs"


def tree_schema() -> dict[str, Any]:
    """The schema of tree.yaml."""
    inner = [SUPERVISOR, ACTOR_CHILD, SUPERVISOR_CHILD]
    child = {"anyOf": [{"$ref": f"#/$defs/{section.name}"} for section in (ACTOR_CHILD, SUPERVISOR_CHILD)]}
    definitions = {section.name: section_schema(section) for section in inner}
    return _document("theater tree", section_schema(TREE), {**definitions, "child": child})


def manifest_schema() -> dict[str, Any]:
    """The schema of an actor manifest, in TOML or YAML."""
    return _document("theater actor manifest", section_schema(MANIFEST), {})


def _document(title: str, schema: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    return {"$schema": DIALECT, "title": title, **schema, "$defs": {**definitions, "variable": VARIABLE}}


def documents() -> dict[str, str]:
    """File names and what they must contain."""
    schemas = {"tree.schema.json": tree_schema(), "manifest.schema.json": manifest_schema()}
    return {name: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for name, schema in schemas.items()}


def outdated(directory: Path) -> list[str]:
    """The names of the files in ``directory`` that are not what the tables say."""
    return [name for name, text in documents().items() if not _holds(directory / name, text)]


def main(arguments: list[str]) -> int:
    """Write the schemas, or with --check compare them."""
    if arguments not in ([], ["--check"]):
        print("usage: python -m theater.config.jsonschema [--check]", file=sys.stderr)
        return 2
    stale = outdated(DIRECTORY)
    if arguments:
        for name in stale:
            print(f"docs/{name} is not current: run python -m theater.config.jsonschema", file=sys.stderr)
        return 1 if stale else 0
    for name in stale:
        (DIRECTORY / name).write_text(documents()[name], encoding="utf-8")
    return 0


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text(encoding="utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
