"""The committed guests of the system tests are what their sources build."""

from __future__ import annotations

from pathlib import Path

import pytest

from supervisor.kits import clang
from tests.guests.committed import SOURCES, is_committed_compiler


@pytest.mark.skipif(not is_committed_compiler(), reason=f"needs ziglang {clang.ZIGLANG}, which built the modules")
@pytest.mark.parametrize("source", SOURCES, ids=lambda it: f"{it.parent.name}/{it.stem}")
def test_the_guest_is_what_its_source_builds(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Byte for byte, with the compiler that built it, and without a warning."""
    built = clang.build(source, tmp_path / "built.wasm")

    assert capsys.readouterr().err == ""
    assert built.read_bytes() == source.with_suffix(".wasm").read_bytes()


def test_there_are_guests() -> None:
    """None was lost on the way to its tests."""
    assert {"child", "pair", "parent", "porter", "ring", "talker"} <= {it.stem for it in SOURCES}
