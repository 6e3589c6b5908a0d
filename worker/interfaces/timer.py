"""``theater:simple/timer``: calls at intervals, calls after a while, and the time of day (pack-abi 10.6).

As with the named timeouts of OTP's gen_statem, setting a name that is set replaces that timer, and no tick comes from a
timer that was cleared or replaced. Timers belong to one incarnation: the next one sets its own, in ``init`` or in
``handle-recovered`` (worker.recovered).
"""

from __future__ import annotations

import time
from itertools import count
from typing import Any, Final

from theater import types
from theater.grants.timer import GRANT
from theater.values import U64, List, Option, String, Tuple, Value, unit
from worker.alarms import Alarm
from worker.interfaces.context import Context
from worker.interfaces.outcomes import failure
from worker.interfaces.registry import Callback, Function, Interface, Refusal, Variant
from worker.interfaces.sending import STAYS

TICK: Final = "theater:simple/timer.handle-tick"
NAME_CHARS_MAX: Final = 256
DELAY_MS_MAX: Final = 2**32 - 1
"""About 49 days, as in OTP."""
NS_PER_MS: Final = 1_000_000

_ENTRY = types.Tuple((types.STRING, types.Option(types.U64)))
_serials = count()


class Timer:
    """One timer. Rung by the post thread, all else by the guest thread."""

    def __init__(self, name: str, interval_ms: int | None) -> None:
        self.name = name
        self.interval_ms = interval_ms
        """None: it ticks once."""
        self.key = f"{TICK} {next(_serials)}"
        """At most one of its ticks waits. Not the name: a tick of the timer before this one must not stand for it."""
        self.is_over = False
        self.alarm: Alarm | None = None

    def end(self) -> None:
        """No more ticks: not the one that is queued either."""
        self.is_over = True
        if self.alarm is not None:
            self.alarm.call_off()


