"""Any values of the declared types, in any order of calls: the documented answer or refusal, and nothing else.

Also with the ids, tokens and handles of other actors and of earlier times; while the actor is called back, written to,
stopped; through every door and in every form of the functions. Each call is recorded, and the chain replays. For a
longer run ``THEATER_FUZZ`` says how many times as many examples (a number).
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.interfaces.bothdoors import OWN, WASI, Form, forms
from tests.interfaces.calling import Host, anything, one_of_those
from tests.interfaces.living import Actor, bare
from tests.interfaces.worlds import GUESTS, SECONDS_MAX, Step, World
from tests.worker.enginekit import FakeContext
from theater import cgrf, fitting, types
from theater.chain import payloads
from theater.chain.files import verify_events
from theater.grants import HTTP_CLIENT
from theater.grants import WASI as WASI_GRANT
from theater.values import U32, Result, String, Tuple, Value
from worker.engine.errors import Trap
from worker.interfaces import registry
from worker.interfaces.wasi.resources import Resources

TIMES = float(os.environ.get("THEATER_FUZZ", "1"))
HEALTH = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
PHASES = [Phase.explicit, Phase.reuse, Phase.generate] + ([Phase.shrink] if TIMES > 1 else [])
"""Whoever has the time for more examples has it for smaller ones."""


def examples(count: int) -> settings:
    """So many of them, or as many times as often as the environment says."""
    most = max(1, round(count * TIMES))
    return settings(max_examples=most, deadline=None, suppress_health_check=HEALTH, phases=PHASES)


# -- our interfaces ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("interface", OWN)
@examples(6)
@given(data=st.data())
def test_any_order_of_calls(interface: str, data: st.DataObject) -> None:
    """Every function of an interface at least once, others and whatever may happen in between."""
    world = World(data.draw(st.lists(st.sampled_from(GUESTS), min_size=2, max_size=2)))
    try:
        for what in data.draw(_plan(interface, world)):
            act(world, what, data)
        for actor in world.actors:
            assert verify_events(actor.chain).ok
            summary = actor.replayed()
            assert summary.success, str(summary)
    finally:
        world.close()


EVENTS = st.sampled_from(("turn", "turn", "time", "mail", "dial", "stop"))


@st.composite
def _plan(draw: st.DrawFn, interface: str, world: World) -> list[tuple[int, Form | str]]:
    steps: list[tuple[int, Form | str]] = []
    first = draw(st.integers(0, 1))
    own = [form for form in world.actors[first].imported if form.interface == interface]
    for form in draw(st.permutations(own)):
        steps.append((first, form))
        for _ in range(draw(st.integers(0, 2))):
            actor = draw(st.integers(0, 1))
            others = world.actors[actor].imported
            near = [each for each in others if each.interface == interface]
            steps.append((actor, draw(EVENTS | st.sampled_from(near) | st.sampled_from(others))))
    return steps


def act(world: World, what: tuple[int, Form | str], data: st.DataObject) -> None:
    """One step, and whether it went as it must."""
    actor, form = what
    if isinstance(form, str):
        number = data.draw(st.integers(0, 20))
        if actor not in world.over:
            world.happen(Step(actor, form, number=number))
        return
    arguments = data.draw(world.arguments(actor, form))
    if actor in world.over:
        return
    caller = world.actors[actor]
    before = len(caller.host_events)
    try:
        answer, took_s = world.call(Step(actor, form, arguments))
    except Trap as trap:  # the only documented one: a function that has no errors is refused
        assert caller.is_stopping and not form.variant.is_result, trap
        assert trap.text.endswith("shutting-down"), trap
        world.over.add(actor)
        return
    assert took_s < SECONDS_MAX, f"{form.interface}.{form.name} took {took_s} s"
    fits(form, answer)
    is_recorded(caller, before, form, arguments, answer)


def fits(form: Form, answer: Value) -> None:
    """An answer is of the declared type, or a refusal in words."""
    is_plain = registry.known()[form.interface].is_plain
    if isinstance(answer, Result) and not answer.is_ok and not is_plain:
        assert form.variant.is_result
        assert isinstance(answer.value, String) and answer.value.value
        return
    [declared] = form.variant.parsed.results or (types.UNIT,)
    if form.variant.is_loose:
        return
    if isinstance(declared, types.Result) and not is_plain:
        assert isinstance(answer, Result)
        answer, declared = answer.value, types.UNIT if declared.ok == types.NOTHING else declared.ok
    wrong = fitting.fits(answer, declared)
    assert wrong is None, f"{form.interface}.{form.name}: {wrong}"


def is_recorded(actor: Actor, before: int, form: Form, arguments: tuple[Value, ...], answer: Value) -> None:
    """One event, with what went in and what came out."""
    [(type_, data)] = actor.host_events[before:]
    assert type_ == f"{form.interface}/{form.name}"
    said = payloads.read(data)
    assert isinstance(said, payloads.HostCall)
    given = arguments[0] if len(arguments) == 1 else Tuple(arguments)
    assert cgrf.encode(said.input) == registry.shown(form.interface, form.name, cgrf.encode(given))
    assert bare(said.output) == bare(answer)


# -- WASI --------------------------------------------------------------------------------------------------------------

ALWAYS = {("wasi:filesystem/preopens", "get-directories"), ("wasi:cli/stdout", "get-stdout")}
"""Every guest has these: they give resources that others take."""


def _grants(directory: str) -> dict[str, dict[str, Any]]:
    host = {"host": directory, "guest": "/d", "write": True}
    sockets = {"connect": ["127.0.0.1:1"], "listen": ["127.0.0.1:*"]}
    return {
        HTTP_CLIENT: {"allow": ["http://127.0.0.1:1"], "timeout_ms": 100},
        WASI_GRANT: {"environment": {"A": "1"}, "directories": [host], "sockets": sockets},
    }


class Impatient(Actor):
    """A module that imports interfaces of WASI. It is to stop: nothing waits for long."""

    def __init__(self, directory: str, imported: list[Form]) -> None:
        super().__init__("pack", imported, _grants(directory))
        self.is_stopping = True

    def dies(self) -> None:
        """And is there again, with nothing that was kept for it."""
        for service in self.services.values():
            if hasattr(service, "close"):
                service.close()
        self.services.clear()
        self.begin_again("last")

    def near(self, kind: types.Type) -> st.SearchStrategy[Value]:
        return _near(self, kind)


def _near(context: FakeContext, kind: types.Type) -> st.SearchStrategy[Value]:
    """A number is often one that the host has given."""

    def known() -> list[Value]:
        service = context.services.get(Resources)
        return [U32(0), *map(U32, service._found if service is not None else ())]

    return one_of_those(known) | anything(kind) if kind == types.U32 else anything(kind)


@pytest.mark.parametrize("interface", WASI)
@examples(2)
@given(data=st.data())
def test_any_order_of_calls_of_wasi(interface: str, data: st.DataObject) -> None:
    """A guest's fault ends it, as a trap with words; whatever it does, its chain verifies and replays."""
    every = [form for name in WASI for form in forms("pack", name)]
    own = [form for form in every if form.interface == interface]
    imported = [form for form in every if form.interface == interface or (form.interface, form.name) in ALWAYS]
    with tempfile.TemporaryDirectory() as directory:
        os.mkdir(f"{directory}/sub")
        actor = Impatient(directory, imported)
        try:
            for form in data.draw(st.permutations(own)):
                for each in (*data.draw(st.lists(st.sampled_from(imported), max_size=2)), form):
                    _call_of_wasi(actor, each, data)
        finally:
            actor.close()
        assert verify_events(actor.chain).ok
        summary = actor.replayed()
        assert summary.success, str(summary)


