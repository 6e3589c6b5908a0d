"""Resources are numbers in values: the host's as the host says, the guest's by a table that ends with the instance."""

from __future__ import annotations

import pytest

from tests.component import resources
from tests.component.loading import EACH, Loose, ask, compiled, loose
from tests.worker.enginekit import engine
from theater import cgrf, types, values
from theater.actor import ActorOptions
from theater.values import U32, UNIT, String, Value
from worker.engine.component import introspect
from worker.engine.component.door import ComponentDoor
from worker.engine.errors import StartError, Trap

API = "test:own/api"


class Things:
    """A host with things: each has a size."""

    def __init__(self) -> None:
        self.sizes: dict[int, int] = {}
        self.asked: list[tuple[str, Value]] = []

    def answer(self, interface: str, function: str, data: bytes) -> bytes:
        given = cgrf.decode(data)
        assert interface == "test:res/api"
        self.asked.append((function, given))
        return cgrf.encode(self._answer(function, given))

    def _answer(self, function: str, given: Value) -> Value:
        match function, given:
            case "[constructor]thing", U32(size):
                self.sizes[len(self.sizes) + 7] = size
                return U32(len(self.sizes) + 6)
            case "[method]thing.size", U32(number):
                return U32(self.sizes[number])
            case "[resource-drop]thing" | "swallow", U32(number):
                del self.sizes[number]
                return UNIT
            case "all", _:
                return values.List(types.U32, tuple(self.sizes))
            case _:
                return UNIT


class Clumsy(Things):
    """One that cannot let go."""

    def _answer(self, function: str, given: Value) -> Value:
        if function == "[resource-drop]thing":
            raise ValueError("no such thing")
        return super()._answer(function, given)


def user(fast: bool | None) -> tuple[Loose, Things]:
    host = Things()
    return loose(resources.USER, host, fast), host


def owner(fast: bool | None) -> Loose:
    return loose(resources.OWNER, Things(), fast)


@EACH
def test_a_guest_makes_uses_and_drops_what_is_the_hosts(fast: bool | None) -> None:
    """Each step is a host call with the number, the end too."""
    door, host = user(fast)

    assert ask(door, "use", U32(5)) == U32(5)
    assert host.asked == [
        ("[constructor]thing", U32(5)),
        ("[method]thing.size", U32(7)),
        ("[resource-drop]thing", U32(7)),
    ]
    door.close()


@EACH
def test_the_hosts_things_pass_through_calls(fast: bool | None) -> None:
    """Handed out, lent, and handed over: the number stays."""
    door, host = user(fast)

    assert ask(door, "make", U32(11)) == U32(7)
    assert [ask(door, "look", U32(7)) for _ in range(3)] == [U32(11)] * 3
    assert ask(door, "feed", U32(7)) == UNIT
    assert host.asked[-1] == ("swallow", U32(7))
    assert isinstance(ask(door, "keep", U32(9)), U32)
    door.close()


@EACH
def test_lists_of_handles(fast: bool | None) -> None:
    """A list of them is a list of numbers."""
    door, host = user(fast)
    host.sizes = {3: 30, 4: 40}

    assert ask(door, "both") == U32(70)
    door.close()


@EACH
def test_a_host_that_fails_to_drop_ends_the_call(fast: bool | None) -> None:
    """Like any other host function."""
    door = loose(resources.USER, Clumsy(), fast)
    with pytest.raises(Trap, match=r"host function test:res/api\.\[resource-drop\]thing failed: ValueError: no such"):
        ask(door, "use", U32(5))
    door.close()


@EACH
def test_a_guests_resources_have_numbers(fast: bool | None) -> None:
    """From one on, in the order they are handed out; methods take the number."""
    door = owner(fast)
    made = [ask(door, f"{API}.[constructor]counter", U32(start)) for start in (10, 20)]

    assert made == [U32(1), U32(2)]
    assert [ask(door, f"{API}.[method]counter.get", U32(number)) for number in (1, 2, 1)] == [U32(10), U32(20), U32(10)]
    door.close()


