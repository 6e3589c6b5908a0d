"""Call exported functions of other actors (``theater:simple/rpc``). The grant is ``rpc``.

    total = rpc.ask("/counter", "example:counter/api.add", values.As(U32, 5))
"""

from __future__ import annotations

from typing import Any, Final

from theater_actor import values
from theater_actor.ends import HostError
from theater_actor.hosting import OUTSIDE, host
from theater_actor.widths import U64

INTERFACE: Final = "theater:simple/rpc@0.1.0"


def ask(actor_id: str, function: str, *params: Any, timeout_ms: int | None = None) -> Any:
    """Call ``interface.function`` of another actor with plain objects; returns its result as one (see ``values``).

    Raises:
        HostError: it declined, crashed or is not there, in its words or the host's.
        ValueFormError: a parameter is no value.
    """
    answer = values.decode(call(actor_id, function, values.encode(params), timeout_ms))
    return None if answer == () else answer


@host(INTERFACE)
def call(actor_id: str, function: str, params: bytes, timeout_ms: U64 | None = None) -> bytes:
    """Call interface.function with an encoded tuple of parameters; returns the result, encoded."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def implements(actor_id: str, interface_name: str) -> bool:
    """Whether an actor exports functions of an interface."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def exports(actor_id: str) -> list[tuple[str, str]]:
    """The interfaces an actor exports, with their hashes."""
    raise HostError(OUTSIDE)
