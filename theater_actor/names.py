"""Names for actors, and groups of actors under one name (``theater:simple/names``). The grant is ``names``."""

from __future__ import annotations

from typing import Final

from theater_actor.ends import HostError
from theater_actor.hosting import OUTSIDE, host

INTERFACE: Final = "theater:simple/names@0.1.0"


@host(INTERFACE)
def register(name: str) -> None:
    """Give this actor a name that nobody else has."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def unregister(name: str) -> None:
    """Give up a name."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def whereis(name: str) -> str | None:
    """The id of the actor with a name."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def join(group: str, mode: str) -> None:
    """Become a member of a group; mode is round-robin or broadcast."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def leave(group: str) -> None:
    """Be a member no more."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def members(name: str) -> list[str]:
    """The ids of the members."""
    raise HostError(OUTSIDE)
