"""The component door: the actor contract, and every way a component can break something. Through each port."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.component import wit
from tests.component.loading import EACH, Loose, ask, compiled, loose, made
from tests.worker.enginekit import FakeContext, engine, ticking
from theater import cgrf, types
from theater.actor import RUNTIME, ActorOptions
from theater.values import U32, UNIT, Option, String, Tuple, Value
from worker.engine.clock import GuestClock
from worker.engine.component.door import ComponentDoor
from worker.engine.contract import INIT, Contract, Declined, Ok
from worker.engine.crossing import Answers, GuestError
from worker.engine.errors import StartError, Trap
from worker.interfaces.registry import Dispatcher

API = "test:counter/api"
PAGE = 65_536


class Host:
    """Answers ``test:it/host.ask`` by calling a function."""

    def __init__(self, does: Callable[[], Value] = lambda: U32(1)) -> None:
        self._does = does

    def answer(self, interface: str, function: str, data: bytes) -> bytes:
        return cgrf.encode(self._does())


def guest(body: str, pages: int = 1, extra: str = "") -> str:
    """A component whose ``do: func(n: u32) -> u32`` has this body; ``$ask`` asks the host for a number."""
    return f"""
    (component
      (import "test:it/host" (instance $host (export "ask" (func (result u32)))))
      (core func $ask (canon lower (func $host "ask")))
      (core module $m
        (import "host" "ask" (func $ask (result i32)))
        (memory (export "memory") {pages})
        (table $table 3 funcref)
        (type $v (func))
        (type $u (func (result i32)))
        (elem (i32.const 0) $wrong)
        (func $wrong (result i32) (i32.const 1))
        (func $deep (param i32) (result i32) (i32.add (i32.const 1) (call $deep (local.get 0))))
        {extra}
        (func (export "do") (param i32) (result i32) {body}))
      (core instance $m (instantiate $m (with "host" (instance (export "ask" (func $ask))))))
      (func (export "do") (param "n" u32) (result u32) (canon lift (core func $m "do")))
      (func (export "fine") (param "n" u32) (result u32) (canon lift (core func $m "do"))))
    """


def opened(body: str, host: Answers | None = None, fast: bool | None = True, **options: Any) -> Loose:
    return loose(guest(body), host or Host(), fast, **options)


def trap_of(door: ComponentDoor) -> Trap:
    with pytest.raises(Trap) as caught:
        ask(door, "do", U32(1))
    return caught.value


def actor(
    text: str = wit.COUNTER, fast: bool | None = True, host: Answers | None = None, **options: Any
) -> ComponentDoor:
    """A door with everything checked, as a worker opens it."""
    how: dict[str, Any] = {"grants": {RUNTIME: {}}, "clock": GuestClock(engine()), "fast": fast}
    return ComponentDoor.load(
        engine(),
        made(text, fast),
        options=ActorOptions(**options),
        answers=host or Dispatcher(FakeContext()),
        **how,
    )


# -- the contract ------------------------------------------------------------------------------------------------------


@EACH
def test_functions_of_the_contract(fast: bool | None) -> None:
    """The state goes in and comes out; an error is an error."""
    door = actor(fast=fast)
    contract = Contract(door.functions, ActorOptions())
    state = cgrf.encode(U32(3))

    def call(name: str, *params: Value) -> Ok | Declined:
        answer = door.call(name, contract.input(name, state, cgrf.encode(Tuple(params))))
        assert not isinstance(answer, GuestError)
        return contract.outcome(name, answer.output)

    assert call(INIT) == Ok(state, cgrf.encode(UNIT))
    assert call(f"{API}.bump", U32(2)) == Ok(cgrf.encode(U32(5)), cgrf.encode(U32(5)))
    assert call(f"{API}.fail") == Declined("refused")
    assert call(f"{API}.plain", U32(6), U32(7)) == Ok(state, cgrf.encode(U32(42)))
    door.close()


@EACH
def test_nested_parameters(fast: bool | None) -> None:
    """``abi.params: nested``: parameters come in one tuple, of plain functions too."""
    door = actor(fast=fast, nested_params=True)
    contract = Contract(door.functions, ActorOptions(nested_params=True))
    given = contract.input(f"{API}.plain", cgrf.encode(U32(1)), cgrf.encode(Tuple((U32(6), U32(7)))))

    answer = door.call(f"{API}.plain", given)
    assert not isinstance(answer, GuestError)
    assert contract.outcome(f"{API}.plain", answer.output) == Ok(cgrf.encode(U32(1)), cgrf.encode(U32(42)))
    door.close()


def test_metadata_tells_types_and_hashes() -> None:
    """As that of a module would: imports, exports, and the hash of what is exported."""
    from theater import interfaces

    door = actor()
    found = door.metadata
    assert found is not None
    log = found.imported(RUNTIME)["log"]
    bump = found.export(f"{API}.bump")
    assert bump is not None
    assert str(log.signature) == "func(msg: string)"
    assert str(bump.signature) == "func(state: u32, by: u32) -> result<tuple<u32, u32>, string>"
    init = interfaces.parse_function("func(state: u32) -> result<tuple<u32>, string>")
    assert found.export_hashes["theater:simple/actor"] == interfaces.interface_hash(
        "theater:simple/actor", {"init": init}
    )
    door.close()


INIT_ONLY = """
(component
  (core module $m (memory (export "memory") 1) (func (export "init") {core} unreachable))
  (core instance $m (instantiate $m))
  (func (export "init") {type} (canon lift (core func $m "init") (memory (core memory $m "memory")))))
