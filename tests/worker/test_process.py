"""A real worker process, driven over real sockets by a root that is only a test (lifecycle sections 3 to 6, 15)."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from proto import control, info, operation
from tests.guests import wat
from tests.guests.pack import encode, ok, tup, u32
from tests.worker.conftest import API, Compile
from tests.worker.fakeroot import FakeRoot
from theater.values import U64

BY_5 = encode(tup(u32(5)))
AT_ONCE_S = 1.0
"""Generous, for busy machines; the fact tested is that nothing waits for the guest."""


def spinning(root: FakeRoot) -> int:
    """Have the guest spin; return the number of the call. The caller is kept as ``root.spinner``."""
    caller = root.spinner = root.caller()  # type: ignore[attr-defined]
    number: int = caller.send(f"{API}.spin", BY_5)
    root.until(lambda: status(root)["operation"] == f"{API}.spin")
    return number


def status(root: FakeRoot) -> dict[str, object]:
    answer, _ = root.ask(info.GetStatus(0))
    assert isinstance(answer, info.Info)
    return answer.data


def fail_of(root: FakeRoot, number: int) -> operation.Failed:
    caller = root.spinner  # type: ignore[attr-defined]
    failed: operation.Failed = caller.error(number)
    return failed


# -- calls ----------------------------------------------------------------


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


def test_calls_before_the_start_is_complete_are_served_after_it(root: FakeRoot) -> None:
    """Starting: queued."""
    caller = root.caller()
    number = caller.send(f"{API}.bump", BY_5)
    root.start()

    assert caller.answer(number)[1] == encode(u32(5))


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


# -- answers while the guest spins ----------------------------------------------------------------


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


# -- 101 callers ----------------------------------------------------------------


def test_101_callers_are_served_in_order(root: FakeRoot) -> None:
    """L2, L3: none lost, the 101st waits for room."""
    root.start()
    root.obey(control.Pause(0))
    caller = root.caller()
    numbers = [caller.send(f"{API}.bump", encode(tup(u32(1)))) for _ in range(101)]
    root.until(lambda: status(root)["queued"] == 101)
    root.obey(control.Resume(0))

    assert [caller.answer(number)[1] for number in numbers] == [encode(u32(count)) for count in range(1, 102)]


# -- pause, resume ----------------------------------------------------------------


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
    asleep = time.monotonic() + 0.2
    root.until(lambda: time.monotonic() > asleep)

    assert caller.error(caller.send(f"{API}.bump", BY_5, timeout_ms=120), AT_ONCE_S).kind == "operation_timeout"


# -- ends ----------------------------------------------------------------


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
    number = spinning(root)
    root.obey(control.Shutdown(0, deadline_ms=50))
    failed = fail_of(root, number)

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


# -- starting ----------------------------------------------------------------


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


# -- the chain ----------------------------------------------------------------


def events(root: FakeRoot) -> list[str]:
    """Types of the retained events of a running worker."""
    from theater.chain import iter_batch

    part, (batch,) = root.ask(info.GetChain(0))
    return [event.event_type for event in iter_batch(batch, part.data["base_hash"])]


def events_in_ring(root: FakeRoot) -> list[str]:
    """Types of all events whose frames are in what was sent up or still in the ring."""
    from theater.chain import iter_batch
    from theater.ring import RingReader

    sent = [event for header, body in root.batches for event in iter_batch(body, header.prev_hash)]
    last = sent[-1] if sent else None
    rest = b"".join(RingReader.open(root.ring).frames(last.seq if last else -1))
    tail = list(iter_batch(rest, last.hash if last else None)) if rest else []
    return [event.event_type for event in [*sent, *tail]]


def test_every_operation_is_recorded_in_order(root: FakeRoot) -> None:
    """8.2: call, host calls as they complete, result."""
    root.start()
    root.caller().call(f"{API}.log", BY_5)

    assert events(root) == ["genesis", "wasm", "wasm", "wasm", "theater:simple/runtime/log", "wasm"]


def test_what_was_answered_survives_sigkill(root: FakeRoot) -> None:
    """D7: every acknowledged operation is in the ring, sent or not."""
    root.acks = False
    root.start()
    caller = root.caller()
    for _ in range(300):
        caller.call(f"{API}.bump", BY_5)
    root.kill()

    assert root.wait_for_exit() == -signal.SIGKILL
    assert events_in_ring(root) == ["genesis", *["wasm"] * 602]


def test_a_full_ring_makes_the_guest_wait_for_the_store(root: FakeRoot) -> None:
    """D7 back-pressure: callers wait while nothing is acknowledged, info does not; nothing is lost."""
    root.acks = False
    root.start(ring_bytes=64 * 1024)
    caller = root.caller()
    numbers = [caller.send(f"{API}.bump", BY_5) for _ in range(400)]
    root.until(lambda: root.stored_events() > 50)
    with pytest.raises(AssertionError):
        caller.answer(numbers[-1], 0.1)
    root.acks = True
    root.ack()
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and root.stored_events() < 803:
        root._pass(0.01)

    assert caller.answer(numbers[-1])[1] == encode(u32(2000))
    assert root.stored_events() == 803


def test_flush_is_answered_when_everything_is_in_the_store(root: FakeRoot) -> None:
    """Not before the acknowledgement."""
    root.acks = False
    root.start()
    root.caller().call(f"{API}.bump", BY_5)
    root.until(lambda: root.stored_events() == 5)
    flush = root.ask_later(info.Flush(0))
    root._pass(0.05)
    assert not [message for message, _ in root.heard if getattr(message, "id", None) == flush]
    root.ack()

    assert root.answer_to(flush).data == {"last_seq": 4}


def test_guest_logs_come_up_and_are_rate_limited(root: FakeRoot) -> None:
    """At most so many a second; what was dropped is counted."""
    root.start(options={"log_per_second": 5})
    caller = root.caller()
    for _ in range(40):
        caller.call(f"{API}.log", BY_5)
    root.until(lambda: len(root.logs) >= 5)

    assert len(root.logs) <= 15
    assert (root.logs[0].origin, root.logs[0].level, root.logs[0].message) == ("guest", "info", "hello from the guest")


# -- supervision questions ----------------------------------------------------------------


def test_a_host_call_that_asks_the_root(root: FakeRoot) -> None:
    """The guest waits for the root's answer, and goes on with it."""
    root.start()
    caller = root.caller()
    number = caller.send(f"{API}.list", BY_5)
    ask, _ = root.expect(control.Ask)
    assert ask.function == "list-children"
    root.tell(control.Answered(ask.id, {"ids": ["a"]}))

    assert caller.answer(number)[1] == encode(u32(5))


