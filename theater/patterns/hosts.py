"""What all patterns of hosts and ports are made of."""

from __future__ import annotations

from typing import Final

PORT_MAX: Final = 65_535
_BELOW: Final = "*."


def split(text: str) -> tuple[str, str, bool]:
    """Host (without its brackets), port as it is written, and whether there are brackets; all empty without a port."""
    host, colon, port = text.rpartition(":")
    is_bracketed = host.startswith("[") and host.endswith("]")
    return (host[1:-1] if is_bracketed else host, port, is_bracketed) if colon else ("", "", False)


def port_of(text: str) -> int | None:
    """The number of a port; None if it is none."""
    if not text.isascii() or not text.isdigit() or len(text) > len(str(PORT_MAX)) or int(text) > PORT_MAX:
        return None
    return int(text)


def covers_name(held: str, asked: str) -> bool:
    """Whether a name is one that ``held`` stands for: that name, or any below, for ``*.example.com``."""
    if held.startswith(_BELOW):
        return asked.endswith(held[1:]) and len(asked) >= len(held)
    return asked == held
