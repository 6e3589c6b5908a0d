"""Every end of a real worker process: stops, traps, deadlines, signals, the loss of its supervisor."""

from __future__ import annotations

import signal

import pytest

from proto import control
from tests.guests.pack import encode, u32
from tests.worker.conftest import API
from tests.worker.driving import BY_5, events_in_ring, spinning, status
from tests.worker.fakeroot import FakeRoot


def test_an_orderly_stop(root: FakeRoot) -> None:
    """L5: accepted, a shutdown event, Goodbye with the cause, exit status 0, the cause in the ring."""
    root.start()
    assert isinstance(root.obey(control.Shutdown(0, by="the test")), control.Done)

    cause = {"kind": "stopped", "by": "the test"}
    assert root.expect(control.Goodbye)[0].cause == cause
    assert root.wait_for_exit() == 0
    assert root.last_words() == cause
    assert events_in_ring(root)[-1] == "shutdown"


def test_a_paused_actor_stops(root: FakeRoot) -> None:
    """Its queue is refused."""
    root.start()
    root.obey(control.Pause(0))
    caller = root.caller()
    number = caller.send(f"{API}.bump", BY_5)
    root.until(lambda: status(root)["queued"] == 1)
    root.obey(control.Shutdown(0))

    assert caller.error(number).kind == "shutting_down"
    assert root.wait_for_exit() == 0


def test_ten_shutdowns_are_all_answered(root: FakeRoot) -> None:
    """L5: they join."""
    root.start()
    spinning(root)
    orders = [root.order(control.Shutdown(0, deadline_ms=100 * number)) for number in range(10, 0, -1)]

    assert [type(root.answer_to(number)) for number in orders] == [control.Done] * 10
    assert root.wait_for_exit() == 4
    assert root.last_words()["escalated"] is True


def test_a_stop_that_overran_ends_the_worker_even_if_the_root_does_not(root: FakeRoot) -> None:
    """L7: the caller in flight learns it was killed."""
    root.start()
    caller, number = spinning(root)
    root.obey(control.Shutdown(0, deadline_ms=50))
    failed = caller.error(number)

    assert (failed.kind, failed.data[0]["kind"]) == ("channel_closed", "killed")
    assert root.wait_for_exit() == 4


def test_a_trap_ends_the_incarnation(root: FakeRoot) -> None:
    """L9: internal for the caller, channel_closed with the cause for the queue, exit status 1, cause failed."""
    root.start()
    root.obey(control.Pause(0))
    caller = root.caller()
    bad, queued = caller.send(f"{API}.trap", BY_5), caller.send(f"{API}.bump", BY_5)
    root.until(lambda: status(root)["queued"] == 2)
    root.obey(control.Resume(0))

    failed, closed = caller.error(bad), caller.error(queued)
    assert (failed.kind, failed.data[0]["function"]) == ("internal", f"{API}.trap")
    assert "unreachable" in failed.data[0]["message"]
    assert (closed.kind, closed.data[0]["kind"]) == ("channel_closed", "failed")
    assert root.wait_for_exit() == 1
    assert root.last_words()["function"] == f"{API}.trap"
    assert root.last_state == encode(u32(0))


def test_a_crash_while_a_shutdown_is_pending_is_a_failure(root: FakeRoot) -> None:
    """L9: the cause is failed, not stopped."""
    root.start(options={"call_deadline_ms": 400})
    spinning(root)
    root.obey(control.Shutdown(0, deadline_ms=60_000))

    assert root.wait_for_exit() == 1
    assert root.last_words()["kind"] == "failed"


def test_the_guest_deadline(root: FakeRoot) -> None:
    """L12: computing beyond the call's own deadline is a trap."""
    root.start()
    caller = root.caller()
    failed = caller.error(caller.send(f"{API}.spin", BY_5, deadline_ms=100))

    assert "deadline of 100 ms" in failed.data[0]["message"]
    assert root.wait_for_exit() == 1


def test_an_application_error_may_be_a_crash(root: FakeRoot) -> None:
    """on_application_error: crash."""
    root.start(options={"on_application_error": "crash"})
    caller = root.caller()
    caller.error(caller.send(f"{API}.decline", BY_5))

    assert root.wait_for_exit() == 1


def test_the_guest_ends_itself(root: FakeRoot) -> None:
    """runtime.shutdown: the call returns its result, then the actor ends completed."""
    root.start()

    assert root.caller().call(f"{API}.stop", BY_5) == encode(u32(5))
    assert root.wait_for_exit() == 0
    assert root.last_words()["kind"] == "completed"


def test_losing_the_supervisor_ends_an_idle_worker(root: FakeRoot) -> None:
    """10.4: gracefully."""
    root.start()
    root.lose()

    assert root.wait_for_exit() == 0
    assert root.last_words()["kind"] == "parent_gone"


def test_losing_the_supervisor_ends_a_spinning_worker_within_orphan_ms(root: FakeRoot) -> None:
    """10.4: by force."""
    root.start(options={"orphan_ms": 100})
    spinning(root)
    root.lose()

    assert root.wait_for_exit() == 4


def test_a_worker_whose_supervisor_is_lost_before_init_ends(root: FakeRoot) -> None:
    """Nobody will ever tell it what it is."""
    root.expect(control.Hello)
    root.lose()

    assert root.wait_for_exit() != 0


def test_signals_of_a_terminal_do_not_end_a_worker(root: FakeRoot) -> None:
    """Ctrl-C reaches every process of the terminal; the root decides."""
    root.start()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        root.kill(number)

    assert root.caller().call(f"{API}.bump", BY_5) == encode(u32(5))


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGABRT])
def test_a_fault_ends_the_process(root: FakeRoot, number: signal.Signals) -> None:
    """Also one that was only sent: the engine's fault handler must not swallow it. Where it was is on stderr."""
    root.start()
    root.kill(number)

    # Printing where the other thread is, while it runs, may itself fault: then that is what ends the process.
    assert root.wait_for_exit() in (-number, -signal.SIGSEGV)
    assert "Fatal Python error" in (root.directory / "stderr").read_text()
