"""Fuel: the engine that counts, what a call gets, what is said when it is used up, and the replay of that."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import wasmtime

from tests.component import echo, wit
from tests.component.loading import Loose
from tests.guests import wat
from tests.guests.pack import ok, text, u32
from tests.worker.enginekit import ALL_GRANTS, FakeContext, ticking
from tests.worker.test_replaying import Tape
from theater import cgrf
from theater.actor import ActorOptions
from theater.budgets import Budget
from theater.chain import ChainEvent, payload
from theater.types import BYTES
from theater.values import U32, Tuple, Value, bytes_of
from worker.budgets import Budgets, UsedUp
from worker.cache import Cache
from worker.engine import config, doors
from worker.engine.clock import GuestClock
from worker.engine.contract import INIT
from worker.engine.errors import FUEL, StartError, Trap
from worker.engine.fuel import recorded, used_up
from worker.engine.pack import PackDoor
from worker.fuel import Fuel
from worker.interfaces.registry import Dispatcher
from worker.prepare import Preparer
from worker.replay_words import needs_fuel
from worker.replaying import Replayer
from worker.zygote import Preloaded

API = "test:fuel/api"
PLAIN = "(state: u32) -> result<tuple<u32>, string>"
BUMP = "(state: u32, by: u32) -> result<tuple<u32, u32>, string>"
LOOPED = 10_000
"""Rounds of a loop; each takes some units of fuel."""


@cache
def counting() -> Any:
    """One engine that counts, for all tests."""
    return config.make_engine(True)


@cache
def guest() -> bytes:
    """Computes a little, for ever, between two log lines; declines in the words of a limit."""
    log = wat.calls(wat.LOG, text("a line"))
    return wat.build(
        functions=[
            wat.starts(u32(0)),
            wat.Function(f"{API}.bump", BUMP, wat.adds()),
            wat.Function(f"{API}.compute", PLAIN, [wat.computes(LOOPED), wat.returns(ok(u32(0)))]),
            wat.Function(f"{API}.spin", PLAIN, wat.spins()),
            wat.Function(f"{API}.log", PLAIN, [log, wat.computes(LOOPED), log, wat.returns(ok(u32(7)))]),
            wat.Function(f"{API}.lie", PLAIN, wat.declines("limit call_fuel: 1 is used up")),
        ],
        imports=[wat.LOG],
    )


@cache
def module() -> Any:
    return wasmtime.Module(counting(), guest())


def opened(fast: bool | None = None, context: FakeContext | None = None, **options: Any) -> PackDoor:
    return PackDoor.load(
        counting(),
        module(),
        options=ActorOptions(**options),
        grants=ALL_GRANTS,
        answers=Dispatcher(context or FakeContext()),
        clock=GuestClock(counting(), True),
        fast=fast,
    )


def enc(*items: Value) -> bytes:
    return cgrf.encode(Tuple(items))


def used(door: Any, function: str, *params: Value) -> int:
    """What a call uses. The one before it makes room for its input, which is kept."""
    door.arm(None)
    door.call(function, enc(U32(0), *params))
    door.clock.fill(None, "")
    door.call(function, enc(U32(0), *params))
    return int(door.clock.tank.used())


class Echo:
    """Answers with what it is given."""

    def answer(self, interface: str, function: str, data: bytes) -> bytes:
        return data


# -- the engine ----------------------------------------------------------------------------------------------------


def test_an_engine_that_counts_has_artefacts_of_its_own(tmp_path: Path) -> None:
    """Another key, another file, refused by the other engine; the plain one is what it was."""
    file = tmp_path / "guest.wasm"
    file.write_bytes(guest())
    preparer = Preparer(str(tmp_path / "cache"))
    plain, counts = preparer.prepare(str(file)), preparer.prepare(str(file), True)

    assert plain.ok and counts.ok
    assert (doors.counts_fuel(plain.artefact), doors.counts_fuel(counts.artefact)) == (False, True)
    assert "consume_fuel" not in config.fingerprint()
    assert "consume_fuel=True" in config.fingerprint(True)
    with pytest.raises(StartError, match="not a compiled artefact of this engine"):
        doors.load_artefact(config.make_engine(), counts.artefact)
    with pytest.raises(StartError, match="not a compiled artefact of this engine"):
        doors.load_artefact(counting(), plain.artefact)


def test_names_of_artefacts_say_kind_and_engine(tmp_path: Path) -> None:
    """A component's suffix stays what it is."""
    wasm = bytes(wasmtime.wat2wasm(wit.COUNTER))
    path = Cache(str(tmp_path / "cache")).artefact(wasm, lambda _: b"", True)

    assert path.endswith(f"{doors.COUNTS_FUEL}{doors.COMPONENT_SUFFIX}")


