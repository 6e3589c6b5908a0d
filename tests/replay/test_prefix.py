"""A replay up to any event has the state of a run that was over by then."""

from __future__ import annotations

from typing import Any

from tests.replay.recording import Life, replayer_of
from tests.worker.enginekit import ticking
from theater import cgrf
from theater.chain import payload
from theater.values import String, Tuple
from worker.engine import contract
from worker.engine.clock import TICK_MS
from worker.engine.contract import INIT
from worker.engine.errors import Trap

OPERATIONS: list[tuple[str, dict[str, Any]]] = [
    ("count", {}),
    ("log", {}),
    ("count", {}),
    ("misuse", {}),  # a trap: the next life begins from the committed state
    ("count", {}),
    ("spin", {"deadline_ms": 30}),
    ("log", {}),
    ("snapshot", {}),
    ("count", {}),
    ("again", {}),
    ("count", {}),
]


def lived(count: int) -> Life:
    """A life of the first so many operations."""
    life = Life()
    for name, how in OPERATIONS[:count]:
        if name == "snapshot":
            life.snapshot()
        elif name == "again" or isinstance(life.call(name, **how), Trap):
            life.begin_again("last")
    return life


def state_at(life: Life, until: int) -> bytes:
    """The state of a replay of the first ``until`` events."""
    replayer, clock = replayer_of(life, life.chain[:until])
    with ticking(clock, TICK_MS / 1000):
        assert replayer.run().success
    return replayer.state


def commits(life: Life) -> list[int]:
    """Places after which another state counts: behind every result, snapshot and beginning."""
    marks = ("genesis", "incarnation")
    return [at for at, event in enumerate(life.chain, 1) if event.event_type in marks or b"wasm-result" in event.data]


def test_a_replay_up_to_every_event_has_the_state_of_a_run_up_to_there() -> None:
    """Returns, traps, deadlines, host calls, snapshots and later lives included."""
    whole = lived(len(OPERATIONS))
    expected = {0: contract.NO_STATE}
    for count in range(len(OPERATIONS) + 1):
        prefix = lived(count)
        assert [each.event_type for each in prefix.chain] == [
            each.event_type for each in whole.chain[: len(prefix.chain)]
        ]
        expected[len(prefix.chain)] = prefix.state
    last = contract.NO_STATE
    for until in range(len(whole.chain) + 1):
        state = state_at(whole, until)
        if until in expected:
            assert state == expected[until], f"until {until}"
        elif until not in commits(whole):
            assert state == last, f"until {until}"  # in the middle of an operation: the state before it
        last = state


def test_a_fresh_instance_serves_after_a_snapshot() -> None:
    """What a guest keeps in its memory between calls is gone there, live and in every replay."""
    life = Life()
    first = [life.call("count").response for _ in range(2)]
    life.snapshot()
    after = life.call("count").response

    assert after == first[0] != first[1]
    place = next(at for at, event in enumerate(life.chain) if event.event_type == "theater-runtime/snapshot")
    for begin in (0, place):
        replayer, clock = replayer_of(life, life.chain[begin:])
        with ticking(clock, TICK_MS / 1000):
            assert replayer.run().success


def test_a_snapshot_with_another_state_is_a_difference() -> None:
    """The state in the record is compared with the one that was computed."""
    life = Life()
    life.call("count")
    life.put("theater-runtime/snapshot", payload.runtime("snapshot", _other()))
    replayer, clock = replayer_of(life)
    with ticking(clock, TICK_MS / 1000):
        summary = replayer.run()

    assert (summary.success, summary.divergence is not None and summary.divergence.kind) == (False, "state")


def _other() -> Any:
    return String("another state")


def test_lives_killed_before_init_returned_still_have_it_to_be_called() -> None:
    """However many of them there were: a rebuilt one had nothing to go on with either."""
    life = Life()
    del life.chain[1:]
    for _ in range(3):
        life.put("wasm", payload.call(INIT, cgrf.encode(Tuple(()))))
        life.put("incarnation", payload.incarnation(2, life.digest, "pack-2", "", b"", None, "replay"))
    replayer, clock = replayer_of(life)
    with ticking(clock, TICK_MS / 1000):
        summary, door = replayer.rebuild()

    assert summary.success
    assert not replayer.is_initialised
    assert door is None
