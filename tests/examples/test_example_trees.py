"""The examples' trees load, grant what their guests import, and give them states they accept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.examples.terminal import BUILT_FIRST
from tests.guests.host import Guest
from tests.guests.pack import Value, boolean, encode, listed, none, record, s64, text, u64
from theater import cgrf, convert, metadata, types
from theater.actor import ActorSpec
from theater.config import load_manifest, load_tree
from theater.spec import SupervisorSpec

EXAMPLES = Path(__file__).parents[2] / "examples"
TREES = sorted(it for it in EXAMPLES.glob("*/tree.yaml") if it.parent.name not in BUILT_FIRST)
INIT = "theater:simple/actor.init"

trees = pytest.mark.parametrize("tree", TREES, ids=lambda it: it.parent.name)


def actors(spec: SupervisorSpec) -> Iterator[ActorSpec]:
    """Every actor of a tree, templates included."""
    for child in spec.children:
        if child.supervisor is not None:
            yield from actors(child.supervisor)
        else:
            assert isinstance(child.actor, ActorSpec)
            yield child.actor


def declared(actor: ActorSpec) -> metadata.Metadata:
    return metadata.decode(Guest(Path(actor.package).read_bytes()).types())


@trees
def test_tree_loads(tree: Path) -> None:
    """No problem of configuration, and the tree is named as its directory."""
    assert tree.parent.name == load_tree(tree).name


@trees
def test_grants_cover_imports(tree: Path) -> None:
    """Every interface a guest imports is granted in its tree."""
    for actor in actors(load_tree(tree).spec):
        imported = {it.interface for it in declared(actor).imports}
        assert imported <= set(actor.grants)


@trees
def test_initial_states_are_accepted(tree: Path) -> None:
    """The state in tree.yaml, converted as the worker does, starts the guest."""
    for actor in actors(load_tree(tree).spec):
        export = declared(actor).export(INIT)
        assert export is not None
        given = encode(none())
        if actor.state_kind == "plain":
            given = cgrf.encode(convert.to_value(actor.state, export.params[0][1]))
        status, answer = Guest(Path(actor.package).read_bytes()).call(INIT, cgrf.encode_tuple([given]))
        state = cgrf.decode(answer)

        assert status == 0
        assert convert.fits(state, export.results[0]) is None


def test_spawned_worker_needs_no_more_than_its_parent_holds() -> None:
    """What worker.toml asks for, the manager is granted."""
    worker = load_manifest(EXAMPLES / "dynamic" / "worker.toml")
    manager = next(it for it in actors(load_tree(EXAMPLES / "dynamic" / "tree.yaml").spec) if it.name == "manager")

    assert {it.interface for it in declared(worker).imports} <= set(worker.grants) <= set(manager.grants)


@pytest.mark.parametrize(
    ("plain", "expected"),
    [
        ({"count": 0}, record("", count=s64(0))),
        ({"name": "job", "steps": 2**63}, record("", name=text("job"), steps=u64(2**63))),
        ({"on": True, "tags": ["a"]}, record("", on=boolean(True), tags=listed(b"\x06", [text("a")]))),
    ],
)
def test_plain_data_means_what_the_kit_expects(plain: dict[str, object], expected: Value) -> None:
    """The natural reading of plain data, on which the kit's conversion of the first state builds."""
    assert encode(expected) == cgrf.encode(convert.to_value(plain, types.VALUE))


@pytest.mark.parametrize("name", [it.parent.name for it in TREES])
def test_readme_tells_how_to_build(name: str) -> None:
    """Each README has the command that builds each guest beside it."""
    readme = (EXAMPLES / name / "README.md").read_text(encoding="utf-8")

    for source in (EXAMPLES / name).glob("*.c"):
        assert f"{source.name} -o {source.with_suffix('.wasm').name}" in readme
