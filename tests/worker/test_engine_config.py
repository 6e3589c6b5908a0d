"""One configuration for compiler, template and worker; no threads, no weight where it is not wanted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.worker.enginekit import compiled, engine
from worker.engine import config, doors
from worker.engine.clock import ticks
from worker.engine.errors import StartError


def run(code: str) -> str:
    """What a fresh interpreter prints."""
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout


def test_no_threads() -> None:
    """Engine, compilation, instantiation and calls start no thread: a template may fork at any time."""
    code = """
import os, wasmtime
from worker.engine import config, raw
engine = config.make_engine()
assert raw.unusable(engine) is None
module = wasmtime.Module(engine, '(module (func (export "f")))')
store = wasmtime.Store(engine)
store.set_epoch_deadline(1)
wasmtime.Instance(store, module, []).exports(store)["f"](store)
print(len(os.listdir("/proc/self/task")))
"""

    assert run(code).strip() == "1"


def test_package_imports_are_light() -> None:
    """Importing ``worker`` or one of its packages does not load the engine."""
    code = """
import sys
import worker, worker.engine, worker.engine.errors, worker.interfaces
print("wasmtime" in sys.modules)
"""

    assert run(code).strip() == "False"


def test_worker_side_stays_within_its_imports() -> None:
    """The engine needs neither asyncio nor structlog nor the supervisor."""
    code = """
import sys
import worker.engine.pack, worker.engine.raw, worker.engine.stock, worker.interfaces.registry
from worker.interfaces import registry
registry.known()
print([name for name in ("asyncio", "structlog", "supervisor", "theater.convert", "yaml") if name in sys.modules])
"""

    assert run(code).strip() == "[]"


def test_fingerprint_names_every_knob() -> None:
    """Artefacts of another configuration never meet ours."""
    for name, value in config.KNOBS:
        assert f"{name}={value}" in config.fingerprint()


def test_artefact_round_trip(tmp_path: Path) -> None:
    """What one engine serializes another of the same configuration maps."""
    file = tmp_path / "m.cwasm"
    file.write_bytes(compiled('(module (func (export "f")))').serialize())

    assert [item.name for item in doors.load_artefact(config.make_engine(), str(file)).exports] == ["f"]


@pytest.mark.parametrize("content", [b"", b"\0asm\x01\0\0\0", b"garbage" * 100])
def test_foreign_artefact(tmp_path: Path, content: bytes) -> None:
    """Anything else is a failed step, naming the file."""
    file = tmp_path / "m.cwasm"
    file.write_bytes(content)
    with pytest.raises(StartError) as caught:
        doors.load_artefact(engine(), str(file))

    assert caught.value.step == "compile"
    assert caught.value.text.startswith(f"{file}: not a compiled artefact of this engine: ")


@pytest.mark.parametrize(
    ("milliseconds", "expected"), [(None, None), (0, 1), (1, 1), (10, 1), (11, 2), (300_000, 30_000)]
)
def test_ticks(milliseconds: int | None, expected: int | None) -> None:
    """Times become whole ticks, rounded up, at least one."""
    assert ticks(milliseconds) == expected
