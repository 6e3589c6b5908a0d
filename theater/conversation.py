"""What a handle says to the root and to a worker, step by step, without saying how one waits.

Each function here is a generator: it yields a step (where is the actor, ask the root, operate, await the end, pause),
is sent the result or thrown the error, and returns what the caller of the handle gets. The blocking link
(theater.link) and the asyncio link (theater.aio) perform the same steps, so both handles behave alike by construction.
"""

from __future__ import annotations

import enum
import itertools
import uuid
from collections.abc import Callable, Generator
from time import monotonic
from typing import Any, Final, TypeVar

import msgspec

from proto import control, info, operation
from proto.envelope import Codec, Message
from theater.cause import UPDATED, from_plain
from theater.errors import (
    ActorError,
    ChannelClosed,
    FunctionNotFound,
    Moved,
    NotFound,
    OperationTimeout,
    TypeMismatch,
    UnexpectedError,
)
from theater.records import ActorStatus, HttpResponse, StopReport, status_from
from theater.wires import Route, SupervisorGone

T = TypeVar("T")
Talk = Generator[Any, Any, T]

INFO_TIMEOUT_S: Final = 5.0
"""Questions and orders (lifecycle section 12)."""
CALL_MARGIN_S: Final = 5.0
"""Added to the actor's call deadline, so that a runaway is reported as the trap it is."""
UPDATE_TIMEOUT_S: Final = 60.0
"""How long a new package has to get ready (supervisor.fleet.updates)."""
STOP_MARGIN_S: Final = 10.0
"""Added to the time a stop may take before we stop waiting for its report."""
ATTEMPTS_MAX: Final = 5
"""Of a call with an idempotency key, each ended by the death of another incarnation."""
RETRY_FIRST_S: Final = 0.001
RETRY_MAX_S: Final = 0.05
UNDECIDED_S: Final = 2.0
"""How long an actor may look stopped after a death before we believe that nobody restarts it."""

COMING_STATES: Final = frozenset(("starting", "restarting", "idle", "processing", "running", "paused"))


class Default(enum.Enum):
    """Stands for the documented default time-out."""

    TIMEOUT = enum.auto()


DEFAULT: Final = Default.TIMEOUT
Timeout = float | None | Default


class Where(msgspec.Struct, frozen=True, gc=False):
    """Answered with the Route of the actor's present incarnation."""

    target: str
    timeout: float | None
    again: bool = False
    """Ask the root even though a route is known: another package may have taken over from that worker."""


class Ask(msgspec.Struct, frozen=True, gc=False):
    """A question or order for the root; answered with (message, bodies). The link puts the id before the fields."""

    codec: Codec
    kind: Callable[..., Message]
    fields: tuple[Any, ...]
    timeout: float | None
    bodies: tuple[bytes, ...] = ()


class Operate(msgspec.Struct, frozen=True, gc=False):
    """Work for the guest, straight to the worker; answered with the bodies of its answer."""

    route: Route
    kind: Callable[..., Message]
    fields: tuple[Any, ...]
    timeout: float | None
    body: bytes | None


class Post(msgspec.Struct, frozen=True, gc=False):
    """Work for the guest whose answer nobody waits for."""

    route: Route
    kind: Callable[..., Message]
    fields: tuple[Any, ...]
    body: bytes


class AwaitEnd(msgspec.Struct, frozen=True, gc=False):
    """Answered with the cause when the incarnation has ended."""

    route: Route
    timeout: float | None


class Pause(msgspec.Struct, frozen=True, gc=False):
    """Let some time go by."""

    seconds: float


class Who(msgspec.Struct, frozen=True, gc=False):
    """Whom a handle speaks to; ``incarnation`` is set for a handle bound to one life."""

    target: str
    incarnation: int | None = None


class Order(msgspec.Struct, frozen=True, gc=False):
    """How a call is made (the keyword arguments of ``call``)."""

    timeout: Timeout = DEFAULT
    deadline_s: float | None = None
    wait: bool = True
    cancel_running: bool = False
    retry_on_restart: bool = False
    void: bool = False
    idempotency_key: str | None = None