class Timers:
    """An actor's timers by name."""

    def __init__(self, context: Context) -> None:
        self._context = context
        options = GRANT.held_by(context)
        self._timers_max: int = options["timers_max"]
        self.interval_ms_min: int = options["interval_ms_min"]
        self._timers: dict[str, Timer] = {}

    def every(self, name: str, interval_ms: int) -> None:
        """The first tick comes at once, the others keep to whole intervals from now."""
        timer = self._add(Timer(name, interval_ms))
        self._tick(timer)
        self._arm(timer, time.monotonic_ns() + interval_ms * NS_PER_MS)

    def once(self, name: str, delay_ms: int) -> None:
        """One tick, after the delay."""
        self._arm(self._add(Timer(name, None)), time.monotonic_ns() + delay_ms * NS_PER_MS)

    def clear(self, name: str) -> None:
        """End a timer."""
        timer = self._timers.pop(name, None)
        if timer is None:
            raise Refusal(f"no timer has the name {name!r}")
        timer.end()

    def close(self) -> None:
        """End all."""
        for name in list(self._timers):
            self.clear(name)

    def list(self) -> list[Timer]:
        """Those that are set, in the order they were."""
        return list(self._timers.values())

    def _add(self, timer: Timer) -> Timer:
        if timer.name in self._timers:
            self.clear(timer.name)
        elif len(self._timers) >= self._timers_max:
            raise Refusal(f"{self._timers_max} timers are set; the grant allows no more")
        self._timers[timer.name] = timer
        return timer

    def _arm(self, timer: Timer, at_ns: int) -> None:
        timer.alarm = self._context.at(at_ns, lambda: self._ring(timer, at_ns))

    def _ring(self, timer: Timer, at_ns: int) -> None:
        if timer.is_over:
            return
        self._tick(timer)
        if timer.interval_ms is not None:
            interval_ns = timer.interval_ms * NS_PER_MS
            late_ns = max(0, time.monotonic_ns() - at_ns)
            self._arm(timer, at_ns + (late_ns // interval_ns + 1) * interval_ns)

    def _tick(self, timer: Timer) -> None:
        self._context.deliver(
            TICK,
            String(timer.name),
            merge_key=timer.key,
            then=lambda notice: self._ticked(timer, notice),
            wanted=lambda: self._begins(timer),
        )

    def _begins(self, timer: Timer) -> bool:
        """Whether the tick whose turn has come is wanted; a timer that ticks once is over with it."""
        if timer.is_over:
            return False
        if timer.interval_ms is None:
            self._forget(timer)
        return True

    def _ticked(self, timer: Timer, notice: Any) -> None:
        why = failure(notice)
        if why is None or timer.interval_ms is None or timer.is_over:
            return
        self._forget(timer)
        self._context.log("warning", f"the timer {timer.name!r} has ended, because its tick failed: {why}")

    def _forget(self, timer: Timer) -> None:
        timer.end()
        self._timers.pop(timer.name, None)


def set_interval(context: Context, name: String, interval: U64) -> Value:
    """Answers the name."""
    timers = context.service(Timers)
    _check(name, "an interval", interval.value, timers.interval_ms_min)
    timers.every(name.value, interval.value)
    return name


def clear_interval(context: Context, name: String) -> Value:
    """Also clears a timer that ticks once."""
    context.service(Timers).clear(name.value)
    return unit()


def now(context: Context) -> Value:
    """The unit is that of the intervals."""
    return U64(time.time_ns() // NS_PER_MS)


def set_once(context: Context, name: String, delay: U64) -> Value:
    """Answers the name."""
    _check(name, "a delay", delay.value, 0)
    context.service(Timers).once(name.value, delay.value)
    return name


def list_timers(context: Context) -> Value:
    """Names with their intervals; none for a timer that ticks once."""
    entries = [
        Tuple((String(each.name), Option(types.U64, None if each.interval_ms is None else U64(each.interval_ms))))
        for each in context.service(Timers).list()
    ]
    return List(_ENTRY, tuple(entries))


def _check(name: String, what: str, given_ms: int, least_ms: int) -> None:
    if len(name.value) > NAME_CHARS_MAX:
        raise Refusal(f"expected a name of at most {NAME_CHARS_MAX} characters, got {len(name.value)}")
    if not least_ms <= given_ms <= DELAY_MS_MAX:
        raise Refusal(f"expected {what} from {least_ms} to {DELAY_MS_MAX} ms, got {given_ms}")


INTERFACE: Final = Interface(
    GRANT.name,
    "Have `theater:simple/timer.handle-tick` called with a timer's name, at intervals or once, and ask the time. While "
    "the actor is busy or paused at most one tick of a timer waits. A tick that fails ends its timer. Timers end with "
    "the incarnation; one that begins without `init` (`recover: last` or `replay`, an update) has none until it sets "
    "some, in `handle-recovered`.",
    (
        Function(
            "set-interval",
            "Tick at once and then at this interval; answers the name. A timer of this name is replaced.",
            (Variant("func(name: string, interval-ms: u64) -> result<string, string>", set_interval),),
        ),
        Function(
            "clear-interval",
            "End a timer: no tick of it comes after this, not even one that was waiting.",
            (Variant("func(name: string) -> result<_, string>", clear_interval),),
        ),
        Function("now", "Milliseconds since 1970.", (Variant("func() -> u64", now),)),
        Function(
            "set-once",
            "Tick once, after this delay; answers the name. A timer of this name is replaced.",
            (Variant("func(name: string, delay-ms: u64) -> result<string, string>", set_once),),
            own=True,
        ),
        Function(
            "list-timers",
            "The timers that are set, each with its interval, or none if it ticks once.",
            (Variant("func() -> list<tuple<string, option<u64>>>", list_timers),),
            own=True,
        ),
    ),
    (Callback(TICK, "func(name: string)", "A timer of this name has ticked."),),
    sends=STAYS,
)

INTERFACES: Final = (INTERFACE,)
