"""The Pack door: calls that work, and every way a guest can break one. Everything through both ports."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from tests.guests import wat
from tests.guests.pack import encode, octets, ok, text, tup, u32
from tests.worker.enginekit import FakeContext, load, ticking
from theater.actor import RUNTIME
from worker.engine.errors import StartError, Trap
from worker.engine.pack import GuestError, PackDoor, Returned

FUNCTION = "it:self/api.do"
SIGNATURE = "(state: value) -> result<value, string>"
INPUT = encode(tup(u32(1), u32(2)))
PAGE = 65_536


@pytest.fixture(params=[True, False], ids=["raw", "stock"])
def fast(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


def guest(*does: wat.Behaviour, imports: Any = (), **options: Any) -> bytes:
    return wat.build([wat.starts(u32(0)), wat.Function(FUNCTION, SIGNATURE, list(does))], imports, **options)


def trap_of(door: PackDoor, data: bytes = INPUT) -> Trap:
    with pytest.raises(Trap) as caught:
        door.call(FUNCTION, data)
    return caught.value


def test_output_is_what_the_guest_gave(fast: bool) -> None:
    """Status 0: the bytes come out untouched."""
    assert load(guest(wat.echoes()), fast=fast).call(FUNCTION, INPUT) == Returned(INPUT)


def test_many_calls_of_all_sizes(fast: bool) -> None:
    """Buffers are kept, grown and given back without mixing anything up."""
    door = load(guest(wat.echoes()), fast=fast)
    for size in (0, 1, 600, 3, 70_000, 2_000_000, 5, 513):
        data = encode(octets(bytes([size % 251]) * size))

        assert door.call(FUNCTION, data) == Returned(data)


def test_status_other_than_zero_is_a_message(fast: bool) -> None:
    """A guest that could not convert its input says so in plain text."""
    assert load(guest(wat.fails("decode error: no")), fast=fast).call(FUNCTION, INPUT) == GuestError("decode error: no")


def test_message_that_is_not_utf8(fast: bool) -> None:
    """It is shown as well as possible."""
    assert load(guest(wat.fails(b"\xff\xfeoops")), fast=fast).call(FUNCTION, INPUT) == GuestError("\ufffd\ufffdoops")


def test_long_message_is_cut(fast: bool) -> None:
    """A guest cannot fill our logs with one error."""
    answer = load(guest(wat.fails("x" * 50_000)), fast=fast).call(FUNCTION, INPUT)

    assert isinstance(answer, GuestError)
    assert len(answer.text) == 4096


def test_message_status_does_not_poison(fast: bool) -> None:
    """After a message the instance goes on."""
    door = load(guest(wat.fails("no")), fast=fast)
    door.call(FUNCTION, INPUT)

    assert door.call(wat.INIT, INPUT) == Returned(encode(ok(u32(0))))


def test_empty_output_is_unit(fast: bool) -> None:
    """Empty response bytes mean the unit value (lifecycle 6.5)."""
    assert load(guest(wat.points_at(0, 0)), fast=fast).call(FUNCTION, INPUT) == Returned(encode(tup()))


@pytest.mark.parametrize(
    ("behaviour", "kind", "words"),
    [
        (wat.traps(), "unreachable", "wasm trap: wasm `unreachable` instruction executed"),
        (wat.reads_outside(), "out_of_bounds", "wasm trap: out of bounds memory access"),
        (wat.divides_by_zero(), "arithmetic", "wasm trap: integer divide by zero"),
        (wat.recurses(), "stack_overflow", "wasm trap: call stack exhausted"),
        (wat.points_at(-16, 100), "contract", "the answer lies outside the guest's memory: 100 bytes at 0xfffffff0"),
        (wat.points_at(16, -1), "contract", "the answer lies outside the guest's memory: 4294967295 bytes at 0x10"),
    ],
)
def test_faults(fast: bool, behaviour: wat.Behaviour, kind: str, words: str) -> None:
    """Each fault has its kind and says what happened."""
    trap = trap_of(load(guest(behaviour), fast=fast))

    assert (trap.kind, trap.text[: len(words)]) == (kind, words)


def test_poisoned_after_a_trap(fast: bool) -> None:
    """The instance is never entered again, and says why."""
    door = load(guest(wat.traps()), fast=fast)
    trap_of(door)
    with pytest.raises(Trap) as caught:
        door.call(wat.INIT, INPUT)

    assert caught.value.kind == "unreachable"
    assert caught.value.text.startswith("the instance cannot be entered after: wasm trap")


def test_unknown_function(fast: bool) -> None:
    """A name the guest does not declare is the caller's mistake."""
    with pytest.raises(KeyError):
        load(guest(wat.traps()), fast=fast).call("it:self/api.undo", INPUT)


