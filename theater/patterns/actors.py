"""Names of actors, and lists of actors that may be reached: path patterns (theater.patterns.paths) and names.

A name is any short text that is no path; at the end of one in a list, ``*`` stands for whatever follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from theater.patterns import BadPattern, paths

NAME_BYTES_MAX: Final = 255
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def why_no_name(text: str) -> str | None:
    """Say what is wrong with a name; None if nothing is."""
    if not text or "/" in text or "*" in text or _CONTROL.search(text):
        return f"expected a name without /, * and control characters, found {text[:100]!r}"
    if len(text.encode(errors="replace")) > NAME_BYTES_MAX:
        return f"expected a name of at most {NAME_BYTES_MAX} bytes"
    return None


def check(pattern: str) -> None:
    """Raise BadPattern for what is neither a pattern of paths nor one of names."""
    if pattern.startswith("/"):
        paths.check(pattern)
        return
    why = why_no_name(pattern.removesuffix("*"))
    if why is not None and pattern != "*":
        raise BadPattern(f"{why}; or a path such as /a/b, /a/* or /a/**")


def reaches(patterns: Iterable[str], path: str, names: Iterable[str]) -> bool:
    """Whether an actor at this path, with these names, is one of those listed."""
    known = (path, *names)
    return any(covers(pattern, each) for pattern in patterns for each in known)


def covers(held: str, asked: str) -> bool:
    """Whether everything that ``asked`` stands for is also something that ``held`` stands for."""
    if held.startswith("/"):
        return paths.covers(held, asked)
    if asked.startswith("/"):
        return False
    return asked.startswith(held[:-1]) if held.endswith("*") else asked == held
