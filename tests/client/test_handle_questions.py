"""What the blocking handle can ask and order besides calls."""

from __future__ import annotations

import os

import pytest

from proto import control
from tests.client.faketree import FakeTree
from theater import cgrf, values
from theater.cause import Cause
from theater.chain import encode_frame, event_hash
from theater.errors import (
    NotPaused,
)
from theater.handle import ActorHandle
from theater.records import InterfaceHash


def test_status(counter: ActorHandle) -> None:
    """get_status answers an ActorStatus and notes the incarnation."""
    status = counter.get_status()

    assert (status.state, status.text, counter.incarnation) == ("idle", "Running", 1)


def test_metrics(counter: ActorHandle) -> None:
    """Rates are derived from the metrics."""
    stats = counter.get_metrics().stats()

    assert (stats.success_rate, stats.operations_per_second) == (75.0, 2.0)


def test_hashes(counter: ActorHandle) -> None:
    """get_export_hashes gives names and hashes."""
    assert [InterfaceHash("a:b/c", bytes(32))] == counter.get_export_hashes()


def test_no_state(counter: ActorHandle) -> None:
    """An actor without a state has none."""
    assert counter.get_state() is None


def test_save_chain_has_an_absolute_path(tree: FakeTree, counter: ActorHandle) -> None:
    """A relative file name means the caller's directory, not the worker's."""
    reference = counter.save_chain("chain.json")

    assert (os.path.abspath("chain.json"), 3) == (reference.path, reference.count)


def test_pause(tree: FakeTree, counter: ActorHandle) -> None:
    """pause sends its mode."""
    counter.pause("if_idle")

    assert tree.await_seen(control.Pause)[0].mode == "if_idle"


def test_resume_refused(counter: ActorHandle) -> None:
    """Resuming what is not paused is an error."""
    with pytest.raises(NotPaused):
        counter.resume()


def test_shutdown_report(tree: FakeTree, counter: ActorHandle) -> None:
    """shutdown answers how it ended; its time-out is the actor's deadline."""
    report = counter.shutdown(timeout=1.5)

    assert (Cause(kind="stopped", by="test"), False, 0) == (report.cause, report.forced, report.exit_status)
    assert tree.await_seen(control.Shutdown)[0].deadline_ms == 1500


def test_terminate_report(counter: ActorHandle) -> None:
    """terminate answers that it was forced."""
    assert counter.terminate().forced


def test_state_and_chain(tree: FakeTree, counter: ActorHandle) -> None:
    """State comes as Python, or raw as a value; the chain as events that can be checked and chosen from."""
    state = values.Record("s", (("count", values.U64(3)),))
    first = event_hash(None, "genesis", b"a")
    second = event_hash(first, "wasm", b"b")
    frames = encode_frame(0, 0, "genesis", b"a", first) + encode_frame(1, 0, "wasm", b"b", second)
    actor = tree.actors["/counter"]
    actor.state = cgrf.encode(state)
    actor.chain = ({"first_seq": 0, "base_hash": None, "count": 2}, frames)

    assert ({"count": 3}, state) == (counter.get_state(), counter.get_state(raw=True))
    assert [event.seq for event in counter.get_chain()] == [0, 1]
    assert [event.seq for event in counter.recent_events(1)] == [1]
    assert [event.seq for event in counter.recent_events(5)] == [1, 0]
    assert counter.recent_events(0) == []
    assert counter.verify_chain()
    assert counter.has_event_type("wasm")
    assert not counter.has_event_type("WASM")
    actor.chain = (actor.chain[0], frames.replace(b"genesis", b"Genesis"))
    assert not counter.verify_chain()


def test_negative_count(counter: ActorHandle) -> None:
    """A negative number of events makes no sense."""
    with pytest.raises(ValueError, match="expected 0 or more, got -1"):
        counter.recent_events(-1)