def test_answer_beyond_the_limit(fast: bool) -> None:
    """The limit on bodies holds for answers; the text names both figures."""
    door = load(guest(wat.answers_large(5000)), fast=fast, message_bytes_max=4096)
    trap = trap_of(door)

    assert trap.kind == "contract"
    assert trap.text.endswith("exceeds the limit of 4096")


def test_answer_within_the_limit(fast: bool) -> None:
    """A megabyte of state is no trouble."""
    answer = load(guest(wat.answers_large(1_000_000)), fast=fast).call(FUNCTION, INPUT)

    assert isinstance(answer, Returned)
    assert len(answer.output) > 1_000_000


# -- time --------------------------------------------------------------------------------------------------------------


def test_spinning_guest_meets_its_deadline(fast: bool) -> None:
    """A looping guest (a panicking Rust one) is ended after its budget of ticks."""
    door = load(guest(wat.spins()), fast=fast)
    door.arm(3)
    with ticking(door.clock):
        trap = trap_of(door)

    assert (trap.kind, trap.text) == ("deadline", "deadline of 30 ms of computing time exceeded")


def test_interrupt_from_another_thread(fast: bool) -> None:
    """An unlimited call can be ended at once by whoever holds the door."""
    door = load(guest(wat.spins()), fast=fast)
    threading.Timer(0.02, door.interrupt, ("stopped by force",)).start()
    began = time.monotonic()
    trap = trap_of(door)

    assert (trap.kind, trap.text) == ("cancelled", "stopped by force")
    assert time.monotonic() - began < 2


def test_interruption_of_the_past_is_forgotten(fast: bool) -> None:
    """What came too late for one call does not hit the next."""
    door = load(guest(wat.echoes()), fast=fast)
    door.interrupt("too late")
    door.arm(None)

    assert door.call(FUNCTION, INPUT) == Returned(INPUT)


def test_waiting_in_a_host_call_is_free(fast: bool) -> None:
    """A guest that waits for the host longer than its deadline is not trapped (L12)."""

    class Slow:
        def answer(self, interface: str, function: str, data: bytes) -> bytes:
            for _ in range(1000):
                door.tick()
            return encode(tup())

    door = load(guest(wat.calls(wat.LOG, text("x")), wat.echoes(), imports=[wat.LOG]), answers=Slow(), fast=fast)
    door.arm(2)

    assert door.call(FUNCTION, INPUT) == Returned(INPUT)


def test_computing_is_false_in_host_calls(fast: bool) -> None:
    """The post thread can tell the guest's time from the host's."""
    seen: list[bool] = []

    class Looks:
        def answer(self, interface: str, function: str, data: bytes) -> bytes:
            seen.append(door.computing)
            return encode(tup())

    door = load(guest(wat.calls(wat.LOG, text("x")), wat.echoes(), imports=[wat.LOG]), answers=Looks(), fast=fast)
    door.call(FUNCTION, INPUT)

    assert (seen, door.computing) == ([False], False)


