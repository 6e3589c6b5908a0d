"""Following an actor's events (lifecycle section 8.4), blocking."""

from __future__ import annotations

import os
import threading

import pytest

from proto import info
from tests.client.faketree import STOPPED, FakeTree
from theater.cause import Cause
from theater.chain import ChainEvent, encode_frame, event_hash
from theater.client import Client
from theater.errors import NotFound, OperationTimeout
from theater.handle import ActorHandle
from theater.records import Ended, Gap, Lagged
from theater.wires import SupervisorGone

PATIENCE_S = 5.0


def chain(count: int) -> list[ChainEvent]:
    events: list[ChainEvent] = []
    parent = None
    for seq in range(count):
        digest = event_hash(parent, "test", b"%d" % seq)
        events.append(ChainEvent(seq, seq, 0, "test", b"%d" % seq, parent, digest))
        parent = digest
    return events


def batch(events: list[ChainEvent]) -> tuple[info.Events, list[bytes]]:
    frames = b"".join(encode_frame(e.seq, e.time_ns, e.event_type, e.data, e.hash) for e in events)
    return info.Events(1, 1, events[0].seq, events[-1].seq, events[0].parent_hash), [frames]


def test_events_in_order_with_their_links(tree: FakeTree, counter: ActorHandle) -> None:
    """Events come in order; each knows the one before it, and its incarnation."""
    events = chain(4)
    with counter.subscribe() as subscription:
        tree.publish(*batch(events[:2]))
        tree.publish(*batch(events[2:]))
        got = [subscription.next(PATIENCE_S) for _ in range(4)]

    assert events == got
    assert [event.parent_hash for event in events] == [event.parent_hash for event in got]
    assert {event.incarnation for event in got} == {1}


def test_nothing_comes_twice(tree: FakeTree, counter: ActorHandle) -> None:
    """A batch that overlaps what was delivered from history brings only what is new."""
    events = chain(4)
    with counter.subscribe(since=0) as subscription:
        tree.publish(*batch(events[:3]))
        tree.publish(*batch(events[1:]))
        got = [subscription.next(PATIENCE_S) for _ in range(4)]

    assert events == got


def test_gap_and_end(tree: FakeTree, counter: ActorHandle) -> None:
    """Dropped events are one Gap, the end is one Ended, and then iteration is over."""
    tree.on_subscribe = [(info.Gap(1, 3, 7), []), (info.SubscriptionEnded(1, STOPPED), [])]
    with counter.subscribe() as subscription:
        items = list(subscription)

    assert [Gap(3, 7), Ended(Cause(kind="stopped", by="test"))] == items


def test_lagged(tree: FakeTree, counter: ActorHandle) -> None:
    """With the policy ``disconnect`` a subscriber that is too slow learns by how much."""
    tree.on_subscribe = [(info.SubscriptionEnded(1, None, 12), [])]
    with counter.subscribe(policy="disconnect") as subscription:
        assert [Lagged(12)] == list(subscription)

    assert tree.await_seen(info.Subscribe)[0].policy == "disconnect"


def test_credit_is_given_back(tree: FakeTree, counter: ActorHandle) -> None:
    """Events taken are told to the supervisor, so that more may come."""
    tree.on_subscribe = [batch(chain(8))]
    with counter.subscribe(buffer=8) as subscription:
        for _ in range(8):
            subscription.next(PATIENCE_S)

    assert sum(message.count for message in tree.await_seen(info.Received, 4)) == 8


def test_time_out(counter: ActorHandle) -> None:
    """Waiting for the next item can be bounded."""
    with counter.subscribe() as subscription, pytest.raises(OperationTimeout):
        subscription.next(0.02)


def test_refused(client: Client) -> None:
    """Nobody's events cannot be followed."""
    with pytest.raises(NotFound):
        client.actor("/nobody").subscribe()


@pytest.mark.parametrize("options", [{"policy": "block"}, {"buffer": 0}])
def test_impossible_options(counter: ActorHandle, options: dict[str, object]) -> None:
    """What a subscription cannot be is refused where it is asked for."""
    with pytest.raises(ValueError, match=r"policy|buffer"):
        counter.subscribe(**options)  # type: ignore[arg-type]


def test_closed_from_another_thread(tree: FakeTree, counter: ActorHandle) -> None:
    """Closing ends an iteration that waits in another thread, and tells the supervisor."""
    subscription = counter.subscribe()
    items: list[object] = []
    reader = threading.Thread(target=lambda: items.extend(subscription))
    reader.start()
    subscription.close()
    subscription.close()
    reader.join(PATIENCE_S)

    assert not reader.is_alive()
    tree.await_seen(info.Unsubscribe)


def test_supervisor_gone(tree: FakeTree, counter: ActorHandle) -> None:
    """When the supervisor goes, whoever follows is told."""
    with counter.subscribe() as subscription:
        tree.die()
        with pytest.raises(SupervisorGone):
            subscription.next(PATIENCE_S)


def test_closed_ones_leave_no_descriptors(tree: FakeTree, counter: ActorHandle) -> None:
    """A closed subscription gives its descriptors back."""
    for _ in range(3):
        counter.subscribe().close()
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(10):
        counter.subscribe().close()

    assert len(os.listdir("/proc/self/fd")) <= before + 16  # libzmq's own thread closes them a little later
