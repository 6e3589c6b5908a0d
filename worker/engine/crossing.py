"""What crosses the border of a guest: outcomes of calls, and where host calls go. The same for both doors."""

from __future__ import annotations

from typing import Final, Protocol

import msgspec

MESSAGE_CHARS_MAX: Final = 4096
"""Text taken over from a guest's error."""


class Returned(msgspec.Struct, frozen=True, gc=False):
    """The function returned; ``output`` is its result as the guest encoded it, not yet decoded."""

    output: bytes


class GuestError(msgspec.Struct, frozen=True, gc=False):
    """The guest refused the call with a message of its own (a status other than 0)."""

    text: str


class Answers(Protocol):
    """Where host calls go (worker.interfaces.registry.Dispatcher; in replay, the record)."""

    def answer(self, interface: str, function: str, data: bytes) -> bytes:
        """Return the encoded output for an encoded input."""
