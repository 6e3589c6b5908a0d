"""The pure part of replay: positions, summaries, the first difference (lifecycle 11.2)."""

from __future__ import annotations

import pytest

from theater import types
from theater.cgrf import encode
from theater.chain import ChainEvent, event_hash, payload
from theater.replay import (
    DIVERGED,
    Divergence,
    ReplayError,
    ReplayHandler,
    ReplayState,
    ReplaySummary,
    first_difference,
    shorten,
)
from theater.values import U32, List, Option, Record, String, Tuple, Value, Variant


def chain() -> list[ChainEvent]:
    """A call, a host call in it, and its result."""
    one = encode(Tuple((U32(1),)))
    data = (
        ("wasm", payload.call("a:b/c.d", one)),
        ("theater:simple/runtime/log", payload.host_call("theater:simple/runtime", "log", one, encode(U32(7)))),
        ("wasm", payload.result("a:b/c.d", one, one)),
    )
    events, parent = [], None
    for seq, (event_type, each) in enumerate(data):
        digest = event_hash(parent, event_type, each)
        events.append(ChainEvent(seq, 0, 1, event_type, each, parent, digest))
        parent = digest
    return events


def test_a_position_goes_through_the_chain() -> None:
    """Event by event; the output only where there is a host call."""
    state = ReplayState(chain())
    outputs = []
    while not state.is_complete():
        outputs.append(state.current_output())
        state.advance()

    assert outputs == [None, U32(7), None]
    assert (state.current_position(), state.total_events(), state.current_event()) == (3, 3, None)
    assert state.interfaces() == ["theater:simple/runtime"]


def test_hashes_are_compared_at_the_position() -> None:
    """In the words of Theater."""
    events = chain()
    state = ReplayState(events)
    state.verify_hash(events[0].hash)
    with pytest.raises(ReplayError, match=f"Hash mismatch at position 0: expected {events[0].hash.hex()}, got 00"):
        state.verify_hash(bytes(32))
    for _ in events:
        state.advance()
    with pytest.raises(ReplayError, match="No expected event at position 3"):
        state.verify_hash(bytes(32))


def test_the_handler_stands_for_every_interface() -> None:
    """And has none of its own."""
    handler = ReplayHandler(chain())
    handler.state.advance()

    assert (handler.progress(), handler.interfaces(), handler.name) == ((1, 3), [], "replay")


def test_summaries_in_words() -> None:
    """Verified, with mismatches, failed."""
    left = Divergence(index=4, kind="result", event_type="wasm", field="response", expected="1u32", actual="2u32")

    assert str(ReplaySummary.succeeded(5, 5)) == "Replay complete: 5/5 events verified"
    assert str(ReplaySummary.succeeded(5, 3)) == "Replay stopped: 3/5 events verified"
    assert ReplaySummary.with_mismatches(5, 5, 0).success
    assert ReplaySummary.with_mismatches(5, 5, 2).error == "2 hash mismatches detected"
    assert str(ReplaySummary.failure(5, 0, "no such file")) == "Replay failed: no such file"
    assert str(ReplaySummary(5, 4, 1, False, "x", DIVERGED, left)) == (
        "Divergence at event 4 [wasm]: result: response: expected 1u32, got 2u32"
    )


NUMBERS = List(types.U32, (U32(1), U32(2)))


@pytest.mark.parametrize(
    ("expected", "actual", "place"),
    [
        (U32(1), U32(1), None),
        (U32(1), U32(2), "value"),
        (Tuple((U32(1), String("a"))), Tuple((U32(1), String("b"))), "value[1]"),
        (NUMBERS, List(types.U32, (U32(1), U32(3))), "value[1]"),
        (NUMBERS, List(types.U32, (U32(1),)), "value"),
        (Record("r", (("a", U32(1)), ("b", U32(2)))), Record("r", (("a", U32(1)), ("b", U32(3)))), "value.b"),
        (Option(types.U32, U32(1)), Option(types.U32, None), "value"),
        (Variant("v", "x", 0, (U32(1),)), Variant("v", "x", 0, (U32(2),)), "value[0]"),
        (U32(1), String("1"), "value"),
    ],
)
def test_the_first_difference_has_a_place(expected: Value, actual: Value, place: str | None) -> None:
    """Inside values of one shape; the whole where the shapes differ."""
    assert first_difference(expected, actual, "value") == place


def test_long_hashes_are_shortened() -> None:
    """First and last eight digits."""
    assert shorten("0123456789abcdef") == "0123456789abcdef"
    assert shorten("0123456789abcdef0123") == "01234567..cdef0123"
