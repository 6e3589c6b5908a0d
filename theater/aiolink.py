"""The connections of one asyncio loop: what ``theater.link`` is for a thread, with a future per answer.

The loop reads the sockets itself through their descriptors, which are edge triggered: after every send and every read
that may have left something, the socket is looked at again. Many operations may be under way at once.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Sequence
from typing import Any, Final

from proto import control, info, operation
from proto.envelope import Codec, Message
from theater.conversation import Ask, AwaitEnd, Operate, Pause, Post, T, Talk, Where, Who
from theater.errors import (
    ActorError,
    ChannelClosed,
    MailboxFull,
    Moved,
    OperationTimeout,
    UnexpectedError,
    from_wire,
)
from theater.rundir import Run
from theater.wires import (
    EVENTS,
    LAST_WORDS_S,
    NOBLOCK,
    POLLIN,
    POSTED_LINGER_MS,
    Pool,
    Received,
    Route,
    SupervisorGone,
    Wires,
    get,
)

PENDING_MAX: Final = 10_000
"""Operations and questions one client may have under way."""
READ_MAX: Final = 64
"""Answers read from one worker before others get their turn."""

Answer = asyncio.Future[Received]


class AsyncLink:
    """The connections of one asyncio loop."""

    def __init__(self, pool: Pool, run: Run) -> None:
        self.loop = asyncio.get_running_loop()
        self.wires = Wires(pool, run)
        self.is_closed = False
        self._ids = itertools.count(1)
        self._asked: dict[int, Answer] = {}
        self._ends: dict[Route, list[asyncio.Future[None]]] = {}
        self._under_way = 0
        for fd in self.wires.fds:
            self.loop.add_reader(fd, self._on_root)
        self._on_root()

    async def converse(self, talk: Talk[T]) -> T:
        """Perform the steps of a conversation and return its result (theater.conversation)."""
        proceed: Any = talk.send
        argument: Any = None
        try:
            while True:
                step = proceed(argument)
                try:
                    argument, proceed = await self._perform(step), talk.send
                except ActorError as error:
                    argument, proceed = error, talk.throw
        except StopIteration as done:
            result: T = done.value
            return result

    async def _perform(self, step: Any) -> Any:
        match step:
            case Operate():
                return await self.operate(step.route, step.kind, step.fields, step.timeout, step.body)
            case Post():
                return self.post(step.route, step.kind, step.fields, step.body)
            case Where():
                return await self.route(step.target, step.timeout, step.again)
            case Ask():
                return await self.ask(step.codec, step.kind, step.fields, step.timeout, step.bodies)
            case AwaitEnd():
                return await self._await_end(step.route, step.timeout)
            case Pause():
                return await asyncio.sleep(step.seconds)
            case _:
                raise TypeError(f"not a step: {step!r}")

    # -- sending ------------------------------------------------------------------------------------------------

    async def ask(
        self,
        codec: Codec,
        kind: Callable[..., Message],
        fields: Sequence[Any],
        timeout: float | None,
        bodies: Sequence[bytes] = (),
    ) -> Received:
        """Send a question or order to the root and return its answer."""
        request, answer = self._new_request()
        self._asked[request] = answer
        try:
            self.wires.tell_root(codec.encode(kind(request, *fields)), bodies)
            self.loop.call_soon(self._on_root)  # the send may have swallowed the edge
            message, received = await self._within(answer, timeout)
        finally:
            self._under_way -= 1
            self._asked.pop(request, None)
        if isinstance(message, info.Refused | control.Refused):
            raise from_wire(message.kind, message.data)
        return message, received

    async def route(self, target: str, timeout: float | None, again: bool = False) -> Route:
        """Return where the actor is now, asking the root unless it is known, or although it is."""
        if self.is_closed:
            raise SupervisorGone(None)
        known = self.wires.routes.get(target)
        if known is not None and not again:
            return known
        message, _ = await self.ask(info.QUESTIONS, info.Resolve, (target, True), timeout)
        if not isinstance(message, info.Endpoint):
            raise UnexpectedError(f"expected the endpoint of {target}, got {type(message).__name__}")
        route = self.wires.route(target, message)
        self.attend(route)
        self._close_dropped()
        if route.ended:
            raise ChannelClosed(route.cause)
        return route

    def known(self, who: Who) -> Route | None:
        """Return the route to the actor if it is known and still good, without asking."""
        route = self.wires.routes.get(who.target)
        return route if route is None or who.incarnation in (None, route.incarnation) else None

    def attend(self, route: Route) -> None:
        """Have the loop read what comes on this route."""
        if route.waiter is None:
            route.waiter = {}
            self.loop.add_reader(route.fd, self._on_line, route)

    async def operate(
        self,
        route: Route,
        kind: Callable[..., Message],
        fields: Sequence[Any],
        timeout: float | None,
        body: bytes | None,
    ) -> list[bytes]:
        """Send an operation straight to a worker and return the bodies of its answer."""
        if route.line.closed:
            raise ChannelClosed(route.cause) if route.ended else SupervisorGone(None)
        request, answer = self._new_request()
        route.waiter[request] = answer
        route.busy += 1
        header = operation.REQUESTS.encode(kind(request, *fields))
        try:
            route.line.send_multipart([header] if body is None else [header, body], NOBLOCK)
            self._swallowed(route)
            message, bodies = await self._within(answer, timeout)
        except (OperationTimeout, asyncio.CancelledError):
            self._cancel(route, request)
            raise
        finally:
            self._under_way -= 1
            route.busy -= 1
            route.waiter.pop(request, None)
        if isinstance(message, operation.Failed):
            error = from_wire(message.kind, message.data)
            if isinstance(error, Moved):
                self.wires.moved(route)
            raise error
        answered: list[bytes] = bodies
        return answered

    def post(self, route: Route, kind: Callable[..., Message], fields: Sequence[Any], body: bytes) -> None:
        """Send an operation whose answer nobody waits for; it gets out even if we close at once."""
        if route.line.closed:
            raise ChannelClosed(route.cause) if route.ended else SupervisorGone(None)
        route.linger_ms = POSTED_LINGER_MS
        route.line.send_multipart([operation.REQUESTS.encode(kind(next(self._ids), *fields)), body], NOBLOCK)
        self._swallowed(route)

    async def _await_end(self, route: Route, timeout: float | None) -> dict[str, Any] | None:
        if not route.ended:
            end: asyncio.Future[None] = self.loop.create_future()
            self._ends.setdefault(route, []).append(end)
            await self._within(end, timeout)
        return route.cause

    def _new_request(self) -> tuple[int, Answer]:
        if self.is_closed:
            raise SupervisorGone(None)
        if self._under_way >= PENDING_MAX:
            raise MailboxFull(PENDING_MAX)
        self._under_way += 1
        return next(self._ids), self.loop.create_future()

    def _cancel(self, route: Route, request: int) -> None:
        if not route.line.closed:
            route.line.send(operation.REQUESTS.encode(operation.Cancel(next(self._ids), request)), NOBLOCK)
            self._swallowed(route)

    async def _within(self, answer: asyncio.Future[Any], timeout: float | None) -> Any:
        if timeout is None:
            return await answer
        alarm = self.loop.call_later(timeout, _expire, answer, timeout)
        try:
            return await answer
        finally:
            alarm.cancel()

    # -- receiving ----------------------------------------------------------------------------------------------

    def _on_root(self) -> None:
        if self.is_closed:
            return
        for message, bodies in self.wires.news():
            answer = self._asked.get(getattr(message, "id", 0))
            if answer is not None and not answer.done():
                answer.set_result((message, bodies))
        self._settle_ended()
        if self.wires.is_gone:
            self.close()

    def _on_line(self, route: Route) -> None:
        if route.line.closed:
            return
        for _ in range(READ_MAX):
            received = route.read()
            if received is None:
                return
            answer = route.waiter.get(received[0].id)
            if answer is not None and not answer.done():
                answer.set_result(received)
        self.loop.call_soon(self._on_line, route)  # there may be more, and no new edge will come

    def _swallowed(self, route: Route) -> None:
        """A send may have consumed the descriptor's edge: look whether something has arrived."""
        if get(route.line, EVENTS) & POLLIN:
            self.loop.call_soon(self._on_line, route)

    def _settle_ended(self) -> None:
        for route in self.wires.dropped:
            for end in self._ends.pop(route, ()) if route.ended else ():
                if not end.done():
                    end.set_result(None)
        self._close_dropped()

    def _close_dropped(self) -> None:
        for route in self.wires.dropped:
            if route.busy:
                self.loop.call_later(LAST_WORDS_S, self._close_route, route)  # an answer may be on its way
            else:
                self._close_route(route)
        self.wires.dropped = []

    def _close_route(self, route: Route) -> None:
        if route.line.closed:
            return
        if route.waiter is not None:
            self._on_line(route)
            self.loop.remove_reader(route.fd)
        self.wires.hang_up(route)
        error = ChannelClosed(route.cause) if route.ended else SupervisorGone(None)
        for answer in (route.waiter or {}).values():
            _fail(answer, error)

    def close(self) -> None:
        """Close everything; whoever waits gets ChannelClosed."""
        if self.is_closed:
            return
        self.is_closed = True
        for fd in self.wires.fds:
            self.loop.remove_reader(fd)
        for route in (*self.wires.all_routes(), *self.wires.dropped):
            self._close_route(route)
        self.wires.close()
        waiting: list[asyncio.Future[Any]] = [*self._asked.values(), *itertools.chain(*self._ends.values())]
        for answer in waiting:
            _fail(answer, SupervisorGone(None))


def _expire(answer: asyncio.Future[Any], timeout: float) -> None:
    _fail(answer, OperationTimeout(timeout))


def _fail(answer: asyncio.Future[Any], error: ActorError) -> None:
    if not answer.done():
        answer.set_exception(error)
