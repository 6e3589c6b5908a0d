"""Strict replay: a guest driven along its record, and every way to leave it (lifecycle 11.3)."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest

from tests.system import guests
from tests.worker.enginekit import compiled, engine, ticking
from theater import cgrf, replay, types
from theater.actor import ActorOptions
from theater.chain import ChainEvent, event_hash, payload
from theater.values import U32, UNIT, Option, String, Tuple, Value, unit
from worker.engine.clock import GuestClock
from worker.engine.contract import INIT
from worker.engine.pack import PackDoor
from worker.replaying import Replayer

API = guests.API
RUNTIME = "theater:simple/runtime"
OPTIONS = ActorOptions(call_deadline_ms=60_000)
PACKAGE = hashlib.sha256(guests.counter()).hexdigest()


class Tape:
    """A chain being recorded by hand."""

    def __init__(self) -> None:
        self.events: list[ChainEvent] = []

    def put(self, event_type: str, data: bytes) -> Tape:
        parent = self.events[-1].hash if self.events else None
        digest = event_hash(parent, event_type, data)
        self.events.append(ChainEvent(len(self.events), 0, 1, event_type, data, parent, digest))
        return self

    def begins(self, package: str = PACKAGE) -> Tape:
        """Genesis and init: the counter begins at 0."""
        self.put("genesis", payload.genesis(package, "pack-2", "", b""))
        return self.calls(INIT).returns(INIT, 0, UNIT)

    def begins_again(self, state: int) -> Tape:
        """A later incarnation that goes on from a state."""
        return self.put("incarnation", payload.incarnation(2, PACKAGE, "pack-2", "", enc(U32(state)), None, "last"))

    def calls(self, function: str, *params: Value) -> Tape:
        return self.put("wasm", payload.call(function, enc(Tuple(params))))

    def returns(self, function: str, state: int, response: Value, full: bool = False) -> Tape:
        build = payload.result_full if full else payload.result
        return self.put("wasm", build(function, enc(U32(state)), enc(response)))

    def fails(self, function: str, message: str) -> Tape:
        return self.put("wasm", payload.error(function, message))

    def asks(self, function: str, given: Value, answer: Value) -> Tape:
        return self.put(f"{RUNTIME}/{function}", payload.host_call(RUNTIME, function, enc(given), enc(answer)))

    def bump(self, by: int, total: int, **how: Any) -> Tape:
        return self.calls(f"{API}.bump", U32(by)).returns(f"{API}.bump", total, U32(total), **how)


def enc(value: Value) -> bytes:
    return cgrf.encode(value)


def play(tape: Tape, **how: Any) -> tuple[replay.ReplaySummary, Replayer]:
    """Replay with the test counter."""
    clock = GuestClock(engine())
    replayer = Replayer(doors(clock), tape.events, OPTIONS, package=PACKAGE, **how)
    with ticking(clock):
        return replayer.run(), replayer


def doors(clock: GuestClock) -> Any:
    """What makes an instance of the test counter."""

    def door(answers: Any) -> PackDoor:
        module = compiled(guests.counter())
        return PackDoor.load(
            engine(), module, options=OPTIONS, grants={}, answers=answers, clock=clock, is_replay=True
        )

    return door


def diverged(tape: Tape, **how: Any) -> replay.Divergence:
    summary, _ = play(tape, **how)
    assert (summary.status, summary.success) == (replay.DIVERGED, False)
    assert summary.divergence is not None
    return summary.divergence


LOGGED = String("hello from the guest")


def test_a_whole_life_is_verified() -> None:
    """Calls, host calls, states by digest and by value, a shutdown: nothing differs."""
    tape = Tape().begins().bump(2, 2).bump(3, 5, full=True)
    tape.calls(f"{API}.log").asks("log", LOGGED, unit()).returns(f"{API}.log", 7, UNIT).bump(1, 8)
    tape.put("shutdown", payload.shutdown({"kind": "stopped", "by": "x"}))
    summary, replayer = play(tape)

    assert summary.success, summary
    assert (summary.events_replayed, replayer.state) == (len(tape.events), enc(U32(8)))


def test_calls_and_errors_are_verified() -> None:
    """The counter goes on after it has declined."""
    tape = Tape().begins().bump(2, 2).calls(f"{API}.fail").fails(f"{API}.fail", "refused").bump(1, 3)
    summary, replayer = play(tape)

    assert str(summary) == f"Replay complete: {len(tape.events)}/{len(tape.events)} events verified"
    assert replayer.state == enc(U32(3))


def test_a_trap_is_reproduced() -> None:
    """And the next incarnation begins with an instance of its own."""
    tape = Tape().begins().calls(f"{API}.trap")
    tape.fails(f"{API}.trap", "wasm trap: wasm `unreachable` instruction executed").begins_again(7).bump(1, 8)
    summary, replayer = play(tape)

    assert summary.success, summary
    assert replayer.state == enc(U32(8))


def test_a_deadline_is_reproduced_without_waiting_for_it() -> None:
    """It ran a minute then; nobody waits for that again."""
    tape = Tape().begins().calls(f"{API}.spin")
    tape.fails(f"{API}.spin", "deadline of 60000 ms of computing time exceeded")

    assert play(tape)[0].success


def test_a_kill_in_the_middle_of_a_call_is_no_divergence() -> None:
    """Nothing of it was committed."""
    tape = Tape().begins().bump(1, 1).calls(f"{API}.spin").begins_again(1).bump(1, 2).calls(f"{API}.bump", U32(1))
    summary, replayer = play(tape)

    assert summary.success, summary
    assert replayer.state == enc(U32(2))
    assert replayer.call_in_progress == f"{API}.bump"


def test_another_response_is_named_by_its_place() -> None:
    """The record says 4, the guest says 3."""
    tape = Tape().begins().calls(f"{API}.bump", U32(3)).returns(f"{API}.bump", 3, U32(4))
    left = diverged(tape)

    assert (left.index, left.kind, left.expected, left.actual) == (4, replay.RESULT, "4u32", "3u32")
    assert left.field.startswith("response")


@pytest.mark.parametrize("full", [False, True], ids=["digest", "value"])
def test_another_state_is_found(full: bool) -> None:
    """Whether the chain holds states or their digests."""
    tape = Tape().begins().calls(f"{API}.bump", U32(3)).returns(f"{API}.bump", 4, U32(3), full=full)

    assert diverged(tape).kind == replay.STATE


def test_an_error_where_the_record_has_none() -> None:
    """The other way round, too."""
    assert diverged(Tape().begins().calls(f"{API}.fail").returns(f"{API}.fail", 0, UNIT)).kind == replay.RESULT
    assert diverged(Tape().begins().calls(f"{API}.bump", U32(1)).fails(f"{API}.bump", "no")).kind == replay.ERROR


def test_other_words_of_an_error() -> None:
    """A divergence after which debug mode goes on."""
    tape = Tape().begins().calls(f"{API}.fail").fails(f"{API}.fail", "not refused").bump(1, 1)
    summary, _ = play(tape, stop_on_divergence=False)

    assert diverged(tape).kind == replay.ERROR
    assert (summary.mismatches, summary.events_replayed) == (1, len(tape.events))


def test_a_host_call_with_another_input() -> None:
    """Inputs are compared; the place of the first difference is named."""
    tape = Tape().begins().calls(f"{API}.log").asks("log", String("other"), unit())

    left = diverged(tape)
    assert (left.kind, left.index) == (replay.INPUT, 4)
    assert "hello from the guest" in left.actual


def test_another_host_call_than_recorded() -> None:
    """Nothing is skipped to find one that fits."""
    tape = Tape().begins().calls(f"{API}.log").asks("shutdown", Option(types.List(types.U8), None), unit())
    tape.asks("log", LOGGED, unit())

    left = diverged(tape)
    assert left.kind == replay.UNEXPECTED_CALL
    assert "runtime.shutdown" in left.expected
    assert "runtime.log" in left.actual


def test_a_host_call_that_does_not_come() -> None:
    """The record goes on, the guest has returned."""
    tape = Tape().begins().calls(f"{API}.bump", U32(1)).asks("log", LOGGED, unit())

    assert diverged(tape).kind == replay.MISSING_EVENT


def test_a_result_without_a_call() -> None:
    """Where a call must come."""
    assert diverged(Tape().begins().returns(f"{API}.bump", 1, U32(1))).kind == replay.MISSING_CALL


def test_another_package_is_not_even_begun() -> None:
    """Unless forced (package None)."""
    summary, _ = play(Tape().begins(package="0" * 64))

    assert (summary.status, summary.events_replayed) == (replay.INCOMPATIBLE, 0)
    assert "wrong_package" in str(summary)


def test_it_tells_how_far_it_is() -> None:
    """Every thousand events or so, with the total."""
    tape = Tape().begins()
    for number in range(1, 1201):
        tape.bump(1, number)
    told: list[tuple[int, int]] = []
    play(tape, progress=lambda done, total: told.append((done, total)))

    assert [total for _, total in told] == [2403, 2403]
    assert [done // 1000 for done, _ in told] == [1, 2]


def test_it_can_be_stopped() -> None:
    """Between two calls; what was verified is told."""
    replayer = Replayer(doors(GuestClock(engine())), Tape().begins().bump(1, 1).events, OPTIONS)
    replayer.stop()
    summary = replayer.run()

    assert (summary.status, summary.events_replayed) == (replay.STOPPED, 0)
