"""What a worker has really recorded replays, however its calls ended: no end is taken for a divergence."""

from __future__ import annotations

import threading
import time

import pytest

from tests.replay.recording import Life, replayed, replayer_of
from tests.worker.enginekit import ticking
from theater import cgrf, replay
from theater.chain import payload, payloads
from theater.values import U64, Record, String, Tuple, bytes_of
from worker import replay_spans
from worker.engine import contract
from worker.engine.contract import INIT
from worker.engine.errors import DEADLINE

NOTHING = cgrf.encode(Tuple(()))


@pytest.mark.parametrize("has_times", [True, False], ids=["with times", "without times"])
def test_a_deadline_in_a_loop_of_host_calls(has_times: bool) -> None:
    """How far the guest came in its time is the machine's affair; the record says it, fast machine or slow."""
    life = Life(call_deadline_ms=100)
    life.has_times = has_times
    assert life.call("chatter").kind == DEADLINE
    summary = replayed(life)

    assert summary.success, summary
    assert summary.events_replayed == len(life.chain)


@pytest.mark.parametrize("is_killed", [False, True], ids=["deadline", "killed"])
def test_a_host_call_after_long_computing(is_killed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time given to a call that did not end by itself counts from the last thing that is recorded of it."""
    monkeypatch.setattr(replay_spans, "CUT_SHORT_MS", 30)
    life = Life()
    life.call("slow")
    taken_ms = (life.chain[-1].time_ns - life.chain[-2].time_ns) // 1_000_000
    assert taken_ms > 60
    assert life.call("late", deadline_ms=3 * taken_ms).kind == DEADLINE
    assert life.chain[-2].event_type == "theater:simple/runtime/log"

    summary = replayed(life, life.chain[:-1] if is_killed else None)
    assert summary.success, summary


def test_a_call_that_was_given_more_time_than_the_actor_has() -> None:
    """A caller may do so; the chain does not hold how much, but how long it took."""
    life = Life(call_deadline_ms=100)
    life.call("slow", deadline_ms=60_000)
    assert isinstance(payloads.read(life.chain[-1].data), payloads.Result)

    summary = replayed(life)
    assert summary.success, summary


def test_a_host_function_that_failed() -> None:
    """With the very words, though nothing is executed that could fail."""
    life = Life()

    def log(level: str, message: str) -> None:
        raise ValueError("no room: disk full")

    life.log = log  # type: ignore[method-assign]
    assert life.call("log").text.startswith("host function theater:simple/runtime.log failed")

    summary = replayed(life)
    assert summary.success, summary


def test_a_refused_host_call_with_a_note_on_memory() -> None:
    """The note is part of the recorded words and is not added twice."""
    life = Life(memory_bytes=1 << 20)
    assert life.call("misuse").text.endswith("bytes reached)")

    summary = replayed(life)
    assert summary.success, summary


def test_a_life_that_was_rebuilt_goes_on_in_the_same_instance() -> None:
    """``recover: replay`` went live with the instance it had rebuilt: what that had in its memory counts on."""
    life = Life()
    for _ in range(3):
        life.call("count")
    life.begin_again("replay", same_instance=True)
    life.call("count")

    summary = replayed(life)
    assert summary.success, summary


@pytest.mark.parametrize("recovered", ["initial", "last"])
def test_any_other_life_begins_in_an_instance_of_its_own(recovered: str) -> None:
    """Nothing of the earlier memory is left."""
    life = Life()
    life.call("count")
    life.begin_again(recovered)
    life.call("count")

    assert replayed(life).success


def test_a_life_rebuilt_after_a_kill_in_a_call_has_a_new_instance() -> None:
    """As the worker did then: what lived through half a call was of no use."""
    life = Life()
    life.call("count")
    life.put("wasm", payload.call("test:odd/api.spin", NOTHING))
    life.begin_again("replay")
    life.call("count")

    assert replayed(life).success


def test_lives_that_were_refused_are_no_part_of_those_before_and_after() -> None:
    """A call that had no end ends there, also within a host call; what comes later goes on as ever."""
    refused = payload.runtime(payload.START_REFUSED, String("not granted"))
    life = Life()
    life.call("count")
    life.put("wasm", payload.call("test:odd/api.log", NOTHING))
    life.put(payloads.START_REFUSED, refused)
    life.put(payloads.START_REFUSED, refused)
    life.begin_again("last")
    life.call("count")

    assert replayed(life).success


def test_a_chain_may_begin_with_a_refusal() -> None:
    """The first life that is recorded has its beginning, if not a genesis."""
    life = Life()
    del life.chain[:]
    life.put(payloads.START_REFUSED, payload.runtime(payload.START_REFUSED, String("not granted")))
    life.state = contract.NO_STATE
    life.begin_again("initial")
    life.call(INIT)
    life.call("count")

    assert replayed(life).success


def test_a_chain_that_begins_in_the_middle_is_refused() -> None:
    """Not replayed from a state it never had: that would look like a divergence."""
    life = Life()
    for _ in range(3):
        life.call("count")
    summary = replayed(life, life.chain[5:])

    assert summary.status == replay.INCOMPATIBLE
    assert "begins in the middle, with event 5" in str(summary)
    assert "--state" in str(summary)


def test_another_binary_interface_is_refused() -> None:
    """Before anything runs."""
    life = Life()
    life.chain.clear()
    life.put("genesis", payload.genesis(life.digest, "pack-9", "", b""))

    assert "pack-9" in str(replayed(life))


def test_a_callback_with_a_childs_event_is_refused_with_the_reason() -> None:
    """Which event, whose, and what to do about it."""
    life = Life()
    name = "theater:simple/supervisor-handlers.handle-child-event"
    reference = Record("event-ref", (("seq", U64(4)), ("hash", bytes_of(b"h" * 32))))
    life.put("wasm", payload.call(name, cgrf.encode(Tuple((String("kid"), reference)))))
    said = str(replayed(life))

    assert 'event 3: theater:simple/supervisor-handlers.handle-child-event was given an event of child "kid"' in said
    assert "--chain FILE" in said


def test_it_stops_in_the_middle_of_a_call() -> None:
    """The guest is interrupted; nobody waits for its deadline."""
    life = Life()
    life.put("wasm", payload.call("test:odd/api.spin", NOTHING))
    life.put("wasm", payload.result("test:odd/api.spin", life.state, NOTHING))
    replayer, clock = replayer_of(life)
    stopping = threading.Timer(0.2, replayer.stop)
    began = time.monotonic()
    stopping.start()
    with ticking(clock, 0.01):
        summary = replayer.run()
    stopping.join()

    assert (summary.status, summary.events_replayed) == (replay.STOPPED, 4)
    assert time.monotonic() - began < 10
