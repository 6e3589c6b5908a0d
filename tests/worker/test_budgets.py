"""Budgets without a worker: what is counted, and what each of the three words does."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import Any

import pytest

from tests.worker.enginekit import FakeContext
from theater import cgrf, types
from theater.actor import RUNTIME, SUPERVISOR, ActorOptions
from theater.budgets import Budget
from theater.values import UNIT, Result, String
from worker.budgets import Budgets, UsedUp
from worker.engine.errors import CANCELLED, Trap
from worker.interfaces.registry import known
from worker.metered import Metered

HOUR_MS = 3_600_000


class Scene:
    """An incarnation that records, and may be told to stop."""

    def __init__(self, **limits: Any) -> None:
        self.recorded: list[str] = []
        self.released = threading.Event()
        self.trap: Trap | None = None
        self.recorder = SimpleNamespace(seq=-1, bytes_recorded=0, append=lambda kind, data: self.recorded.append(kind))
        inc: Any = SimpleNamespace(
            options=ActorOptions(**limits),
            init=SimpleNamespace(chain_seq=0),
            recorder=self.recorder,
            asks=SimpleNamespace(released=self.released),
            clock=SimpleNamespace(verdict=lambda: self.trap),
        )
        self.budgets = Budgets(inc)

    def grow(self, events: int) -> None:
        self.recorder.seq += events
        self.recorder.bytes_recorded += 100 * events


def per_hour(amount: int, then: str) -> Budget:
    return Budget(amount=amount, per_ms=HOUR_MS, then=then)


def test_what_leaves_is_counted() -> None:
    """What would be too much is refused, and what is just enough is not."""
    scene = Scene(outgoing=per_hour(100, "error"))
    scene.budgets.host_call(60)
    scene.budgets.host_call(None)

    with pytest.raises(UsedUp, match="limit outgoing: 100 per 3600000 ms is used up"):
        scene.budgets.host_call(60)
    scene.budgets.host_call(40)
    assert scene.budgets.usage()["outgoing"] == {
        "used": 100, "limit": 100, "per_ms": HOUR_MS, "then": "error", "refused": 1, "waited_ns": 0,
    }  # fmt: skip


def test_who_has_sent_all_it_may_can_still_be_called() -> None:
    """But not who has answered more than that."""
    scene = Scene(outgoing=per_hour(100, "error"))
    scene.budgets.host_call(100)
    scene.budgets.admit(False)
    scene.budgets.sent(1)

    with pytest.raises(UsedUp, match="limit outgoing"):
        scene.budgets.admit(False)
    with pytest.raises(UsedUp, match="limit outgoing"):
        scene.budgets.host_call(0)
    scene.budgets.host_call(None)


@pytest.mark.parametrize(("then", "error"), [("stop", Trap), ("error", UsedUp)])
def test_answers_that_were_too_much(then: str, error: type[Exception]) -> None:
    """They have left; the next operation pays."""
    scene = Scene(outgoing=per_hour(100, then))
    scene.budgets.admit(False)
    scene.budgets.sent(1000)

    with pytest.raises(error, match="limit outgoing"):
        scene.budgets.admit(False)


def test_a_stop_ends_the_guest() -> None:
    """In the middle of what it does."""
    scene = Scene(host_calls=Budget(amount=1, then="stop"))
    scene.budgets.host_call(None)

    with pytest.raises(Trap, match="limit host_calls: 1 is used up"):
        scene.budgets.host_call(None)


def test_a_stop_of_the_actor_ends_the_waiting_of_a_host_call() -> None:
    """The guest is to be able to return."""
    scene = Scene(host_calls=per_hour(1, "throttle"))
    scene.released.set()

    for _ in range(3):
        scene.budgets.host_call(None)


def test_a_stop_of_the_actor_ends_the_waiting_of_an_operation() -> None:
    """It has not begun, and does not any more."""
    scene = Scene(chain_events=per_hour(1, "throttle"))
    scene.grow(2)
    scene.released.set()

    with pytest.raises(Trap) as caught:
        scene.budgets.admit(False)
    assert caught.value.kind == CANCELLED


def test_a_cancelled_operation_waits_no_longer() -> None:
    """Its caller has asked for that."""
    scene = Scene(chain_events=per_hour(1, "throttle"))
    scene.grow(2)
    scene.trap = Trap("cancelled", CANCELLED)

    with pytest.raises(Trap, match="cancelled"):
        scene.budgets.admit(False)


def test_being_used_up_is_recorded_once() -> None:
    """However many are refused."""
    scene = Scene(chain_bytes=per_hour(150, "error"))
    scene.budgets.admit(False)
    scene.grow(2)

    for _ in range(3):
        with pytest.raises(UsedUp):
            scene.budgets.admit(False)
    assert scene.recorded == ["theater-runtime/limit"]
    assert scene.budgets.usage()["chain_bytes"]["refused"] == 3


def test_chain_growth_that_refuses_leaves_host_calls_alone() -> None:
    """The operation under way may finish."""
    scene = Scene(chain_events=per_hour(1, "error"))
    scene.grow(5)

    scene.budgets.host_call(None)


# -- with the functions behind it ------------------------------------------------------------------------------------


def metered(**limits: Any) -> tuple[Metered, FakeContext]:
    context = FakeContext()
    host = Metered(context, Scene(**limits).budgets)
    names = (RUNTIME, SUPERVISOR, "wasi:clocks/monotonic-clock")
    host.bind({(name, f.name): f.variants[0] for name in names for f in known()[name].functions})
    return host, context


def test_a_refused_call_is_recorded_and_not_made() -> None:
    """The guest gets the function's own error."""
    host, context = metered(host_calls=per_hour(1, "error"))
    host.answer(RUNTIME, "log", cgrf.encode(String("once")))

    output = host.answer(SUPERVISOR, "stop-child", cgrf.encode(String("some-id")))

    answer = cgrf.decode(output)
    text = String("limit host_calls: 1 per 3600000 ms is used up")
    assert answer == Result(types.STRING, types.STRING, False, text)
    assert context.asked == []
    assert context.recorded[-1][:2] == (SUPERVISOR, "stop-child")


@pytest.mark.parametrize(
    ("interface", "function", "given"),
    [(RUNTIME, "log", String("x")), ("wasi:clocks/monotonic-clock", "now", UNIT)],
)
def test_a_function_without_errors_ends_the_guest(interface: str, function: str, given: Any) -> None:
    """There is no other way to say it."""
    host, _ = metered(host_calls=Budget(amount=1, per_ms=HOUR_MS, then="error"))
    host.answer(RUNTIME, "log", cgrf.encode(String("once")))

    with pytest.raises(Trap, match="limit host_calls"):
        host.answer(interface, function, cgrf.encode(given))
