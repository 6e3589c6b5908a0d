"""One thread's connection to a supervisor and its workers: send, wait, receive, all in the calling thread.

A call costs a send, one poll on two descriptors and a receive; there is no thread behind it to hand work to.
Every wait ends in exactly one way: the answer, the end of that incarnation (with its cause), the loss of the
supervisor, or the time-out (lifecycle H1-H4).
"""

from __future__ import annotations

import itertools
import os
import select
from collections.abc import Callable, Sequence
from time import monotonic, sleep
from typing import Any, Final

import zmq

from proto import control, info, operation
from proto.envelope import Codec, Message
from theater.conversation import Ask, AwaitEnd, Operate, Pause, Post, T, Talk, Where, Who
from theater.errors import ActorError, ChannelClosed, Moved, OperationTimeout, UnexpectedError, from_wire
from theater.rundir import Run
from theater.wires import LAST_WORDS_S, NOBLOCK, POSTED_LINGER_MS, Pool, Received, Route, SupervisorGone, Wires, send

_SNDMORE: Final = int(zmq.SNDMORE) | NOBLOCK
_REFUSALS: Final = (info.Refused, control.Refused)


class Link:
    """Blocking; for one thread. ``pid`` is the process that made it: after a fork the child needs one of its own."""

    def __init__(self, pool: Pool, run: Run) -> None:
        self.pid = os.getpid()
        self.run = run
        self.is_closed = False
        self.wires = Wires(pool, run)
        self._ids = itertools.count(1)
        self._root_poll = _poll_on(self.wires.fds)
        self._wanted = 0
        self._answer: Received | None = None

    # -- the root -----------------------------------------------------------------------------------------------

    def ask(
        self,
        codec: Codec,
        kind: Callable[..., Message],
        fields: Sequence[Any],
        timeout: float | None,
        bodies: Sequence[bytes] = (),
    ) -> Received:
        """Send a question or order to the root and return its answer.

        Raises:
            ActorError: the kind the root refused with; OperationTimeout; ChannelClosed when the root is gone.
        """
        self._wanted = next(self._ids)
        self._answer = None
        self.wires.tell_root(codec.encode(kind(self._wanted, *fields)), bodies)
        self._wait(lambda: self._answer is not None, timeout)
        assert self._answer is not None
        message, received = self._answer
        if isinstance(message, _REFUSALS):
            raise from_wire(message.kind, message.data)
        return message, received

    def route(self, target: str, timeout: float | None, again: bool = False) -> Route:
        """Return where the actor is now, asking the root unless it is known, or although it is.

        Raises:
            ActorError: not_found, channel_closed (with the cause of the last end) and whatever else the root says.
        """
        self.look()
        known = self.wires.routes.get(target)
        if known is not None and not again:
            return known
        message, _ = self.ask(info.QUESTIONS, info.Resolve, (target, True), timeout)
        if not isinstance(message, info.Endpoint):
            raise UnexpectedError(f"expected the endpoint of {target}, got {type(message).__name__}")
        route = self.wires.route(target, message)
        if route.waiter is None:
            route.waiter = _poll_on((route.fd, *self.wires.fds))
        self.wires.close_dropped(keep=route)
        if route.ended:
            raise ChannelClosed(route.cause)
        return route

    def known(self, who: Who) -> Route | None:
        """Return the route to the actor if it is known and still good, without asking."""
        self.look()
        route = self.wires.routes.get(who.target)
        return route if route is None or who.incarnation in (None, route.incarnation) else None

    def await_end(self, route: Route, timeout: float | None) -> dict[str, Any] | None:
        """Return the cause when this life has ended."""
        self._wait(lambda: route.ended, timeout)
        return route.cause

    def look(self) -> None:
        """Take in what the root has said meanwhile, without waiting."""
        if self._root_poll.poll(0):
            self._news()
            if self.wires.is_gone:
                raise self._lost()

    # -- the workers ----------------------------------------------------------------------------------------------

    def operate(
        self,
        route: Route,
        kind: Callable[..., Message],
        fields: Sequence[Any],
        timeout: float | None,
        body: bytes | None,
    ) -> list[bytes]:
        """Send an operation straight to a worker and return the bodies of its answer.

        Raises:
            ActorError: as the worker said; ChannelClosed with the cause when this life ends first; OperationTimeout.
        """
        request = next(self._ids)
        line = route.line
        header = operation.REQUESTS.encode(kind(request, *fields))
        try:
            if body is None:
                send(line, header, NOBLOCK)
            else:
                send(line, header, _SNDMORE)
                send(line, body, NOBLOCK)
            return self._await_reply(route, request, timeout)
        except (OperationTimeout, KeyboardInterrupt):
            self._cancel(route, request)
            raise
        except Moved:
            self.wires.moved(route)
            raise

    def post(self, route: Route, kind: Callable[..., Message], fields: Sequence[Any], body: bytes) -> None:
        """Send an operation whose answer nobody waits for; it gets out even if we close at once."""
        route.linger_ms = POSTED_LINGER_MS
        send(route.line, operation.REQUESTS.encode(kind(next(self._ids), *fields)), _SNDMORE)
        send(route.line, body, NOBLOCK)

    def _await_reply(self, route: Route, request: int, timeout: float | None) -> list[bytes]:
        deadline = None if timeout is None else monotonic() + timeout
        is_likely = False
        while True:
            while (received := route.read(is_likely)) is not None:
                answer, bodies = received
                if answer.id == request:
                    return _returned(answer, bodies)
                is_likely = False
            if route.ended or self.wires.is_gone:
                return self._last_words(route, request)
            left_ms = _left_ms(deadline)
            if left_ms is not None and left_ms <= 0:
                raise OperationTimeout(timeout)
            ready = route.waiter.poll(left_ms)
            is_likely = len(ready) == 1 and ready[0][0] == route.fd
            if not is_likely:
                self._news()

    def _last_words(self, route: Route, request: int) -> list[bytes]:
        """Read once more from a worker that is gone: an answer that was sent before the end counts."""
        last = _poll_on((route.fd,))
        deadline = monotonic() + LAST_WORDS_S
        try:
            while True:
                while (received := route.read()) is not None:
                    answer, bodies = received
                    if answer.id == request:
                        return _returned(answer, bodies)
                left_ms = _left_ms(deadline)
                if not left_ms or not last.poll(left_ms):
                    raise ChannelClosed(route.cause) if route.ended else self._lost()
        finally:
            self.wires.close_dropped()

    def _cancel(self, route: Route, request: int) -> None:
        try:
            route.line.send(operation.REQUESTS.encode(operation.Cancel(next(self._ids), request)), NOBLOCK)
        except zmq.ZMQError:
            pass  # the answer to the caller is the same

    # -- conversations --------------------------------------------------------------------------------------------

    def converse(self, talk: Talk[T]) -> T:
        """Perform the steps of a conversation and return its result (theater.conversation)."""
        proceed: Any = talk.send
        argument: Any = None
        try:
            while True:
                step = proceed(argument)
                try:
                    argument, proceed = self._perform(step), talk.send
                except ActorError as error:
                    argument, proceed = error, talk.throw
        except StopIteration as done:
            result: T = done.value
            return result

    def _perform(self, step: Any) -> Any:
        match step:
            case Operate():
                return self.operate(step.route, step.kind, step.fields, step.timeout, step.body)
            case Post():
                return self.post(step.route, step.kind, step.fields, step.body)
            case Where():
                return self.route(step.target, step.timeout, step.again)
            case Ask():
                return self.ask(step.codec, step.kind, step.fields, step.timeout, step.bodies)
            case AwaitEnd():
                return self.await_end(step.route, step.timeout)
            case Pause():
                return sleep(step.seconds)
            case _:
                raise TypeError(f"not a step: {step!r}")

    # -- waiting --------------------------------------------------------------------------------------------------

    def _wait(self, is_done: Callable[[], bool], timeout: float | None) -> None:
        deadline = None if timeout is None else monotonic() + timeout
        while True:
            self._news()
            if is_done():
                return
            if self.wires.is_gone:
                raise self._lost()
            left_ms = _left_ms(deadline)
            if left_ms is not None and left_ms <= 0:
                raise OperationTimeout(timeout)
            self._root_poll.poll(left_ms)

    def _news(self) -> None:
        for message, bodies in self.wires.news():
            if getattr(message, "id", None) == self._wanted:
                self._answer = (message, bodies)

    def _lost(self) -> ActorError:
        self.close()
        return SupervisorGone(None)

    def close(self) -> None:
        """Close every socket of this thread."""
        if not self.is_closed and self.pid == os.getpid():
            self.is_closed = True
            self.wires.close()

    def __del__(self) -> None:
        if hasattr(self, "_root_poll"):
            self.close()  # the thread has ended


def _returned(answer: Any, bodies: list[bytes]) -> list[bytes]:
    if isinstance(answer, operation.Failed):
        raise from_wire(answer.kind, answer.data)
    return bodies


def _poll_on(fds: Sequence[int]) -> select.poll:
    poll = select.poll()
    for fd in fds:
        poll.register(fd, select.POLLIN)
    return poll


def _left_ms(deadline: float | None) -> float | None:
    """Milliseconds until a deadline, at least 1 while there is any time left."""
    if deadline is None:
        return None
    left = deadline - monotonic()
    return max(1.0, left * 1000) if left > 0 else 0.0