def test_a_template_has_both_engines(tmp_path: Path) -> None:
    """The one that counts is made for the first artefact that needs it, and the module is there for the forks."""
    file = tmp_path / "guest.wasm"
    file.write_bytes(guest())
    preparer = Preparer(str(tmp_path / "cache"))
    preloaded = Preloaded(config.make_engine())
    for counts_fuel in (False, True):
        artefact = preparer.prepare(str(file), counts_fuel).artefact
        preloaded.preload(artefact)
        PackDoor.load(
            preloaded.engine(counts_fuel),
            preloaded.module(artefact),
            options=ActorOptions(),
            grants=ALL_GRANTS,
            answers=Dispatcher(FakeContext()),
            clock=GuestClock(preloaded.engine(counts_fuel), counts_fuel),
        ).close()

    assert preloaded.engine(True) is not preloaded.engine(False)


# -- calls ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fast", [True, False], ids=["raw", "stock"])
def test_the_same_call_uses_the_same(fast: bool) -> None:
    """In one instance and in another, through either port."""
    door = opened(fast)
    amounts = [used(door, f"{API}.compute") for _ in range(3)]

    assert len(set(amounts)) == 1
    assert used(opened(fast), f"{API}.compute") == amounts[0]
    assert LOOPED < amounts[0] < 10 * LOOPED


