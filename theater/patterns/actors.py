"""Names of actors, and lists of actors that may be reached: path patterns (theater.patterns.paths) and names.

A name is any short text that is no path; at the end of one in a list, ``*`` stands for whatever follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from theater.patterns import BadPattern, paths

NAME_BYTES_MAX: Final = 255
_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def is_plain(text: str) -> bool:
    """Whether a text can be a name or a part of a path, and is taken for nothing else.

    Control and format characters, and spaces but the plain one, are not seen; after # comes an incarnation's number.
    """
    return text.isprintable() and "#" not in text


def is_id(text: str) -> bool:
    """Whether a text looks like the id of an actor, which means that actor wherever names do."""
    return _ID.fullmatch(text) is not None


def why_no_name(text: str) -> str | None:
    """Say what is wrong with a name; None if nothing is."""
    if not text or "/" in text or "*" in text or not is_plain(text):
        return f"expected a name without /, *, # and characters that cannot be seen, found {text[:100]!r}"
    if is_id(text):
        return f"expected a name that does not look like an actor's id, found {text!r}"
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
