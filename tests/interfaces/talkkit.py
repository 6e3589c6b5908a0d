"""What the tests of talking actors share: other actors that answer as a test says, and a mailbox without a worker."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

from proto import operation
from theater.errors import ActorError, NotFound
from worker.letters import Letter
from worker.machine_notices import Call
from worker.mailbox import Mailbox
from worker.peer import Where
from worker.peers import Deadline

OWN_ID = "6a1c0d9e-7d0a-4a50-9c61-5f5b0f1d2c3b"
ROUTING = b"r" * 16
IDENTITY = ROUTING + b"\0\0\0\1"
STRANGER = b"s" * 16 + b"\0\0\0\1"


class FakePeers:
    """Other actors, by what the guest calls them."""

    def __init__(self) -> None:
        self.known: dict[str, Any] = {}
        self.found: list[tuple[str, str, bool]] = []
        self.posted: list[tuple[str, Any, bytes]] = []
        self.exchanged: list[tuple[str, Any, bytes]] = []
        self.answer: bytes | ActorError = b""
        self.refusal: ActorError | None = None
        self.on_end: list[Callable[[str, int], None]] = []
        self.watched: list[tuple[str, int]] = []

    def add(self, name: str, actor_id: str = "", package: str = "p") -> Any:
        """Let there be an actor."""
        peer = SimpleNamespace(where=Where(actor_id or f"id-{name}", f"/{name}", 2, "ipc://x", ROUTING, package))
        self.known[name] = peer
        return peer

    def find(self, target: str, grant: str, deadline: Deadline, *, everyone: bool = False) -> list[Any]:
        self.found.append((target, grant, everyone))
        if target not in self.known:
            raise NotFound(target)
        return [self.known[target]]

    def is_self(self, peer: Any) -> bool:
        return bool(peer.where.actor_id == OWN_ID)

    def expect(self, where: Where) -> Any:
        return SimpleNamespace(where=where)

    def watch(self, actor_id: str, incarnation: int) -> None:
        self.watched.append((actor_id, incarnation))

    def exchange(self, peer: Any, letter: Letter, deadline: Deadline) -> bytes:
        self.exchanged.append((peer.where.path, letter.make(7, peer.where.incarnation), letter.body))
        if isinstance(self.answer, ActorError):
            raise self.answer
        return self.answer

    def post(self, peer: Any, letter: Letter, window: int, deadline: Deadline) -> None:
        self.posted.append((peer.where.path, letter.make(7, peer.where.incarnation), letter.body))
        if self.refusal is not None:
            letter.end(error=self.refusal)
            raise self.refusal
        letter.end()


class FakeWorker:
    """So much of an incarnation as a mailbox touches."""

    def __init__(self, grants: dict[str, dict[str, Any]] | None = None, peers: Any = None) -> None:
        self.refused: list[tuple[Any, str, tuple[Any, ...]]] = []
        self.desk = SimpleNamespace(
            mail=None,
            forget=None,
            lock=threading.Lock(),
            refuse=lambda caller, kind, data: self.refused.append((caller, kind, data)),
        )
        self.init = SimpleNamespace(grants=grants or {}, incarnation=2, actor_id=OWN_ID)
        self.peers = peers or FakePeers()
        self.machine = SimpleNamespace(running=None)
        self.holding = None
        self.replies: deque[Any] = deque()
        self.guest_bell = SimpleNamespace(ring=lambda: None)
        self.told: list[Any] = []
        self.tell = self.told.append

    def mailbox(self) -> Mailbox:
        """Its mailbox, with the start behind it."""
        mailbox = Mailbox(self)  # type: ignore[arg-type]
        mailbox.started()
        return mailbox


def mail(kind: Any, number: int = 1, *, to: int = 2, channel: str = "", timeout_ms: int | None = None) -> Any:
    """A piece of mail of another actor."""
    return operation.Mail(number, kind, "id-other", 5, to, channel, timeout_ms)


def took(mailbox: Mailbox, kind: str, body: bytes = b"x", *, identity: bytes = IDENTITY, **more: Any) -> Call:
    """Have the mailbox take something, which it must."""
    call = mailbox.take(identity, mail(kind, **more), [body])
    assert call is not None
    return call