@pytest.mark.parametrize("fast", [True, False], ids=["raw", "stock"])
def test_a_limit_is_what_a_call_may_use(fast: bool) -> None:
    """Exactly so much is enough, less than that is not; then the words of the limit are said."""
    door = opened(fast)
    amount = used(door, f"{API}.compute")
    door.clock.fill(amount, "too much")
    door.call(f"{API}.compute", enc(U32(0)))
    assert door.clock.tank is not None
    assert door.clock.tank.used() == amount

    door.clock.fill(amount // 2, "too much")
    with pytest.raises(Trap, match="too much") as caught:
        door.call(f"{API}.compute", enc(U32(0)))
    assert caught.value.kind == FUEL
    assert door.clock.tank.used() == amount // 2


@pytest.mark.parametrize(
    ("wat_text", "function", "given"),
    [
        (wit.COUNTER, "test:counter/api.bump", (U32(3), U32(2))),
        (echo.component(BYTES), "echo", (bytes_of(b"x" * 999),)),
    ],
    ids=["plain", "bridged"],
)
def test_a_component_is_counted_too(wat_text: str, function: str, given: tuple[Value, ...]) -> None:
    """Compiled as it is for an actor: the same amount each time, and the same words."""
    how: dict[str, Any] = {"grants": {}, "clock": GuestClock(counting(), True), "is_replay": True}
    compiled = doors.compile_component(counting(), bytes(wasmtime.wat2wasm(wat_text)))
    door = Loose.load(counting(), compiled, options=ActorOptions(), answers=Echo(), **how)
    door.arm(None)
    amounts = []
    for _ in range(3):
        door.clock.fill(None, "")
        door.call(function, enc(*given))
        amounts.append(how["clock"].tank.used())
    assert amounts[0] >= amounts[1] == amounts[2] > 0

    door.clock.fill(1, "limit call_fuel: 1 is used up")
    with pytest.raises(Trap, match=r"^limit call_fuel: 1 is used up$") as caught:
        door.call(function, enc(*given))
    assert caught.value.kind == FUEL


def test_init_fuel_holds_what_a_package_does_by_itself() -> None:
    """It is not enough for the answer of ``__pack_types``, so the start fails."""
    with pytest.raises(StartError, match="limit init_fuel: 3 is used up"):
        opened(init_fuel=3)


@pytest.mark.parametrize("counts", [True, False], ids=["fuel", "plain"])
def test_a_start_that_fails_leaves_the_instance_before_alone(counts: bool) -> None:
    """As when there is no fresh one to be had after a snapshot: time and fuel are watched where the guest goes on."""
    engine = counting() if counts else config.make_engine()
    compiled = module() if counts else wasmtime.Module(engine, guest())
    how: dict[str, Any] = {"grants": ALL_GRANTS, "answers": Dispatcher(FakeContext())}
    clock = GuestClock(engine, counts)
    door = PackDoor.load(engine, compiled, options=ActorOptions(), clock=clock, **how)
    with pytest.raises(StartError):
        PackDoor.load(engine, compiled, options=ActorOptions(memory_bytes=65_536), clock=clock, **how)

    door.arm(2)
    assert used(door, f"{API}.bump", U32(1)) > 0 if counts else door.call(f"{API}.bump", enc(U32(0), U32(1)))
    with ticking(clock), pytest.raises(Trap, match="deadline"):
        door.arm(2)
        door.call(f"{API}.spin", enc(U32(0)))


def test_time_ends_a_call_that_has_fuel_left() -> None:
    """Both are watched."""
    door = opened()
    door.arm(1)
    with ticking(door.clock), pytest.raises(Trap, match="deadline of 10 ms"):
        door.call(f"{API}.spin", enc(U32(0)))


# -- what a call gets ----------------------------------------------------------------------------------------------


class Scene:
    """An incarnation with a tank, of which what a call uses is said by the test."""

    def __init__(self, **limits: Any) -> None:
        self.filled: list[tuple[int | None, str]] = []
        self.uses = 0
        self.recorded: list[str] = []
        self.options = ActorOptions(**limits)
        tank = SimpleNamespace(fill=lambda *given: self.filled.append(given), used=lambda: self.uses)
        inc: Any = SimpleNamespace(
            options=self.options,
            init=SimpleNamespace(chain_seq=0),
            recorder=SimpleNamespace(seq=-1, bytes_recorded=0, append=lambda kind, data: self.recorded.append(kind)),
            clock=SimpleNamespace(tank=tank, verdict=lambda: None),
        )
        self.budgets = inc.budgets = Budgets(inc)
        self.fuel = Fuel(inc)

    def call(self, uses: int, function: str = "a.b") -> tuple[int | None, str]:
        self.fuel.enter(function)
        self.uses = uses
        self.fuel.leave()
        return self.filled[-1]


def test_init_and_calls_have_limits_of_their_own() -> None:
    """As with their times; the most that one has used is told."""
    scene = Scene(init_fuel=50, call_fuel=7)

    assert scene.call(40, INIT) == (50, "limit init_fuel: 50 is used up")
    assert scene.call(6) == (7, "limit call_fuel: 7 is used up")
    scene.call(2)
    usage = scene.fuel.usage()
    assert {name: usage[name]["used"] for name in usage} == {"init_fuel": 40, "call_fuel": 6}
    assert usage["call_fuel"] == {
        "used": 6, "limit": 7, "per_ms": None, "then": "stop", "refused": 0, "waited_ns": 0,
    }  # fmt: skip


def test_a_call_gets_what_the_budget_has_left() -> None:
    """If that is less than its own limit; the text says how much that was."""
    scene = Scene(call_fuel=10, fuel=Budget(amount=15, per_ms=3_600_000, then="stop"))

    assert scene.call(9) == (10, "limit call_fuel: 10 is used up")
    assert scene.call(6) == (6, "limit fuel: 15 per 3600000 ms is used up (this call had 6)")
    with pytest.raises(Trap, match="limit fuel: 15 per 3600000 ms is used up"):
        scene.budgets.admit(False)


def test_a_budget_that_refuses_lets_the_call_under_way_finish() -> None:
    """As guest_time does: the next one is refused, and it is in the chain."""
    scene = Scene(fuel=Budget(amount=15, per_ms=3_600_000, then="error"))

    assert scene.call(100) == (None, "")
    with pytest.raises(UsedUp, match="limit fuel: 15 per 3600000 ms is used up"):
        scene.budgets.admit(False)
    assert scene.budgets.usage()["fuel"]["used"] == 100
    assert scene.recorded == ["theater-runtime/limit"]


# -- words ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "had"),
    [
        (used_up("call_fuel", 7), 7),
        (used_up("init_fuel", 2**53), 2**53),
        (used_up("fuel", 15, per=" per 1000 ms", had=6), 6),
        (used_up("fuel", 15, had=0), 0),
        ("limit guest_time: 15 ms is used up", None),
        ("limit call_fuel: 7 is used up, says the guest", None),
        ("limit call_fuel: 99999999999999999999 is used up", None),
        ("", None),
    ],
)
def test_the_text_says_what_a_call_had(said: str, had: int | None) -> None:
    """So that a replay can give it as much."""
    assert recorded(said) == had


