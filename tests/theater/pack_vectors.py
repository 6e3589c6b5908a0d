"""The vectors of the guest ABI, read from tests/vectors/pack-vectors.json into our records."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from theater import types, values
from theater.interfaces import Signature
from theater.types import Type
from theater.values import Value

VECTORS: dict[str, Any] = json.loads(
    (Path(__file__).resolve().parents[1] / "vectors" / "pack-vectors.json").read_text(encoding="utf-8")
)

_INTS = {"U8", "U16", "U32", "U64", "S8", "S16", "S32", "S64", "Flags"}


def value_of(tree: dict[str, Any]) -> Value:
    """Return a value written as in the vectors' ``value_json``."""
    ((kind, content),) = tree.items()
    match kind:
        case "Bool" | "Char" | "String":
            return getattr(values, kind)(content)
        case "F32" | "F64" if isinstance(content, dict):
            return getattr(values, kind)(int(content["bits"], 16))
        case "F32" | "F64":
            return getattr(values, kind).from_float(content)
        case "Tuple":
            return values.Tuple(tuple(map(value_of, content)))
        case "List":
            return values.list_of(tag_of(content["elem_type"]), map(value_of, content["items"]))
        case "Option":
            inner = content["value"]
            return values.Option(tag_of(content["inner_type"]), None if inner is None else value_of(inner))
        case "Result":
            ((side, inner),) = content["value"].items()
            ok, err = tag_of(content["ok_type"]), tag_of(content["err_type"])
            return values.Result(ok, err, side == "Ok", value_of(inner))
        case "Record":
            fields = tuple((name, value_of(item)) for name, item in content["fields"])
            return values.Record(content["type_name"], fields)
        case "Variant":
            payload = tuple(map(value_of, content["payload"]))
            return values.Variant(content["type_name"], content["case_name"], content["tag"], payload)
        case _:
            assert kind in _INTS
            return getattr(values, kind)(content)


def tag_of(tree: Any) -> Type:
    """Return a type tag written as in the vectors' ``value_json``."""
    if isinstance(tree, str):
        return types.BY_NAME[tree.lower()]
    ((kind, content),) = tree.items()
    match kind:
        case "List":
            return types.List(tag_of(content))
        case "Option":
            return types.Option(tag_of(content))
        case "Result":
            return types.Result(tag_of(content["ok"]), tag_of(content["err"]))
        case "Tuple":
            return types.Tuple(tuple(map(tag_of, content)))
        case _:
            return types.Named(content, is_variant=kind == "Variant")


def declared(tree: Any) -> Type:
    """Return a type written as in the vectors' ``hash_type_json``."""
    if isinstance(tree, str):
        return {"value": types.VALUE, "unit": types.UNIT}.get(tree) or types.BY_NAME[tree]
    ((kind, content),) = tree.items()
    match kind:
        case "list":
            return types.List(declared(content))
        case "option":
            return types.Option(declared(content))
        case "result":
            return types.Result(*map(declared, content))
        case "tuple":
            return types.Tuple(tuple(map(declared, content)))
        case "record":
            return types.Record(content["name"], tuple((name, declared(item)) for name, item in content["fields"]))
        case "ref":
            return types.Parameter(content)
        case _:
            cases = tuple((name, None if item is None else declared(item)) for name, item in content["cases"])
            return types.Variant(content["name"], cases)


def signature(params: list[Any], results: list[Any]) -> Signature:
    """Return a signature; parameters are types, or pairs of name and type."""
    pairs = [item if isinstance(item, list) else ["p", item] for item in params]
    return Signature(tuple((name, declared(kind)) for name, kind in pairs), tuple(map(declared, results)))


def names(section: str, key: str = "name") -> list[str]:
    return [vector[key] for vector in VECTORS[section]]
