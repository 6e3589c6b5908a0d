"""Operations: work for the guest, from a caller straight to the worker's operation endpoint (design D5).

Every request gets exactly one answer: Returned (with the encoded response as body) or Failed.
"""

from __future__ import annotations

from typing import Any

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


class Returned(Message, tag="ok", frozen=True):
    """The operation returned. Body 0: the encoded response (absent for void calls and cancels)."""

    id: int


class Failed(Message, tag="failed", frozen=True):
    """The operation did not return. ``kind`` and ``data`` are those of lifecycle section 7 (theater.errors)."""

    id: int
    kind: str
    data: tuple[Any, ...] = ()


Request = Call | HttpRequest | UpdatePackage | Cancel
Answer = Returned | Failed

REQUESTS = Codec(MessageClass.OPERATION, Request)
ANSWERS = Codec(MessageClass.OPERATION, Answer)
