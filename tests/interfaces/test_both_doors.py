"""Every host function, called by a module and by a component: the same goes in, comes out and is in the chain.

Driven by the registry: guests are made from it, so a new function is here as soon as a scene has it, and one without a
scene fails.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import pytest

from tests.interfaces import scenes
from tests.interfaces.bothdoors import DOORS, OWN, Form, is_for_components, opened, rounds
from tests.interfaces.living import Actor, FromRecord, Said, bare, is_refusal
from tests.interfaces.staging import place, play
from tests.worker.enginekit import FakeContext, engine
from theater import cgrf
from theater.chain import ChainEvent, payloads
from theater.chain.files import verify_events
from theater.grants import SUPERVISOR
from theater.replay import ReplaySummary
from theater.values import NO_BYTES, U32, Result, String, Value
from worker.engine.clock import GuestClock
from worker.engine.errors import StartError
from worker.interfaces.registry import Dispatcher, known

EACH = pytest.mark.parametrize("interface", OWN)
COMPONENTS = DOORS[1:]
NEVER_REFUSED = {("theater:simple/runtime", "shutdown")}
"""Functions that could refuse, but never do."""


class Played(NamedTuple):
    """A scene, once played."""

    said: list[Said]
    chain: list[ChainEvent]
    host_calls: list[payloads.HostCall]
    replay: ReplaySummary


@cache
def played(door: str, interface: str, forms: tuple[Form, ...], again: int = 0) -> list[Played]:
    """What came of each scene of an interface; ``again`` tells apart performances that are otherwise the same."""
    found = []
    for each in (each for each in scenes.ALL if each.interface == interface):
        with place() as around:
            actor = Actor(door, forms)
            try:
                play(each, actor, around)
            finally:
                actor.close()
            found.append(Played(actor.said, actor.chain, actor.host_calls, actor.replayed()))
    return found


def all_rounds(interface: str) -> list[tuple[str, tuple[Form, ...]]]:
    """Every guest there is for an interface: its door and what it imports."""
    return [(door, tuple(forms)) for door in DOORS for forms in rounds(door, interface)]


@EACH
def test_every_function_is_answered_and_refused(interface: str) -> None:
    """In each of its forms, through each door: a function without a scene is not finished."""
    for door, forms in all_rounds(interface):
        said = [each for one in played(door, interface, forms) for each in one.said]
        answered = {each.form.name for each in said if not is_refusal(each.answer)}
        refused = {each.form.name for each in said if is_refusal(each.answer)}
        can_refuse = {
            form.name
            for form in forms
            if form.variant.is_result and (interface, form.name) not in NEVER_REFUSED
        }

        assert answered == {function.name for function in known()[interface].functions}, (door, "answered")
        assert can_refuse <= refused, (door, "refused")


@EACH
def test_components_can_import_every_function(interface: str) -> None:
    """In some form that says what it takes and gives: no ``value``, and nothing but what is declared."""
    for function in known()[interface].functions:
        assert any(map(is_for_components, function.variants)), function.name


@pytest.mark.parametrize("door", COMPONENTS)
@pytest.mark.parametrize(
    "form",
    [
        Form(interface, function, number)
        for interface in OWN
        for function in known()[interface].functions
        for number, variant in enumerate(function.variants)
        if variant.is_loose and not variant.is_result
    ],
    ids=lambda form: form.name,
)
def test_forms_that_do_not_say_what_they_answer_are_for_modules_only(form: Form, door: str) -> None:
    """A component with one is not started; it is told what to declare."""
    with pytest.raises(StartError, match=r"a component declares func\("):
        opened(door, [form], Dispatcher(FakeContext()), GuestClock(engine()))


@pytest.mark.parametrize("door", COMPONENTS)
def test_a_component_is_refused_what_is_not_declared(door: str) -> None:
    """A child's state that is no bytes, asked for as such; the chain has the refusal."""
    function = known()[SUPERVISOR].function("get-child-state")
    spawn = known()[SUPERVISOR].function("spawn")
    assert function is not None and spawn is not None
    actor = Actor(door, [Form(SUPERVISOR, function, 0), Form(SUPERVISOR, spawn, 1)])
    states: list[Value] = [cgrf.decode(each) for each in (cgrf.encode(NO_BYTES), cgrf.encode(U32(3)))]
    for state in states:
        child = f"child with {state}"
        actor.root.has_child(actor.actor_id, child, cgrf.encode(state))
        answer = actor.host(SUPERVISOR, "get-child-state", String(child))
        assert is_refusal(answer) == (state != NO_BYTES)

    assert "not of the declared type: expected option" in str(actor.host_calls[-1].output)
    assert actor.replayed().success


@EACH
def test_what_is_recorded_is_what_the_guest_saw(interface: str) -> None:
    """Input and output of each call, in order, through each door."""
    for door, forms in all_rounds(interface):
        for one in played(door, interface, forms):
            assert [(each.interface, each.function) for each in one.host_calls] == [
                (said.form.interface, said.form.name) for said in one.said
            ]
            for said, recorded in zip(one.said, one.host_calls, strict=True):
                assert bare(said.answer) == bare(recorded.output), (door, said.form.name)


@EACH
def test_chains_verify_and_replay(interface: str) -> None:
    """Without a host, through the door they were made by."""
    for door, forms in all_rounds(interface):
        for one in played(door, interface, forms):
            assert verify_events(one.chain).ok
            assert one.replay.success, f"{door}: {one.replay}"


@EACH
@pytest.mark.parametrize("door", COMPONENTS)
def test_both_doors_let_the_same_through(interface: str, door: str) -> None:
    """A guest behind one, given the answers of the other's host, asks the same, is told the same, leaves the same."""
    for forms in map(tuple, rounds(door, interface)):
        for to, of in ((door, "pack"), ("pack", door)):
            for one in played(of, interface, forms):
                actor = Actor(to, forms, answers=FromRecord(one.host_calls))
                for said in one.said:
                    answer = actor.host(said.form.interface, said.form.name, *said.arguments)
                    assert bare(answer) == bare(said.answer), (to, said.form.name)


@EACH
@pytest.mark.parametrize("door", COMPONENTS)
def test_both_doors_have_the_same_host(interface: str, door: str) -> None:
    """Whatever is the same each time a module asks is that for a component, too; and is in its chain likewise."""
    for forms in map(tuple, rounds(door, interface)):
        first, second = (played("pack", interface, forms, again) for again in (0, 1))
        for one, other, ours in zip(first, second, played(door, interface, forms), strict=True):
            for a, b, c in zip(one.host_calls, other.host_calls, ours.host_calls, strict=True):
                assert (a.interface, a.function) == (c.interface, c.function)
                if a.input == b.input:
                    assert a.input == c.input
                if (a.input, a.output) == (b.input, b.output):
                    assert a.output == c.output
                elif isinstance(a.output, Result):
                    assert isinstance(c.output, Result) and a.output.is_ok == c.output.is_ok
