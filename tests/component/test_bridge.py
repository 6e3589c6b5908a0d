"""Components with a bridge around them: which get one, that nobody can tell, and how large values may be."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import wasmtime
from wasmtime import component as wc

from tests.component import echo, resources, wasi, wit
from tests.component.loading import Loose, ask, bridged, compiled
from tests.worker.enginekit import FakeContext, engine
from theater import cgrf, types
from theater.actor import RUNTIME, ActorOptions
from theater.values import List, String, Tuple, Value, bytes_of
from worker.engine import doors
from worker.engine.clock import GuestClock
from worker.engine.component import bridge, introspect, outer, scope, sections
from worker.engine.component.door import ComponentDoor
from worker.engine.errors import StartError, Trap
from worker.interfaces.registry import Dispatcher
from worker.prepare import Preparer

ECHO = echo.component(types.BYTES, pages=1024)
MIB = 1 << 20


class Host:
    """Answers with what it is given, or what that is made into."""

    def __init__(self, does: Callable[[Value], Value] = lambda value: value) -> None:
        self._does = does

    def answer(self, interface: str, function: str, data: bytes) -> bytes:
        return cgrf.encode(self._does(cgrf.decode(data)))


def binary(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(text))


def shape(component: Any) -> introspect.Shape:
    return introspect.shape(engine(), component)


def opened(component: Any, host: Host | None = None, **options: Any) -> Loose:
    options = {"message_bytes_max": 64 * MIB, "memory_bytes": 128 * MIB, **options}
    how: dict[str, Any] = {"grants": {}, "clock": GuestClock(engine()), "is_replay": True}
    door = Loose.load(engine(), component, options=ActorOptions(**options), answers=host or Host(), **how)
    assert isinstance(door, Loose)
    return door


@pytest.fixture(scope="module")
def component() -> Any:
    return doors.compile_component(engine(), binary(ECHO))


# -- which components get one ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "is_bridged"),
    [(ECHO, True), (wasi.WASI, True), (wit.COUNTER, False), (resources.USER, False)],
    ids=["lists", "lists and resources", "strings", "resources"],
)
def test_a_bridge_is_made_for_lists(text: str, is_bridged: bool) -> None:
    """Strings are fast without one, numbers and resources do not need one."""
    assert shape(doors.compile_component(engine(), binary(text))).is_bridged is is_bridged


@pytest.mark.parametrize("text", [ECHO, wasi.WASI, wit.COUNTER, resources.USER, resources.OWNER])
def test_nobody_can_tell_by_the_types(text: str) -> None:
    """Functions, types with their names, resources: those of the package's own component, in its order."""
    plain, inside = shape(compiled(text)), shape(bridged(text))

    assert [item.sig for item in inside.imports] == [item.sig for item in plain.imports]
    assert [(name, item.sig) for name, item in inside.exports.items()] == [
        (name, item.sig) for name, item in plain.exports.items()
    ]
    assert (inside.resources, inside.defines) == (plain.resources, plain.defines)


def test_nobody_can_tell_by_the_metadata() -> None:
    """It goes into an actor's first event."""

    def metadata(component: Any) -> bytes:
        how: dict[str, Any] = {"options": ActorOptions(), "grants": {RUNTIME: {}}, "clock": GuestClock(engine())}
        door = ComponentDoor.load(engine(), component, answers=Dispatcher(FakeContext()), **how)
        try:
            return door.metadata_bytes
        finally:
            door.close()

    assert metadata(bridged(wit.COUNTER)) == metadata(compiled(wit.COUNTER))


def test_functions_with_resources_are_handed_through() -> None:
    """Interfaces that have resources are imported as they are; what else has lists or strings crosses."""
    found = shape(doors.compile_component(engine(), binary(wasi.WASI)))

    assert {name: item.bridge for name, item in found.exports.items() if item.bridge} == {
        "test:wasi/api.read": "f0",
        "theater:simple/actor.init": "f1",
    }
    assert not any(item.bridge for item in found.imports)


def test_the_names_of_bridges_are_reserved() -> None:
    """The host trusts what looks like a bridge, so packages must not."""
    text = '(component (import "theater:bridge/host" (instance (export "f0" (func)))))'
    with pytest.raises(StartError, match=r"uses the name theater:bridge/host: theater:bridge/ is reserved"):
        doors.compile_component(engine(), binary(text))


def test_an_artefact_has_it(tmp_path: Path) -> None:
    """Packages are compiled with it into the cache, under the digest of the package."""
    (tmp_path / "echo.wasm").write_bytes(binary(ECHO))
    answer = Preparer(str(tmp_path / "cache")).prepare(str(tmp_path / "echo.wasm"))

    assert answer.error is None
    assert shape(doors.load_artefact(engine(), answer.artefact)).is_bridged


# -- what crosses ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 65_000, 66_000, 3 * MIB, 8 * MIB])
def test_bytes_of_any_size(component: Any, size: int) -> None:
    """There and back, through the host in between: without a bridge 2.67 MiB are the most."""
    given = bytes_of(os.urandom(size))
    door = opened(component)

    assert ask(door, "echo", given) == given
    door.close()