# -- memory ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limit", "note"),
    [(50 * PAGE, "(memory limit of 3276800 bytes reached)"), (55 * PAGE, "(memory in use: 3276800 of 3604480 bytes)")],
)
def test_growing_without_end_is_refused_and_recognised(fast: bool, limit: int, note: str) -> None:
    """The engine only refuses the growth (here by 16 pages); the trap that follows tells how full the memory was."""
    trap = trap_of(load(guest(wat.grows()), fast=fast, memory_bytes=limit))

    assert trap.kind == "unreachable"
    assert trap.text.endswith(note)


def test_memory_in_use_is_known(fast: bool) -> None:
    """The door tells the guest's memory as of its last call."""
    door = load(guest(wat.grows(10), wat.echoes()), fast=fast)
    before = door.memory_bytes
    door.call(FUNCTION, INPUT)

    assert door.memory_bytes == before + 10 * PAGE


def test_module_larger_than_its_limit() -> None:
    """A module whose initial memory exceeds the limit does not start."""
    with pytest.raises(StartError) as caught:
        load(guest(wat.echoes()), memory_bytes=PAGE)

    assert caught.value.step == "instantiate"


def test_table_limit() -> None:
    """Tables are bounded like memories."""
    with pytest.raises(StartError) as caught:
        load(guest(wat.echoes(), extra="(table 1000 funcref)"), table_elements=999)

    assert caught.value.step == "instantiate"


@pytest.mark.parametrize(
    ("alloc", "words"),
    [
        ("null", "the guest is out of memory: __pack_alloc(8) returned 0"),
        ("wild", "__pack_alloc(8) lies outside the guest's memory"),
        ("trap", "wasm trap: wasm `unreachable`"),
    ],
)
def test_bad_allocators(fast: bool, alloc: str, words: str) -> None:
    """The allocator is the first thing called; its answer is checked like any other."""
    with pytest.raises(StartError) as caught:
        load(guest(wat.echoes(), alloc=alloc), fast=fast)

    assert caught.value.step == "instantiate"
    assert caught.value.text.startswith(words)


def test_input_that_does_not_fit(fast: bool) -> None:
    """A guest too small for an input has not been entered: it is the operation that fails, not the instance."""
    door = load(guest(wat.echoes()), fast=fast, memory_bytes=8 * PAGE)
    large = encode(octets(bytes(10 * PAGE)))

    assert door.call(FUNCTION, large) == GuestError(f"the guest has no memory for an input of {len(large)} bytes")


def test_spinning_start_function(fast: bool) -> None:
    """Start code runs under the deadline of init."""
    with pytest.raises(StartError) as caught:
        load(guest(wat.echoes(), start="(loop $l (br $l))"), fast=fast, init_deadline_ms=20)

    assert (caught.value.step, caught.value.text) == ("instantiate", "deadline of 20 ms of computing time exceeded")


def test_constructors_run_once_before_everything(fast: bool) -> None:
    """``__wasm_call_ctors`` is called after instantiation, before any other export."""
    with pytest.raises(StartError) as caught:
        load(guest(wat.echoes(), ctors="unreachable"), fast=fast)

    assert caught.value.step == "instantiate"


# -- host calls --------------------------------------------------------------------------------------------------------


def calling(*does: wat.Behaviour) -> bytes:
    return guest(*does, imports=[wat.LOG, wat.SELF])


def test_host_call_and_its_answer(fast: bool) -> None:
    """The answer is placed in guest memory and the guest can read it."""
    context = FakeContext()
    door = load(calling(wat.calls(wat.SELF), wat.returns_host_answer()), fast=fast, context=context)

    assert door.call(FUNCTION, INPUT) == Returned(encode(text(context.actor_id)))