# -- operations -------------------------------------------------------------------------------------------------


def call(who: Who, encode: Callable[[Route], Talk[tuple[str, bytes]]], order: Order) -> Talk[list[bytes]]:
    """Call a function; ``encode`` gives its full name and parameters for the package at hand."""
    if order.retry_on_restart and order.idempotency_key is None:
        order = msgspec.structs.replace(order, idempotency_key=uuid.uuid4().hex)

    def attempt(route: Route, left: float | None) -> Talk[list[bytes]]:
        route, name, body = yield from _encoded(who, encode, route, left)
        bodies: list[bytes] = yield Operate(route, operation.Call, call_fields(name, order, left), left, body)
        return bodies

    return (yield from _through_deaths(who, attempt, order))


def post(who: Who, encode: Callable[[Route], Talk[tuple[str, bytes]]], timeout: Timeout) -> Talk[None]:
    """Send a call and go on: nobody waits for it to be done, and its result is discarded."""
    route = yield from locate(who, info_limit(timeout))
    route, name, body = yield from _encoded(who, encode, route, info_limit(timeout))
    yield Post(route, operation.Call, (name, None, None, True, False, True, None, True), body)


def _encoded(
    who: Who, encode: Callable[[Route], Talk[tuple[str, bytes]]], route: Route, timeout: float | None
) -> Talk[tuple[Route, str, bytes]]:
    """Name and parameters, and the route to whom they are for: what does not fit may fit the package that serves now.

    Nobody tells a client of an update. It finds out by its next call; one that is refused here, by what is known of
    the package before, must not be refused for that.
    """
    while True:
        try:
            return (route, *(yield from encode(route)))
        except (Moved, FunctionNotFound, TypeMismatch) as error:
            if who.incarnation is not None and not isinstance(error, Moved):
                raise  # of the one life that is meant it is true
            present = yield from locate(who, timeout, again=True)
            if present.life == route.life:
                raise
            route = present


def http_request(who: Who, fields: tuple[Any, ...], body: bytes, order: Order) -> Talk[HttpResponse]:
    """Hand an HTTP request to the actor."""

    def attempt(route: Route, left: float | None) -> Talk[list[bytes]]:
        bodies: list[bytes] = yield Operate(route, operation.HttpRequest, fields, left, body)
        return bodies

    head, content = yield from _through_deaths(who, attempt, order)
    status, headers = msgspec.msgpack.decode(head, type=tuple[int, tuple[tuple[str, bytes], ...]])
    return HttpResponse(status, headers, content)


def call_fields(name: str, order: Order, left: float | None) -> tuple[Any, ...]:
    """Return what a Call says after its id; ``left`` are the seconds the caller will wait."""
    return (
        name,
        _ms(order.deadline_s),
        _ms(left),
        order.wait,
        order.cancel_running,
        order.void,
        order.idempotency_key,
    )


def _through_deaths(
    who: Who, attempt: Callable[[Route, float | None], Talk[list[bytes]]], order: Order
) -> Talk[list[bytes]]:
    """Make an attempt; after the death of an incarnation another one if the order says so, within one time-out.

    With an idempotency key a few more times (what kills every incarnation should not do so for ever), without one once.
    """
    began = monotonic()
    route = yield from locate(
        who, INFO_TIMEOUT_S if order.timeout is DEFAULT else order.timeout, order.retry_on_restart
    )
    limit = call_limit(order, route)
    for number in itertools.count(1):
        try:
            return (yield from attempt(route, _left(began, limit)))
        except OperationTimeout:
            raise OperationTimeout(limit) from None
        except SupervisorGone:
            raise
        except (Moved, ChannelClosed) as closed:
            if has_moved(closed):
                refuse_pinned(who)
                route = yield from _next_life(who.target, ChannelClosed(None), _left(began, limit))
                continue
            is_last = number >= (ATTEMPTS_MAX if order.idempotency_key is not None else 2)
            if is_last or not order.retry_on_restart or who.incarnation is not None:
                raise
            route = yield from _next_life(who.target, closed, _left(began, limit))
    raise AssertionError("unreachable")


