"""What can go wrong with an actor, as its caller sees it (lifecycle section 7): one exception class per kind.

``kind`` is the stable name on the wire, ``data`` what the answer carries; two errors are equal when both are.
Misuse of the library itself raises ValueError or TypeError; a wrong configuration raises theater.config.ConfigError.
"""

from __future__ import annotations

from typing import Any, ClassVar


class TheaterError(Exception):
    """Base of every error this project raises on purpose."""


class ActorError(TheaterError):
    """An actor, or the way to it, answered with an error."""

    kind: ClassVar[str] = "internal"
    fields: ClassVar[tuple[str, ...]] = ()

    def __init__(self, *data: Any) -> None:
        self.data = data + (None,) * (len(self.fields) - len(data))
        super().__init__(*self.data)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ActorError) and (self.kind, self.data) == (other.kind, other.data)

    def __hash__(self) -> int:
        return hash((self.kind, repr(self.data)))

    def __getattr__(self, name: str) -> Any:
        fields = type(self).fields
        if name in fields:
            return self.data[fields.index(name)]
        raise AttributeError(name)

    def __str__(self) -> str:
        return self.text()

    def text(self) -> str:
        """The documented one-line text."""
        return self.kind


class OperationTimeout(ActorError):
    """The caller's time was over before the answer came; a running operation goes on (L11)."""

    kind = "operation_timeout"
    fields = ("seconds",)

    def text(self) -> str:
        return f"Operation timed out after {_short(self.data[0])} s"


class ChannelClosed(ActorError):
    """The actor, or the link to it, is gone. ``cause`` is the termination cause as plain data, or None if unknown."""

    kind = "channel_closed"
    fields = ("cause",)

    def text(self) -> str:
        from theater.cause import describe

        cause = self.data[0]
        return "Operation channel closed" + (f" ({describe(cause)})" if cause else "")


class ShuttingDown(ActorError):
    """The actor takes no more work."""

    kind = "shutting_down"

    def text(self) -> str:
        return "Actor is shutting down"


class FunctionNotFound(ActorError):
    """The actor exports no such function."""

    kind = "function_not_found"
    fields = ("name",)

    def text(self) -> str:
        return f"Function not found: {self.data[0]}"


class TypeMismatch(ActorError):
    """Parameters or result do not fit the declared types. ``detail`` names the path of the first difference."""

    kind = "type_mismatch"
    fields = ("name", "detail")

    def text(self) -> str:
        detail = f": {self.data[1]}" if self.data[1] else ""
        return f"Type mismatch for function {self.data[0]}{detail}"


class InternalError(ActorError):
    """The guest failed: its own error, a trap, a deadline. ``event`` holds its ``function`` and ``message``."""

    kind = "internal"
    fields = ("event",)

    def text(self) -> str:
        event = self.data[0]
        if isinstance(event, dict):
            return f"Internal error: {event.get('function', '?')}: {event.get('message', '?')}"
        return f"Internal error: {event}"


class UnexpectedError(ActorError):
    """Something that should not happen, said in words."""

    kind = "unexpected"
    fields = ("reason",)

    def text(self) -> str:
        return f"Unexpected error: {self.data[0]}"


class SerializationError(ActorError):
    """A value could not be encoded or decoded."""

    kind = "serialization"
    fields = ("detail",)

    def text(self) -> str:
        return "Serialization error" + (f": {self.data[0]}" if self.data[0] else "")


class UpdatePackageError(ActorError):
    """The package could not be exchanged; the old one goes on serving."""

    kind = "update_package"
    fields = ("reason",)

    def text(self) -> str:
        return f"Failed to update package: {self.data[0]}"


class Moved(ActorError):
    """Another worker serves the actor by now, after an update; handles ask where and try again by themselves."""

    kind = "moved"

    def text(self) -> str:
        return "Actor has moved to another worker"


class Paused(ActorError):
    """The actor is paused and was told to reject work meanwhile."""

    kind = "paused"

    def text(self) -> str:
        return "Actor is paused"


class NotPaused(ActorError):
    """There is no pause to end."""

    kind = "not_paused"

    def text(self) -> str:
        return "Actor is not paused"


class HandlerError(ActorError):
    """A host interface failed."""

    kind = "handler"
    fields = ("reason",)

    def text(self) -> str:
        return f"Handler error: {self.data[0]}"


class MailboxFull(ActorError):
    """The operation queue is full and the caller asked not to wait."""

    kind = "mailbox_full"
    fields = ("bound",)

    def text(self) -> str:
        return f"Operation queue is full ({self.data[0]})"


class Cancelled(ActorError):
    """The operation was taken back before it began."""

    kind = "cancelled"

    def text(self) -> str:
        return "Operation cancelled"


class NotFound(ActorError):
    """No actor of that name or id."""

    kind = "not_found"
    fields = ("name",)

    def text(self) -> str:
        return f"No such actor: {self.data[0]}"


class NotAChild(ActorError):
    """The id is not one of this actor's children (a stranger's, an unknown or a malformed id alike, V1)."""

    kind = "not_a_child"
    fields = ("id",)

    def text(self) -> str:
        return f"{self.data[0]} is not a child of this actor"


class PermissionDenied(ActorError):
    """The permission is not granted."""

    kind = "permission_denied"
    fields = ("permission", "wanted")

    def text(self) -> str:
        return f"Not permitted: {self.data[0]}" + (f" ({self.data[1]})" if self.data[1] else "")


class LimitExceeded(ActorError):
    """A budget of the actor is used up, and it refuses what is too much (``limits: … or error``)."""

    kind = "limit_exceeded"
    fields = ("reason",)

    def text(self) -> str:
        return f"Refused: {self.data[0]}"


class StartFailed(ActorError):
    """The actor could not be started; ``step`` is where (lifecycle section 5)."""

    kind = "start_failed"
    fields = ("step", "reason")

    def text(self) -> str:
        return f"Start failed at {self.data[0]}: {self.data[1]}"


KINDS: dict[str, type[ActorError]] = {
    kind.kind: kind
    for kind in (
        OperationTimeout,
        ChannelClosed,
        ShuttingDown,
        FunctionNotFound,
        TypeMismatch,
        InternalError,
        UnexpectedError,
        SerializationError,
        UpdatePackageError,
        Moved,
        Paused,
        NotPaused,
        HandlerError,
        MailboxFull,
        Cancelled,
        NotFound,
        NotAChild,
        PermissionDenied,
        LimitExceeded,
        StartFailed,
    )
}


def from_wire(kind: str, data: tuple[Any, ...] | list[Any]) -> ActorError:
    """Return the exception for a kind and data received; an unknown kind becomes UnexpectedError."""
    known = KINDS.get(kind)
    return known(*data) if known else UnexpectedError(f"{kind}: {data}")


def _short(number: object) -> str:
    return f"{number:g}" if isinstance(number, int | float) else str(number)
