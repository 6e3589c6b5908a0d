"""Times and sizes as people write them: a number and its unit (``500ms``, ``1.5s``, ``64MiB``)."""

from __future__ import annotations

import re

MILLISECONDS = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
BYTES = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}

_QUANTITY = re.compile(r"([0-9]{1,15})(?:\.([0-9]{1,9}))?([A-Za-z]+)")
_QUANTITY_LIKE = re.compile(r"([0-9.]{1,20}) ?([A-Za-z]{1,12})")

_MEANT = {
    **dict.fromkeys(("msec", "msecs", "millis", "millisecond", "milliseconds"), "ms"),
    **dict.fromkeys(("sec", "secs", "second", "seconds"), "s"),
    **dict.fromkeys(("min", "mins", "minute", "minutes"), "m"),
    **dict.fromkeys(("hr", "hrs", "hour", "hours"), "h"),
    **dict.fromkeys(("day", "days"), "d"),
    **dict.fromkeys(("b", "byte", "bytes"), "B"),
    **dict.fromkeys(("k", "kb", "kib"), "KiB"),
    **dict.fromkeys(("mb", "mib"), "MiB"),
    **dict.fromkeys(("g", "gb", "gib"), "GiB"),
}


def parse(text: str, units: dict[str, int]) -> int | None:
    """Return the quantity in the smallest unit, or None if the text is not a whole number of them."""
    match = _QUANTITY.fullmatch(text)
    if match is None or match[3] not in units:
        return None
    fraction = match[2] or ""
    scaled = int(match[1] + fraction) * units[match[3]]
    amount, rest = divmod(scaled, 10 ** len(fraction))
    return None if rest else amount


def shown(amount: int, units: dict[str, int]) -> str:
    """Write a quantity in the largest unit of which it is a whole number."""
    unit = next(name for name, size in reversed(units.items()) if amount % size == 0) if amount else next(iter(units))
    return f"{amount // units[unit]}{unit}"


def meant(text: str, units: dict[str, int]) -> str | None:
    """What the writer of a wrong quantity probably wanted: ``64MiB`` for ``64 MB``."""
    match = _QUANTITY_LIKE.fullmatch(text)
    if match is None:
        return None
    unit = match[2] if match[2] in units else _MEANT.get(match[2].lower())
    if unit is None and match[2] == "M" and "MiB" in units:
        unit = "MiB"
    guess = f"{match[1]}{unit}"
    return guess if unit in units and parse(guess, units) is not None else None
