"""What is refused before anything of a guest runs (pack-abi 3.3)."""

from __future__ import annotations

import pytest

from tests.guests import wat
from tests.guests.pack import u32
from tests.worker.enginekit import compiled, load
from worker.engine import module
from worker.engine.errors import StartError

GOOD = [wat.starts(u32(0))]


def refusals(package: bytes | str) -> list[str]:
    return module.refusals(module.shape(compiled(package)))


def test_a_plain_actor_is_accepted() -> None:
    """An exported memory and the two allocator functions are all it takes."""
    assert refusals(wat.build(GOOD)) == []


def test_composite_member_is_refused() -> None:
    """An imported memory marks a member of a composite (E3); the text says what to do."""
    [problem] = refusals(wat.build(GOOD, memory="imported"))

    assert problem.startswith("imports env.memory: this is a member of a composite (packr 0.8 to 0.10), not an actor")


def test_every_member_import_is_named() -> None:
    """``env.__memory_base`` and ``pack:alloc`` are members' imports too."""
    text = """(module
      (import "env" "__memory_base" (global i32))
      (import "pack:alloc" "alloc" (func (param i32 i32) (result i32))))"""
    [problem] = refusals(text)

    assert "env.__memory_base, pack:alloc.alloc" in problem


def test_missing_memory() -> None:
    """A memory that is not exported is of no use to the host."""
    assert refusals(wat.build(GOOD, memory="private")) == [
        "exports no memory: expected an exported 32-bit memory named 'memory'"
    ]


def test_64_bit_memory() -> None:
    """Addresses of the ABI are 32 bits wide."""
    text = """(module (memory (export "memory") i64 1)
      (func (export "__pack_alloc") (param i32) (result i32) (i32.const 0))
      (func (export "__pack_free") (param i32 i32)))"""

    assert refusals(text) == ["exports no memory: expected an exported 32-bit memory named 'memory', found memory64"]


def test_missing_allocator() -> None:
    """The message names both functions and the likely reason."""
    [problem] = refusals(wat.build(GOOD, alloc="absent", free=False))

    assert problem.startswith("exports no __pack_alloc and no __pack_free (a guest of before packr 0.2")


def test_missing_free() -> None:
    """An allocator without a way to give back is not enough."""
    assert refusals(wat.build(GOOD, free=False)) == ["exports no __pack_free"]


def test_allocator_of_another_type() -> None:
    """Types are compared before anything is called."""
    text = """(module (memory (export "memory") 1)
      (func (export "__pack_alloc") (param i64) (result i32) (i32.const 0))
      (func (export "__pack_free") (param i32 i32)))"""

    assert refusals(text) == ["export __pack_alloc is (i64) -> i32, expected (i32) -> i32"]


def test_import_of_another_type() -> None:
    """A host function has one core type only."""
    text = wat.source(GOOD, extra_imports='(import "host" "log" (func (param i32 i32)))')

    assert refusals(text) == ["import host.log is (i32, i32) -> (), expected a function (i32, i32, i32, i32) -> i32"]


def test_import_that_is_no_function() -> None:
    """Globals and tables cannot be granted."""
    text = wat.source(GOOD, extra_imports='(import "theater:simple/runtime" "log" (global i32))')

    assert refusals(text) == [
        "import theater:simple/runtime.log is global, expected a function (i32, i32, i32, i32) -> i32"
    ]


def test_a_refusal_fails_the_step_link() -> None:
    """A start reports every refusal at once, under the step that found them."""
    with pytest.raises(StartError) as caught:
        load(wat.build(GOOD, alloc="absent", memory="private"))

    assert caught.value.step == "link"
    assert "no memory" in caught.value.text
    assert "__pack_alloc" in caught.value.text


def test_bare_function_of_a_library_package() -> None:
    """``math.double`` is served by an export ``double`` where there is no ``math.double``."""
    shape = module.Shape((), {"double": module.INTERFACE_TYPE})

    assert shape.function("math.double") == "double"
    assert shape.function("math.triple") is None
