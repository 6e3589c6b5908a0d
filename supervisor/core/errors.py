"""What the core raises when its caller breaks the contract. Stale notices are no errors: they are ignored."""

from __future__ import annotations

from theater.errors import TheaterError


class CoreMisuse(TheaterError):
    """The shell fed the core something that cannot happen in a correct shell."""
