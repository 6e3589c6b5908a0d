"""Links and monitors of a client, without any waiting: what was tied, what has come of it (erlang: link, monitor).

Both handles stand on this: ``theater.ties`` waits for it in threads, ``theater.aioties`` in an asyncio loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

import msgspec

from proto import control
from proto.envelope import Message
from theater.cause import Cause, from_plain
from theater.errors import UnexpectedError, from_wire

NOCONNECTION: Final = "noconnection"
"""The reason when the supervisor itself is gone, and every actor with it."""
NORMAL: Final = "normal"
REASON_CHARS_MAX: Final = 1000
LEAVE_TIMEOUT_S: Final = 1.0
"""How long an orderly end waits until the supervisor has heard of it."""


class Untied(RuntimeError):
    """Nothing will come any more: the link or monitor was taken back by its own program."""


class Exit(msgspec.Struct, frozen=True):
    """An exit signal that has come by a link: ``{'EXIT', From, Reason}``.

    ``reason`` is OTP's: normal, shutdown, killed, a text naming the error; noproc if nobody was there; noconnection
    if the supervisor is gone. ``cause`` says more of an end; None if there was none.
    """

    target: str
    actor_id: str | None
    reason: str
    cause: Cause | None = None


class Down(msgspec.Struct, frozen=True):
    """A monitor has fired: ``{'DOWN', Ref, process, Target, Reason}``; ``reason`` and ``cause`` as in Exit."""

    ref: int
    target: str
    actor_id: str | None
    reason: str
    cause: Cause | None = None


News = Exit | Down


class Bond:
    """One link or monitor. ``news`` is what has come of it; ``is_over``: nothing will."""

    __slots__ = ("actor_id", "is_link", "is_over", "news", "number", "on_over", "target")

    def __init__(self, is_link: bool, number: int, target: str, actor_id: str | None) -> None:
        self.is_link = is_link
        self.number = number
        self.target = target
        self.actor_id = actor_id
        self.news: News | None = None
        self.is_over = False
        self.on_over: list[Callable[[], None]] = []

    def end(self, reason: str, cause: Cause | None) -> None:
        """The signal, or the DOWN, has come."""
        if self.is_link:
            self.news = Exit(self.target, self.actor_id, reason, cause)
        else:
            self.news = Down(self.number, self.target, self.actor_id, reason, cause)
        self.be_over()

    def be_over(self) -> None:
        """Nothing more will come: whoever waits looks."""
        self.is_over = True
        for callback in self.on_over:
            callback()

    def flush(self) -> None:
        """Drop what has come."""
        self.news = None

    def come(self) -> News | None:
        """What has come; None if it may still come.

        Raises:
            Untied: nothing has, and nothing will.
        """
        if self.news is None and self.is_over:
            raise Untied(f"the {'link' if self.is_link else 'monitor'} with {self.target} was taken back")
        return self.news


Waits = TypeVar("Waits")


class Tied(Generic[Waits]):
    """What the links and monitors of both handles are: a bond, and who waits for what comes of it."""

    __slots__ = ("_bond", "_owner", "_ties")

    def __init__(self, owner: object, ties: Waits, bond: Bond) -> None:
        self._owner = owner
        """Kept alive, for it owns the sockets."""
        self._ties = ties
        self._bond = bond

    @property
    def target(self) -> str:
        """What the actor was called when the link or monitor was made."""
        return self._bond.target

    @property
    def actor_id(self) -> str | None:
        """The actor's id; None if there was none."""
        return self._bond.actor_id

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._bond.number} of {self.target}{', over' if self._bond.is_over else ''}>"


class Asked:
    """A request that waits for its answer."""

    __slots__ = ("answer", "bond", "is_abandoned", "on_answer", "target")

    def __init__(self, target: str | None) -> None:
        self.target = target
        """Whom a bond is to be made with; None if none is."""
        self.bond: Bond | None = None
        self.answer: Any = None
        self.is_abandoned = False
        self.on_answer: list[Callable[[], None]] = []

    @property
    def is_answered(self) -> bool:
        return self.answer is not None

    def result(self) -> Any:
        """The value of the answer.

        Raises:
            ActorError: what the root refused with.
        """
        if isinstance(self.answer, control.Refused):
            raise from_wire(self.answer.kind, self.answer.data)
        return getattr(self.answer, "value", None)


class Bonds:
    """All bonds of one connection. Messages go in; what must be said in turn comes out."""

    def __init__(self) -> None:
        self._last = 0
        self._asked: dict[int, Asked] = {}
        self._bonds: dict[int, Bond] = {}
        """By number, links and monitors alike."""

    @property
    def are_any(self) -> bool:
        """There are bonds, or there may be."""
        return bool(self._bonds) or any(asked.target is not None for asked in self._asked.values())

    def ask(self, kind: Callable[..., Message], fields: tuple[Any, ...], target: str | None) -> tuple[Asked, bytes]:
        """A new request and its bytes."""
        self._last += 1
        asked = self._asked[self._last] = Asked(target)
        return asked, control.FROM_CLIENT.encode(kind(self._last, *fields))

    def receive(self, message: Any) -> list[bytes]:
        """Take in one message of the root."""
        match message:
            case control.LinkExit(link=number) | control.MonitorDown(ref=number):
                bond = self._bonds.pop(number, None)
                if bond is not None:
                    bond.end(message.reason, None if message.cause is None else from_plain(message.cause))
                return []
            case control.Outcome() | control.Done() | control.Refused():
                return self._answered(message)
            case _:
                return []

    def forget(self, bond: Bond) -> None:
        """It was taken back."""
        if self._bonds.pop(bond.number, None) is not None:
            bond.be_over()

    def lose(self) -> None:
        """The supervisor is gone."""
        bonds, self._bonds = self._bonds, {}
        for bond in bonds.values():
            bond.end(NOCONNECTION, None)

    def _answered(self, message: Any) -> list[bytes]:
        asked = self._asked.pop(message.id, None)
        if asked is None:
            return []
        asked.answer = message
        undo = self._made(asked, message)
        for callback in asked.on_answer:
            callback()
        return undo

    def _made(self, asked: Asked, message: Any) -> list[bytes]:
        """Note the bond that an answer brings; what is to be said if nobody wants it any more."""
        if asked.target is None or not isinstance(message, control.Outcome):
            return []
        is_link = "link" in message.value
        number = message.value["link" if is_link else "ref"]
        known = self._bonds.get(number)
        if known is None and asked.is_abandoned:
            return [self._undo(is_link, number)]
        if known is None:
            known = self._bonds[number] = Bond(is_link, number, asked.target, message.value["actor_id"])
        asked.bond = known
        return []

    def _undo(self, is_link: bool, number: int) -> bytes:
        """Nobody waits any more for the bond that was made."""
        return self.ask(control.Unlink if is_link else control.Demonitor, (number,), None)[1]


def bond_of(asked: Asked) -> Bond:
    """The bond that was asked for."""
    asked.result()
    if asked.bond is None:
        raise UnexpectedError(f"expected a link or monitor, got {type(asked.answer).__name__}")
    return asked.bond


def reason_of(error: BaseException | None) -> str:
    """The exit reason of a client whose ``with`` block was left in this way: normal, or what it was left by."""
    if error is None or (isinstance(error, SystemExit) and error.code in (None, 0)):
        return NORMAL
    return f"{type(error).__name__}: {error}".removesuffix(": ")[:REASON_CHARS_MAX]
