"""What host functions may use of the worker around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Context(Protocol):
    """One actor's side of its host functions. All methods are called on the guest thread, inside a host call."""

    @property
    def actor_id(self) -> str:
        """The actor's id as text."""

    @property
    def path(self) -> str:
        """Its path in the tree."""

    has_children: bool
    """Set by the supervisor interface once the guest has asked for a child (L5.5)."""

    def record_host_call(self, interface: str, function: str, data: bytes, output: bytes) -> None:
        """Append a completed host call to the chain; called before the guest sees the output (lifecycle 11.1)."""

    def log(self, level: str, message: str) -> None:
        """Pass a guest's log line upward."""

    def request_shutdown(self, value: bytes | None) -> None:
        """The guest asks to end as completed with this value; takes effect when the operation has returned."""

    def retained_events(self) -> Sequence[tuple[int, str, bytes]]:
        """Events of this actor still in memory, oldest first: (sequence number, type, data)."""

    def ask(
        self, function: str, arguments: dict[str, Any], bodies: Sequence[bytes] = ()
    ) -> tuple[dict[str, Any], Sequence[bytes]]:
        """Ask the root for a supervision function and wait; a refusal is raised as theater.errors.ActorError."""