def has_moved(error: ActorError) -> bool:
    """Whether a call was not executed because another worker had taken over, after an update."""
    if isinstance(error, Moved):
        return True
    cause = error.data[0] if isinstance(error, ChannelClosed) else None
    return isinstance(cause, dict) and cause.get("kind") == UPDATED


def refuse_pinned(who: Who) -> None:
    """A handle of the one life that has moved on is told so: ChannelClosed."""
    if who.incarnation is not None:
        raise ChannelClosed({"kind": UPDATED}) from None


def locate(who: Who, timeout: float | None, may_wait: bool = False, again: bool = False) -> Talk[Route]:
    """Return the route to the actor, the one life a pinned handle means included."""
    try:
        route: Route = yield Where(who.target, timeout, again)
    except SupervisorGone:
        raise
    except ChannelClosed as closed:
        if not may_wait or who.incarnation is not None:
            raise
        return (yield from _next_life(who.target, closed, timeout))
    if who.incarnation is not None and route.incarnation != who.incarnation:
        raise ChannelClosed(route.ends.get((route.actor_id, who.incarnation)))
    return route


def _next_life(target: str, closed: ActorError, timeout: float | None) -> Talk[Route]:
    """Wait until the actor is there again; give up with the cause of its end when nobody restarts it."""
    began = monotonic()
    pause = RETRY_FIRST_S
    while True:
        try:
            route: Route = yield Where(target, _left(began, timeout))
            return route
        except SupervisorGone:
            raise
        except ChannelClosed as again:
            closed = again
        yield from _refuse_if_final(target, closed, monotonic() - began)
        left = _left(began, timeout)
        if left is not None and left <= 0:
            raise OperationTimeout(timeout)
        yield Pause(pause)
        pause = min(pause * 2, RETRY_MAX_S)


def _refuse_if_final(target: str, closed: ActorError, waited_s: float) -> Talk[None]:
    try:
        status = yield from get_status(Who(target), DEFAULT)
    except NotFound:
        raise closed from None
    if status.state not in COMING_STATES and waited_s > UNDECIDED_S:
        raise closed


# -- questions --------------------------------------------------------------------------------------------------


def question(
    who: Who, kind: Callable[..., Message], fields: tuple[Any, ...], timeout: Timeout
) -> Talk[tuple[dict[str, Any], list[bytes]]]:
    """Ask about an actor; returns plain data and bodies."""
    yield from _check_life(who, timeout)
    message, bodies = yield Ask(info.QUESTIONS, kind, (who.target, *fields), info_limit(timeout))
    return message.data, bodies


def get_status(who: Who, timeout: Timeout) -> Talk[ActorStatus]:
    """Ask how the actor is."""
    data, _ = yield from question(who, info.GetStatus, (), timeout)
    return status_from(data)


def metadata(who: Who, timeout: Timeout) -> Talk[tuple[str, bytes | None]]:
    """Ask for a package's own description of its functions, and for its digest: that of the package that serves now.

    Waits while the actor is too young to have it.
    """
    began = monotonic()
    limit = info_limit(timeout)
    while True:
        try:
            message, bodies = yield Ask(info.QUESTIONS, info.GetInterface, (who.target,), limit)
            return message.data.get("package", ""), bodies[0] if bodies else None
        except UnexpectedError:
            left = _left(began, limit)
            if left is not None and left <= 0:
                raise
        yield Pause(RETRY_MAX_S / 5)


def await_end(who: Who, timeout: float | None) -> Talk[dict[str, Any]]:
    """Return the cause of the end of the present incarnation, at once if the actor is gone already."""
    try:
        route = yield from locate(who, INFO_TIMEOUT_S if timeout is None else timeout)
        cause = yield AwaitEnd(route, timeout)
    except SupervisorGone:
        raise
    except ChannelClosed as closed:
        cause = closed.data[0]
    if not isinstance(cause, dict):
        raise ChannelClosed(None)
    return cause