def _call_of_wasi(actor: Impatient, form: Form, data: st.DataObject) -> None:
    arguments = data.draw(st.tuples(*map(actor.near, form.variant.params)))
    before = len(actor.host_events)
    try:
        answer = actor.host(form.interface, form.name, *arguments)
    except Trap as trap:
        assert trap.text and "Error: " not in trap.text, trap
        actor.dies()
    else:
        fits(form, answer)
        is_recorded(actor, before, form, arguments, answer)


@examples(100)
@given(data=st.data())
def test_any_calls_across_wasi(data: st.DataObject) -> None:
    """Resources of one interface given to another, with nothing but the host functions."""
    with tempfile.TemporaryDirectory() as directory:
        os.mkdir(f"{directory}/sub")
        host = Host(_grants(directory), context=Stopping())
        functions = [(name, function) for name in WASI for function in registry.known()[name].functions]
        try:
            host.call("wasi:filesystem/preopens", "get-directories")
            for interface, function in data.draw(st.lists(st.sampled_from(functions), min_size=1, max_size=25)):
                arguments = [data.draw(_near(host.context, kind)) for kind in function.variants[0].params]
                try:
                    answer = host.call(interface, function.name, *arguments)
                except Trap as trap:
                    assert trap.text
                    continue
                fits(Form(interface, function, 0), answer)
        finally:
            host.close()


class Stopping(FakeContext):
    """Without a guest."""

    def __init__(self) -> None:
        super().__init__()
        self.is_stopping = True