"""


@pytest.mark.parametrize(
    ("core", "type_", "state"),
    [
        ("(param i32) (result i32)", '(param "state" u32) (result (result (tuple u32) (error string)))', types.U32),
        ("(param i32) (result i32)", '(param "state" u32) (result (result u32 (error string)))', types.U32),
    ],
)
def test_what_init_may_look_like(core: str, type_: str, state: types.Type) -> None:
    """It returns the state first, or nothing but the state."""
    door = actor(INIT_ONLY.format(core=core, type=type_))
    sig = door.functions[INIT]
    assert sig is not None
    (result,) = sig.results
    assert isinstance(result, types.Result)
    assert state in (result.ok, *getattr(result.ok, "items", ()))
    door.close()


@pytest.mark.parametrize(
    ("core", "type_"),
    [
        ("(param i32) (result i32)", '(param "n" u32) (result u32)'),
        ("(param i32)", '(param "n" u32)'),
        ("(result i32)", "(result (result (tuple u64) (error string)))"),
    ],
)
def test_what_init_may_not_look_like(core: str, type_: str) -> None:
    """Without a state that goes in and comes out there is no actor."""
    with pytest.raises(StartError, match=r"exports no theater:simple/actor\.init of the actor contract"):
        actor(INIT_ONLY.format(core=core, type=type_))


# -- faults ------------------------------------------------------------------------------------------------------------


@EACH
@pytest.mark.parametrize(
    ("body", "kind", "words"),
    [
        ("unreachable", "unreachable", "wasm trap: wasm `unreachable` instruction executed"),
        ("(i32.load (i32.const -4))", "out_of_bounds", "wasm trap: out of bounds memory access"),
        ("(i32.div_u (local.get 0) (i32.const 0))", "arithmetic", "wasm trap: integer divide by zero"),
        ("(i32.div_s (i32.const 0x80000000) (i32.const -1))", "arithmetic", "wasm trap: integer overflow"),
        ("(i32.trunc_f32_s (f32.const nan))", "arithmetic", "wasm trap: invalid conversion to integer"),
        ("(call $deep (local.get 0))", "stack_overflow", "wasm trap: call stack exhausted"),
        ("(call_indirect (type $u) (i32.const 1))", "indirect_call", "wasm trap: uninitialized element"),
        ("(call_indirect (type $u) (i32.const 9))", "out_of_bounds", "wasm trap: undefined element"),
        (
            "(call_indirect (type $v) (i32.const 0)) (i32.const 1)",
            "indirect_call",
            "wasm trap: indirect call type mismatch",
        ),
    ],
)
def test_faults(body: str, kind: str, words: str, fast: bool | None) -> None:
    """Each fault has its kind and says what happened; then nothing of the instance can be entered."""
    door = opened(body, fast=fast)
    trap = trap_of(door)

    assert trap.text.startswith(words)
    assert trap.kind == kind
    with pytest.raises(Trap, match="cannot be entered after: wasm trap"):
        ask(door, "fine", U32(1))
    door.close()


@EACH
@pytest.mark.parametrize("error", [ValueError("bad"), SystemExit(3), KeyboardInterrupt(), MemoryError()])
def test_whatever_a_host_function_raises_ends_the_call(error: BaseException, fast: bool | None) -> None:
    """The engine's Python layer would swallow some of these and let the guest go on."""

    def fails() -> Value:
        raise error

    door = opened("(drop (call $ask)) (i32.const 5)", Host(fails), fast)
    trap = trap_of(door)

    assert trap.kind == "host"
    assert trap.text.startswith(f"host function test:it/host.ask failed: {type(error).__name__}")
    assert not door.clock.computing
    door.close()


