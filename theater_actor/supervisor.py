"""Start other actors and supervise them as children (``theater:simple/supervisor``). The grant is ``supervisor``.

An actor hears of its children by methods exported for ``HANDLERS``:

    @export(supervisor.HANDLERS)
    def handle_child_exit(self, child_id: str, value: bytes | None) -> None: ...
"""

from __future__ import annotations

from typing import Final

from theater_actor.ends import HostError
from theater_actor.hosting import OUTSIDE, host
from theater_actor.widths import U64

INTERFACE: Final = "theater:simple/supervisor@0.1.0"
HANDLERS: Final = "theater:simple/supervisor-handlers@0.1.0"
"""``handle_child_exit(child_id: str, value: bytes | None)``, ``handle_child_external_stop(child_id: str)``,
``handle_child_restarted(child_id: str, incarnation: U64)`` and
``handle_child_event(child_id: str, event_type: str, data: bytes)``; all are optional and return None."""


@host(INTERFACE)
def spawn(manifest: str, init_state: bytes | None = None, wasm_bytes: bytes | None = None) -> str:
    """Start a child from a manifest (a path, or its text), with the bytes as its state; returns its id."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def spawn_and_wait(manifest: str, init_bytes: bytes | None = None, timeout_ms: U64 | None = None) -> bytes | None:
    """Start a child, with the option as its state, and wait for its end; returns what it gave to shutdown."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def resume(manifest: str, state_bytes: bytes | None = None, wasm_bytes: bytes | None = None) -> str:
    """Start a child from the last state that one of that name has left."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def list_children() -> list[str]:
    """The ids of the children that live."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def restart_child(child_id: str) -> None:
    """Stop a child and start it again, from its last state."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def stop_child(child_id: str) -> None:
    """Stop a child in order."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def kill_child(child_id: str) -> None:
    """End a child's process at once."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def subscribe_to_child(child_id: str) -> None:
    """Receive the child's events as handle-child-event."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def unsubscribe_from_child(child_id: str) -> None:
    """Receive them no more."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def get_child_events(child_id: str) -> list[tuple[U64, str, bytes]]:
    """Events of a child that its worker has in memory: number, type, data."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def get_child_state(child_id: str) -> bytes:
    """A child's committed state, encoded; none if there is none."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def child_status(child_id: str) -> bytes:
    """State, incarnation, process and more of a child: an encoded record."""
    raise HostError(OUTSIDE)


@host(INTERFACE)
def child_metrics(child_id: str) -> bytes:
    """Figures of a child's operations and resources: an encoded record."""
    raise HostError(OUTSIDE)
