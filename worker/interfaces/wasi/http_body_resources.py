"""Bodies of HTTP messages as resources of the guest: one to be read, one to be written, and trailers there are none."""

from __future__ import annotations

from typing import Any, Final

from theater.values import U32, UNIT, Option, Value
from worker.interfaces.context import Context
from worker.interfaces.wasi.declaring import Failure, Maker, err, ok, some
from worker.interfaces.wasi.http_bodies import Collected
from worker.interfaces.wasi.resources import drop, resources
from worker.interfaces.wasi.streams import InputStream
from worker.interfaces.wasi.waiting import Pollable


class IncomingBody:
    """A body to be read."""

    def __init__(self, stream: InputStream) -> None:
        self.stream: InputStream | None = stream


class OutgoingBody:
    """A body to be written."""

    def __init__(self, content: Collected) -> None:
        self.content = content
        self.is_taken = False
        self.is_finished = False
        self.on_finish: Any = None

    def finish(self) -> None:
        """It is complete."""
        self.is_finished = True
        if self.on_finish is not None:
            self.on_finish()

    def close(self) -> None:
        """Dropped: without being finished, whatever it belongs to is cut off."""
        if not self.is_finished and self.on_finish is not None:
            self.on_finish()


class FutureTrailers:
    """Trailers are not kept: there are none."""

    is_taken = False


def body_stream(context: Context, handle: U32) -> Value:
    """The stream of an incoming body, once."""
    body = resources(context).get(handle, IncomingBody)
    if body.stream is None:
        raise Failure(UNIT)
    stream, body.stream = body.stream, None
    return resources(context).add(stream)


def finish_incoming(context: Context, handle: U32) -> Value:
    """Done with a body; its trailers come next."""
    drop(context, handle)
    return resources(context).add(FutureTrailers())


def subscribe_trailers(context: Context, handle: U32) -> Value:
    """They are ready."""
    resources(context).get(handle, FutureTrailers)
    return resources(context).add(Pollable())


def get_trailers(context: Context, handle: U32) -> Value:
    """None, once."""
    future = resources(context).get(handle, FutureTrailers)
    if future.is_taken:
        return some(err(UNIT))
    future.is_taken = True
    return some(ok(ok(some(None))))


def body_write(context: Context, handle: U32) -> Value:
    """The stream of an outgoing body, once."""
    body = resources(context).get(handle, OutgoingBody)
    if body.is_taken:
        raise Failure(UNIT)
    body.is_taken = True
    return resources(context).add(body.content)


def finish_outgoing(context: Context, handle: U32, trailers: Option) -> Value:
    """A body is complete. Trailers are dropped."""
    body = resources(context).get(handle, OutgoingBody)
    if trailers.value is not None:
        assert isinstance(trailers.value, U32)
        drop(context, trailers.value)
    body.finish()
    drop(context, handle)
    return UNIT


RESOURCES: Final = ("incoming-body", "future-trailers", "outgoing-body")
_TRAILERS: Final = "option<result<result<option<u32>, error-code>, _>>"


def declare(made: Maker) -> None:
    """Add their functions to the interface."""
    made.methods("incoming-body", [("stream", "() -> result<u32, _>", body_stream)])
    made.add("[static]incoming-body.finish", "(this: u32) -> u32", finish_incoming)
    made.methods(
        "future-trailers",
        [
            ("subscribe", "() -> u32", subscribe_trailers),
            ("get", f"() -> {_TRAILERS}", get_trailers),
        ],
    )
    made.methods("outgoing-body", [("write", "() -> result<u32, _>", body_write)])
    made.add(
        "[static]outgoing-body.finish", "(this: u32, trailers: option<u32>) -> result<_, error-code>", finish_outgoing
    )
