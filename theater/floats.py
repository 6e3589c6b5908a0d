"""Decimal text of floats, exactly: the shortest digits that name one float at its own width, without an exponent.

Python does this for 64 bits. For 32 bits a detour over 64 would round twice, so the neighbours are compared as
fractions.
"""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Final

from theater.values import f32_bits, f32_float, f64_bits, f64_float

F32_DIGITS_MAX: Final = 9
"""Significant digits that always tell 32-bit floats apart."""
_F32_INFINITY: Final = 0x7F80_0000
_F32_SIGN: Final = 0x8000_0000


def format_f64(bits: int) -> str:
    """Return a 64-bit float as text: ``0.1``, ``-0.0``, ``inf``, ``NaN``."""
    number = f64_float(bits)
    return _plain(repr(number)) if _is_finite(number) else _special(number)


def format_f32(bits: int) -> str:
    """Return a 32-bit float as text."""
    number = f32_float(bits)
    if not _is_finite(number):
        return _special(number)
    if number == 0:
        return _plain(repr(number))
    sign = "-" if bits & _F32_SIGN else ""
    return sign + _plain(_shortest(bits & ~_F32_SIGN))


def parse_f64(text: str) -> int:
    """Return the bits of the 64-bit float nearest to a decimal. Raises OverflowError beyond the largest."""
    number = float(text)
    if not _is_finite(number):
        raise OverflowError("the number is too large for f64")
    return f64_bits(number)


def parse_f32(text: str) -> int:
    """Return the bits of the 32-bit float nearest to a decimal. Raises OverflowError beyond the largest."""
    sign = _F32_SIGN if text.startswith("-") else 0
    exact = Fraction(text.lstrip("-"))
    try:
        guess = f32_bits(float(exact))
    except OverflowError:
        raise OverflowError("the number is too large for f32") from None
    near = [bits for bits in (guess - 1, guess, guess + 1) if 0 <= bits < _F32_INFINITY]
    return sign | min(near, key=lambda bits: (abs(_exact(bits) - exact), bits & 1))


def _shortest(bits: int) -> str:
    """Return the shortest decimal that reads back as a positive, finite 32-bit float; of several, the nearest."""
    exact, low, high, closed = _exact(bits), *_reach(bits)
    for digits in range(1, F32_DIGITS_MAX):
        candidates = [text for text in _around(exact, digits) if _is_within(Fraction(text), low, high, closed)]
        if candidates:
            return min(candidates, key=lambda text: abs(Fraction(text) - exact))
    return f"{f32_float(bits):.{F32_DIGITS_MAX - 1}e}"


def _reach(bits: int) -> tuple[Fraction, Fraction, bool]:
    """Return the bounds of what rounds to a float, and whether they belong to it (they do when it is even)."""
    exact = _exact(bits)
    above = _exact(bits + 1) if bits + 1 < _F32_INFINITY else 2 * exact - _exact(bits - 1)
    return (exact + _exact(bits - 1)) / 2, (exact + above) / 2, bits & 1 == 0


def _is_within(number: Fraction, low: Fraction, high: Fraction, closed: bool) -> bool:
    return low <= number <= high if closed else low < number < high


def _around(exact: Fraction, digits: int) -> tuple[str, str]:
    """Return the decimals with so many digits just below and just above a positive number."""
    exponent = int(f"{float(exact):e}".partition("e")[2]) - digits + 1
    below = exact // Fraction(10) ** exponent
    return f"{below}e{exponent}", f"{below + 1}e{exponent}"


def _exact(bits: int) -> Fraction:
    return Fraction(f32_float(bits))


def _plain(text: str) -> str:
    """Return a decimal without exponent and with a point."""
    plain = format(Decimal(text), "f")
    if "." in plain:
        plain = plain.rstrip("0")
    return plain + "0" if plain.endswith(".") else plain if "." in plain else plain + ".0"


def _is_finite(number: float) -> bool:
    return number - number == 0


def _special(number: float) -> str:
    if number != number:
        return "NaN"
    return "inf" if number > 0 else "-inf"
