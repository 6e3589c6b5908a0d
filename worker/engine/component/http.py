"""``wasi:http/incoming-handler.handle`` as a function on values: a request goes in, a response comes out.

The guest's own ``handle`` takes two handles. They come from a host call before it, and what the guest made of them is
taken by a host call after it (worker.interfaces.wasi.http_incoming): both are recorded, so a replay finds them again.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from theater import types
from theater.grants import HTTP
from theater.http import REQUEST, RESPONSE
from theater.metadata import FunctionSig
from theater.values import UNIT, Result, Tuple, Value
from worker.engine.component.port import GuestFunction

ACCEPT: Final = "accept"
RESPOND: Final = "respond"
NAME: Final = "handle"

Answer = Callable[[str, str, Value], Value]
"""Interface, function and input of a host call; returns the output."""


class Declined(Exception):
    """The guest's handler did not answer the request; the text says why."""


def signature() -> FunctionSig:
    """What callers see."""
    kept = types.Result(types.Tuple((types.VALUE, RESPONSE)), types.STRING)
    return FunctionSig(HTTP, NAME, (("state", types.VALUE), ("request", REQUEST)), (kept,))


def serving(handle: GuestFunction, answer: Answer) -> GuestFunction:
    """Make the guest's handler a function of a request."""

    def call(items: Sequence[Value]) -> Value:
        handles = answer(HTTP, ACCEPT, items[0])
        assert isinstance(handles, Tuple)
        handle(handles.items)
        result = answer(HTTP, RESPOND, UNIT)
        assert isinstance(result, Result)
        if not result.is_ok:
            raise Declined(getattr(result.value, "value", str(result.value)))
        return result.value

    return call