@EACH
def test_a_guests_resource_ends_once(fast: bool | None) -> None:
    """Handed over or dropped, it is gone; its destructor runs once."""
    door = owner(fast)
    for start in (10, 20, 30):
        ask(door, f"{API}.[constructor]counter", U32(start))

    assert ask(door, f"{API}.eat", U32(1)) == U32(10)
    assert ask(door, f"{API}.[resource-drop]counter", U32(2)) == UNIT
    assert ask(door, f"{API}.dropped") == U32(30)
    for number in (0, 1, 2, 4):
        assert ask(door, f"{API}.[method]counter.get", U32(number)) == f"there is no counter {number} (any more)"
        assert ask(door, f"{API}.[resource-drop]counter", U32(number)) == f"there is no counter {number} (any more)"
    assert ask(door, f"{API}.[method]counter.get", U32(3)) == U32(30)
    door.close()


@EACH
def test_nothing_is_given_away_in_a_call_that_is_refused(fast: bool | None) -> None:
    """Neither twice in one call, nor when another value is wrong."""
    door = owner(fast)
    ask(door, f"{API}.[constructor]counter", U32(10))

    assert ask(door, f"{API}.pair", U32(1), U32(1)) == "counter 1 is given away twice"
    assert ask(door, f"{API}.pair", U32(1), U32(2)) == "there is no counter 2 (any more)"
    assert ask(door, f"{API}.pair", U32(1), String("x")) == "expected the number of a resource, got string"
    assert ask(door, f"{API}.[method]counter.get", U32(1)) == U32(10)
    door.close()


@EACH
def test_a_destructor_may_trap(fast: bool | None) -> None:
    """Then the instance is gone, as after any trap."""
    door = owner(fast)
    ask(door, f"{API}.[constructor]counter", U32(666))
    with pytest.raises(Trap) as caught:
        ask(door, f"{API}.[resource-drop]counter", U32(1))

    assert caught.value.kind == "unreachable"
    with pytest.raises(Trap, match="cannot be entered"):
        ask(door, f"{API}.dropped")
    door.close()


def test_callers_see_numbers() -> None:
    """``own`` and ``borrow`` are u32 in signatures, so that anybody can call."""
    exports = introspect.shape(engine(), compiled(resources.OWNER)).exports

    assert str(exports[f"{API}.[method]counter.get"].sig.signature) == "func(self: u32) -> u32"
    assert exports[f"{API}.[resource-drop]counter"].sig.params == (("self", types.U32),)


def test_resources_nobody_provides_are_named() -> None:
    """By the start error, as functions are; also where only the type is imported."""
    only_type = '(component (import "test:io/error@0.2.3" (instance (export "error" (type (sub resource))))))'
    for text, name in ((resources.USER, "test:res/api"), (only_type, "test:io/error")):
        with pytest.raises(StartError, match=f"there is no host interface {name}"):
            ComponentDoor.load(engine(), compiled(text), options=ActorOptions(), grants={}, answers=Things())


@EACH
def test_handles_do_not_leak(fast: bool | None) -> None:
    """Thousands made, lent, handed over and dropped: the process does not grow."""
    import psutil

    door, (mine, host) = owner(fast), user(fast)

    def rounds(count: int) -> int:
        for _ in range(count):
            number = ask(door, f"{API}.[constructor]counter", U32(1))
            assert isinstance(number, U32)
            ask(door, f"{API}.[method]counter.get", number)
            ask(door, f"{API}.eat", number)
            thing = ask(mine, "make", U32(1))
            assert isinstance(thing, U32)
            ask(mine, "look", thing)
            ask(mine, "feed", thing)
            host.asked.clear()
        return int(psutil.Process().memory_info().rss)

    before = rounds(500)
    assert rounds(5000) - before < 1 << 20
    door.close()
    mine.close()


def test_a_state_is_no_resource() -> None:
    """It would not outlive the instance: such a component does not start."""
    text = """
    (component
      (import "theater:simple/runtime" (instance $api (export "thing" (type $thing (sub resource)))))
      (alias export $api "thing" (type $thing))
      (core module $m (memory (export "memory") 1) (func (export "init") (param i32) (result i32) unreachable))
      (core instance $m (instantiate $m))
      (func (export "init") (param "state" (own $thing)) (result (result (tuple (own $thing)) (error string)))
        (canon lift (core func $m "init") (memory (core memory $m "memory")))))
    """
    with pytest.raises(StartError, match="takes a resource as its state"):
        ComponentDoor.load(
            engine(), compiled(text), options=ActorOptions(), grants={}, answers=Things(), is_replay=True
        )
