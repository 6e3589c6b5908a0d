"""``wasi:clocks``: what the time is. Recorded, as every answer is, so a replay sees the same."""

from __future__ import annotations

import time
from typing import Final

from theater.types import Type
from theater.values import S32, U32, U64, Bool, Record, String, Value
from worker.interfaces.context import Context
from worker.interfaces.wasi.declaring import Maker, names_of, record
from worker.interfaces.wasi.resources import resources
from worker.interfaces.wasi.waiting import Pollable

NAMES: Final = names_of(
    """
    datetime = record datetime {seconds: u64, nanoseconds: u32}
    timezone-display = record timezone-display {utc-offset: s32, name: string, in-daylight-saving-time: bool}
    """
)
DATETIME: Final[Type] = NAMES["datetime"]
SECOND_NS: Final = 1_000_000_000
INSTANT_MAX: Final = (1 << 63) - 1


def datetime(epoch_ns: int) -> Record:
    """A point in time, as WASI has it."""
    return record(DATETIME, U64(epoch_ns // SECOND_NS), U32(epoch_ns % SECOND_NS))


def monotonic_now(context: Context) -> Value:
    """Nanoseconds since some point."""
    return U64(time.monotonic_ns())


def resolution(context: Context) -> Value:
    """One nanosecond."""
    return U64(1)


def subscribe_instant(context: Context, when: U64) -> Value:
    """Ready at a time of this clock."""
    return resources(context).add(Pollable(at_ns=min(when.value, INSTANT_MAX)))


def subscribe_duration(context: Context, when: U64) -> Value:
    """Ready after some time."""
    return resources(context).add(Pollable(at_ns=min(time.monotonic_ns() + when.value, INSTANT_MAX)))


def revive_pollable(context: Context, given: tuple[Value, ...], answer: Value) -> None:
    """A pollable that a rebuilt guest still holds is ready."""
    assert isinstance(answer, U32)
    resources(context).revive(answer, Pollable())


def wall_now(context: Context) -> Value:
    """The time of day, in UTC."""
    return datetime(time.time_ns())


def wall_resolution(context: Context) -> Value:
    """One nanosecond."""
    return datetime(1)


def display(context: Context, when: Record) -> Value:
    """Everything here is UTC."""
    return record(NAMES["timezone-display"], S32(0), String("UTC"), Bool(False))


def utc_offset(context: Context, when: Record) -> Value:
    """None."""
    return S32(0)


def _monotonic() -> Maker:
    made = Maker({})
    made.add("now", "() -> u64", monotonic_now)
    made.add("resolution", "() -> u64", resolution)
    made.add("subscribe-instant", "(when: u64) -> u32", subscribe_instant, revive_pollable)
    made.add("subscribe-duration", "(when: u64) -> u32", subscribe_duration, revive_pollable)
    return made


def _wall() -> Maker:
    made = Maker(NAMES)
    made.add("now", "() -> datetime", wall_now)
    made.add("resolution", "() -> datetime", wall_resolution)
    return made


def _timezone() -> Maker:
    made = Maker(NAMES)
    made.add("display", "(when: datetime) -> timezone-display", display)
    made.add("utc-offset", "(when: datetime) -> s32", utc_offset)
    return made


INTERFACES: Final = (
    _monotonic().interface("wasi:clocks/monotonic-clock", "A clock for measuring time, and for waiting."),
    _wall().interface("wasi:clocks/wall-clock", "The time of day."),
    _timezone().interface("wasi:clocks/timezone", "Time zones: UTC."),
)
