"""How a call may end other than well."""

from __future__ import annotations


class Decline(Exception):
    """The call is refused: the caller gets the text (``InternalError``), the state stays, the actor goes on.

    A subclass is a Decline too. Any other exception is a crash, which the supervisor decides about.
    """


class HostError(Decline):
    """A host function has answered an error. Who does not catch it passes it on to the caller, as a Decline."""