def test_large_host_answer(fast: bool) -> None:
    """An answer of any size fits: the buffer in the guest grows."""

    class Large:
        size = 10

        def answer(self, interface: str, function: str, data: bytes) -> bytes:
            return encode(octets(b"x" * self.size))

    answers = Large()
    door = load(calling(wat.calls(wat.SELF), wat.returns_host_answer()), fast=fast, answers=answers)
    for size in (10, 100_000, 3, 2_000_000, 50):
        answers.size = size

        assert door.call(FUNCTION, INPUT) == Returned(encode(octets(b"x" * size)))


def test_host_call_is_recorded(fast: bool) -> None:
    """Interface, function and the exact bytes in and out."""
    context = FakeContext()
    load(calling(wat.calls(wat.LOG, text("bump")), wat.echoes()), fast=fast, context=context).call(FUNCTION, INPUT)

    assert context.recorded == [(RUNTIME, "log", encode(text("bump")), encode(tup()))]
    assert context.logged == [("info", "bump")]


@pytest.mark.parametrize(
    ("behaviour", "words"),
    [
        (wat.calls_with(wat.LOG, -8, 100), "the input lies outside the guest's memory"),
        (
            wat.calls_with_slots(wat.LOG, -4, 16, text("x")),
            "a result slot lies outside the guest's memory: 4 bytes",
        ),
        (wat.calls_with_slots(wat.LOG, 16, -1, text("x")), "a result slot lies outside"),
        (wat.calls(wat.LOG, b"garbage"), "the input of theater:simple/runtime.log does not fit func(msg: string)"),
        (wat.calls(wat.LOG, u32(5)), "the input of theater:simple/runtime.log does not fit func(msg: string)"),
    ],
)
def test_bad_host_calls(fast: bool, behaviour: wat.Behaviour, words: str) -> None:
    """A host call that cannot be served ends the guest's call: there is no status to say so (pack-abi 5.3)."""
    trap = trap_of(load(calling(behaviour, wat.echoes()), fast=fast))

    assert trap.kind == "contract"
    assert trap.text.startswith(f"in host call theater:simple/runtime.log: {words}")


def test_start_code_cannot_call_the_host(fast: bool) -> None:
    """Nothing outside an operation is recorded, so nothing outside one may reach the host."""
    start = f'(drop (call $"{RUNTIME}.log" (i32.const 0) (i32.const 0) (i32.const 16) (i32.const 20)))'
    with pytest.raises(StartError) as caught:
        load(guest(wat.echoes(), imports=[wat.LOG], start=start), fast=fast)

    assert caught.value.step == "instantiate"
    assert "in host call theater:simple/runtime.log" in caught.value.text


@pytest.mark.parametrize("error", [ValueError("broken"), KeyboardInterrupt("broken"), SystemExit("broken")])
def test_host_function_that_fails(fast: bool, error: BaseException) -> None:
    """Whatever kind of Python exception it is, it ends the call and is told, never swallowed."""

    class Fails:
        def answer(self, interface: str, function: str, data: bytes) -> bytes:
            raise error

    trap = trap_of(load(calling(wat.calls(wat.LOG, text("x")), wat.echoes()), fast=fast, answers=Fails()))

    assert trap.kind == "host"
    assert trap.text == f"host function theater:simple/runtime.log failed: {type(error).__name__}: broken"


def test_guest_memory_runs_out_in_a_host_call(fast: bool) -> None:
    """An answer the guest has no room for ends its call."""

    class Large:
        def answer(self, interface: str, function: str, data: bytes) -> bytes:
            return encode(octets(bytes(10 * PAGE)))

    door = load(calling(wat.calls(wat.SELF), wat.echoes()), fast=fast, answers=Large(), memory_bytes=8 * PAGE)
    trap = trap_of(door)

    assert trap.kind == "contract"
    assert "in host call theater:simple/runtime.self: the guest is out of memory" in trap.text


def test_closed_door(fast: bool) -> None:
    """After closing there is no way in."""
    door = load(guest(wat.echoes()), fast=fast)
    door.close()

    assert trap_of(door).text == "the instance cannot be entered after: the instance is closed"
