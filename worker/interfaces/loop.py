"""``theater:simple/loop``: the actor is called again and again, each time with what the last turn gave (pack-abi 10.6).

Every turn is an operation of its own, queued behind those that wait, so calls and messages are served between turns. A
loop belongs to one incarnation: the next one starts its own.
"""

from __future__ import annotations

import time
from typing import Any, Final

from theater import cgrf, types
from theater.grants.loop import GRANT
from theater.values import UNIT, List, Result, String, Tuple, Value, Variant, unit
from worker.interfaces import registry
from worker.interfaces.context import Context
from worker.interfaces.outcomes import failure
from worker.interfaces.registry import Callback, Function, Interface, Refusal
from worker.interfaces.sending import STAYS

TURN: Final = "theater:simple/loop-client.loop"
NS_PER_MS: Final = 1_000_000
OK: Final = 0


class Turns:
    """One loop, from start-loop to its end."""

    def __init__(self) -> None:
        self.is_over = False


class Loop:
    """The actor's loop, if there is one."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._pause_ms: int = GRANT.held_by(context)["pause_ms_min"]
        self._turns: Turns | None = None

    def start(self, data: List) -> None:
        """The first turn comes after the operation that is running."""
        if self._turns is not None:
            raise Refusal("the loop is running already")
        self._turns = Turns()
        self._turn(self._turns, data)

    def stop(self) -> None:
        """No more turns, not even the one that waits."""
        if self._turns is None:
            raise Refusal("no loop is running")
        self.close()

    def close(self) -> None:
        """End it, if there is one."""
        if self._turns is not None:
            self._turns.is_over = True
            self._turns = None

    def _turn(self, turns: Turns, data: Value) -> None:
        self._context.deliver(
            TURN, data, then=lambda notice: self._turned(turns, notice), wanted=lambda: not turns.is_over
        )

    def _turned(self, turns: Turns, notice: Any) -> None:
        if turns.is_over:
            return  # stopped in the very turn
        why = failure(notice)
        data = None
        if why is None:
            data, why = _answer(notice.response)
        if data is None:
            self.close()
            self._context.log("warning", f"the loop has ended: {why}")
        elif self._pause_ms == 0:
            self._turn(turns, data)
        else:
            at_ns = time.monotonic_ns() + self._pause_ms * NS_PER_MS
            self._context.at(at_ns, lambda: None if turns.is_over else self._turn(turns, data))


def _answer(response: bytes | None) -> tuple[List | None, str]:
    """What a turn answered: the bytes for the next one, or None and why there is no next one."""
    value = UNIT if response is None else cgrf.decode(response)
    match value:
        case Tuple(items=(inner,)):
            value = inner
    match value:
        case Variant(tag=tag, payload=(payload,)) | Result(is_ok=tag, value=payload):
            is_ok = tag is True or (tag is not False and tag == OK)
        case _:
            return None, f"expected ok(list<u8>) or err(string) from {TURN}, got {str(value)[:60]}"
    match payload:
        case List(element=types.U8) if is_ok:
            return payload, ""
        case String(value=text) if not is_ok:
            return None, text
    return None, f"expected ok(list<u8>) or err(string) from {TURN}, got {str(value)[:60]}"


def start_loop(context: Context, initial: List) -> Value:
    """Answers at once."""
    context.service(Loop).start(initial)
    return unit()


def stop_loop(context: Context) -> Value:
    """Also from within a turn."""
    context.service(Loop).stop()
    return unit()


INTERFACE: Final = Interface(
    GRANT.name,
    "Have `theater:simple/loop-client.loop` called again and again, with what the turn before gave. Calls and messages "
    "are served between turns. The loop ends when a turn gives err(string) or fails, and with the incarnation; "
    "one that begins without `init` (`recover: last` or `replay`, an update) has none until it starts one, in "
    "`handle-recovered`.",
    (
        Function(
            "start-loop",
            "Begin: the first turn comes after the running operation, with these bytes.",
            (registry.Variant("func(initial-state: list<u8>) -> result<_, string>", start_loop),),
        ),
        Function(
            "stop-loop",
            "End: no turn comes after this, not even the one that was waiting.",
            (registry.Variant("func() -> result<_, string>", stop_loop),),
        ),
    ),
    (
        Callback(
            TURN,
            "func(bytes: list<u8>) -> variant turn {ok(list<u8>), err(string)}",
            "One turn; ok gives the bytes for the next one, err ends the loop.",
        ),
    ),
    sends=STAYS,
)

INTERFACES: Final = (INTERFACE,)
