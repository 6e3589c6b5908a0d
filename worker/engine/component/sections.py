"""Sections of WebAssembly binaries, as far as bridges are made of them (component-model Binary.md, core 5.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

HEADER_BYTES: Final = 8
CORE_MODULE: Final = 1
COMPONENT: Final = 4
"""Sections of a component that hold a module, and another component."""
CODE: Final = 10
"""The section of a module that holds what its functions do."""
_UNREACHABLE: Final = b"\x03\x00\x00\x0b"
"""A function of three bytes: no locals, ``unreachable``, ``end``."""


def spliced(shell: bytes, inner: bytes) -> bytes:
    """Put a component in place of the first one that another one nests."""
    is_done = False

    def change(section: int, body: bytes) -> bytes:
        nonlocal is_done
        if section != COMPONENT or is_done:
            return body
        is_done = True
        return inner

    return _changed(shell, change)


def hollow(component: bytes) -> bytes:
    """The same component with functions that do nothing: of the same types, but compiled at once."""

    def change(section: int, body: bytes) -> bytes:
        if section == CORE_MODULE:
            return _changed(body, _without_code)
        return hollow(body) if section == COMPONENT else body

    return _changed(component, change)


def _without_code(section: int, body: bytes) -> bytes:
    if section != CODE:
        return body
    count, _ = _number(body, 0)
    return _leb(count) + _UNREACHABLE * count


def _changed(binary: bytes, change: Callable[[int, bytes], bytes]) -> bytes:
    """A binary with each section's content changed. ValueError: it is none."""
    parts = [binary[:HEADER_BYTES]]
    for section, body in _sections(binary):
        new = change(section, body)
        parts += (bytes((section,)), _leb(len(new)), new)
    return b"".join(parts)


def _sections(binary: bytes) -> Iterator[tuple[int, bytes]]:
    at = HEADER_BYTES
    while at < len(binary):
        size, start = _number(binary, at + 1)
        if start + size > len(binary):
            raise ValueError("a section is longer than the binary")
        yield binary[at], binary[start : start + size]
        at = start + size


def _number(data: bytes, at: int) -> tuple[int, int]:
    """A number in LEB128, and where it ends."""
    number = 0
    for place, byte in enumerate(data[at : at + 5]):
        number |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return number, at + place + 1
    raise ValueError("a number does not end")


def _leb(number: int) -> bytes:
    made = bytearray()
    while number >= 0x80:
        made.append(number & 0x7F | 0x80)
        number >>= 7
    made.append(number)
    return bytes(made)
