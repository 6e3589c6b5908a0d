"""Subscriptions and watchers through a real root: past, restarts, gaps, lags and ends."""

from __future__ import annotations

import itertools
import os
import signal
from typing import Any

import pytest

from proto import info
from tests.system.gate.raw import Raw
from tests.system.running import RunningTree
from theater.errors import ChannelClosed


def test_a_subscription_begins_in_the_past_and_goes_through_restarts(tree: RunningTree) -> None:
    """Stored events, then live ones, of every incarnation, each once, numbered without a gap; then the end."""
    tree.client.start_child("/pool", "told")
    actor = tree.actor("/pool/told")
    actor.call("bump", (1,))
    with actor.subscribe(since=0) as subscription:
        actor.call("bump", (2,))
        tree.client.restart("/pool/told")
        actor.call("bump", (3,))
        tree.client.terminate_child("/pool", "told")
        *events, ended = subscription

    assert [event.seq for event in events] == list(range(len(events)))
    assert [event.event_type for event in events].count("shutdown") == 2
    assert ended.cause.kind == "stopped"


def _bump(tree: RunningTree, times: int) -> None:
    """Calls whose events come in a batch each."""
    asking = Raw(tree)
    for number in range(times):
        tree.actor("/idle").call("bump", (1,))
        asking.ask(info.Flush(number, "/idle"))
    asking.close()


def _live(raw: Raw, tree: RunningTree, buffer: int, policy: str) -> int:
    """Subscribe from now on; everything recorded before is in the store."""
    raw.ask(info.Flush(1, "/idle"))
    answer, _ = raw.ask(info.Subscribe(2, "/idle", buffer=buffer, policy=policy))
    return int(answer.data["subscription"])


def test_a_subscriber_that_does_not_read_misses_exactly_what_it_is_told(tree: RunningTree, raw: Raw) -> None:
    """Policy drop: one gap, first and last included, before the next delivery."""
    number = _live(raw, tree, 4, "drop")
    _bump(tree, 10)
    last = raw.ask(info.Flush(3, "/idle"))[0].data["last_seq"]
    told = []
    raw.tell(info.Received(number, 4))
    while not told or told[-1].last_seq < last:
        message, _ = raw.next()
        if isinstance(message, info.Events | info.Gap):
            told.append(message)

    assert any(isinstance(message, info.Gap) for message in told)
    assert all(after.first_seq == before.last_seq + 1 for before, after in itertools.pairwise(told))
    raw.ask(info.Unsubscribe(4, number))


def test_a_strict_subscriber_that_lags_is_told_and_let_go(tree: RunningTree, raw: Raw) -> None:
    """Policy disconnect: the end says by how much."""
    number = _live(raw, tree, 4, "disconnect")
    _bump(tree, 10)
    message: Any = None
    while not isinstance(message, info.SubscriptionEnded):
        message, _ = raw.next()

    assert message.subscription == number
    assert message.lagged > 0


def test_a_watcher_hears_of_the_end_once(tree: RunningTree, raw: Raw) -> None:
    """With the cause, after whatever else it was sent; not again for the next incarnation."""
    endpoint, _ = raw.ask(info.Resolve(1, "/counter"))
    os.kill(tree.pid("/counter"), signal.SIGKILL)
    ended, _ = raw.next()
    tree.wait_incarnation("/counter", endpoint.incarnation + 1)
    tree.client.restart("/counter")

    assert (ended.incarnation, ended.cause["signal"]) == (endpoint.incarnation, signal.SIGKILL)
    assert raw.ask(info.GetStatus(2, "/counter"))[0].id == 2
    assert not raw.socket.poll(0)


def test_a_handle_of_one_life_ends_with_it(tree: RunningTree) -> None:
    """As a pid would (H2): the next incarnation is somebody else."""
    actor = tree.actor("/counter")
    pinned = actor.pinned()
    pinned.call("bump", (1,))
    actor.terminate()
    tree.wait_incarnation("/counter", 2)

    with pytest.raises(ChannelClosed):
        pinned.call("bump", (1,))
