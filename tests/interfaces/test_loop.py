"""``theater:simple/loop``: turns follow one another, and what ends them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.interfaces.local import Calls, calls
from theater import cgrf, types
from theater.grants import LOOP
from theater.values import U32, UNIT, List, Result, String, Tuple, Value, Variant, bytes_of
from worker.interfaces.loop import TURN
from worker.machine_notices import Declined, Rejected, Returned

NEXT = bytes_of(b"next")
ODD = "expected ok(list<u8>) or err(string) from theater:simple/loop-client.loop, got "


@pytest.fixture
def loop() -> Iterator[Calls]:
    with calls(LOOP) as made:
        yield made


def returned(value: Value) -> Returned:
    return Returned(cgrf.encode(value))


def go_on(data: Value = NEXT) -> Returned:
    return returned(Variant("turn", "ok", 0, (data,)))


def take_turn(loop: Calls, notice: Any = None) -> Any:
    """The bytes of the one turn that waits, which then ends like this; None if it is not wanted."""
    context = loop.context
    [(function, params)], [then], [wanted] = context.delivered, context.thens, context.wanteds
    assert function == TURN
    for each in (context.delivered, context.thens, context.wanteds):
        each.clear()
    if not wanted():
        return None
    then(go_on() if notice is None else notice)
    return params[0].items


def test_turns_follow_one_another(loop: Calls) -> None:
    """Each with what the one before gave."""
    assert loop.ok("start-loop", bytes_of(b"first")) == UNIT
    assert take_turn(loop, go_on(bytes_of(b"second"))) == b"first"
    assert take_turn(loop, go_on(bytes_of(b""))) == b"second"
    assert take_turn(loop) == b""


@pytest.mark.parametrize(
    "answer",
    [
        Variant("turn", "ok", 0, (NEXT,)),
        Variant("", "", 0, (NEXT,)),
        Result(types.BYTES, types.STRING, True, NEXT),
        Tuple((Variant("turn", "ok", 0, (NEXT,)),)),
        Tuple((Result(types.BYTES, types.STRING, True, NEXT),)),
    ],
)
def test_forms_of_going_on(loop: Calls, answer: Value) -> None:
    """A variant or a result, bare or in a 1-tuple (pack-abi 9.3)."""
    loop.ok("start-loop", bytes_of(b""))
    take_turn(loop, returned(answer))

    assert take_turn(loop) == b"next"


@pytest.mark.parametrize(
    ("notice", "why"),
    [
        (returned(Variant("turn", "err", 1, (String("done"),))), "done"),
        (returned(Result(types.BYTES, types.STRING, False, String("done"))), "done"),
        (returned(Tuple((Result(types.BYTES, types.STRING, False, String("done")),))), "done"),
        (Declined("no"), "no"),
        (Rejected("function_not_found", (TURN,)), "Function not found"),
        (Returned(), ODD + "()"),
        (returned(UNIT), ODD + "()"),
        (returned(U32(7)), ODD + "7u32"),
        (returned(Variant("turn", "ok", 0, (String("x"),))), ODD + "turn::ok"),
        (returned(Variant("turn", "ok", 0)), ODD + "turn::ok"),
        (returned(Variant("turn", "err", 1, (NEXT,))), ODD + "turn::err"),
        (returned(Result(types.BYTES, types.STRING, True, List(types.U32, (1,)))), ODD),
    ],
)
def test_ends(loop: Calls, notice: Any, why: str) -> None:
    """The log says why; another loop may begin."""
    loop.ok("start-loop", bytes_of(b""))
    take_turn(loop, notice)

    [(level, line)] = loop.context.logged
    assert level == "warning" and line.startswith(f"the loop has ended: {why}")
    assert loop.context.delivered == []
    assert loop.refused("stop-loop", UNIT) == "no loop is running"
    assert loop.ok("start-loop", bytes_of(b"")) == UNIT


def test_one_loop_at_a_time(loop: Calls) -> None:
    """The second is refused and changes nothing."""
    loop.ok("start-loop", bytes_of(b"one"))

    assert loop.refused("start-loop", bytes_of(b"two")) == "the loop is running already"
    assert take_turn(loop) == b"one"


def test_a_stopped_loop_takes_no_turn(loop: Calls) -> None:
    """Not the one that waits; and no line is written: it was wanted."""
    loop.ok("start-loop", bytes_of(b""))
    assert loop.ok("stop-loop", UNIT) == UNIT

    assert take_turn(loop) is None
    assert loop.context.logged == []


def test_stopped_and_started_in_one_turn(loop: Calls) -> None:
    """What that turn gives belongs to the loop that was stopped."""
    loop.ok("start-loop", bytes_of(b"one"))
    then = loop.context.thens[0]
    loop.ok("stop-loop", UNIT)
    loop.ok("start-loop", bytes_of(b"two"))
    then(go_on(bytes_of(b"of the first")))

    assert [params[0].items for _, params in loop.context.delivered] == [b"one", b"two"]
    assert [wanted() for wanted in loop.context.wanteds] == [False, True]


def test_pause() -> None:
    """The grant may ask for time between two turns; the first comes at once."""
    with calls(LOOP, pause_ms_min=1000) as loop:
        loop.ok("start-loop", bytes_of(b"one"))
        assert take_turn(loop) == b"one"
        loop.context.alarms.ring(time.monotonic_ns())
        assert loop.context.delivered == []

        loop.context.alarms.ring(time.monotonic_ns() + 2_000_000_000)
        assert take_turn(loop) == b"next"


def test_stopped_in_a_pause() -> None:
    """The alarm rings for nobody."""
    with calls(LOOP, pause_ms_min=1000) as loop:
        loop.ok("start-loop", bytes_of(b"one"))
        take_turn(loop)
        loop.ok("stop-loop", UNIT)
        loop.context.alarms.ring(time.monotonic_ns() + 2_000_000_000)

        assert loop.context.delivered == []
