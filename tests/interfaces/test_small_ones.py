"""The interfaces of a few lines each: random, timing, environment, assembler."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
import wasmtime

from tests.interfaces.local import Calls, calls, is_uuid
from theater import types
from theater.grants import ASSEMBLER, ENVIRONMENT, RANDOM, TIMING
from theater.values import U32, U64, UNIT, Bool, List, Option, String

SMALL: dict[str, dict[str, Any]] = {
    RANDOM: {"bytes_max": 100},
    TIMING: {"sleep_ms_max": 3},
    ENVIRONMENT: {"variables": {"A": "1", "EMPTY": ""}},
    ASSEMBLER: {"source_bytes_max": 1000},
}


@pytest.fixture
def of() -> Iterator[Any]:
    """Calls of an interface under the options above."""
    made: list[Calls] = []

    def one(interface: str) -> Calls:
        made.append(Calls(interface, **SMALL[interface]))
        return made[-1]

    yield one
    for each in made:
        each.context.close()


# -- random ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 1, 100])
def test_bytes(of: Any, count: int) -> None:
    """As many as were asked for."""
    answer = of(RANDOM).ok("bytes", U32(count))

    assert (answer.element, len(answer.items)) == (types.U8, count)


@pytest.mark.parametrize("count", [101, 2**32 - 1])
def test_too_many_bytes(of: Any, count: int) -> None:
    """The grant's limit holds."""
    assert of(RANDOM).refused("bytes", U32(count)) == f"expected at most 100 bytes, got {count}"


def test_chance_is_not_the_same_twice(of: Any) -> None:
    """Nor in two processes: it comes from the operating system."""
    random = of(RANDOM)

    assert random.ok("bytes", U32(32)) != random.ok("bytes", U32(32))
    assert len({random("u64", UNIT) for _ in range(10)}) == 10
    assert len({random("uuid", UNIT) for _ in range(10)}) == 10


def test_range(of: Any) -> None:
    """The lower end belongs to it, the upper one does not."""
    random = of(RANDOM)

    assert {random.ok("range", U64(3), U64(6)).value for _ in range(200)} == {3, 4, 5}
    assert random.ok("range", U64(2**64 - 2), U64(2**64 - 1)) == U64(2**64 - 2)


@pytest.mark.parametrize(("low", "high"), [(3, 3), (4, 3), (2**64 - 1, 0)])
def test_empty_range(of: Any, low: int, high: int) -> None:
    """There is no number to give."""
    assert of(RANDOM).refused("range", U64(low), U64(high)) == f"expected low below high, got {low} and {high}"


def test_uuid(of: Any) -> None:
    """Version 4, lower case."""
    assert is_uuid(of(RANDOM)("uuid", UNIT).value)


# -- timing ------------------------------------------------------------------------------------------------------------


def test_clocks(of: Any) -> None:
    """Both in nanoseconds."""
    timing = of(TIMING)
    before = time.time_ns(), time.monotonic_ns()
    day, steady = timing("now", UNIT).value, timing("monotonic", UNIT).value

    assert before[0] <= day <= time.time_ns()
    assert before[1] <= steady <= time.monotonic_ns()


def test_sleep(of: Any) -> None:
    """Not shorter than asked for."""
    before = time.monotonic_ns()

    assert of(TIMING).ok("sleep", U64(3)) == UNIT
    assert time.monotonic_ns() - before >= 3_000_000


@pytest.mark.parametrize("ms", [4, 2**32, 2**64 - 1])
def test_too_long_a_sleep(of: Any, ms: int) -> None:
    """Refused, not shortened."""
    assert of(TIMING).refused("sleep", U64(ms)) == f"expected at most 3 ms, got {ms}"


def test_a_stop_wakes_the_sleeper() -> None:
    """With an error, so that the guest can return (L5.3); however long the grant lets it sleep."""
    with calls(TIMING, sleep_ms_max=2**32 - 1) as timing:
        threading.Timer(0.05, timing.context.asks.release).start()

        assert timing.refused("sleep", U64(2**32 - 1)) == "shutting-down"


def test_nobody_sleeps_once_the_actor_stops() -> None:
    """The stop came before."""
    with calls(TIMING) as timing:
        timing.context.asks.release()

        assert timing.refused("sleep", U64(60_000)) == "shutting-down"


# -- environment -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text"), [("A", "1"), ("EMPTY", ""), ("B", None), ("a", None), ("", None), ("PATH", None), ("HOME", None)]
)
def test_variables(of: Any, name: str, text: str | None) -> None:
    """Those of the grant; those of the host are not there."""
    environment = of(ENVIRONMENT)

    assert environment("get", String(name)) == Option(types.STRING, None if text is None else String(text))
    assert environment("exists", String(name)) == Bool(text is not None)


def test_names_of_variables(of: Any) -> None:
    """Sorted."""
    assert of(ENVIRONMENT)("list", UNIT) == List(types.STRING, (String("A"), String("EMPTY")))


def test_no_variables() -> None:
    """A grant without options has none."""
    with calls(ENVIRONMENT) as environment:
        assert environment("list", UNIT) == List(types.STRING, ())
        assert environment("get", String("PATH")) == Option(types.STRING)


# -- assembler ---------------------------------------------------------------------------------------------------------


def test_wat_to_wasm(of: Any) -> None:
    """What the engine's own assembler makes of it."""
    text = '(module (func (export "f") (result i32) (i32.const 7)))'

    assert of(ASSEMBLER).ok("wat-to-wasm", String(text)).items == bytes(wasmtime.wat2wasm(text))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "expected at least one module field"),
        ("(module", "expected `)`"),
        ("(mod\0ule)", "expected valid module field"),
        ("\u00e9", "unexpected character"),
        ("(" * 900, "expected"),
        ("x" * 1001, "expected a text of at most 1000 bytes, got 1001"),
        ("\u00e9" * 501, "expected a text of at most 1000 bytes, got 1002"),
    ],
)
def test_wrong_texts(of: Any, text: str, why: str) -> None:
    """The assembler's words reach the guest."""
    assert why in of(ASSEMBLER).refused("wat-to-wasm", String(text))


def test_deep_texts_do_no_harm() -> None:
    """A text of the largest size, nested as deeply as it goes, ends in an answer."""
    deep = "(module (func " + "(block " * 120_000 + ")" * 120_000 + "))"
    with calls(ASSEMBLER, source_bytes_max=1 << 20) as assembler:
        assert assembler("wat-to-wasm", String(deep)) is not None
