"""A real worker process answers while its guest spins, pauses and resumes (lifecycle sections 4 and 15)."""

from __future__ import annotations

import time

from proto import control, info, operation
from tests.guests.pack import encode, u32
from tests.worker.conftest import API
from tests.worker.driving import AT_ONCE_S, BY_5, is_asleep, spinning, status
from tests.worker.fakeroot import FakeRoot

# -- answers while the guest spins -------------------------------------------------------------------------------------


def test_info_is_answered_while_the_guest_spins(root: FakeRoot) -> None:
    """Status, state, metrics and chain never wait for the guest (median of several below 50 ms)."""
    root.start()
    spinning(root)
    took = []
    for question in (info.GetStatus(0), info.GetState(0), info.GetMetrics(0), info.GetChain(0)) * 3:
        before = time.monotonic()
        assert isinstance(root.ask(question)[0], info.Info)
        took.append(time.monotonic() - before)

    assert sorted(took)[len(took) // 2] < 0.05


def test_heartbeats_are_answered_while_the_guest_spins(root: FakeRoot) -> None:
    """L13."""
    root.start()
    spinning(root)
    root.tell(control.Ping(77))

    assert root.expect(control.Pong, AT_ONCE_S)[0].id == 77


def test_the_caller_past_the_bound_gets_mailbox_full_while_the_guest_spins(root: FakeRoot) -> None:
    """L3 with wait=False: at once, though the guest never returns."""
    root.start(options={"operation_queue_max": 2})
    spinning(root)
    caller = root.caller()
    for _ in range(2):
        caller.send(f"{API}.bump", BY_5)
    failed = caller.error(caller.send(f"{API}.bump", BY_5, wait=False), AT_ONCE_S)

    assert (failed.kind, failed.data) == ("mailbox_full", (2,))


def test_a_queued_call_times_out_while_the_guest_spins(root: FakeRoot) -> None:
    """L11: operation_timeout, and it leaves the queue."""
    root.start()
    spinning(root)
    caller = root.caller()
    failed = caller.error(caller.send(f"{API}.bump", BY_5, timeout_ms=30), AT_ONCE_S)

    assert (failed.kind, failed.data) == ("operation_timeout", (0.03,))
    assert status(root)["queued"] == 0


def test_a_queued_call_is_cancelled_while_the_guest_spins(root: FakeRoot) -> None:
    """Cancel: its caller gets cancelled, whoever cancels gets an empty success."""
    root.start()
    spinning(root)
    caller = root.caller()
    number = caller.send(f"{API}.bump", BY_5)
    cancel = caller.send_other(operation.Cancel(0, number))

    assert caller.error(number, AT_ONCE_S).kind == "cancelled"
    assert caller.answer(cancel) == (operation.Returned(cancel), None)


def test_cancel_reaches_only_operations_of_the_same_sender(root: FakeRoot) -> None:
    """Another connection's number is unknown here."""
    root.start()
    spinning(root)
    caller, stranger = root.caller(), root.caller()
    number = caller.send(f"{API}.bump", BY_5)
    root.until(lambda: status(root)["queued"] == 1)

    assert stranger.error(stranger.send_other(operation.Cancel(0, number)), AT_ONCE_S).kind == "not_found"


def test_cancel_running_is_a_trap(root: FakeRoot) -> None:
    """L11: with cancel_running the guest is stopped, which ends the incarnation."""
    root.start()
    caller = root.caller()
    number = caller.send(f"{API}.spin", BY_5, cancel_running=True)
    root.until(lambda: status(root)["operation"] is not None)
    caller.send_other(operation.Cancel(0, number))

    failed = caller.error(number)
    assert (failed.kind, failed.data[0]["message"]) == ("internal", "cancelled")
    assert root.wait_for_exit() == 1


def test_a_shutdown_refuses_the_queue_while_the_guest_spins(root: FakeRoot) -> None:
    """L5: steps 1 and 2 do not wait for step 4."""
    root.start()
    spinning(root)
    caller = root.caller()
    number = caller.send(f"{API}.bump", BY_5)
    root.until(lambda: status(root)["queued"] == 1)

    assert root.obey(control.Shutdown(0, deadline_ms=60_000)) == control.Done(root._ids)
    assert caller.error(number, AT_ONCE_S).kind == "shutting_down"
    assert caller.error(caller.send(f"{API}.bump", BY_5), AT_ONCE_S).kind == "shutting_down"
    assert "stopping" in str(status(root)["detail"])


def test_interface_and_export_hashes(root: FakeRoot) -> None:
    """GetInterface gives the metadata as the guest gave it, GetExportHashes the hashes in it."""
    from theater import metadata

    root.start()
    hashes, _ = root.ask(info.GetExportHashes(0))
    answer, (body,) = root.ask(info.GetInterface(0))
    known = metadata.decode(body)

    assert dict(hashes.data["hashes"]) == known.export_hashes
    assert API in known.export_hashes
    assert answer.data == {"package": "00" * 32}


# -- pause, resume -----------------------------------------------------------------------------------------------------


def test_pause_and_resume(root: FakeRoot) -> None:
    """Paused: calls wait, and run when resumed."""
    root.start()
    assert isinstance(root.obey(control.Pause(0)), control.Done)
    assert status(root)["text"] == "Paused"
    caller = root.caller()
    number = caller.send(f"{API}.bump", BY_5)
    root.until(lambda: status(root)["queued"] == 1)

    assert isinstance(root.obey(control.Resume(0)), control.Done)
    assert caller.answer(number)[1] == encode(u32(5))


def test_pause_while_busy_waits_for_the_call(root: FakeRoot) -> None:
    """L4: ok once effective; a resume before that withdraws it."""
    root.start()
    spinning(root)
    pause = root.order(control.Pause(0))
    root.until(lambda: "pausing" in str(status(root)["detail"]))

    assert isinstance(root.obey(control.Resume(0)), control.Done)
    refused = root.answer_to(pause)
    assert isinstance(refused, control.Refused)
    assert refused.kind == "not_paused"


def test_pause_if_idle_refuses_a_busy_actor(root: FakeRoot) -> None:
    """The seed's pause."""
    root.start()
    spinning(root)

    assert root.obey(control.Pause(0, mode="if_idle")).data == ("Cannot pause during operation",)


def test_resume_without_a_pause(root: FakeRoot) -> None:
    """not_paused."""
    root.start()

    assert root.obey(control.Resume(0)).kind == "not_paused"


def test_a_paused_actor_may_reject(root: FakeRoot) -> None:
    """on_paused: reject."""
    root.start(options={"on_paused": "reject"})
    root.obey(control.Pause(0))
    caller = root.caller()

    assert caller.error(caller.send(f"{API}.bump", BY_5)).kind == "paused"


def test_a_queued_call_of_a_paused_actor_times_out(root: FakeRoot) -> None:
    """L4: deadlines of queued callers keep running, with nothing else going on in the worker."""
    root.start()
    root.obey(control.Pause(0))
    caller = root.caller()
    root.until(lambda: is_asleep(root.process.pid))

    assert caller.error(caller.send(f"{API}.bump", BY_5, timeout_ms=120), AT_ONCE_S).kind == "operation_timeout"
