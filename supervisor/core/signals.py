"""What the machine of links and monitors is told, and what it wants done (supervisor.core.bonds).

A process is one incarnation of an actor, or a client, named by a text that no other ever bears.
"""

from __future__ import annotations

from typing import Any

import msgspec

Process = str


class Notice(msgspec.Struct, frozen=True):
    """Base of everything the machine is told. ``who`` lives, unless the notice says that it has ended."""

    who: Process


class Link(Notice, frozen=True):
    """link/1. ``other`` None: there is no such process."""

    other: Process | None
    address: str
    """How ``who`` names the other: what an answer about nobody calls it."""


class Unlink(Notice, frozen=True):
    """unlink/1."""

    other: Process | None


class Monitor(Notice, frozen=True):
    """monitor/2. ``ref`` was never used by ``who`` before; ``other`` None: there is no such process."""

    ref: int
    other: Process | None
    address: str
    """How ``who`` names the other; its DOWN says the same."""


class Demonitor(Notice, frozen=True):
    """demonitor/1."""

    ref: int


class TrapExit(Notice, frozen=True):
    """process_flag(trap_exit, Boolean)."""

    traps: bool


class Exit(Notice, frozen=True):
    """exit/2: an exit signal on purpose."""

    other: Process | None
    reason: str


class Ended(Notice, frozen=True):
    """A process has ended, with this reason."""

    reason: str


class Action(msgspec.Struct, frozen=True):
    """Base of everything the machine wants done, in order."""


class End(Action, frozen=True):
    """End a process at once, with this reason, because of a signal of ``by``; its Ended follows when it is gone."""

    process: Process
    reason: str
    by: Process | str


class GiveExit(Action, frozen=True):
    """Tell a process that traps exits of a signal: ``{'EXIT', From, Reason}``. ``sender`` may be an address."""

    to: Process
    sender: Process | str
    reason: str


class GiveDown(Action, frozen=True):
    """Tell a process that a monitor of its has fired: ``{'DOWN', Ref, process, Address, Reason}``."""

    to: Process
    ref: int
    address: str
    reason: str


class Answer(Action, frozen=True):
    """What the function answers: whether exits were trapped before, whether the monitor was there."""

    value: Any


__all__ = [
    "Action",
    "Answer",
    "Demonitor",
    "End",
    "Ended",
    "Exit",
    "GiveDown",
    "GiveExit",
    "Link",
    "Monitor",
    "Notice",
    "Process",
    "TrapExit",
    "Unlink",
]
