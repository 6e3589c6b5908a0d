"""Operations: work for the guest, from a caller straight to the worker's operation endpoint (design D5).

Every request gets exactly one answer: Returned (with the encoded response as body) or Failed.
"""

from __future__ import annotations

from typing import Any, Literal

from proto.envelope import Codec, Message, MessageClass


class Call(Message, tag="call", frozen=True):
    """Call an exported function. Body 0: the parameters as an encoded value (a tuple is spliced, spec 9.1).

    ``deadline_ms`` bounds the guest's own computing time (None: the actor's limit). ``timeout_ms`` is how long the
    caller will wait: past it a call still queued is dropped by the worker. ``wait`` false asks for ``mailbox_full``
    at once instead of waiting for room. ``cancel_running`` lets a Cancel trap the guest. ``void`` discards the result
    unseen (Theater's CallVoid). ``idempotency_key``: a call with a key that has returned already is not executed again.
    """

    id: int
    function: str
    deadline_ms: int | None = None
    timeout_ms: int | None = None
    wait: bool = True
    cancel_running: bool = False
    void: bool = False
    idempotency_key: str | None = None
    posted: bool = False
    """Nobody waits for the answer."""


class HttpRequest(Message, tag="http", frozen=True):
    """Hand an HTTP request to the actor. Body 0: the request body."""

    id: int
    method: str
    scheme: str | None
    authority: str | None
    path_with_query: str | None
    headers: tuple[tuple[str, bytes], ...]


class UpdatePackage(Message, tag="update", frozen=True):
    """Ask the actor to go on with another package."""

    id: int
    package: str


class Cancel(Message, tag="cancel", frozen=True):
    """Take back an operation of the same sender (lifecycle L11). Answered by Returned without body, or Failed."""

    id: int
    operation: int


class Mail(Message, tag="mail", frozen=True):
    """What one actor's guest has for another's (theater:simple/message-server-host). Body 0: its bytes as they are.

    ``sender`` and ``incarnation`` are the life it comes from, ``to`` is the incarnation it is for: no other takes it.
    ``channel`` names the channel of the last three kinds. Answered like a Call: when the guest has handled it, by
    Returned, for a request with the answer as body, for an open with the byte 1 (accepted) or 0.
    """

    id: int
    kind: Literal["send", "request", "open", "channel", "close"]
    sender: str
    incarnation: int
    to: int
    channel: str = ""
    timeout_ms: int | None = None


class Returned(Message, tag="ok", frozen=True):
    """The operation returned. Body 0: the encoded response (absent for void calls and cancels)."""

    id: int


class Failed(Message, tag="failed", frozen=True):
    """The operation did not return. ``kind`` and ``data`` are those of lifecycle section 7 (theater.errors)."""

    id: int
    kind: str
    data: tuple[Any, ...] = ()


Request = Call | HttpRequest | UpdatePackage | Cancel | Mail
Answer = Returned | Failed

REQUESTS = Codec(MessageClass.OPERATION, Request)
ANSWERS = Codec(MessageClass.OPERATION, Answer)