@EACH
def test_a_trap_of_a_host_function_keeps_its_kind(fast: bool | None) -> None:
    """Such as an input that does not fit."""

    def fails() -> Value:
        raise Trap("no", "contract")

    trap = trap_of(opened("(call $ask)", Host(fails), fast))
    assert (trap.kind, trap.text) == ("contract", "in host call test:it/host.ask: no")


@EACH
def test_spinning_meets_its_deadline(fast: bool | None) -> None:
    """After its budget of ticks."""
    door = opened("(loop (br 0)) unreachable", fast=fast)
    door.arm(3)
    with ticking(door.clock):
        trap = trap_of(door)

    assert (trap.kind, trap.text) == ("deadline", "deadline of 30 ms of computing time exceeded")
    door.close()


@EACH
def test_interrupted_by_another_thread(fast: bool | None) -> None:
    """As Terminate does."""
    door = opened("(loop (br 0)) unreachable", fast=fast)
    door.arm(None)
    began = threading.Event()

    def interrupt() -> None:
        began.wait(5)
        while not door.computing:
            pass
        door.interrupt("told to stop")

    thread = threading.Thread(target=interrupt)
    thread.start()
    began.set()
    trap = trap_of(door)
    thread.join()

    assert (trap.kind, trap.text) == ("cancelled", "told to stop")
    door.close()


@EACH
def test_host_calls_do_not_count_as_computing(fast: bool | None) -> None:
    """Nor does the guest count as computing meanwhile, and again does after."""
    seen: list[bool] = []
    door = opened("(call $ask)", Host(lambda: (seen.append(door.computing), U32(4))[1]), fast)

    assert ask(door, "do", U32(1)) == U32(4)
    assert seen == [False]
    assert not door.computing
    door.close()


@EACH
def test_memory_cannot_grow_beyond_its_limit(fast: bool | None) -> None:
    """``memory.grow`` answers -1; what the guest makes of it is the guest's affair."""
    door = opened("(memory.grow (local.get 0))", fast=fast, memory_bytes=4 * PAGE)

    assert ask(door, "do", U32(3)) == U32(1)
    assert ask(door, "do", U32(1)) == U32(0xFFFFFFFF)
    door.close()


def test_more_memory_than_allowed_is_no_start() -> None:
    """Named as the step that failed."""
    with pytest.raises(StartError, match=r"instantiate: .*memory minimum size of 40 pages exceeds memory limits"):
        loose(guest("(i32.const 1)", pages=40), Host(), memory_bytes=4 * PAGE)


def test_start_code_that_traps_is_no_start() -> None:
    """Its text is that of the trap."""
    with pytest.raises(StartError, match=r"instantiate: wasm trap: wasm `unreachable`"):
        loose(guest("(i32.const 1)", extra="(func $boom unreachable) (start $boom)"), Host())


def test_start_code_that_spins_is_no_start() -> None:
    """The deadline of init holds for it."""
    clock = GuestClock(engine())
    text = guest("(i32.const 1)", extra="(func $spin (loop (br 0))) (start $spin)")
    with ticking(clock), pytest.raises(StartError, match=r"instantiate: deadline of 50 ms"):
        Loose.load(
            engine(),
            compiled(text),
            options=ActorOptions(init_deadline_ms=50),
            grants={},
            answers=Host(),
            clock=clock,
            is_replay=True,
        )