def test_an_answer_may_be_larger_than_what_was_asked(component: Any) -> None:
    """The memory grows in the middle of the host call, and small ones follow."""
    answers = [8 * MIB, 3, 4 * MIB, 0]
    door = opened(component, Host(lambda value: bytes_of(b"x" * answers[0])))
    while answers:
        assert ask(door, "echo", bytes_of(b"?")) == bytes_of(b"x" * answers[0])
        answers.pop(0)
    door.close()


def test_many_calls_use_the_same_memory(component: Any) -> None:
    """What one call has left there is overwritten by the next."""
    door = opened(component)
    for number in range(100):
        assert ask(door, "echo", bytes_of(bytes((number,)) * 50_000)) == bytes_of(bytes((number,)) * 50_000)
    assert door._bridge is not None
    assert len(door._bridge._memory.view()) <= 4 * bridge.PAGE_BYTES
    door.close()


def test_instances_do_not_share_it(component: Any) -> None:
    """Each finds its own, also when they take turns."""
    first, second = opened(component), opened(component)
    for number in range(3):
        for name, door in ((b"first", first), (b"second", second)):
            given = bytes_of(name * (number + 1))
            assert ask(door, "echo", given) == given
    first.close()
    second.close()


def test_lists_of_lists() -> None:
    """Nothing in them has a fixed place."""
    kind = types.List(types.Tuple((types.STRING, types.BYTES)))
    pair = Tuple((String("grün"), bytes_of(b"\0" * 1000)))
    given = List(types.tag_form(types.Tuple((types.STRING, types.BYTES))), (pair,) * 50)
    door = opened(doors.compile_component(engine(), binary(echo.component(kind, pages=16))))

    assert ask(door, "echo", given) == given
    door.close()


# -- limits and faults -------------------------------------------------------------------------------------------------


def test_a_call_cannot_be_larger_than_a_memory() -> None:
    """The limit of the guest's memory holds for the bridge's as well."""
    door = opened(bridged(echo.component(types.BYTES, pages=4)), memory_bytes=MIB)
    with pytest.raises(Trap, match=r"\d+ bytes of values exceed the limit of a memory"):
        ask(door, "echo", bytes_of(bytes(2 * MIB)))
    door.close()


def test_an_answer_cannot_be_larger_than_a_memory() -> None:
    """Nor can what a host function gives; the trap names it."""
    host = Host(lambda value: bytes_of(bytes(2 * MIB)))
    door = opened(bridged(echo.component(types.BYTES, pages=4)), host, memory_bytes=MIB)
    with pytest.raises(Trap, match=r"in host call .*: \d+ bytes of values exceed the limit of a memory") as caught:
        ask(door, "echo", bytes_of(b""))

    assert caught.value.kind == "contract"
    door.close()


# -- finding the memory ------------------------------------------------------------------------------------------------


def test_it_works_here() -> None:
    """The start-up check passes with the pinned wasmtime: its speed is what we ship."""
    assert bridge.unusable(engine()) is None


@pytest.fixture
def lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """A system on which memories cannot be found."""
    monkeypatch.setattr(bridge, "_verdict", [])
    monkeypatch.setattr(bridge, "_MAPS", os.devnull)


@pytest.mark.usefixtures("lost")
def test_without_it_components_are_compiled_as_they_are() -> None:
    """Slower, and with the limit, but running."""
    assert not shape(doors.compile_component(engine(), binary(ECHO))).is_bridged


def test_without_it_a_bridge_is_no_start(component: Any, request: pytest.FixtureRequest) -> None:
    """An artefact that was compiled elsewhere says what it misses."""
    request.getfixturevalue("lost")
    with pytest.raises(StartError, match=r"compiled with a bridge, which does not work here: .*in 0 places"):
        opened(component)


def test_a_number_that_nobody_has_is_not_found() -> None:
    """Nor would one be that two have."""
    with pytest.raises(Trap, match="in 0 places, expected one"):
        bridge.found(os.urandom(8))


# -- binaries ----------------------------------------------------------------------------------------------------------


def test_hollow_components_have_the_same_types() -> None:
    """Only their functions do nothing."""
    hollow = wc.Component(engine(), sections.hollow(binary(wasi.WASI)))

    assert shape(hollow).exports == shape(compiled(wasi.WASI)).exports
    assert b"\x03\x00\x00\x0b" in sections.hollow(binary(wasi.WASI))


@pytest.mark.parametrize(
    "wasm", [binary(ECHO)[:-5], binary(ECHO) + b"\x01\xff\xff\xff\xff\xff\x01", b"\0asm\r\0\1\0\x01"], ids=range(3)
)
def test_broken_binaries_are_not_wrapped(wasm: bytes) -> None:
    """Whatever is wrong with them is said by the engine."""
    with pytest.raises(scope.Unbridgeable):
        outer.wrapped(engine(), wasm)
    with pytest.raises(wasmtime.WasmtimeError):
        doors.compile_component(engine(), wasm)
