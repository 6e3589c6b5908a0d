"""A subscription to an actor's chain for asyncio (the blocking one, with the rules: ``theater.subscription``)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any

from proto import info
from proto.envelope import Message
from theater.errors import ActorError, OperationTimeout
from theater.records import Ended, Gap, Lagged
from theater.rundir import Run
from theater.subscription import GOODBYE_MS, OPEN_TIMEOUT_S, Feed
from theater.wires import Pool, SupervisorGone, Wires


class AsyncSubscription:
    """Iterate over it with ``async for``: ChainEvent, or Gap; the last item is Ended (or Lagged)."""

    def __init__(self, owner: object, pool: Pool, run: Run, target: str, buffer: int) -> None:
        self.target = target
        self._owner = owner
        """Kept alive, for it owns the sockets."""
        self._loop = asyncio.get_running_loop()
        self._feed = Feed(buffer)
        self._wires = Wires(pool, run)
        self._is_closed = False
        self._something = asyncio.Event()
        self._error: ActorError | None = None
        for fd in self._wires.fds:
            self._loop.add_reader(fd, self._on_root)

    async def open(self, since: int | None, buffer: int, policy: str, timeout: float | None) -> None:
        """Ask for the events and wait until the root has agreed."""
        self._tell(info.Subscribe(1, self.target, since, buffer, policy))
        try:
            async with asyncio.timeout(OPEN_TIMEOUT_S if timeout is None else timeout):
                while self._feed.number is None:
                    await self._wait()
        except TimeoutError:
            self.close()
            raise OperationTimeout(timeout or OPEN_TIMEOUT_S) from None
        except BaseException:
            self.close()
            raise

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        while (item := self._feed.take()) is None:
            if self._feed.is_over or self._is_closed:
                raise StopAsyncIteration
            await self._wait()
        if not isinstance(item, Gap | Ended | Lagged):
            credit = self._feed.credit()
            if credit is not None and not self._is_closed:
                self._tell(credit)
        return item

    def close(self) -> None:
        """End the subscription. Closing twice is fine."""
        if self._is_closed:
            return
        if self._feed.number is not None and not self._wires.is_gone:
            self._wires.tell_root(info.QUESTIONS.encode(info.Unsubscribe(2, self._feed.number)))
        self._is_closed = True
        for fd in self._wires.fds:
            self._loop.remove_reader(fd)
        self._wires.close(linger_ms=GOODBYE_MS)
        self._something.set()

    async def __aenter__(self) -> AsyncSubscription:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _tell(self, message: Message) -> None:
        self._wires.tell_root(info.QUESTIONS.encode(message))
        self._loop.call_soon(self._on_root)

    def _on_root(self) -> None:
        if self._is_closed:
            return
        try:
            for message, bodies in self._wires.news():
                self._feed.receive(message, bodies)
        except ActorError as error:
            self._error = error
        if self._wires.is_gone:
            self._error = self._error or SupervisorGone(None)
        self._something.set()

    async def _wait(self) -> None:
        if self._error is not None:
            raise self._error
        self._something.clear()
        await self._something.wait()
        if self._error is not None and not self._feed.items:
            raise self._error
