"""What a real worker process records, and what of it survives."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from proto import info
from tests.guests.pack import encode, u32
from tests.worker.conftest import API
from tests.worker.driving import BY_5, events, events_in_ring
from tests.worker.fakeroot import FakeRoot

# -- the chain ---------------------------------------------------------------------------------------------------------


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
    root.ask(info.GetStatus(0))  # asked later, answered at once
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


# -- idle --------------------------------------------------------------------------------------------------------------


def test_save_chain_writes_what_is_retained(root: FakeRoot, tmp_path: Path) -> None:
    """8.5: in our form and in Theater's; an impossible path is an error with words."""
    root.start()
    saved, _ = root.ask(info.SaveChain(0, path=str(tmp_path / "a" / "chain")))
    as_json, _ = root.ask(info.SaveChain(0, path=str(tmp_path / "chain.json"), format="theater-json"))
    refused, _ = root.ask(info.SaveChain(0, path="/proc/none/such"))

    assert saved.data["count"] == as_json.data["count"] == 3
    assert os.path.getsize(tmp_path / "a" / "chain") > 0
    assert isinstance(refused, info.Refused)
