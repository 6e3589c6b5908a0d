"""``wasi:random``: random bytes of the operating system. Recorded, so a replay sees the same."""

from __future__ import annotations

import os
from typing import Final

from theater.values import U64, Tuple, Value, bytes_of
from worker.engine.errors import CONTRACT, Trap
from worker.interfaces.context import Context
from worker.interfaces.wasi.declaring import Maker

BYTES_MAX: Final = 1 << 20
"""For one call; every byte is kept in the chain."""


def some_bytes(context: Context, size: U64) -> Value:
    """As many as asked for; asking for too many is the guest's fault and ends it: WASI has no error here."""
    if size.value > BYTES_MAX:
        raise Trap(f"{size.value} random bytes in one call, at most {BYTES_MAX} are given", CONTRACT)
    return bytes_of(os.urandom(size.value))


def number(context: Context) -> Value:
    """64 random bits."""
    return U64(int.from_bytes(os.urandom(8), "little"))


def seed(context: Context) -> Value:
    """128 random bits."""
    return Tuple((number(context), number(context)))


def _made(*functions: tuple[str, str, object]) -> Maker:
    made = Maker({})
    for name, signature, call in functions:
        made.add(name, signature, call)  # type: ignore[arg-type]
    return made


INTERFACES: Final = (
    _made(
        ("get-random-bytes", "(len: u64) -> list<u8>", some_bytes),
        ("get-random-u64", "() -> u64", number),
    ).interface("wasi:random/random", "Random numbers nobody can guess."),
    _made(
        ("get-insecure-random-bytes", "(len: u64) -> list<u8>", some_bytes),
        ("get-insecure-random-u64", "() -> u64", number),
    ).interface("wasi:random/insecure", "Random numbers; these are as good as the others."),
    _made(("insecure-seed", "() -> tuple<u64, u64>", seed)).interface(
        "wasi:random/insecure-seed", "A seed for hash tables."
    ),
)
