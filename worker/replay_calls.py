"""What a guest that is driven along its record runs against: the record answers every host call, or ends the call."""

from __future__ import annotations

from typing import Protocol

from theater import cgrf, replay
from theater.chain import payloads
from theater.replay import ReplayState, shown
from theater.values import Value
from worker import replay_words as words
from worker.engine.doors import Door
from worker.interfaces import registry
from worker.replay_differences import Differences, Diverged
from worker.replay_spans import BETWEEN, Span, cut_short


class RecordEnds(Exception):
    """The record ends in the middle of a call: the incarnation was killed there."""


class CutThere(Exception):
    """The call was stopped here in the record: by its deadline, or because it was cancelled."""


class FailedThere(Exception):
    """The host call failed in the record, which holds the words."""


class Stopped(Exception):
    """Told to stop."""


class Revival(Protocol):
    """Told of host calls that gave an instance what it may still hold when it goes on live, such as open files."""

    def revive(self, interface: str, function: str, given: Value, output: Value) -> None:
        """One such call, with what was answered."""

    def renew(self) -> None:
        """What comes belongs to a fresh instance, which holds nothing."""


class RecordedCalls:
    """Answers as ``worker.engine.crossing.Answers``; gives the guest time from one thing recorded to the next."""

    def __init__(self, cursor: ReplayState, differences: Differences) -> None:
        self.door: Door | None = None
        """The instance that runs; None while it is made."""
        self.revival: Revival | None = None
        self.is_told_to_stop = False
        self.pending: BaseException | None = None
        """What a host call has found out; the engine in between turns it into a trap."""
        self._cursor = cursor
        self._differences = differences
        self._cut_at: int | None = None
        self._budget: int | None = None

    def begin(self, call: Span, budget: int | None) -> None:
        """What comes belongs to this call, which has so much computing time."""
        self._cut_at, self._budget = call.cut_at, budget

    def arm(self) -> None:
        """Give the guest time up to the next thing it must do. What follows the record cannot hang: that is finite."""
        if self.door is None:
            return
        self.door.arm(cut_short(self._budget) if self._is_at_cut() else self._budget)
        if self.is_told_to_stop:  # arming forgets an interruption
            raise Stopped

    def answer(self, interface: str, function: str, data: bytes) -> bytes:
        """Give the recorded output of the host call that must come now."""
        try:
            return self._answer(interface, function, data)
        except (Diverged, RecordEnds, CutThere, FailedThere, Stopped) as found:
            self.pending = found
            raise

    def _answer(self, interface: str, function: str, data: bytes) -> bytes:
        if self.is_told_to_stop:
            raise Stopped
        event = self._cursor.current_event()
        told = payloads.read(event.data) if event is not None else None
        if event is None or event.event_type in BETWEEN:
            raise RecordEnds
        if isinstance(told, payloads.Error) and told.message.startswith(words.failures(interface, function)):
            raise FailedThere(told.message)
        if self._is_at_cut():
            raise CutThere(told.message if isinstance(told, payloads.Error) else "")
        if not isinstance(told, payloads.HostCall) or (told.interface, told.function) != (interface, function):
            call = f"a call of {interface}.{function}"
            self._differences.leave(event, replay.UNEXPECTED_CALL, expected=words.recorded(told), actual=call)
        try:
            given: Value = cgrf.decode(registry.shown(interface, function, data))
        except ValueError as error:
            self._differences.leave(event, replay.INPUT, expected=shown(told.input), actual=f"no value: {error}")
        self._differences.compare_values(event, replay.INPUT, "input", told.input, given)
        if self.revival is not None and registry.is_revived(interface, function):
            self.revival.revive(interface, function, told.input, told.output)
        self._cursor.advance()
        self.arm()
        return cgrf.encode(told.output)

    def _is_at_cut(self) -> bool:
        """Nothing more is recorded of a call that was stopped."""
        return self._cut_at == self._cursor.current_position()
