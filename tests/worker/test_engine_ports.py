"""Both ports do the same; the raw one is used only where its assumptions hold."""

from __future__ import annotations

import ctypes
from typing import Any

import pytest
import wasmtime

from tests.worker.enginekit import compiled, engine, ticking
from worker.engine import port, raw, stock
from worker.engine.clock import GuestClock

MODULE = """(module
  (import "it" "host" (func $host (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1 4)
  (func (export "last") (param i32 i32 i32 i32) (result i32) (local.get 3))
  (func (export "calls") (param i32 i32 i32 i32) (result i32)
    (call $host (local.get 0) (local.get 1) (local.get 2) (local.get 3)))
  (func (export "grow") (param i32) (result i32) (memory.grow (local.get 0)))
  (func (export "store") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
  (func (export "nothing"))
  (func (export "trap") (unreachable)))"""

BOTH = pytest.mark.parametrize("kind", [raw.RawPort, stock.StockPort])


class Guest:
    """The module above behind one port."""

    def __init__(self, kind: Any) -> None:
        self.store = wasmtime.Store(engine())
        self.clock = GuestClock(engine())
        self.clock.attach(self.store)
        self.clock.arm(None)
        self.port = kind(self.store)
        self.seen: list[tuple[int, ...]] = []
        instance = wasmtime.Instance(self.store, compiled(MODULE), [self.port.host_function(self.host)])
        self.exports = instance.exports(self.store)

    def host(self, *arguments: int) -> None:
        self.seen.append(arguments)
        if arguments[0] == 666:
            raise SystemExit("from the host")

    def function(self, name: str, params: int, has_result: bool = True) -> Any:
        return self.port.guest_function(self.exports[name], params, has_result)


@BOTH
def test_results_are_signed(kind: Any) -> None:
    """A guest's -1 arrives as -1, however its argument was written."""
    assert Guest(kind).function("last", 4)(0, 0, 0, 0xFFFFFFFF) == -1


@BOTH
def test_host_arguments_are_unsigned(kind: Any) -> None:
    """Addresses in the upper half of the memory arrive as they are meant."""
    guest = Guest(kind)

    assert guest.function("calls", 4)(1, 2, 0x80000000, 0xFFFFFFFF) == 0
    assert guest.seen == [(1, 2, 0x80000000, 0xFFFFFFFF)]


@BOTH
def test_host_exception_ends_the_call(kind: Any) -> None:
    """Whatever a host function raises, SystemExit included, the guest does not go on."""
    with pytest.raises(BaseException):  # noqa: B017 the stock layer passes it through, the raw one reports a trap
        Guest(kind).function("calls", 4)(666, 0, 0, 0)


@BOTH
def test_trap_is_reported(kind: Any) -> None:
    """A trap comes out as wasmtime's exception with its code."""
    with pytest.raises(wasmtime.Trap) as caught:
        Guest(kind).function("trap", 0, False)()

    assert caught.value.trap_code == wasmtime.TrapCode.UNREACHABLE


@BOTH
def test_no_parameters_no_result(kind: Any) -> None:
    """A function of type () -> () answers 0."""
    assert Guest(kind).function("nothing", 0, False)() == 0


@BOTH
def test_memory_follows_growth(kind: Any) -> None:
    """A view taken after the memory grew shows all of it, and shows what the guest wrote."""
    guest = Guest(kind)
    view = guest.port.memory(guest.exports["memory"])
    before = len(view())

    guest.function("grow", 1)(2)
    guest.function("store", 2, False)(3 * 65_536 - 1, 42)

    assert (before, len(view()), view()[-1]) == (65_536, 3 * 65_536, 42)


@BOTH
def test_writes_reach_the_guest(kind: Any) -> None:
    """What is written through a view is what stock wasmtime reads."""
    guest = Guest(kind)
    guest.port.memory(guest.exports["memory"])()[100:107] = b"theater"

    assert bytes(guest.exports["memory"].read(guest.store, 100, 107)) == b"theater"


def test_raw_port_is_usable_here() -> None:
    """The start-up check passes with the pinned wasmtime: its speed is what we ship."""
    assert raw.unusable(engine()) is None


def test_a_changed_layout_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were a raw value wider, the check would say so and the stock port be used."""
    monkeypatch.setattr(raw, "_verdict", [])
    monkeypatch.setattr(raw.ffi, "wasmtime_val_raw_t", ctypes.c_uint64)

    assert raw.unusable(engine()) == "a raw value takes 8 bytes, expected 16"
    assert isinstance(port.choose(wasmtime.Store(engine()), None), stock.StockPort)


def test_a_changed_prototype_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Were an argument added to a C function, the check would say so."""
    monkeypatch.setattr(raw, "_verdict", [])
    monkeypatch.setattr(raw._bindings._wasmtime_func_call_unchecked, "argtypes", [ctypes.c_void_p] * 6)

    assert raw.unusable(engine()) == "wasmtime_func_call_unchecked takes 6 arguments, expected 5"


def test_a_failing_check_is_no_crash(monkeypatch: pytest.MonkeyPatch) -> None:
    """An exception inside the check is a reason too."""
    monkeypatch.setattr(raw, "_verdict", [])
    monkeypatch.setattr(raw, "_check_calls", lambda store, port: 1 / 0)

    assert raw.unusable(engine()) == "ZeroDivisionError: division by zero"


@BOTH
def test_clock_does_not_run_during_host_calls(kind: Any) -> None:
    """Ticks given while ``computing`` is off cost the guest nothing."""
    guest = Guest(kind)
    guest.clock.arm(1)
    for _ in range(100):
        guest.clock.tick()

    assert guest.function("last", 4)(0, 0, 0, 7) == 7


@BOTH
def test_ticks_before_the_call_are_not_counted(kind: Any) -> None:
    """Arming forgets what was used before."""
    guest = Guest(kind)
    with ticking(guest.clock):
        guest.clock.computing = True
        guest.clock.tick()
        guest.clock.computing = False
    guest.clock.arm(2)

    assert guest.function("last", 4)(0, 0, 0, 7) == 7
