"""What supervisors send each other and themselves, what they wait for, and the mailbox in between.

A supervisor is a routine: it yields what it waits for and is sent the mail that answers it. Everything else stays in
its mailbox, in the order of arrival, as in Erlang.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Generator
from typing import Any, TypeVar

import msgspec

from supervisor.core.notices import Call
from supervisor.core.ref import Ref

T = TypeVar("T")


class Started(msgspec.Struct, frozen=True):
    """A child that was being started runs."""

    ref: Ref
    info: Any = None


class Ignored(msgspec.Struct, frozen=True):
    """A child that was being started declined."""

    ref: Ref


class Failed(msgspec.Struct, frozen=True):
    """The start of a child failed. ``aborted``: we gave it up ourselves because the supervisor is to end."""

    ref: Ref
    reason: Any
    aborted: bool = False


class Ended(msgspec.Struct, frozen=True):
    """A child's process is gone (OTP: ``'EXIT'``)."""

    ref: Ref
    reason: Any


class Called(msgspec.Struct, frozen=True):
    """Somebody calls the supervisor API."""

    call: Call


class TryAgain(msgspec.Struct, frozen=True):
    """A restart failed and is to be tried again (OTP: ``try_again_restart``). ``key`` is the child's id or old Ref."""

    key: str | Ref


class DelayOver(msgspec.Struct, frozen=True):
    """A restart has waited for its backoff."""

    key: str | Ref
    timer: int


class StopOrder(msgspec.Struct, frozen=True):
    """Whoever is above wants the supervisor to end (OTP: its parent's exit signal)."""

    reason: Any


class TimeUp(msgspec.Struct, frozen=True):
    """Something that is waited for takes too long."""

    timer: int


Outcome = Started | Ignored | Failed
Mail = Outcome | Ended | Called | TryAgain | DelayOver | StopOrder | TimeUp


class Next(msgspec.Struct, frozen=True):
    """Wait for the next mail of any kind."""


class OutcomeOf(msgspec.Struct, frozen=True):
    """Wait for the outcome of one start, at most until the timer."""

    ref: Ref
    timer: int | None = None


class EndOf(msgspec.Struct, frozen=True):
    """Wait for the end of one of these processes, at most until the timer."""

    refs: Container[Ref]
    timer: int | None = None


Wait = Next | OutcomeOf | EndOf
Routine = Generator[Wait, Mail, T]

NEXT = Next()


def accepts(wait: Wait, mail: Mail) -> bool:
    """Whether the mail is what is waited for."""
    match mail:
        case Started() | Ignored() | Failed():
            return isinstance(wait, OutcomeOf) and mail.ref == wait.ref
        case TimeUp():
            return not isinstance(wait, Next) and mail.timer == wait.timer
        case Ended():
            return isinstance(wait, Next) or (isinstance(wait, EndOf) and mail.ref in wait.refs)
        case _:
            return isinstance(wait, Next)


class Mailbox:
    """The mail nobody has asked for yet. Outcomes and ends can be taken out of turn, whatever else is waiting."""

    def __init__(self) -> None:
        self._queue: deque[Mail] = deque()
        self._ends: dict[Ref, Ended] = {}
        self._outcomes: dict[Ref, Outcome] = {}

    def __len__(self) -> int:
        return len(self._queue)

    def put(self, mail: Mail) -> None:
        """Add mail at the end. A timer that nobody waits for any more is dropped."""
        match mail:
            case TimeUp():
                return
            case Started() | Ignored() | Failed():
                self._outcomes[mail.ref] = mail
                return
            case Ended():
                self._ends[mail.ref] = mail
        self._queue.append(mail)

    def take(self, wait: Wait) -> Mail | None:
        """Take out what is waited for, if it is here."""
        match wait:
            case Next():
                return self._take_next()
            case EndOf(refs=refs):
                found = next((ref for ref in self._ends if ref in refs), None)
                return self.take_end(found) if found is not None else None
            case OutcomeOf(ref=ref):
                return self._outcomes.pop(ref, None)

    def take_end(self, ref: Ref) -> Ended | None:
        """Take the end of this process out of the queue, if it is there (OTP: unlink_flush/2)."""
        return self._ends.pop(ref, None)

    def _take_next(self) -> Mail | None:
        while self._queue:
            mail = self._queue.popleft()
            # An end that take_end has already handed out stays in the queue until it comes up here.
            if not isinstance(mail, Ended) or self._ends.pop(mail.ref, None) is not None:
                return mail
        return None
