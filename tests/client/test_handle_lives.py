"""The blocking handle when its actor dies, comes back, or its supervisor is gone (lifecycle section 9)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from time import monotonic

import pytest

from proto import info, operation
from tests.client.faketree import KILLED, STOPPED, FakeTree
from tests.client.test_handle import PATIENCE_S
from theater.cause import Cause
from theater.conversation import ATTEMPTS_MAX
from theater.errors import (
    ChannelClosed,
    OperationTimeout,
)
from theater.handle import ActorHandle
from theater.wires import SupervisorGone


def test_death_while_waiting(tree: FakeTree, counter: ActorHandle) -> None:
    """Whoever waits for an actor that dies learns it at once, with the cause (H2)."""
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(counter.call, "a:b/c.hold", ())
        tree.await_seen(operation.Call)
        began = monotonic()
        tree.kill("/counter")
        with pytest.raises(ChannelClosed) as caught:
            call.result(PATIENCE_S)

    assert ChannelClosed(KILLED) == caught.value
    assert monotonic() - began < 0.5


def test_last_words_win(tree: FakeTree, counter: ActorHandle) -> None:
    """An answer sent just before the death is the answer."""
    for number in range(20):
        assert (number,) == counter.call("a:b/c.last-words", (number,))
        counter.monitor()
        tree.restart("/counter")


def test_call_after_restart(tree: FakeTree, counter: ActorHandle) -> None:
    """A handle stays valid: the next call goes to the next incarnation."""
    counter.call("a:b/c.echo", ())
    tree.kill("/counter")
    counter.monitor()
    tree.restart("/counter")

    assert counter.call("a:b/c.echo", (1,)) == (1,)
    assert counter.incarnation == 2


def test_call_between_lives(tree: FakeTree, counter: ActorHandle) -> None:
    """Between two incarnations a call is refused with the cause of the last end."""
    counter.call("a:b/c.echo", ())
    tree.kill("/counter", comes_back=True)

    with pytest.raises(ChannelClosed) as caught:
        counter.call("a:b/c.echo", ())
    assert ChannelClosed(KILLED) == caught.value


def test_retry_on_restart(counter: ActorHandle, tree: FakeTree) -> None:
    """With retry_on_restart a call whose actor died goes to the next incarnation, under one key, and not for ever."""
    with pytest.raises(ChannelClosed):
        counter.call("a:b/c.die-and-return", (), retry_on_restart=True)
    seen = tree.await_seen(operation.Call, ATTEMPTS_MAX)

    assert len(seen) == ATTEMPTS_MAX


def test_retry_waits_for_the_restart(counter: ActorHandle, tree: FakeTree) -> None:
    """A retrying call waits for an actor that is being restarted."""
    tree.kill("/counter", comes_back=True)
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(counter.call, "a:b/c.echo", (1,), retry_on_restart=True)
        tree.await_seen(info.Resolve, 2)
        tree.restart("/counter")

        assert call.result(PATIENCE_S) == (1,)


def test_pinned(tree: FakeTree, counter: ActorHandle) -> None:
    """A pinned handle means one life and no other."""
    pinned = counter.pinned()
    assert pinned.call("a:b/c.echo", (1,)) == (1,)
    tree.kill("/counter")
    tree.restart("/counter")

    with pytest.raises(ChannelClosed):
        pinned.call("a:b/c.echo", (1,))
    with pytest.raises(ChannelClosed):
        pinned.get_status()


def test_supervisor_gone_while_waiting(tree: FakeTree, counter: ActorHandle) -> None:
    """When the supervisor itself goes, no caller is left waiting."""
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(counter.call, "a:b/c.hold", ())
        tree.await_seen(operation.Call)
        tree.die()
        with pytest.raises(SupervisorGone, match="supervisor is gone"):
            call.result(PATIENCE_S)


def test_supervisor_gone_before(tree: FakeTree, counter: ActorHandle) -> None:
    """A handle of a supervisor that is gone answers channel_closed at once."""
    counter.call("a:b/c.echo", ())
    tree.die()

    with pytest.raises(ChannelClosed):
        counter.call("a:b/c.echo", ())
    with pytest.raises(ChannelClosed):
        counter.get_status()


def test_silent_supervisor(tree: FakeTree, counter: ActorHandle) -> None:
    """A question that gets no answer ends with its time-out (H3)."""
    tree.silent.add(info.GetStatus)

    with pytest.raises(OperationTimeout):
        counter.get_status(timeout=0.05)


def test_monitor(tree: FakeTree, counter: ActorHandle) -> None:
    """monitor waits for the end of the life and gives its cause."""
    with ThreadPoolExecutor(1) as pool:
        end = pool.submit(counter.monitor)
        tree.await_seen(info.Resolve)
        tree.kill("/counter", STOPPED)

        assert Cause(kind="stopped", by="test") == end.result(PATIENCE_S)


def test_monitor_when_gone(tree: FakeTree, counter: ActorHandle) -> None:
    """monitor of an actor that is gone already answers at once."""
    tree.kill("/counter")

    assert Cause(kind="killed", by="test") == counter.monitor()


def test_monitor_timeout(counter: ActorHandle) -> None:
    """monitor can give up."""
    with pytest.raises(OperationTimeout):
        counter.monitor(timeout=0.05)
