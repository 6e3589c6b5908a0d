"""The probe, built with each library once."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.kits import clang, rustc

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def c_probe(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    if clang.compiler() is None:
        pytest.skip(clang.MISSING)
    return clang.build(HERE / "probe.c", tmp_path_factory.mktemp("probe") / "probe.wasm").read_bytes()


@pytest.fixture(scope="session")
def rust_probe(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    if rustc.compiler() is None:
        pytest.skip(rustc.MISSING)
    return rustc.build(HERE / "probe.rs", tmp_path_factory.mktemp("probe") / "probe.wasm").read_bytes()
