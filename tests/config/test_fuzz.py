"""Whatever a file holds, the answer is a tree or a ConfigError, soon; and what is written well arrives."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.config.test_manifest import TOML
from tests.config.test_tree import DESIGN
from theater.actor import ActorSpec
from theater.config import ConfigError, TreeConfig, load_tree, parse_manifest
from theater.config.errors import Problems
from theater.config.yaml_source import Unusable, compose
from theater.spec import ChildSpec, SupervisorSpec

SOON = settings(max_examples=150, deadline=timedelta(seconds=5))

YAML_WORDS = "version children id x actor a.wasm supervisor strategy restart state grants limits null 1 ${X} <<"
YAML_MARKS = ": |- |[|]|{|}|,|&a |*a|!t |? |'|\"|\\|#|---|...|%|@|`|~|>|$|é|\n|  |\t|\u2028|\ufeff"
YAML_PIECES = st.sampled_from((*YAML_WORDS.split(), *YAML_MARKS.split("|"), "|"))

TOML_WORDS = "a name package handler type runtime x é 1 1979-05-27 inf true"
TOML_MARKS = "= . [ ] [[ ]] { } , \" ' \"\"\" ''' # \\"
TOML_PIECES = st.sampled_from((*TOML_WORDS.split(), *TOML_MARKS.split(), " = ", " ", "\n", "\r\n", "\t"))


@pytest.fixture(scope="module")
def directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        for package in ("a.wasm", "b.wat"):
            (Path(name) / package).touch()
        yield Path(name)


def outcome(directory: Path, content: bytes) -> TreeConfig | ConfigError:
    """Load a tree of this content; only the two expected outcomes are let through."""
    file = directory / "tree.yaml"
    file.write_bytes(content)
    try:
        return load_tree(file, {})
    except ConfigError as error:
        assert error.problems
        assert all(problem.line >= 1 and problem.column >= 1 for problem in error.problems)
        assert str(error)
        return error


@SOON
@given(content=st.binary(max_size=400))
def test_any_bytes(directory: Path, content: bytes) -> None:
    """Random bytes never raise anything but ConfigError."""
    outcome(directory, content)


@SOON
@given(pieces=st.lists(YAML_PIECES, max_size=60))
def test_any_yaml(directory: Path, pieces: list[str]) -> None:
    """Nor do random pieces of YAML."""
    outcome(directory, "".join(pieces).encode())


@SOON
@given(pieces=st.lists(YAML_PIECES, max_size=60))
def test_any_yaml_without_libyaml(pieces: list[str]) -> None:
    """Nor with the parser in Python, which is used where libyaml is missing."""
    try:
        compose("".join(pieces), "f", Problems(), pure=True)
    except Unusable as error:
        assert len(error.args) == 4


@SOON
@given(
    at=st.integers(0, len(DESIGN)),
    length=st.integers(0, 30),
    piece=st.one_of(YAML_PIECES, st.text(max_size=5)),
)
def test_damaged_tree(directory: Path, at: int, length: int, piece: str) -> None:
    """A good tree with a hole or a foreign piece in it is a tree or a ConfigError."""
    outcome(directory, (DESIGN[:at] + piece + DESIGN[at + length :]).encode("utf-8", "replace"))


@SOON
@given(pieces=st.lists(TOML_PIECES, max_size=60))
def test_any_toml(directory: Path, pieces: list[str]) -> None:
    """Random pieces of TOML, as a guest might hand them over, are refused in order."""
    try:
        parse_manifest("".join(pieces), str(directory), "guest")
    except ConfigError as error:
        assert error.problems


@SOON
@given(at=st.integers(0, len(TOML)), length=st.integers(0, 30), piece=st.one_of(TOML_PIECES, st.text(max_size=5)))
def test_damaged_manifest(directory: Path, at: int, length: int, piece: str) -> None:
    """A good manifest with a hole or a foreign piece in it is an actor or a ConfigError."""
    try:
        parse_manifest(TOML[:at] + piece + TOML[at + length :], str(directory), "guest")
    except ConfigError as error:
        assert all(problem.line >= 1 for problem in error.problems)


def json_data() -> st.SearchStrategy[Any]:
    """Plain data of any shape."""
    scalars = (
        st.none()
        | st.booleans()
        | st.integers(-(2**63), 2**64 - 1)
        | st.floats(allow_nan=False, allow_infinity=False)
        | text()
    )
    return st.recursive(scalars, lambda inner: st.lists(inner) | st.dictionaries(text(), inner), max_leaves=8)


def text() -> st.SearchStrategy[str]:
    """Text that YAML may hold, without references to variables."""
    letters = st.characters(codec="utf-8", exclude_characters="$\ufeff", exclude_categories=("Cc", "Cs", "Cn", "Co"))
    return st.text(letters, max_size=8)


@SOON
@given(tree=json_data())
def test_any_data(directory: Path, tree: Any) -> None:
    """Data of any shape in place of a tree."""
    outcome(directory, json.dumps({"version": 1, "children": tree}).encode())


IDS = st.text(st.sampled_from("abcdefgh-_.é 0"), min_size=1, max_size=6).filter(lambda id: id not in (".", ".."))


@st.composite
def actor_children(draw: st.DrawFn) -> dict[str, Any]:
    """An actor as a tree declares it."""
    child: dict[str, Any] = {"id": "", "actor": draw(st.sampled_from(["a.wasm", "b.wat"]))}
    child["restart"] = draw(st.sampled_from(["permanent", "transient", "temporary"]))
    child["shutdown"] = draw(st.sampled_from(["brutal_kill", "infinity"]) | st.integers(0, 10**6))
    child["state"] = draw(json_data())
    return child


@st.composite
def supervisors(draw: st.DrawFn, levels: int = 2) -> dict[str, Any]:
    """A supervisor as a tree declares it."""
    children = []
    for id in draw(st.lists(IDS, unique=True, max_size=3)):
        if levels and draw(st.booleans()):
            children.append({"id": id, "supervisor": draw(supervisors(levels - 1))})
        else:
            children.append({**draw(actor_children()), "id": id})
    return {
        "strategy": draw(st.sampled_from(["one_for_one", "one_for_all", "rest_for_one"])),
        "intensity": draw(st.integers(0, 10**9)),
        "period": draw(st.integers(1, 2**32 - 1)),
        "children": children,
    }


def written(supervisor: dict[str, Any]) -> dict[str, Any]:
    """As people write it: times with units."""
    children = []
    for child in supervisor["children"]:
        if "supervisor" in child:
            children.append({**child, "supervisor": written(child["supervisor"])})
        else:
            shutdown = child["shutdown"]
            children.append({**child, "shutdown": f"{shutdown}ms" if isinstance(shutdown, int) else shutdown})
    return {**supervisor, "period": f"{supervisor['period']}ms", "children": children}


def read_back(spec: SupervisorSpec) -> dict[str, Any]:
    """The loaded records in the shape the test drew."""
    return {
        "strategy": spec.strategy,
        "intensity": spec.intensity,
        "period": spec.period_ms,
        "children": [_child_back(child) for child in spec.children],
    }


def _child_back(child: ChildSpec) -> dict[str, Any]:
    if child.supervisor is not None:
        return {"id": child.id, "supervisor": read_back(child.supervisor)}
    assert isinstance(child.actor, ActorSpec)
    return {
        "id": child.id,
        "actor": os.path.basename(child.actor.package),
        "restart": child.restart,
        "shutdown": child.shutdown,
        "state": child.actor.state,
    }


@settings(max_examples=80, deadline=timedelta(seconds=5))
@given(tree=supervisors())
def test_good_trees_arrive(directory: Path, tree: dict[str, Any]) -> None:
    """Any good tree is loaded as it was meant."""
    file = directory / "good.yaml"
    file.write_text(json.dumps({"version": 1, **written(tree)}, ensure_ascii=False), encoding="utf-8")

    assert read_back(load_tree(file, {}).spec) == tree


def test_both_parsers_agree() -> None:
    """libyaml and the parser in Python give the same values at the same places."""
    assert compose(DESIGN, "f", Problems()) == compose(DESIGN, "f", Problems(), pure=True)
