"""The committed modules of the examples are what their sources build, and declare what they import and export."""

from __future__ import annotations

from pathlib import Path

import pytest
import wasmtime

from supervisor.kits import clang
from tests.guests.committed import is_committed_compiler
from tests.guests.host import Guest
from theater import interfaces, metadata

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "examples").glob("*/*.c"))
ABI = {"memory", "__pack_alloc", "__pack_free", "__pack_types"}
BYTES_MAX = 24_576

examples = pytest.mark.parametrize("source", SOURCES, ids=lambda it: f"{it.parent.name}/{it.stem}")


def test_there_are_guests() -> None:
    """Every example directory has a guest."""
    assert {"hello", "counter", "bank", "nested", "dynamic", "desk", "web"} == {it.parent.name for it in SOURCES}


@examples
def test_committed_module_is_what_the_source_builds(source: Path, tmp_path: Path) -> None:
    """Byte for byte with the same compiler; with another one it declares the same."""
    if clang.compiler() is None:
        pytest.skip(clang.MISSING)
    output = clang.build(source, tmp_path / "built.wasm")
    built, committed = output.read_bytes(), source.with_suffix(".wasm").read_bytes()

    assert Guest(built).types() == Guest(committed).types()
    if is_committed_compiler():
        assert built == committed, f"run: theater build {source.relative_to(ROOT)}"


@examples
def test_module_is_small(source: Path) -> None:
    """A guest is a few kilobytes."""
    assert source.with_suffix(".wasm").stat().st_size <= BYTES_MAX


@examples
def test_description_names_exactly_what_is_there(source: Path) -> None:
    """Every import and export of the module is in its metadata, and nothing else."""
    wasm = source.with_suffix(".wasm").read_bytes()
    module = wasmtime.Module(wasmtime.Engine(), wasm)
    declared = metadata.decode(Guest(wasm).types())

    assert {str(it.name) for it in module.exports} - ABI == {it.full_name for it in declared.exports}
    assert {f"{it.module}.{it.name}" for it in module.imports} == {it.full_name for it in declared.imports}
    assert declared.export("theater:simple/actor.init") is not None


@examples
def test_hashes_are_those_of_the_declared_functions(source: Path) -> None:
    """The strict check of pack-abi §8 passes: the hashes the guest computed are those of its declarations."""
    declared = metadata.decode(Guest(source.with_suffix(".wasm").read_bytes()).types())

    for hashes, functions in (
        (declared.import_hashes, declared.imports),
        (declared.export_hashes, declared.exports),
    ):
        names = {it.interface for it in functions}
        expected = {
            name: interfaces.interface_hash(name, {it.name: it.signature for it in functions if it.interface == name})
            for name in names
        }
        assert expected == hashes


@examples
def test_source_is_read_without_a_repository(source: Path) -> None:
    """A guest includes the kit by its plain name, so that copying source and kit is enough."""
    assert '#include "theater.h"' in source.read_text(encoding="utf-8")
