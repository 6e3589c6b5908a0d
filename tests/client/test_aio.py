"""The asyncio handle against the same fake supervisor: same answers, and many calls at once from one task loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

import pytest

from proto import info, operation
from tests.client.faketree import KILLED, STOPPED, FakeTree
from theater.aio import AsyncActorHandle, AsyncClient, connect
from theater.cause import Cause
from theater.client import ClientClosed
from theater.errors import ChannelClosed, InternalError, NotFound, OperationTimeout
from theater.records import Ended
from theater.wires import SupervisorGone

PATIENCE_S = 5.0


def in_a_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a coroutine as a test, with a limit."""

    @wraps(test)
    def run(tree: FakeTree) -> None:
        asyncio.run(asyncio.wait_for(test(tree), 2 * PATIENCE_S))

    del run.__wrapped__  # type: ignore[attr-defined]
    return run


@asynccontextmanager
async def counter_of(tree: FakeTree) -> AsyncIterator[AsyncActorHandle]:
    async with await connect(tree.run_dir) as client:
        yield client.actor("/counter")


async def seen(tree: FakeTree, kind: type, count: int = 1) -> list[Any]:
    return await asyncio.to_thread(tree.await_seen, kind, count)


@in_a_loop
async def test_call(tree: FakeTree) -> None:
    """A call returns its value."""
    async with counter_of(tree) as counter:
        assert await counter.call("a:b/c.echo", (1,)) == (1,)


@in_a_loop
async def test_many_at_once(tree: FakeTree) -> None:
    """Many calls may be under way; each gets its own answer."""
    async with counter_of(tree) as counter:
        answers = await asyncio.gather(*(counter.call("a:b/c.echo", (number,)) for number in range(500)))

    assert [(number,) for number in range(500)] == answers


@in_a_loop
async def test_error(tree: FakeTree) -> None:
    """The actor's error comes unchanged."""
    async with counter_of(tree) as counter:
        with pytest.raises(InternalError):
            await counter.call("a:b/c.fail", ())


@in_a_loop
async def test_not_found(tree: FakeTree) -> None:
    """An actor nobody knows is not found."""
    async with await connect(tree.run_dir) as client:
        with pytest.raises(NotFound):
            await client.actor("/nobody").get_status()


@in_a_loop
async def test_timeout_cancels(tree: FakeTree) -> None:
    """A time-out takes the call back."""
    async with counter_of(tree) as counter:
        with pytest.raises(OperationTimeout, match=r"after 0\.05 s"):
            await counter.call("a:b/c.hold", (), timeout=0.05)
        await seen(tree, operation.Cancel)


@in_a_loop
async def test_cancelled_task_cancels(tree: FakeTree) -> None:
    """Cancelling the task takes the call back (H6)."""
    async with counter_of(tree) as counter:
        task = asyncio.create_task(counter.call("a:b/c.hold", ()))
        (call,) = await seen(tree, operation.Call)
        task.cancel()
        (cancel,) = await seen(tree, operation.Cancel)

    assert call.id == cancel.operation


@in_a_loop
async def test_death_reaches_all(tree: FakeTree) -> None:
    """All who wait for an actor that dies get the cause."""
    async with counter_of(tree) as counter:
        calls = [asyncio.create_task(counter.call("a:b/c.hold", ())) for _ in range(10)]
        await seen(tree, operation.Call, 10)
        await asyncio.to_thread(tree.kill, "/counter")
        answers = await asyncio.gather(*calls, return_exceptions=True)

    assert [ChannelClosed(KILLED)] * 10 == answers


@in_a_loop
async def test_last_words_win(tree: FakeTree) -> None:
    """An answer sent just before the death is the answer."""
    async with counter_of(tree) as counter:
        for number in range(20):
            assert (number,) == await counter.call("a:b/c.last-words", (number,))
            await counter.monitor()
            await asyncio.to_thread(tree.restart, "/counter")


@in_a_loop
async def test_after_restart(tree: FakeTree) -> None:
    """A handle stays valid over restarts."""
    async with counter_of(tree) as counter:
        await counter.call("a:b/c.echo", ())
        await asyncio.to_thread(tree.kill, "/counter")
        await asyncio.to_thread(tree.restart, "/counter")
        assert await counter.call("a:b/c.echo", (1,), retry_on_restart=True) == (1,)
        assert counter.incarnation == 2


@in_a_loop
async def test_monitor(tree: FakeTree) -> None:
    """monitor gives the cause of the end."""
    async with counter_of(tree) as counter:
        end = asyncio.create_task(counter.monitor())
        await seen(tree, info.Resolve)
        await asyncio.to_thread(tree.kill, "/counter", STOPPED)

        assert Cause(kind="stopped", by="test") == await end


@in_a_loop
async def test_supervisor_gone(tree: FakeTree) -> None:
    """When the supervisor goes, nobody is left waiting, and later calls are refused."""
    async with counter_of(tree) as counter:
        call = asyncio.create_task(counter.call("a:b/c.hold", ()))
        monitor = asyncio.create_task(counter.monitor())
        await seen(tree, operation.Call)
        await asyncio.to_thread(tree.die)
        answers = await asyncio.gather(call, monitor, return_exceptions=True)
        with pytest.raises(ChannelClosed):
            await counter.get_status()

    assert [SupervisorGone, SupervisorGone] == [type(answer) for answer in answers]


@in_a_loop
async def test_questions_and_orders(tree: FakeTree) -> None:
    """Questions and orders answer as those of the blocking handle."""
    async with counter_of(tree) as counter:
        assert (await counter.get_status()).state == "idle"
        assert (await counter.get_metrics()).stats().success_rate == 75.0
        assert (await counter.get_export_hashes())[0].name == "a:b/c"
        await counter.pause()
        assert (await counter.terminate()).forced


@in_a_loop
async def test_closed(tree: FakeTree) -> None:
    """A closed client says so."""
    client: AsyncClient = await connect(tree.run_dir)
    client.close()

    with pytest.raises(ClientClosed):
        await client.tree()


@in_a_loop
async def test_subscription_ends(tree: FakeTree) -> None:
    """An asyncio subscription ends with the cause."""
    async with counter_of(tree) as counter, await counter.subscribe() as subscription:
        tree.publish(info.SubscriptionEnded(1, STOPPED), [])
        items = [item async for item in subscription]

    assert [Ended(Cause(kind="stopped", by="test"))] == items


@in_a_loop
async def test_subscription_refused(tree: FakeTree) -> None:
    """Subscribing to nobody is not found."""
    async with await connect(tree.run_dir) as client:
        with pytest.raises(NotFound):
            await client.actor("/nobody").subscribe()


def test_same_methods() -> None:
    """The asyncio handle has every method of the blocking one, under the same name."""
    from theater.handle import ActorHandle

    names = {name for name in vars(ActorHandle) if not name.startswith("_")}

    assert set() == names - set(vars(AsyncActorHandle))
