"""How a real worker process starts, and how its start fails."""

from __future__ import annotations

from proto import control, info
from tests.guests import wat
from tests.guests.pack import encode, u32
from tests.worker.conftest import API, Compile
from tests.worker.driving import BY_5, events
from tests.worker.fakeroot import FakeRoot

# -- calls -------------------------------------------------------------------------------------------------------------


def test_calls_before_the_start_is_complete_are_served_after_it(root: FakeRoot) -> None:
    """Starting: queued."""
    caller = root.caller()
    number = caller.send(f"{API}.bump", BY_5)
    root.start()

    assert caller.answer(number)[1] == encode(u32(5))


# -- starting ----------------------------------------------------------------------------------------------------------


def test_a_failed_start_names_its_step(root: FakeRoot) -> None:
    """StartFailed, the same in the last words, exit status 3; who waited gets channel_closed (S4)."""
    caller = root.caller()
    number = caller.send(f"{API}.bump", BY_5)
    root.until(caller.is_connected)
    root.init(grants={})
    failed, _ = root.expect(control.StartFailed)

    assert failed.step == "link"
    assert "theater:simple/runtime" in failed.text
    assert caller.error(number).data[0]["kind"] == "start_failed"
    assert root.wait_for_exit() == 3
    assert root.last_words()["step"] == "link"


def test_a_ring_that_cannot_be_created(root: FakeRoot) -> None:
    """There is nowhere to record: the start fails and says why."""
    root.init(ring="/nowhere/at/all/ring")

    assert "ring" in root.expect(control.StartFailed)[0].text
    assert root.wait_for_exit() == 3


def test_a_shutdown_before_init_skips_it(root: FakeRoot) -> None:
    """L5: the order arrives with Init; the actor never becomes ready."""
    root.init()
    root.obey(control.Shutdown(0))

    assert root.wait_for_exit() == 0


def test_resume_takes_the_state_over_without_init(root: FakeRoot) -> None:
    """10.1 resume: the given state is the committed state."""
    root.start(bodies=(encode(u32(40)),), state_kind="value", resume=True)

    assert root.caller().call(f"{API}.bump", BY_5) == encode(u32(45))
    assert events(root)[:2] == ["genesis", "wasm"]


def test_a_later_incarnation_begins_with_its_marker(root: FakeRoot) -> None:
    """8.2: an event ``incarnation`` that continues the chain."""
    root.start(incarnation=2, chain_seq=7, chain_head=bytes(32), previous_end={"kind": "crashed", "signal": 9})
    part, _ = root.ask(info.GetChain(0))

    assert (part.data["first_seq"], part.data["base_hash"]) == (7, bytes(32))
    assert events(root)[0] == "incarnation"


# -- idle --------------------------------------------------------------------------------------------------------------


def test_a_slow_start_is_logged_and_named(root: FakeRoot, compiled: Compile) -> None:
    """L14: the step is in the log, again and again, and in the status."""
    starts_for_ever = wat.Function(wat.INIT, "(state: value) -> result<value, string>", wat.spins())
    root.artefact = compiled(wat.build([starts_for_ever]))
    root.init(options={"init_warn_ms": 60, "init_deadline_ms": 400})
    root.until(lambda: len([line for line in root.logs if "at step init" in line.message]) >= 2)

    assert root.expect(control.StartFailed)[0].step == "init"
