"""``theater:simple/random``: chance, from the operating system. What a guest got is recorded, so replays are exact."""

from __future__ import annotations

import os
from typing import Final

from theater.grants.random import GRANT
from theater.values import U32, U64, String, Value, bytes_of
from worker.interfaces.context import Context
from worker.interfaces.registry import Function, Interface, Refusal, Variant
from worker.interfaces.sending import STAYS


def bytes_(context: Context, count: U32) -> Value:
    """Bytes that nobody can foresee."""
    most: int = GRANT.held_by(context)["bytes_max"]
    if count.value > most:
        raise Refusal(f"expected at most {most} bytes, got {count.value}")
    return bytes_of(os.urandom(count.value))


def u64(context: Context) -> Value:
    """Every number is as likely."""
    return U64(int.from_bytes(os.urandom(8), "little"))


def range_(context: Context, low: U64, high: U64) -> Value:
    """From ``low`` up to, but not including, ``high``; every number is as likely."""
    if low.value >= high.value:
        raise Refusal(f"expected low below high, got {low.value} and {high.value}")
    from random import SystemRandom

    return U64(SystemRandom().randrange(low.value, high.value))


def uuid(context: Context) -> Value:
    """A random UUID (version 4) in lower case."""
    from uuid import uuid4

    return String(str(uuid4()))


INTERFACE: Final = Interface(
    GRANT.name,
    "Random numbers and bytes of the operating system.",
    (
        Function(
            "bytes",
            "This many random bytes.",
            (Variant("func(count: u32) -> result<list<u8>, string>", bytes_),),
            own=True,
        ),
        Function("u64", "A random number.", (Variant("func() -> u64", u64),), own=True),
        Function(
            "range",
            "A random number from `low` up to, but not including, `high`.",
            (Variant("func(low: u64, high: u64) -> result<u64, string>", range_),),
            own=True,
        ),
        Function("uuid", "A random UUID as lower-case text.", (Variant("func() -> string", uuid),), own=True),
    ),
    sends=STAYS,
)

INTERFACES: Final = (INTERFACE,)
