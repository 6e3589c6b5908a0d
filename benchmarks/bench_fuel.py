"""What counting fuel costs a guest that computes. ``python -m benchmarks.bench_fuel``

The same modules compiled without it (the floor) and with it, in one run; both watch the clock, as workers do. A call
that does nothing shows what filling the tank costs.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any, Final

import wasmtime

from benchmarks.table import Table
from worker.engine.clock import GuestClock
from worker.engine.config import make_engine
from worker.engine.raw import RawPort

ROUNDS: Final = 7
CALLS: Final = 5000
GUEST: Final = """(module
  (memory 2)
  (func $fib (param $n i32) (result i32)
    (if (result i32) (i32.lt_u (local.get $n) (i32.const 2)) (then (local.get $n)) (else
      (i32.add (call $fib (i32.sub (local.get $n) (i32.const 1))) (call $fib (i32.sub (local.get $n) (i32.const 2)))))))
  (func (export "fib") (param i32) (result i32) (call $fib (local.get 0)))
  (func (export "sieve") (param $n i32) (result i32) (local $i i32) (local $at i32) (local $found i32)
    (memory.fill (i32.const 0) (i32.const 0) (local.get $n))
    (local.set $i (i32.const 2))
    (loop $next
      (if (i32.eqz (i32.load8_u (local.get $i))) (then
        (local.set $found (i32.add (local.get $found) (i32.const 1)))
        (local.set $at (i32.add (local.get $i) (local.get $i)))
        (block $struck (loop $strike
          (br_if $struck (i32.ge_u (local.get $at) (local.get $n)))
          (i32.store8 (local.get $at) (i32.const 1))
          (local.set $at (i32.add (local.get $at) (local.get $i)))
          (br $strike)))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $i) (local.get $n))))
    (local.get $found))
  (func (export "mix") (param $n i32) (result i32) (local $x i64)
    (local.set $x (i64.const 88172645463325252))
    (loop $again
      (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 13))))
      (local.set $x (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 7))))
      (local.set $x (i64.xor (local.get $x) (i64.shl (local.get $x) (i64.const 17))))
      (local.set $n (i32.sub (local.get $n) (i32.const 1)))
      (br_if $again (local.get $n)))
    (i32.wrap_i64 (local.get $x)))
  (func (export "nothing") (param i32) (result i32) (i32.const 0)))"""
WORK: Final = (
    ("calls: fib(30)", "fib", 30),
    ("memory: the primes up to 100,000, 20 times", "sieve", 100_000),
    ("arithmetic: 30 million rounds of xorshift", "mix", 30_000_000),
)


def main() -> None:
    """Print the table."""
    plain, counting = Guest(False), Guest(True)
    table = Table("the same work", "without", "with fuel", "ratio")
    for name, function, argument in WORK:
        times = 20 if function == "sieve" else 1
        floor, taken = _both(plain.work(function, argument, times), counting.work(function, argument, times))
        table.add(name, f"{floor * 1e3:.1f} ms", f"{taken * 1e3:.1f} ms", taken / floor)
    floor, taken = _both(plain.work("nothing", 0, CALLS), counting.work("nothing", 0, CALLS))
    each, fuelled = (f"{seconds / CALLS * 1e6:.2f} us" for seconds in (floor, taken))
    table.add("a call that does nothing", each, fuelled, taken / floor)
    table.show()


class Guest:
    """An instance of the guest, with or without fuel."""

    def __init__(self, counts_fuel: bool) -> None:
        engine = make_engine(counts_fuel)
        self._store = wasmtime.Store(engine)
        self._clock = GuestClock(engine, counts_fuel)
        self._clock.attach(self._store)
        self._exports = wasmtime.Instance(self._store, wasmtime.Module(engine, GUEST), []).exports(self._store)
        self._port = RawPort(self._store)

    def work(self, function: str, argument: int, times: int) -> Callable[[], None]:
        """What calls a function so many times, each time as a worker does it."""
        call, clock = self._port.guest_function(self._exports[function], 1, True), self._clock
        tank = clock.tank

        def once() -> None:
            for _ in range(times):
                clock.arm(1000)
                if tank is not None:
                    tank.fill(1 << 50)
                call(argument)
                if tank is not None:
                    tank.used()

        return once


def _both(one: Callable[[], Any], other: Callable[[], Any]) -> tuple[float, float]:
    """Medians of both, taken in turns, so that whatever else the machine does meets both."""
    found: tuple[list[float], list[float]] = ([], [])
    for _ in range(ROUNDS):
        for action, times in zip((one, other), found, strict=True):
            began = time.perf_counter()
            action()
            times.append(time.perf_counter() - began)
    return statistics.median(found[0]), statistics.median(found[1])


if __name__ == "__main__":
    main()