ANSWERS = """
(component
  (core module $m
    (memory (export "memory") 600)
    (func (export "bytes") (param i32) (result i32)
      (i32.store (i32.const 0) (i32.const 64)) (i32.store (i32.const 4) (local.get 0)) (i32.const 0))
    (func (export "char") (result i32) (i32.const 0xD800))
    (func (export "outside") (param i32) (result i32)
      (i32.store (i32.const 0) (i32.const -8)) (i32.store (i32.const 4) (local.get 0)) (i32.const 0))
    (func (export "utf8") (result i32)
      (i32.store (i32.const 16) (i32.const 0xFFFFFFFF)) (i32.store (i32.const 0) (i32.const 16))
      (i32.store (i32.const 4) (i32.const 4)) (i32.const 0))
    (func (export "case") (result i32) (i32.const 7)))
  (core instance $m (instantiate $m))
  (alias core export $m "memory" (core memory $memory))
  (type $colour' (enum "red" "green"))
  (export $colour "colour" (type $colour'))
  (func (export "bytes") (param "n" u32) (result (list u8)) (canon lift (core func $m "bytes") (memory $memory)))
  (func (export "text") (param "n" u32) (result string) (canon lift (core func $m "bytes") (memory $memory)))
  (func (export "char") (result char) (canon lift (core func $m "char")))
  (func (export "outside") (param "n" u32) (result (list u8)) (canon lift (core func $m "outside") (memory $memory)))
  (func (export "utf8") (result string) (canon lift (core func $m "utf8") (memory $memory)))
  (func (export "case") (result $colour) (canon lift (core func $m "case"))))
"""


@EACH
@pytest.mark.parametrize("function", ["char", "outside", "utf8", "case"])
def test_ill_formed_answers_end_the_call(function: str, fast: bool | None) -> None:
    """A surrogate, a list outside the memory, text that is none, a case there is not: the engine's words are kept."""
    door = loose(ANSWERS, Host(), fast)
    with pytest.raises(Trap) as caught:
        ask(door, function, *([U32(100)] if function == "outside" else []))

    assert caught.value.text
    with pytest.raises(Trap, match="cannot be entered"):
        ask(door, "char")
    door.close()


@EACH
def test_answers_have_a_limit(fast: bool | None) -> None:
    """That of messages."""
    door = loose(ANSWERS, Host(), fast, message_bytes_max=4096)
    with pytest.raises(Trap, match=r"answer of \d+ bytes exceeds the limit of 4096"):
        ask(door, "bytes", U32(5000))
    door.close()


@EACH
def test_large_text(fast: bool | None) -> None:
    """Of a size that lists cannot have."""
    door = loose(ANSWERS, Host(), fast, message_bytes_max=64 << 20)

    assert ask(door, "text", U32(30_000_000)) == String("\0" * 30_000_000)
    door.close()


@pytest.mark.parametrize("fast", [True, False], ids=["raw", "stock"])
def test_large_lists_without_a_bridge(fast: bool) -> None:
    """The engine has a limit on their items that nobody can set: its words say so."""
    door = loose(ANSWERS, Host(), fast, message_bytes_max=64 << 20)
    with pytest.raises(Trap, match="too much data is being copied"):
        ask(door, "bytes", U32(3_000_000))
    door.close()


@EACH
def test_an_option_of_the_contract_without_state(fast: bool | None) -> None:
    """``init`` of a state nobody declared gets none; a component with another state says what it expected."""
    door = actor(fast=fast)
    given = cgrf.encode(Tuple((Option(types.BYTES, None),)))

    assert door.call(INIT, given) == GuestError("expected u32, got option")
    door.close()


@EACH
def test_opening_and_closing_leaves_nothing(fast: bool | None) -> None:
    """A thousand instances in one process."""
    import psutil

    host = Dispatcher(FakeContext())  # contexts are kept until the test ends

    def rounds(count: int) -> int:
        for _ in range(count):
            door = actor(fast=fast, host=host)
            door.call(f"{API}.bump", cgrf.encode(Tuple((U32(1), U32(2)))))
            door.close()
        return int(psutil.Process().memory_info().rss)

    before = rounds(100)
    assert rounds(1000) - before < 3 << 20


@EACH
def test_traps_leave_nothing(fast: bool | None) -> None:
    """Nor do calls that end badly."""
    import psutil

    host = Dispatcher(FakeContext())  # contexts are kept until the test ends

    def rounds(count: int) -> int:
        for _ in range(count):
            door = actor(fast=fast, host=host)
            with pytest.raises(Trap):
                door.call(f"{API}.trap", cgrf.encode(Tuple((U32(1),))))
            door.close()
        return int(psutil.Process().memory_info().rss)

    before = rounds(100)
    assert rounds(500) - before < 3 << 20

