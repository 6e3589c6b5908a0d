"""Links and monitors for asyncio: what ``theater.ties`` is for threads, with a future for each who waits."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from typing import Any

from proto import control
from proto.envelope import Message
from theater.bonds import LEAVE_TIMEOUT_S, NORMAL, REASON_CHARS_MAX, Asked, Bond, Bonds, Down, Exit, Tied, bond_of
from theater.client import ClientClosed
from theater.conversation import DEFAULT, Timeout, Who, info_limit
from theater.errors import ActorError, OperationTimeout
from theater.rundir import Run
from theater.subscription import GOODBYE_MS
from theater.wires import Pool, SupervisorGone, Wires

Callbacks = list[Callable[[], None]]


class AsyncTies:
    """The bonds of one client."""

    def __init__(self, pool: Pool, run: Run) -> None:
        self._loop = asyncio.get_running_loop()
        self._bonds = Bonds()
        self._wires = Wires(pool, run)
        self._waiting: set[asyncio.Future[None]] = set()
        self._pid = os.getpid()
        self.is_closed = False
        for fd in self._wires.fds:
            self._loop.add_reader(fd, self._on_root)
        self._loop.call_soon(self._on_root)

    async def tie(self, kind: Callable[..., Message], who: Who, timeout: float | None) -> Bond:
        """Make a link or a monitor."""
        return bond_of(await self._ask(kind, (who.target, who.incarnation), timeout, who.target))

    async def untie(self, bond: Bond, timeout: float | None) -> bool:
        """Take it back; False if it was over already."""
        if bond.is_over:
            return False
        kind = control.Unlink if bond.is_link else control.Demonitor
        was_there = bool((await self._ask(kind, (bond.number,), timeout)).result())
        self._bonds.forget(bond)
        return was_there

    async def wait(self, bond: Bond, timeout: float | None) -> Any:
        """Return what comes of a bond."""
        while bond.come() is None:
            await self._until(bond.on_over, timeout)
        return bond.news

    async def leave(self, reason: str) -> None:
        """End in order, and wait a moment until the supervisor has heard of it (see ``Ties.leave``)."""
        try:
            if self._must_leave:
                await self._ask(control.Leave, (reason[:REASON_CHARS_MAX],), LEAVE_TIMEOUT_S)
        except (ActorError, ClientClosed):
            pass
        finally:
            self._close()

    def close(self) -> None:
        """End in order, without waiting for anybody. Doing it twice is fine."""
        if self._must_leave:
            self._wires.tell_root(self._bonds.ask(control.Leave, (NORMAL,), None)[1])
        self._close()

    @property
    def _must_leave(self) -> bool:
        return not self.is_closed and self._bonds.are_any and self._pid == os.getpid()

    async def _ask(
        self, kind: Callable[..., Message], fields: tuple[Any, ...], timeout: float | None, target: str | None = None
    ) -> Asked:
        if self.is_closed:
            raise SupervisorGone(None)
        asked, header = self._bonds.ask(kind, fields, target)
        self._wires.tell_root(header)
        self._loop.call_soon(self._on_root)  # the send may have swallowed the edge
        try:
            await self._until(asked.on_answer, timeout)
        except BaseException:
            asked.is_abandoned = True
            raise
        return asked

    async def _until(self, callbacks: Callbacks, timeout: float | None) -> None:
        if self.is_closed:
            raise ClientClosed("this client is closed")
        future: asyncio.Future[None] = self._loop.create_future()

        def wake() -> None:
            if not future.done():
                future.set_result(None)

        callbacks.append(wake)
        self._waiting.add(future)
        try:
            async with asyncio.timeout(timeout):
                await future
        except TimeoutError:
            raise OperationTimeout(timeout) from None
        finally:
            self._waiting.discard(future)
            callbacks.remove(wake)

    def _on_root(self) -> None:
        if self.is_closed:
            return
        while found := self._wires.news():
            for message, _ in found:
                for header in self._bonds.receive(message):
                    self._wires.tell_root(header)
        if self._wires.is_gone:
            self._bonds.lose()
            self._close(SupervisorGone(None))

    def _close(self, error: Exception | None = None) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        for fd in self._wires.fds:
            self._loop.remove_reader(fd)
        self._wires.close(linger_ms=GOODBYE_MS)
        for future in self._waiting:
            if not future.done():
                future.set_exception(error or ClientClosed("this client is closed"))


class AsyncActorLink(Tied[AsyncTies]):
    """A link between this client and one life of an actor (see ``theater.ties.ActorLink``)."""

    __slots__ = ()

    async def wait(self, timeout: float | None = None) -> Exit:
        """Wait for the exit signal (see ``ActorLink.wait``)."""
        news: Exit = await self._ties.wait(self._bond, timeout)
        return news

    async def unlink(self, *, timeout: Timeout = DEFAULT) -> bool:
        """Take the link back; False if it was over (see ``ActorLink.unlink``)."""
        return await self._ties.untie(self._bond, info_limit(timeout))


class AsyncActorMonitor(Tied[AsyncTies]):
    """A monitor of one life of an actor (see ``theater.ties.ActorMonitor``)."""

    __slots__ = ()

    @property
    def ref(self) -> int:
        """The reference; its Down says the same."""
        return self._bond.number

    async def wait(self, timeout: float | None = None) -> Down:
        """Wait for the end of that life; at once if it has come."""
        news: Down = await self._ties.wait(self._bond, timeout)
        return news

    async def demonitor(self, *, flush: bool = False, timeout: Timeout = DEFAULT) -> bool:
        """Take the monitor back; False if it had fired. ``flush`` drops a Down that has come."""
        was_there = await self._ties.untie(self._bond, info_limit(timeout))
        if flush:
            self._bond.flush()
        return was_there
