"""Text of others on a terminal: what they say is shown, and steers nothing.

Guests choose messages, reasons, causes, names of functions. Control characters would move the cursor or change the
title of the window, format characters (among them those that turn the direction of writing) make a line say something
else than it holds. They are shown as JSON writes them: ``\\u001b``, ``\\u202e``; so JSON stays what it is.
"""

from __future__ import annotations

import re
from typing import Final

_SHORT: Final = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_OWN: Final = re.compile(r"[\n\t]")


def shown(text: str) -> str:
    """Text of others as a part of a line."""
    return text if text.isprintable() else "".join(map(_shown, text))


def shown_lines(text: str) -> str:
    """Lines that may hold text of others: their ends, and tabs, are ours."""
    if _OWN.sub("", text).isprintable():
        return text
    return "".join(each if each in "\n\t" else _shown(each) for each in text)


def _shown(char: str) -> str:
    if char.isprintable() or _is_space(char):
        return char
    units = char.encode("utf-16-be", "surrogatepass")
    pairs = (units[place : place + 2].hex() for place in range(0, len(units), 2))
    return _SHORT.get(char) or "".join(f"\\u{each}" for each in pairs)


def _is_space(char: str) -> bool:
    from unicodedata import category  # rarely wanted

    return category(char) == "Zs"