# -- orders -----------------------------------------------------------------------------------------------------


def order(who: Who, kind: Callable[..., Message], fields: tuple[Any, ...], timeout: Timeout) -> Talk[Message]:
    """Give an order about an actor and return the answer."""
    yield from _check_life(who, timeout)
    message: Message
    message, _ = yield Ask(control.FROM_CLIENT, kind, (who.target, *fields), info_limit(timeout))
    return message


def update_package(who: Who, package: str, timeout: float | None) -> Talk[dict[str, Any]]:
    """Go on with another package; returns the incarnation that serves now and the package's digest."""
    limit = (UPDATE_TIMEOUT_S if timeout is None else timeout) + STOP_MARGIN_S
    outcome = yield from order(who, control.Update, (package, _ms(timeout)), limit)
    value = getattr(outcome, "value", None)
    if not isinstance(value, dict):
        raise UnexpectedError(f"expected an outcome, got {type(outcome).__name__}")
    return value


def shutdown(who: Who, timeout: float | None) -> Talk[StopReport]:
    """Stop gracefully; the report comes when the process is reaped."""
    limit = None if timeout is None else timeout + STOP_MARGIN_S
    report = yield from order(who, control.Shutdown, (_ms(timeout), "handle"), limit)
    return _report(report)


def terminate(who: Who, timeout: Timeout) -> Talk[StopReport]:
    """Kill; the report comes when the process is reaped."""
    report = yield from order(who, control.Terminate, (), timeout)
    return _report(report)


def signal(who: Who, reason: str, timeout: Timeout) -> Talk[None]:
    """Send an exit signal."""
    yield Ask(control.FROM_CLIENT, control.Signal, (who.target, reason, who.incarnation), info_limit(timeout))


def tree_order(
    kind: Callable[..., Message], fields: tuple[Any, ...], timeout: Timeout, *bodies: bytes
) -> Talk[Any]:
    """Give an order about the tree and return OTP's answer as plain data."""
    message, _ = yield Ask(control.FROM_CLIENT, kind, fields, info_limit(timeout), bodies)
    return getattr(message, "value", None)


def tree_question(kind: Callable[..., Message], fields: tuple[Any, ...], timeout: Timeout) -> Talk[dict[str, Any]]:
    """Ask about the tree."""
    message, _ = yield Ask(info.QUESTIONS, kind, fields, info_limit(timeout))
    data: dict[str, Any] = message.data
    return data


def members(name: str, timeout: Timeout) -> Talk[tuple[str, ...]]:
    """Ask who has a name."""
    try:
        data = yield from tree_question(info.Whereis, (name,), timeout)
    except NotFound:
        return ()
    return tuple(id for id, _ in data["members"])


def _report(message: Any) -> StopReport:
    if not isinstance(message, control.Report):
        raise UnexpectedError(f"expected a report, got {type(message).__name__}")
    return StopReport(from_plain(message.cause), message.forced, message.exit_status, message.seconds)


# -- shared -----------------------------------------------------------------------------------------------------


def info_limit(timeout: Timeout) -> float | None:
    """Seconds for a question or order."""
    return INFO_TIMEOUT_S if timeout is DEFAULT else timeout


def _check_life(who: Who, timeout: Timeout) -> Talk[None]:
    if who.incarnation is not None:
        yield from locate(who, info_limit(timeout))


def call_limit(order: Order, route: Route) -> float | None:
    """Seconds a caller waits: what it says, else a little longer than the guest may compute (H3)."""
    if order.timeout is not DEFAULT:
        return order.timeout
    if order.deadline_s is not None:
        return order.deadline_s + CALL_MARGIN_S
    if route.call_deadline_ms is None:
        return None
    return route.call_deadline_ms / 1000 + CALL_MARGIN_S


def _left(began: float, limit: float | None) -> float | None:
    return None if limit is None else max(0.0, limit - (monotonic() - began))


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else max(0, round(seconds * 1000))
