"""What host functions may use of the worker around them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from theater.values import Value

if TYPE_CHECKING:
    from worker.alarms import Alarm
    from worker.mailbox import Mailbox
    from worker.peers import Peers

T = TypeVar("T")
Then = Callable[[Any], None]
"""Told how a callback ended (worker.machine_notices: Returned, Declined, Rejected); not if the guest died of it."""


class Context(Protocol):
    """One actor's side of its host functions. Called on the guest thread, inside a host call, unless said otherwise."""

    @property
    def actor_id(self) -> str:
        """The actor's id as text."""

    @property
    def path(self) -> str:
        """Its path in the tree."""

    @property
    def incarnation(self) -> int:
        """Which of its lives this is."""

    @property
    def is_stopping(self) -> bool:
        """The actor is to stop: whoever waits should give up. Any thread."""

    @property
    def exchange(self) -> Any:
        """Where the response to the HTTP request under way goes meanwhile (wasi.http_incoming.Exchange), or None."""

    @property
    def content(self) -> str:
        """The directory of the tree's content-addressed store; empty if there is none for this actor."""

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

    @property
    def peers(self) -> Peers:
        """The way to other actors; there with the grants that need it."""

    @property
    def mailbox(self) -> Mailbox:
        """What other actors send to this one, likewise."""

    @property
    def declared_hashes(self) -> Mapping[str, bytes]:
        """Hashes of the interfaces the package says it calls, by name."""

    def undelivered(self, target: str, function: str, reason: str, message: bytes, channel: str = "") -> None:
        """Leave a message that could not be delivered to the root, as a dead letter. Any thread."""

    def grant(self, name: str) -> Mapping[str, Any]:
        """The options of a grant (theater.config.grants); empty if it is not held."""

    def service(self, kind: Callable[[Any], T]) -> T:
        """What an interface keeps for this incarnation: ``kind(context)``, made when first asked for.

        Its ``close``, if it has one, is called at an orderly end of the actor; its ``abandon`` when the process ends,
        in whatever way it can notice, by the post thread.
        """

    def notes(self, name: str) -> str:
        """A directory in the store for what others must know should this process be killed; empty if there is none."""

    def renew(self) -> None:
        """The guest is a fresh instance: what interfaces keep for it is of no use any more."""

    def deliver(
        self,
        function: str,
        *params: Value,
        merge_key: str | None = None,
        then: Then | None = None,
        wanted: Callable[[], bool] | None = None,
    ) -> None:
        """Have a function of the guest called when its turn comes. Any thread.

        Of those with one ``merge_key`` at most one waits: later ones merge into it. ``wanted`` is asked by the guest
        thread when the turn has come: if it says no, nothing happens, and ``then`` is not told.
        """

    def withdraw(self, function: str, key: int) -> None:
        """Have a callback of the root's that still waits taken back: what it sent under this key."""

    def at(self, at_ns: int, ring: Callable[[], None]) -> Alarm:
        """Have something done in the post thread at a time of the monotonic clock. Any thread."""

    @property
    def stop_fd(self) -> int:
        """Readable as soon as the actor is to stop: who waits in a host call waits for this, too (L5.3)."""