def test_chains_that_need_an_engine_that_counts() -> None:
    """Only those in which a call has ended for lack of fuel."""

    def event(data: bytes, event_type: str = "wasm") -> ChainEvent:
        return ChainEvent(0, 0, 1, event_type, data, None, b"")

    assert needs_fuel(event(payload.error("a.b", "limit call_fuel: 7 is used up")))
    assert not needs_fuel(event(payload.error("a.b", "no fuel: go away")))
    assert not needs_fuel(event(payload.call("a.b", enc(U32(1)))))


# -- replay --------------------------------------------------------------------------------------------------------

FUELLED = ActorOptions(call_fuel=1)
"""What the options say now does not matter: the record does."""


def replayed(tape: Tape, counts_fuel: bool = True) -> Any:
    """Replay the tape with this guest."""
    engine = counting() if counts_fuel else config.make_engine()
    clock = GuestClock(engine, counts_fuel)
    compiled = module() if counts_fuel else wasmtime.Module(engine, guest())

    def door(answers: Any) -> PackDoor:
        return PackDoor.load(
            engine, compiled, options=FUELLED, grants={}, answers=answers, clock=clock, is_replay=True
        )

    with ticking(clock):
        return Replayer(door, tape.events, FUELLED).run()


def life(function: str, fuel: int) -> Tape:
    """What is recorded of a life whose last call gets so much fuel."""
    tape = Tape().begins()
    context = FakeContext()
    door = opened(context=context)
    door.arm(None)
    door.call(INIT, enc(U32(0)))
    tape.calls(function)
    door.clock.fill(fuel, used_up("call_fuel", fuel))
    text = ""
    try:
        door.call(function, enc(U32(0)))
    except Trap as trap:
        text = trap.text
    for interface, name, data, output in context.recorded:
        tape.put(f"{interface}/{name}", payload.host_call(interface, name, data, output))
    return tape.fails(function, text) if text else tape.returns(function, 7, cgrf.decode(enc()))


@pytest.mark.parametrize("function", ["spin", "compute", "log"])
def test_a_call_that_ended_for_lack_of_fuel_ends_there_again(function: str) -> None:
    """With what it had then, whatever the limit is now; also in the middle of host calls."""
    tape = life(f"{API}.{function}", LOOPED)
    summary = replayed(tape)

    assert "limit call_fuel: 10000 is used up" in str(tape.events[-1].data)
    assert summary.success, summary


def test_one_that_ends_otherwise_has_diverged() -> None:
    """A record that says it had more than the call needs is none of this guest's."""
    tape = Tape().begins().calls(f"{API}.compute").fails(f"{API}.compute", used_up("call_fuel", 1_000_000) or "")
    summary = replayed(tape)

    assert not summary.success
    assert "limit call_fuel: 1000000 is used up" in str(summary.error)


def test_host_calls_must_be_where_they_were() -> None:
    """With a little more fuel the guest would have logged once more."""
    tape = life(f"{API}.log", LOOPED)
    more = Tape()
    more.events = tape.events[:-1]
    summary = replayed(more.fails(f"{API}.log", used_up("call_fuel", 20 * LOOPED)))

    assert not summary.success


def test_without_an_engine_that_counts_it_is_a_stop_like_another() -> None:
    """As when the time was used up: the guest gets half a second to do what is recorded."""
    assert replayed(life(f"{API}.log", LOOPED), counts_fuel=False).success


def test_later_lives_are_replayed_as_well() -> None:
    """And what a guest declines in such words is not taken for an end."""
    tape = life(f"{API}.spin", 5_000)
    tape.begins_again(3)
    tape.calls(f"{API}.bump", U32(1)).returns(f"{API}.bump", 4, U32(4)).calls(f"{API}.lie")
    tape.fails(f"{API}.lie", "limit call_fuel: 1 is used up")
    tape.calls(f"{API}.bump", U32(1)).returns(f"{API}.bump", 5, U32(5))
    summary = replayed(tape)

    assert summary.success, summary
