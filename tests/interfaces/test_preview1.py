"""WASI preview 1: pointers in and out of a memory, whatever they are; the functions behind them."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from struct import pack, unpack_from
from typing import Any

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.guests import wat
from tests.guests.pack import u32
from tests.interfaces.calling import Host
from tests.worker.enginekit import FakeContext, engine, ticking
from theater.actor import ActorOptions
from theater.grants import PREVIEW_1, WASI
from worker.engine import preview1
from worker.engine.clock import GuestClock
from worker.engine.errors import StartError, Trap
from worker.engine.pack import PackDoor
from worker.interfaces.registry import Dispatcher

SIZE = 65_536
BAD, FAULT, INVALID, IS_DIRECTORY, NO_ENTRY, NOT_PERMITTED, NAME_TOO_LONG = 8, 21, 28, 31, 44, 63, 37
READ, WRITE = 1 << 1, 1 << 6
FILE = 3 + 1


class Machine:
    """A memory, and the host behind it."""

    def __init__(self, directory: str | Path | None = None) -> None:
        directories = [] if directory is None else [{"host": str(directory), "guest": "/d", "write": True}]
        grant = {"environment": {"A": "1", "B": "ü"}, "arguments": ["app", "x"], "directories": directories}
        self.context = FakeContext()
        self.host = Host({WASI: grant}, self.context)
        self.memory = bytearray(SIZE)

    def call(self, function: str, *given: int) -> int:
        return preview1.call(function, lambda: memoryview(self.memory), self.host.dispatcher.answer, given)

    def put(self, at: int, data: bytes) -> tuple[int, int]:
        self.memory[at : at + len(data)] = data
        return at, len(data)

    def number(self, at: int, form: str = "<I") -> int:
        return int(unpack_from(form, self.memory, at)[0])

    def open(self, path: str, oflags: int = 0, rights: int = READ) -> int:
        """The error, or the number of the file at 4000."""
        return self.call("path_open", 3, 1, *self.put(2000, path.encode()), oflags, rights, 0, 0, 4000)

    def write(self, fd: int, *parts: bytes) -> int:
        at = 3000
        for place, part in enumerate(parts):
            self.put(100 + 8 * place, pack("<II", at, len(part)))
            self.put(at, part)
            at += len(part)
        return self.call("fd_write", fd, 100, len(parts), 4)

    def read(self, fd: int, size: int) -> bytes:
        self.put(100, pack("<II", 5000, size))
        assert self.call("fd_read", fd, 100, 1, 4) == 0
        return bytes(self.memory[5000 : 5000 + self.number(4)])


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.host.close()


def test_environment_and_arguments(machine: Machine) -> None:
    """Counts, sizes, pointers and texts ended by zeroes."""
    assert machine.call("environ_sizes_get", 0, 4) == 0
    assert (machine.number(0), machine.number(4)) == (2, len("A=1\0B=ü\0".encode()))
    assert machine.call("environ_get", 100, 200) == 0
    assert machine.number(100) == 200 and machine.number(104) == 204
    assert bytes(machine.memory[200:209]) == "A=1\0B=ü\0".encode()
    assert machine.call("args_get", 100, 200) == 0
    assert bytes(machine.memory[200:206]) == b"app\0x\0"


def test_files(machine: Machine, tmp_path: Path) -> None:
    """Made, written in parts, sought, read, looked at, listed, closed, removed."""
    assert machine.open("new", 1, READ | WRITE) == 0
    assert machine.number(4000) == FILE
    assert machine.write(FILE, b"hello ", b"world") == 0 and machine.number(4) == 11
    assert machine.call("fd_seek", FILE, 6, 0, 8) == 0 and machine.number(8, "<Q") == 6
    assert machine.read(FILE, 99) == b"world"
    assert machine.call("fd_tell", FILE, 8) == 0 and machine.number(8, "<Q") == 11
    assert machine.call("fd_seek", FILE, -12, 1, 8) == INVALID
    assert machine.call("fd_filestat_get", FILE, 600) == 0
    assert machine.memory[616] == 4 and machine.number(632, "<Q") == 11
    assert machine.call("fd_readdir", 3, 700, 200, 0, 4) == 0
    assert machine.number(4) == 24 + 3 and bytes(machine.memory[724:727]) == b"new"
    assert machine.call("fd_readdir", 3, 700, 10, 0, 4) == 0 and machine.number(4) == 10
    assert machine.call("fd_close", FILE) == 0
    assert machine.call("fd_close", FILE) == BAD
    assert (tmp_path / "new").read_bytes() == b"hello world"
    assert machine.call("path_unlink_file", 3, *machine.put(2000, b"new")) == 0
    assert machine.open("new") == NO_ENTRY


def test_directories(machine: Machine) -> None:
    """The name of a granted one; directories are no files; there are no others."""
    assert machine.call("fd_prestat_get", 3, 0) == 0 and machine.number(4) == 2
    assert machine.call("fd_prestat_dir_name", 3, 10, 2) == 0 and bytes(machine.memory[10:12]) == b"/d"
    assert machine.call("fd_prestat_dir_name", 3, 10, 1) == NAME_TOO_LONG
    assert machine.call("fd_prestat_get", 4, 0) == BAD
    assert machine.call("fd_read", 3, 100, 0, 4) == IS_DIRECTORY
    assert machine.open("../x") == NOT_PERMITTED


def test_standard_output_is_logged(machine: Machine) -> None:
    """A line a record; the rest at the end."""
    assert machine.write(1, b"one\ntw", b"o\nth") == 0
    assert machine.write(2, b"bad\n") == 0
    machine.host.close()
    assert machine.context.logged == [("info", "one"), ("info", "two"), ("warning", "bad"), ("info", "th")]


def test_waiting(machine: Machine) -> None:
    """A clock that is due: its event comes back with what the guest attached."""
    machine.put(100, pack("<QB7xI4xQQH6x", 77, 0, 1, 1_000_000, 0, 0))
    assert machine.call("poll_oneoff", 100, 300, 1, 4) == 0
    assert machine.number(4) == 1 and machine.number(300, "<Q") == 77
    assert machine.call("poll_oneoff", 100, 300, 0, 4) == INVALID


@pytest.mark.parametrize(
    ("function", "given"),
    [
        ("random_get", (SIZE - 4, 8)),
        ("environ_get", (SIZE, 0)),
        ("clock_time_get", (0, 0, SIZE - 4)),
        ("path_open", (3, 0, SIZE - 1, 2, 0, 0, 0, 0, 0)),
        ("fd_write", (1, SIZE - 4, 1, 0)),
        ("fd_read", (0, -1, 1, 0)),
    ],
)
def test_bad_pointers(machine: Machine, function: str, given: tuple[int, ...]) -> None:
    """They are the error ``fault``, and nothing is written."""
    assert machine.call(function, *given) == FAULT
    assert not any(machine.memory)


FUNCTIONS = sorted({*preview1.TABLE, "random_get", "fd_readdir", "poll_oneoff", "sock_recv", "sock_send"})


@settings(max_examples=400, deadline=None)
@given(data=st.data())
def test_any_parameters(data: st.DataObject) -> None:
    """Any numbers, in any order of calls: an error number, or a trap with words; nothing else, and no wait."""
    numbers = st.integers(0, 8) | st.sampled_from((100, 2000, SIZE - 1, SIZE, 2**31 - 1, -1, -(2**31)))
    with tempfile.TemporaryDirectory() as directory:
        machine = Machine(directory)
        machine.context.is_stopping = True
        machine.put(2000, b"file")
        machine.put(100, pack("<II", 2000, 4))
        try:
            for function in data.draw(st.lists(st.sampled_from(FUNCTIONS), min_size=1, max_size=20)):
                kind = preview1.core_type(function)
                assert kind is not None
                count = len(kind.partition(")")[0][1:].split(",")) if kind[1] != ")" else 0
                try:
                    assert 0 <= machine.call(function, *(data.draw(numbers) for _ in range(count))) <= 76
                except Trap as trap:
                    assert trap.text
        finally:
            machine.host.close()
        assert os.path.isdir(directory)


def _module(imports: str, code: str) -> bytes:
    source = wat.source(functions=[wat.starts(u32(0), wat.Behaviour(code))])
    return bytes(wasmtime.wat2wasm(source.replace("(module", f"(module {imports}", 1)))


def _load(package: bytes, context: Any, fast: bool | None = None) -> PackDoor:
    with ticking(GuestClock(engine())) as clock:
        module = wasmtime.Module(engine(), package)
        how: dict[str, Any] = {"options": ActorOptions(), "grants": {WASI: {}}, "clock": clock, "fast": fast}
        door = PackDoor.load(engine(), module, answers=Dispatcher(context), **how)
    door.arm(None)
    return door


INIT = "theater:simple/actor.init"
RANDOM = f'(import "{PREVIEW_1}" "random_get" (func $random (param i32 i32) (result i32)))'
EXIT = f'(import "{PREVIEW_1}" "proc_exit" (func $exit (param i32)))'


BOTH = pytest.mark.parametrize("fast", [True, False], ids=["raw", "stock"])


@BOTH
def test_a_module_asks(fast: bool) -> None:
    """Calls of a module of the Pack ABI are host calls like any other."""
    context = FakeContext()
    code = "(if (call $random (i32.const 8) (i32.const 4)) (then unreachable))"
    _load(_module(RANDOM, code), context, fast).call(INIT, b"CGRF")
    ((interface, function, _, output),) = context.recorded
    assert (interface, function) == (PREVIEW_1, "random_get") and len(output) > 4


@BOTH
def test_a_module_exits(fast: bool) -> None:
    """That ends the actor, and says so."""
    door = _load(_module(EXIT, "(call $exit (i32.const 3)) unreachable"), FakeContext(), fast)
    with pytest.raises(Trap, match=r"proc_exit\(3\)"):
        door.call(INIT, b"CGRF")


@pytest.mark.parametrize(
    ("imports", "why"),
    [
        (f'(import "{PREVIEW_1}" "random_get" (func $random (param i32) (result i32)))', "expected a function"),
        (f'(import "{PREVIEW_1}" "teleport" (func $random (param i32) (result i32)))', "there is no such function"),
    ],
)
def test_a_wrong_import(imports: str, why: str) -> None:
    """Named before anything runs."""
    with pytest.raises(StartError, match=why):
        _load(_module(imports, "nop"), FakeContext())
