"""The smallest honest host of a Pack ABI guest: plain wasmtime-py, no product code. For tests of guests themselves."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping

import wasmtime

from tests.guests.pack import Value, encode, tup

Answer = Callable[[bytes], bytes]
"""A host function of the test: CGRF of its input → CGRF of its output."""

FUEL = 200_000_000  # plenty for any example; a spinning guest uses it up within a second


class Guest:
    """One instance of a module. ``calls`` lists the host calls made so far, as (name, input)."""

    def __init__(self, wasm: bytes, answers: Mapping[str, Answer] | None = None) -> None:
        config = wasmtime.Config()
        config.consume_fuel = True
        self.calls: list[tuple[str, bytes]] = []
        self.store = wasmtime.Store(wasmtime.Engine(config))
        self.store.set_fuel(FUEL)
        self.store.set_limits(memory_size=64 << 20)
        self.module = wasmtime.Module(self.store.engine, wasm)
        linker = wasmtime.Linker(self.store.engine)
        for it in self.module.imports:
            self._define(linker, it.module, str(it.name), dict(answers or {}))
        self.exports = linker.instantiate(self.store, self.module).exports(self.store)
        ctors = self.exports.get("__wasm_call_ctors")
        if ctors is not None:
            self._call("__wasm_call_ctors")
        self.slots = self._call("__pack_alloc", 8)
        self.kept: tuple[int, int] = (0, 0)  # the buffer host functions answer in

    def call(self, function: str, *items: Value | bytes) -> tuple[int, bytes]:
        """Call an export with the tuple of these values (or one encoded input): (status, bytes of the answer)."""
        data = items[0] if items and isinstance(items[0], bytes) else encode(tup(*items))  # type: ignore[arg-type]
        self.store.set_fuel(FUEL)
        place = self._call("__pack_alloc", len(data))
        assert place
        self.memory.write(self.store, data, place)
        status = self._call(function, place, len(data), self.slots, self.slots + 4)
        self._call("__pack_free", place, len(data))
        at, size = struct.unpack("<II", self._read(self.slots, 8))
        answer = self._read(at, size)
        self._call("__pack_free", at, size)
        return status, answer

    def types(self) -> bytes:
        """The metadata ``__pack_types`` points at."""
        assert self._call("__pack_types", self.slots, self.slots + 4) == 0
        at, size = struct.unpack("<II", self._read(self.slots, 8))
        return self._read(at, size)

    @property
    def memory(self) -> wasmtime.Memory:
        memory = self.exports["memory"]
        assert isinstance(memory, wasmtime.Memory)
        return memory

    @property
    def pages(self) -> int:
        return int(self.memory.size(self.store))

    def _call(self, name: str, *arguments: int) -> int:
        function = self.exports[name]
        assert isinstance(function, wasmtime.Func)
        found = function(self.store, *arguments)
        return found & 0xFFFFFFFF if isinstance(found, int) and name.startswith("__pack") else found

    def _read(self, at: int, size: int) -> bytes:
        return bytes(self.memory.read(self.store, at, at + size))

    def _define(self, linker: wasmtime.Linker, module: str, name: str, answers: dict[str, Answer]) -> None:
        i32 = wasmtime.ValType.i32()
        kind = wasmtime.FuncType([i32] * 4, [i32])
        full = f"{module}.{name}"

        def answer(at: int, size: int, slot_at: int, slot_len: int) -> int:
            data = self._read(at, size)
            self.calls.append((full, data))
            output = answers[full](data) if full in answers else encode(tup())
            place, room = self.kept
            if len(output) > room:
                self._call("__pack_free", place, room)
                place, room = self._call("__pack_alloc", len(output)), len(output)
                self.kept = (place, room)
            self.memory.write(self.store, output, place)
            self.memory.write(self.store, struct.pack("<I", place), slot_at)
            self.memory.write(self.store, struct.pack("<I", len(output)), slot_len)
            return 0

        linker.define(self.store, module, name, wasmtime.Func(self.store, kind, answer))
