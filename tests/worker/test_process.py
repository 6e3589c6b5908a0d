"""Calls of a real worker process, driven over real sockets by a root that is only a test (lifecycle 3 to 6, 15)."""

from __future__ import annotations

import time

from proto import control, info, operation
from tests.guests.pack import encode, tup, u32
from tests.worker.conftest import API
from tests.worker.driving import BY_5, is_asleep, status, wakeups
from tests.worker.fakeroot import FakeRoot

# -- calls -------------------------------------------------------------------------------------------------------------


def test_a_call_is_answered_and_its_state_committed(root: FakeRoot) -> None:
    """Two calls add up; the committed state is what GetState says."""
    root.start()
    caller = root.caller()

    assert caller.call(f"{API}.bump", BY_5) == encode(u32(5))
    assert caller.call(f"{API}.bump", BY_5) == encode(u32(10))
    assert root.ask(info.GetState(0))[1] == [encode(u32(10))]


def test_a_void_call_is_answered_without_a_response(root: FakeRoot) -> None:
    """CallVoid: the result is discarded unseen."""
    root.start()

    assert root.caller().call(f"{API}.bump", BY_5, void=True) is None


def test_an_unknown_function(root: FakeRoot) -> None:
    """L10: function_not_found, without an event."""
    root.start()
    root.until(lambda: root.stored_events() == 3)

    caller = root.caller()
    failed = caller.error(caller.send("none.such", BY_5))
    assert (failed.kind, failed.data) == ("function_not_found", ("none.such",))
    assert root.ask(info.GetMetrics(0))[0].data["events"] == 3


def test_parameters_that_are_no_value(root: FakeRoot) -> None:
    """Undecodable parameters: serialization, without touching the guest."""
    root.start()
    caller = root.caller()

    assert caller.error(caller.send(f"{API}.bump", b"garbage")).kind == "serialization"


def test_an_application_error_leaves_the_actor_alive(root: FakeRoot) -> None:
    """L10: internal with the error event; the state is as it was."""
    root.start()
    caller = root.caller()
    failed = caller.error(caller.send(f"{API}.decline", BY_5))

    assert failed.kind == "internal"
    assert failed.data[0] == {"function": f"{API}.decline", "message": "not today"}
    assert caller.call(f"{API}.bump", BY_5) == encode(u32(5))


def test_http_and_update_are_answered_with_their_documented_errors(root: FakeRoot) -> None:
    """Without an http service; packages are exchanged by the supervisor."""
    root.start()
    caller = root.caller()
    http = caller.send_other(operation.HttpRequest(0, "GET", None, None, "/", ()))
    update = caller.send_other(operation.UpdatePackage(0, "/other.wasm"))
    ask, _ = root.expect(control.Ask)
    root.tell(control.Refused(ask.id, "update_package", ("not today",)))

    assert caller.error(http).kind == "unexpected"
    assert (ask.function, ask.arguments) == ("update-package", {"package": "/other.wasm"})
    assert caller.error(update).data == ("not today",)


# -- 101 callers -------------------------------------------------------------------------------------------------------


def test_101_callers_are_served_in_order(root: FakeRoot) -> None:
    """L2, L3: none lost, the 101st waits for room."""
    root.start()
    root.obey(control.Pause(0))
    caller = root.caller()
    numbers = [caller.send(f"{API}.bump", encode(tup(u32(1)))) for _ in range(101)]
    root.until(lambda: status(root)["queued"] == 101)
    root.obey(control.Resume(0))

    assert [caller.answer(number)[1] for number in numbers] == [encode(u32(count)) for count in range(1, 102)]


# -- idle --------------------------------------------------------------------------------------------------------------


def test_an_idle_worker_costs_no_processor_time(root: FakeRoot) -> None:
    """No thread wakes up while nothing happens."""
    root.start()
    root.caller().call(f"{API}.bump", BY_5)
    root.until(lambda: root.stored_events() == 5)
    root.until(lambda: is_asleep(root.process.pid))
    before = wakeups(root.process.pid)
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        root._pass(0.1)

    assert wakeups(root.process.pid) - before <= 5