def test_a_shutdown_fails_the_host_call_in_progress(root: FakeRoot) -> None:
    """L5.3: the guest gets ``shutting-down`` and can return; its caller gets its real result."""
    root.start()
    caller = root.caller()
    number = caller.send(f"{API}.list", BY_5)
    root.expect(control.Ask)
    root.obey(control.Shutdown(0))

    assert caller.answer(number)[1] == encode(u32(5))
    assert root.wait_for_exit() == 0


def test_time_in_a_host_call_is_not_guest_time(root: FakeRoot) -> None:
    """L12: blocked beyond the call deadline, and not trapped."""
    root.start()
    caller = root.caller()
    number = caller.send(f"{API}.list", BY_5, deadline_ms=50)
    ask, _ = root.expect(control.Ask)
    until = time.monotonic() + 0.3
    root.until(lambda: time.monotonic() > until)
    root.tell(control.Answered(ask.id, {"ids": []}))

    assert caller.answer(number)[1] == encode(u32(5))


def test_a_host_originated_operation(root: FakeRoot) -> None:
    """Notify runs an export; nobody is answered, the state changes."""
    root.start()
    root.tell(control.Notify(f"{API}.bump"), BY_5)

    root.until(lambda: root.ask(info.GetState(0))[1] == [encode(u32(5))])


def test_a_missing_callback_is_skipped(root: FakeRoot) -> None:
    """V4: without error."""
    root.start()
    root.tell(control.Notify("theater:simple/supervisor-handlers.handle-child-exit"), BY_5)

    assert root.caller().call(f"{API}.bump", BY_5) == encode(u32(5))


HANDLE_CHILD_EVENT = "theater:simple/supervisor-handlers.handle-child-event"


def test_events_of_a_child_reach_the_callback_by_value_and_the_chain_by_reference(
    root: FakeRoot, compiled: Compile
) -> None:
    """V6: else chains would grow by one nesting a generation. The root learns from Ready that the callback exists."""
    from theater.chain import encode_frame, iter_batch, payloads

    signature = "(state: value, child: string, type: string, data: list<u8>) -> result<value, string>"
    handler = wat.Function(HANDLE_CHILD_EVENT, signature, wat.returns(ok(u32(99))))
    root.artefact = compiled(wat.build([wat.starts(u32(0)), handler]))
    root.init()
    assert root.expect(control.Ready)[0].callbacks == (HANDLE_CHILD_EVENT,)
    batch = encode_frame(5, 0, "wasm", b"the data of the child", bytes(32))
    root.tell(control.ChildEvents("child-id", 5, 5), batch)
    root.until(lambda: root.ask(info.GetState(0))[1] == [encode(u32(99))])

    part, (retained,) = root.ask(info.GetChain(0))
    call = [event for event in iter_batch(retained, part.data["base_hash"]) if event.event_type == "wasm"][2]
    recorded = payloads.read(call.data)
    assert isinstance(recorded, payloads.Call)
    assert b"the data of the child" not in call.data
    assert recorded.params.items[1]["seq"] == U64(5)  # type: ignore[attr-defined]


