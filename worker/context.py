"""What host functions may use of the worker around them (worker.interfaces.context.Context). Guest thread only."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from proto import control
from proto.limits import NAME_BYTES_MAX
from theater import cgrf
from theater.values import Tuple, Value
from worker.alarms import Alarm
from worker.incarnation import Incarnation
from worker.interfaces.context import Then
from worker.machine_notices import GuestAskedShutdown, HostCall, Withdraw
from worker.mailbox import Mailbox
from worker.peers import Peers

T = TypeVar("T")


class HostContext:
    """One actor's side of its host functions."""

    def __init__(self, inc: Incarnation) -> None:
        self._inc = inc

    @property
    def actor_id(self) -> str:
        """The actor's id as text."""
        return self._inc.init.actor_id

    @property
    def path(self) -> str:
        """Its path in the tree."""
        return self._inc.init.path

    @property
    def incarnation(self) -> int:
        """Which of its lives this is."""
        return self._inc.init.incarnation

    @property
    def is_stopping(self) -> bool:
        """The actor is to stop."""
        return self._inc.asks.is_released

    @property
    def exchange(self) -> Any:
        """Where the response to the HTTP request under way goes meanwhile, or None."""
        running = self._inc.machine.running
        return getattr(running.waiter, "exchange", None) if running is not None else None

    @property
    def content(self) -> str:
        """The directory of the tree's content-addressed store."""
        return self._inc.init.content

    @property
    def has_children(self) -> bool:
        """The guest has asked for a child (L5.5)."""
        return self._inc.has_children

    @has_children.setter
    def has_children(self, value: bool) -> None:
        self._inc.has_children = value

    def record_host_call(self, interface: str, function: str, data: bytes, output: bytes) -> None:
        """Append a completed host call to the chain."""
        self._inc.metrics.host_calls += 1
        self._inc.recorder.host_call(interface, function, data, output)

    def log(self, level: str, message: str) -> None:
        """Pass a guest's log line upward."""
        self._inc.logs.guest(level, message)

    def request_shutdown(self, value: bytes | None) -> None:
        """The guest asks for its own end."""
        self._inc.feed(GuestAskedShutdown(value))

    def retained_events(self) -> Sequence[tuple[int, str, bytes]]:
        """Events of this actor still in memory, oldest first."""
        return [(event.seq, event.event_type, event.data) for event in self._inc.recorder.store.get_all_events()]

    def ask(
        self, function: str, arguments: dict[str, Any], bodies: Sequence[bytes] = ()
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Ask the root for a supervision function and wait."""
        return self._inc.asks.ask(function, arguments, bodies)

    @property
    def peers(self) -> Peers:
        """The way to other actors."""
        assert self._inc.peers is not None
        return self._inc.peers

    @property
    def mailbox(self) -> Mailbox:
        """What other actors send to this one."""
        assert self._inc.mailbox is not None
        return self._inc.mailbox

    @property
    def declared_hashes(self) -> Mapping[str, bytes]:
        """Hashes of the interfaces the package says it calls."""
        found = getattr(self._inc.door, "metadata", None)
        return {} if found is None else found.import_hashes

    def undelivered(self, target: str, function: str, reason: str, message: bytes, channel: str = "") -> None:
        """Have the root keep a message that could not be delivered."""
        self._inc.say(control.Undelivered(target[:NAME_BYTES_MAX], function, reason, channel), [message])

    def grant(self, name: str) -> Mapping[str, Any]:
        """The options of a grant; empty if it is not held."""
        return self._inc.init.grants.get(name, {})

    def service(self, kind: Callable[[Any], T]) -> T:
        """What an interface keeps for this incarnation."""
        services = self._inc.services
        found: T | None = services.get(kind)
        if found is None:
            found = services.setdefault(kind, kind(self))  # the post thread may ask at the same time
        return found

    def notes(self, name: str) -> str:
        """A directory beside that of the rings."""
        return os.path.join(os.path.dirname(os.path.dirname(self._inc.init.ring)), name)

    def renew(self) -> None:
        """The guest is a fresh instance."""
        self._inc.renew_services()

    def deliver(
        self,
        function: str,
        *params: Value,
        merge_key: str | None = None,
        then: Then | None = None,
        wanted: Callable[[], bool] | None = None,
    ) -> None:
        """Have a function of the guest called when its turn comes."""
        payload = cgrf.encode(Tuple(params))
        self._inc.tell(HostCall(function=function, payload=payload, merge_key=merge_key, then=then, wanted=wanted))

    def withdraw(self, function: str, key: int) -> None:
        """Have a callback of the root's that still waits taken back."""
        self._inc.feed(Withdraw((function, key)))

    def at(self, at_ns: int, ring: Callable[[], None]) -> Alarm:
        """Have something done in the post thread at a time of the monotonic clock."""
        return self._inc.alarms.at(at_ns, ring)

    @property
    def stop_fd(self) -> int:
        """Readable as soon as the actor is to stop."""
        return self._inc.asks.stop_fd
