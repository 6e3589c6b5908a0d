"""What plain scalars, times and sizes mean."""

from __future__ import annotations

import math

import pytest

from theater.config import units
from theater.config.limits import NUMBER_DIGITS_MAX
from theater.config.scalars import resolve


@pytest.mark.parametrize("text", ["on", "off", "yes", "no", "y", "N", "On", "YES", "tRuE", "nUll", "none", "1_000"])
def test_words_are_words(text: str) -> None:
    """What YAML 1.1 took for truth values and numbers are texts."""
    assert resolve(text) == ("text", text)


@pytest.mark.parametrize(
    "text", ["2020-01-01", "2020-01-01T00:00:00Z", "12:30:45", "=", "-", "+", ".", "0b1", "0x", "1e"]
)
def test_no_dates_and_no_sexagesimals(text: str) -> None:
    """Dates, clock times and other things that only look like numbers are texts."""
    assert resolve(text) == ("text", text)


@pytest.mark.parametrize(
    ("text", "value"),
    [("0", 0), ("12", 12), ("012", 12), ("-7", -7), ("+7", 7), ("0o17", 15), ("0xfF", 255)],
)
def test_whole_numbers(text: str, value: int) -> None:
    """012 is twelve, octal and hexadecimal have their own prefix."""
    assert resolve(text) == ("int", value)


@pytest.mark.parametrize(
    ("text", "value"), [("1.5", 1.5), ("1.", 1.0), (".5", 0.5), ("1e3", 1000.0), ("-.inf", -math.inf)]
)
def test_floats(text: str, value: float) -> None:
    """Floats have a point, an exponent, or are infinite."""
    assert resolve(text) == ("float", value)


def test_not_a_number() -> None:
    """.nan is the float."""
    kind, value = resolve(".nan")

    assert kind == "float" and math.isnan(value)


@pytest.mark.parametrize("text", ["", "~", "null", "Null", "NULL"])
def test_null(text: str) -> None:
    """Nothing is written in five ways."""
    assert resolve(text) == ("null", None)


def test_longest_number() -> None:
    """A number has at most NUMBER_DIGITS_MAX characters."""
    assert resolve("1" * NUMBER_DIGITS_MAX)[0] == "int"

    with pytest.raises(ValueError, match="at most 100 characters, found 101"):
        resolve("1" * (NUMBER_DIGITS_MAX + 1))


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("500ms", 500),
        ("10s", 10_000),
        ("1.5s", 1_500),
        ("5m", 300_000),
        ("2h", 7_200_000),
        ("1d", 86_400_000),
    ],
)
def test_times(text: str, amount: int) -> None:
    """Times are read into milliseconds."""
    assert units.parse(text, units.MILLISECONDS) == amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [("1B", 1), ("64KiB", 65_536), ("1.5KiB", 1_536), ("64MiB", 1 << 26), ("1GiB", 1 << 30)],
)
def test_sizes(text: str, amount: int) -> None:
    """Sizes are read into bytes."""
    assert units.parse(text, units.BYTES) == amount


@pytest.mark.parametrize(
    "text",
    [
        "",
        "10",
        "s",
        "10 s",
        "-1s",
        "1e3s",
        "0.5ms",
        ".5s",
        "1,5s",
        "10S",
        "10s ",
        "1m30s",
        "٣s",
        "9" * 20 + "s",
    ],
)
def test_not_times(text: str) -> None:
    """Everything but a number with its unit, whole in milliseconds, is refused."""
    assert units.parse(text, units.MILLISECONDS) is None


@pytest.mark.parametrize(
    ("text", "guess"),
    [("10 sec", "10s"), ("5Minutes", "5m"), ("1 fortnight", None), ("10", None), ("0.1ms", None)],
)
def test_meant_time(text: str, guess: str | None) -> None:
    """A wrong unit that people use elsewhere is recognised."""
    assert units.meant(text, units.MILLISECONDS) == guess


@pytest.mark.parametrize(("text", "guess"), [("64MB", "64MiB"), ("64M", "64MiB"), ("1 gb", "1GiB"), ("5s", None)])
def test_meant_size(text: str, guess: str | None) -> None:
    """The same for sizes."""
    assert units.meant(text, units.BYTES) == guess
