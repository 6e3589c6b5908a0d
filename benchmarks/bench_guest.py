"""A small call into a guest: what the door costs over the engine itself. ``python -m benchmarks.bench_guest``

Floors on the same module in the same run: one bare call through wasmtime's Python layer, one through the raw bindings
(neither encodes, copies or frees anything). Then the door, through both ports, and the whole path of a worker's call:
check and join state and parameters, call, check and split the result.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from typing import Any, Final

import wasmtime

from benchmarks.table import Table
from theater import cgrf
from theater.actor import ActorOptions
from theater.metadata import FunctionSig, Metadata
from theater.metadata import encode as encode_metadata
from theater.types import STRING, U32, Result, Tuple
from theater.values import U32 as Number
from theater.values import Tuple as Values
from worker.engine.clock import GuestClock
from worker.engine.config import make_engine
from worker.engine.contract import Contract, Ok
from worker.engine.crossing import Returned
from worker.engine.pack import PackDoor
from worker.engine.raw import RawPort
from worker.engine.stock import StockPort

ROUNDS: Final = 7
CALLS: Final = 2000
ADD: Final = "bench:counter/api.add"
INIT: Final = "theater:simple/actor.init"


def main() -> None:
    """Print the table."""
    engine = make_engine()
    module = wasmtime.Module(engine, _module())
    rows = [
        ("bare call, stock", _bare(engine, module, StockPort)),
        ("bare call, raw", _bare(engine, module, RawPort)),
        ("door.call, stock", _door(engine, module, False)),
        ("door.call, raw", _door(engine, module, True)),
        ("whole call, stock", _whole(engine, module, False)),
        ("whole call, raw", _whole(engine, module, True)),
        ("whole call, raw, unchecked types", _whole(engine, module, True, check_types=False)),
    ]
    floor = rows[1][1]
    table = Table("small call into a guest", "us", "x bare raw call")
    for name, seconds in rows:
        table.add(name, seconds * 1e6, seconds / floor)
    table.show()


def _median(call: Callable[[], Any]) -> float:
    def once() -> float:
        began = time.perf_counter()
        for _ in range(CALLS):
            call()
        return (time.perf_counter() - began) / CALLS

    once()
    return statistics.median(once() for _ in range(ROUNDS))


def _bare(engine: Any, module: Any, kind: Any) -> float:
    store = wasmtime.Store(engine)
    clock = GuestClock(engine)
    clock.attach(store)
    clock.arm(None)
    function = wasmtime.Instance(store, module, []).exports(store)["nothing"]
    call = kind(store).guest_function(function, 4, True)
    return _median(lambda: call(0, 0, 0, 0))


def _load(engine: Any, module: Any, fast: bool) -> PackDoor:
    return PackDoor.load(engine, module, options=ActorOptions(), grants={}, answers=_Nobody(), fast=fast)


def _door(engine: Any, module: Any, fast: bool) -> float:
    door = _load(engine, module, fast)
    data = cgrf.encode(Values((Number(1), Number(2))))

    def call() -> None:
        door.arm(100)
        door.call(ADD, data)

    return _median(call)


def _whole(engine: Any, module: Any, fast: bool, **options: Any) -> float:
    door = _load(engine, module, fast)
    contract = Contract(door.functions, ActorOptions(**options))
    params = cgrf.encode(Values((Number(2),)))
    state = cgrf.encode(Number(0))

    def call() -> None:
        nonlocal state
        data = contract.input(ADD, state, params)
        door.arm(100)
        answer = door.call(ADD, data)
        assert isinstance(answer, Returned)
        outcome = contract.outcome(ADD, answer.output)
        assert isinstance(outcome, Ok)
        state = outcome.state

    return _median(call)


class _Nobody:
    """This guest imports nothing."""

    def answer(self, interface: str, function: str, data: bytes) -> bytes:
        raise AssertionError(f"{interface}.{function}")


def _module() -> str:
    """A counter in WebAssembly text: adds two u32 found at known places, keeps its answer in static memory."""
    number = Tuple((U32, U32))
    sigs = (
        FunctionSig("theater:simple/actor", "init", (("state", U32),), (Result(Tuple((U32,)), STRING),)),
        FunctionSig("bench:counter/api", "add", (("state", U32), ("by", U32)), (Result(number, STRING),)),
    )
    types = encode_metadata(Metadata(exports=sigs))
    output = cgrf.encode(_ok(Values((Number(0), Number(0)))))
    at = 1024 + len(types)
    return f"""(module
      (memory (export "memory") 2)
      (data (i32.const 1024) "{_text(types)}")
      (data (i32.const {at}) "{_text(output)}")
      (global $heap (mut i32) (i32.const 65536))
      (func (export "__pack_alloc") (param i32) (result i32)
        (global.get $heap) (global.set $heap (i32.add (global.get $heap) (local.get 0))))
      (func (export "__pack_free") (param i32 i32))
      (func (export "__pack_types") (param i32 i32) (result i32)
        (i32.store (local.get 0) (i32.const 1024)) (i32.store (local.get 1) (i32.const {len(types)})) (i32.const 0))
      (func (export "nothing") (param i32 i32 i32 i32) (result i32) (i32.const 0))
      (func (export "{INIT}") (param i32 i32 i32 i32) (result i32) (unreachable))
      (func (export "{ADD}") (param $in i32) (param $n i32) (param $at i32) (param $len i32) (result i32)
        (local $sum i32)
        (local.set $sum (i32.add (i32.load offset=24 (local.get $in)) (i32.load offset=36 (local.get $in))))
        (i32.store (i32.const {at + 24}) (local.get $sum))
        (i32.store (i32.const {at + 36}) (local.get $sum))
        (i32.store (local.get $at) (i32.const {at}))
        (i32.store (local.get $len) (i32.const {len(output)}))
        (i32.const 0)))"""


def _ok(payload: Values) -> Any:
    from theater.values import Result as ResultValue

    return ResultValue(Tuple((U32, U32)), STRING, True, payload)


def _text(data: bytes) -> str:
    return "".join(f"\\{byte:02x}" for byte in data)


if __name__ == "__main__":
    main()
