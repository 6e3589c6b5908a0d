"""The recorded histories replay with the packages shipped today."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from tests.examples.terminal import EXAMPLES
from theater.actor import ActorSpec
from theater.config import load_tree
from theater.spec import SupervisorSpec

ROOT = Path(__file__).parents[2]
FILES = sorted(Path(__file__).parent.glob("*.chain"))


def declared(spec: SupervisorSpec, name: str) -> ActorSpec | None:
    """The actor whose path, with dashes, is ``name``; under simple_one_for_one the template's."""
    for child in spec.children:
        if name == child.id or (spec.strategy == "simple_one_for_one" and "-" not in name):
            return child.actor  # type: ignore[return-value]
        if child.supervisor is not None and name.startswith(child.id + "-"):
            return declared(child.supervisor, name[len(child.id) + 1 :])
    return None


@pytest.mark.parametrize("file", FILES, ids=lambda it: it.stem)
def test_it_replays(file: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Every event, exactly. An actor that a guest has spawned ran the package its manifest names."""
    example, _, name = file.stem.partition("-")
    directory = ROOT / "examples" / example
    spec = declared(load_tree(directory / "tree.yaml").spec, name)
    package = spec.package if spec is not None else str(directory / "worker.wasm")
    job = {
        "chain": str(file),
        "package": package,
        "cache": str(tmp_path_factory.getbasetemp() / "golden"),
        "options": {} if spec is None else msgspec.to_builtins(spec.options),
    }
    done = subprocess.run(
        [sys.executable, "-m", "worker.replay"], input=msgspec.json.encode(job), cwd=ROOT, capture_output=True
    )

    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()


UNRECORDED = {"web"}
"""Its README sends it thousands of requests."""


def test_every_example_has_histories() -> None:
    """None was forgotten."""
    examples = {path.name for path in EXAMPLES if path.name not in UNRECORDED}

    assert {file.stem.partition("-")[0] for file in FILES} == examples
