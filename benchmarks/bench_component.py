"""The component door: a call against the Pack door and against wasmtime's own Python layer; bytes in and out.

The same small function (two numbers in, two out) behind all three; then ``list<u8>`` there and back, once through a
host function inside the guest, so four crossings: as components are compiled here, without a bridge, for a module of
the Pack ABI, and for the package's own conversion.
"""

from __future__ import annotations

from typing import Any

import wasmtime
from wasmtime import component as wc

from benchmarks.table import Table, spread, times_us
from tests.component import echo, wit
from tests.system import guests
from theater import cgrf, types, values
from theater.actor import ActorOptions
from theater.values import U32, Tuple
from worker.engine import doors
from worker.engine.component.door import ComponentDoor
from worker.engine.config import make_engine
from worker.engine.pack import PackDoor

CALLS = 3_000
GRANTS: dict[str, dict[str, Any]] = {"theater:simple/runtime": {}}
BUMP = f"{guests.API}.bump"
SIZES = {1 << 10: 300, 1 << 16: 30, 1 << 20: 3}
"""Bytes, and how often they go round."""


class _Mirror:
    def answer(self, interface: str, function: str, data: bytes) -> bytes:
        return data


class _Loose(ComponentDoor):
    def _read_signatures(self) -> None:
        self.functions = {name: item.sig for name, item in self._found.exports.items()}


def main() -> None:
    """Calls, then bytes."""
    engine = make_engine()
    calls(engine)
    payloads(engine)


def calls(engine: Any) -> None:
    """One small call behind each door."""
    given = cgrf.encode(Tuple((U32(3), U32(4))))
    how: dict[str, Any] = {"options": ActorOptions(), "grants": GRANTS, "answers": _Mirror()}
    pack = PackDoor.load(engine, wasmtime.Module(engine, guests.counter()), **how)
    ours = ComponentDoor.load(engine, wc.Component(engine, wit.COUNTER), **how)
    store, bump = _stock(engine)
    table = Table("a call of bump(u32, u32) -> result<tuple<u32, u32>, string>", "median µs", "p95 µs", "× Pack door")
    contenders = {
        "Pack door": lambda: pack.call(BUMP, given),
        "component door": lambda: ours.call(BUMP, given),
        "wasmtime's Python layer, values not encoded": lambda: bump(store, 3, 4),
    }
    medians = {name: spread(times_us(once, CALLS)) for name, once in contenders.items()}
    for name, taken in medians.items():
        table.add(name, *taken, taken[0] / medians["Pack door"][0])
    table.show()
    print()


def _stock(engine: Any) -> tuple[Any, Any]:
    store = wasmtime.Store(engine)
    store.set_epoch_deadline(1 << 60)
    linker = wc.Linker(engine)
    with linker.root() as root, root.add_instance("theater:simple/runtime") as instance:
        instance.add_func("log", lambda store, message: None)
    made = linker.instantiate(store, wc.Component(engine, wit.COUNTER))
    index = made.get_export_index(store, "bump", made.get_export_index(store, guests.API))
    return store, made.get_func(store, index)


PACK_ECHO = """
(module
  (import "test:echo/host" "echo" (func $echo (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1024)
  (global $next (mut i32) (i32.const 4096))
  (func (export "__pack_alloc") (param i32) (result i32) (local $at i32)
    (if (i32.gt_u (global.get $next) (i32.const 50000000)) (then (global.set $next (i32.const 8192))))
    (local.set $at (i32.and (i32.add (global.get $next) (i32.const 15)) (i32.const -16)))
    (global.set $next (i32.add (local.get $at) (local.get 0)))
    (local.get $at))
  (func (export "__pack_free") (param i32 i32))
  (func (export "theater:simple/actor.init") (param i32 i32 i32 i32) (result i32) (i32.const 0))
  (func (export "echo") (param i32 i32 i32 i32) (result i32)
    (call $echo (local.get 0) (local.get 1) (local.get 2) (local.get 3))))
"""
"""The same as a module of the Pack ABI: what it is given it hands to the host, whose answer is its own."""


def payloads(engine: Any) -> None:
    """Bytes there and back, through a host function in between."""
    wasm = bytes(wasmtime.wat2wasm(echo.component(types.BYTES, pages=1024)))
    component = wc.Component(engine, wasm)
    doors_of = {
        "component door": (_Loose, doors.compile_component(engine, wasm)),
        "without a bridge": (_Loose, component),
        "Pack door": (PackDoor, wasmtime.Module(engine, PACK_ECHO)),
    }
    table = Table("list<u8>, four crossings", *(f"{name}, µs" for name in (*doors_of, "wasmtime's Python layer")))
    for size, count in SIZES.items():
        given = cgrf.encode(Tuple((values.bytes_of(bytes(size)),)))
        taken = [_round_trip(kind, engine, compiled, given, count) for kind, compiled in doors_of.values()]
        table.add(f"{size:,} bytes", *taken, _stock_round_trip(engine, component, bytes(size), max(1, count // 10)))
    table.show()


def _round_trip(kind: Any, engine: Any, compiled: Any, given: bytes, count: int) -> float:
    options = ActorOptions(memory_bytes=128 << 20, require_metadata=False)
    door = kind.load(engine, compiled, options=options, grants={}, answers=_Mirror(), is_replay=True)
    median = spread(times_us(lambda: door.call("echo", given), count, 2))[0]
    door.close()
    return median


def _stock_round_trip(engine: Any, component: Any, data: bytes, count: int) -> float:
    store = wasmtime.Store(engine)
    store.set_epoch_deadline(1 << 60)
    linker = wc.Linker(engine)
    with linker.root() as root, root.add_instance("test:echo/host") as instance:
        instance.add_func("echo", lambda store, data: data)
    func = linker.instantiate(store, component).get_func(store, "echo")
    return spread(times_us(lambda: func(store, data), count, 0))[0]


if __name__ == "__main__":
    main()