# -- what should not be sent ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("frames", "answered"),
    [
        ((b"",), False),
        ((b"garbage",), False),
        ((b"TH\x09\x01",), False),
        ((b"TH\x01\x01" + b"\xc1",), False),
        ((b"TH\x01\x01" + bytes.fromhex("93a463616c6c0705"),), True),
        ((b"TH\x01\x03" + bytes.fromhex("92a470696e6701"),), False),
        ((operation.REQUESTS.encode(operation.Call(7, "f")), b"", b"", b"", b""), True),
    ],
)
def test_bad_frames_on_the_operation_socket(root: FakeRoot, frames: tuple[bytes, ...], answered: bool) -> None:
    """Counted; answered if they are a request with a number; the actor goes on."""
    root.start()
    caller = root.caller()
    caller.raw(*frames)
    caller._ids = 7

    if answered:
        assert caller.error(7).kind == "serialization"
    assert caller.call(f"{API}.bump", BY_5) == encode(u32(5))
    assert sum(root.ask(info.GetMetrics(0))[0].data["frames_refused"].values()) == 1


@pytest.mark.parametrize(
    "frames",
    [
        (b"",),
        (b"garbage",),
        (b"TH\x01\x03\xc1",),
        (b"TH\x01\x02\xc1",),
        (b"TH\x01\x01\xc1",),
        (b"x", b"", b"", b"", b""),
    ],
)
@pytest.mark.parametrize("link", ["control", "stream"])
def test_bad_frames_of_the_root(root: FakeRoot, frames: tuple[bytes, ...], link: str) -> None:
    """Counted and otherwise ignored."""
    root.start()
    root.raw(*frames, link=link)

    root.until(lambda: sum(root.ask(info.GetMetrics(0))[0].data["frames_refused"].values()) == 1)
    assert root.caller().call(f"{API}.bump", BY_5) == encode(u32(5))


def test_parameters_past_the_limit_are_refused(root: FakeRoot) -> None:
    """message_bytes_max: an answer, not a lost connection."""
    root.start(options={"message_bytes_max": 1000})
    caller = root.caller()
    failed = caller.error(caller.send(f"{API}.bump", bytes(1001)))

    assert failed.kind == "serialization"
    assert "message_bytes_max" in failed.data[0]


# -- idle ----------------------------------------------------------------


def test_an_idle_worker_costs_no_processor_time(root: FakeRoot) -> None:
    """No thread wakes up while nothing happens."""
    root.start()
    root.caller().call(f"{API}.bump", BY_5)
    root.until(lambda: root.stored_events() == 5)
    settle = time.monotonic() + 0.3
    root.until(lambda: time.monotonic() > settle)
    before = wakeups(root.process.pid)
    until = time.monotonic() + 0.5
    while time.monotonic() < until:
        root._pass(0.1)

    assert wakeups(root.process.pid) - before <= 5


def wakeups(pid: int) -> int:
    """How often the threads of a process have gone to sleep."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        for line in (task / "status").read_text().splitlines():
            if line.startswith("voluntary_ctxt_switches"):
                total += int(line.split()[1])
    return total


def test_save_chain_writes_what_is_retained(root: FakeRoot, tmp_path: Path) -> None:
    """8.5: in our form and in Theater's; an impossible path is an error with words."""
    root.start()
    saved, _ = root.ask(info.SaveChain(0, path=str(tmp_path / "a" / "chain")))
    as_json, _ = root.ask(info.SaveChain(0, path=str(tmp_path / "chain.json"), format="theater-json"))
    refused, _ = root.ask(info.SaveChain(0, path="/proc/none/such"))

    assert saved.data["count"] == as_json.data["count"] == 3
    assert os.path.getsize(tmp_path / "a" / "chain") > 0
    assert isinstance(refused, info.Refused)


def test_a_slow_start_is_logged_and_named(root: FakeRoot, compiled: Compile) -> None:
    """L14: the step is in the log, again and again, and in the status."""
    starts_for_ever = wat.Function(wat.INIT, "(state: value) -> result<value, string>", wat.spins())
    root.artefact = compiled(wat.build([starts_for_ever]))
    root.init(options={"init_warn_ms": 60, "init_deadline_ms": 400})
    root.until(lambda: len(root.logs) >= 2)

    assert "at step init" in root.logs[0].message
    assert root.expect(control.StartFailed)[0].step == "init"
