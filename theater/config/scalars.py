"""What a plain scalar means by YAML 1.2's core schema (10.3.2): ``on`` and ``yes`` are words, 012 is 12."""

from __future__ import annotations

import re
from typing import Any

from theater.config.limits import NUMBER_DIGITS_MAX
from theater.config.node import BOOL, FLOAT, INT, NULL, TEXT

WORDS: dict[str, tuple[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), (NULL, None)),
    **dict.fromkeys(("true", "True", "TRUE"), (BOOL, True)),
    **dict.fromkeys(("false", "False", "FALSE"), (BOOL, False)),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), (FLOAT, float("inf"))),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), (FLOAT, float("-inf"))),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), (FLOAT, float("nan"))),
}

_DECIMAL = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")


def resolve(text: str) -> tuple[str, Any]:
    """Return kind and value of an unquoted scalar. Raises ValueError beyond NUMBER_DIGITS_MAX."""
    word = WORDS.get(text)
    if word is not None:
        return word
    if text[0] not in "-+.0123456789":
        return TEXT, text
    number = _number(text)
    return (TEXT, text) if number is None else number


def _number(text: str) -> tuple[str, Any] | None:
    if _FLOAT.fullmatch(text):
        if len(text) > NUMBER_DIGITS_MAX:
            raise ValueError(
                f"expected a number of at most {NUMBER_DIGITS_MAX} characters, found {len(text)}"
            )
        return (INT, int(text)) if _DECIMAL.fullmatch(text) else (FLOAT, float(text))
    if len(text) <= NUMBER_DIGITS_MAX:
        if _OCTAL.fullmatch(text):
            return INT, int(text[2:], 8)
        if _HEX.fullmatch(text):
            return INT, int(text[2:], 16)
    return None
