"""Drives a guest along its recorded chain: strict replay (lifecycle 11.3), also for recovery and time travel.

Each incarnation in the chain gets an instance of its own, from the state its first event tells. No host function is
ever executed: the record answers. Whatever the guest does must be what the record says, event by event, byte by byte.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from theater import cgrf, replay
from theater.actor import ActorOptions
from theater.chain import ChainError, ChainEvent, payloads
from theater.errors import ActorError
from theater.replay import Divergence, ReplayHandler, ReplaySummary
from theater.values import Tuple, Value
from worker import replay_words as words
from worker.child_events import HANDLE_CHILD_EVENT, params_again
from worker.engine import contract
from worker.engine.clock import ticks
from worker.engine.contract import INIT
from worker.engine.crossing import Answers, GuestError
from worker.engine.doors import ABIS, Door
from worker.engine.errors import CANCELLED, StartError, Trap
from worker.recovered import STARTS
from worker.replay_calls import CutThere, FailedThere, RecordedCalls, RecordEnds, Revival, Stopped
from worker.replay_differences import Differences, Diverged
from worker.replay_spans import BEGINNINGS, BETWEEN, budget, fueled, span

EVENTS_PER_REPORT: Final = 1000

MakeDoor = Callable[[Answers], Door]


class Incompatible(Exception):
    """The chain cannot be replayed with what is at hand; the text says why."""


class Replayer:
    """One replay. ``state`` is the committed state at the position reached, encoded."""

    def __init__(
        self,
        make_door: MakeDoor,
        events: Sequence[ChainEvent],
        options: ActorOptions,
        *,
        package: str | None = None,
        state: bytes | None = None,
        children: Mapping[bytes, tuple[str, bytes]] | None = None,
        stop_on_divergence: bool = True,
        progress: Callable[[int, int], None] = lambda done, total: None,
    ) -> None:
        """Replay so many events as are given; a call whose end is not among them is not committed.

        ``package``: SHA-256 the chain must be recorded with (None: any). ``state``: before the first event, for a chain
        that does not begin with ``genesis`` or ``incarnation``. ``children``: type and data of the events of children
        that the guest was given, by hash; the chain itself only names them.
        """
        self.handler = ReplayHandler(events)
        self.state = contract.NO_STATE if state is None else state
        self.call_in_progress: str | None = None
        """The function whose call the position is in, or whose record ends there."""
        self._cursor = self.handler.state
        self._events = events
        self._make_door = make_door
        self._options = options
        self._package = package
        self._differences = Differences(stops=stop_on_divergence)
        self._calls = RecordedCalls(self._cursor, self._differences)
        self._progress = progress
        self._contract: contract.Contract
        self._call_ticks = ticks(options.call_deadline_ms)
        self._init_ticks = ticks(options.init_deadline_ms)
        self._report_at = EVENTS_PER_REPORT
        self._knows_state = state is not None
        self._children = children or {}
        self._keeps_door = False
        self.snapshots = 0
        """How many were compared with the state that was computed."""
        self.is_initialised = False
        """The present incarnation's ``init`` has returned, or was not to be called."""

    @property
    def divergences(self) -> list[Divergence]:
        """Where the guest has left the record."""
        return self._differences.found

    def rebuild(self, revival: Revival | None = None) -> tuple[ReplaySummary, Door | None]:
        """Replay, and return the instance that has lived through all of it; None if no instance has."""
        self._keeps_door, self._calls.revival = True, revival
        summary = self.run()
        if not summary.success or self.call_in_progress is not None:
            self._close()
        return summary, self._calls.door

    def stop(self) -> None:
        """Stop, also in the middle of a call (any thread, and signal handlers)."""
        self._calls.is_told_to_stop = True
        door = self._calls.door
        if door is not None:
            door.interrupt(CANCELLED)

    def run(self) -> ReplaySummary:
        """Replay; return how it went."""
        total, cursor = self._cursor.total_events(), self._cursor
        try:
            self._require_beginning()
            while not cursor.is_complete() and not self._calls.is_told_to_stop:
                self._step()
                if cursor.current_position() >= self._report_at:
                    self._report_at = cursor.current_position() + EVENTS_PER_REPORT
                    self._progress(cursor.current_position(), total)
        except Diverged as left:
            self.divergences.append(left.divergence)
        except Stopped:
            pass
        except (Incompatible, ChainError) as error:
            return ReplaySummary.failure(total, cursor.current_position(), str(error), replay.INCOMPATIBLE)
        except StartError as error:
            return ReplaySummary.failure(total, cursor.current_position(), str(error))
        finally:
            if not self._keeps_door:
                self._close()
        return self._summary(total, cursor.current_position())

    def _summary(self, total: int, done: int) -> ReplaySummary:
        if self.divergences:
            first = self.divergences[0]
            return ReplaySummary(
                total, done, len(self.divergences), False, str(first), replay.DIVERGED, divergence=first
            )
        if self._calls.is_told_to_stop and done < total:
            return ReplaySummary(total, done, 0, False, "stopped", replay.STOPPED)
        return ReplaySummary.succeeded(total, done)

    # -- events ----------------------------------------------------------------------------------------------------

    def _require_beginning(self) -> None:
        """What was committed before the first event must be known. Theater's chains begin with the call of ``init``."""
        first = self._cursor.current_event()
        if first is None or self._knows_state or first.event_type in (payloads.SNAPSHOT, *BEGINNINGS):
            return
        if first.seq > 0 or first.parent_hash is not None:
            raise Incompatible(
                f"the chain begins in the middle, with event {first.seq}: the state before it is not known, as the "
                "beginning is not kept. Begin at a snapshot (--from-snapshot) or at a genesis or incarnation event, or "
                "say what the state was (--state)"
            )

    def _step(self) -> None:
        event = self._cursor.current_event()
        assert event is not None
        said = payloads.read(event.data)
        match said:
            case payloads.Genesis() | payloads.Incarnation():
                if not self._passes_over(said):
                    self._begin(said)
                    self._cursor.advance()
            case payloads.Call() if not self._is_theater_shutdown(said):
                self._cursor.advance()
                self._call(said)
            case payloads.Runtime(event="snapshot"):
                self._at_snapshot(event, said)
                self._cursor.advance()
            case payloads.Call() | payloads.Shutdown() | payloads.Runtime() | payloads.ReplaySummary():
                self._cursor.advance()
            case _:
                self._differences.leave(event, replay.MISSING_CALL, expected="a call", actual=words.recorded(said))

    def _is_theater_shutdown(self, said: payloads.Call) -> bool:
        """Theater's chains may end with a call named shutdown that never reached the guest."""
        is_last = self._cursor.current_position() == self._cursor.total_events() - 1
        return is_last and said.function == "shutdown" and said.params == Tuple(())

    def _passes_over(self, said: payloads.Genesis | payloads.Incarnation) -> bool:
        """Lives with another package, up to an update to this one: the marker there says from what state it goes on."""
        if self._package is None or said.package == self._package:
            return False
        for index in range(self._cursor.current_position() + 1, len(self._events)):
            if self._events[index].event_type == "incarnation":
                later = payloads.read(self._events[index].data)
                if isinstance(later, payloads.Incarnation) and later.recovered == "update":
                    while self._cursor.current_position() < index:
                        self._cursor.advance()
                    self._close()
                    return True
        return False

    def _begin(self, said: payloads.Genesis | payloads.Incarnation) -> None:
        if self._package is not None and said.package != self._package:
            raise Incompatible(f"{replay.WRONG_PACKAGE}: recorded with {said.package}, replayed with {self._package}")
        if self._package is not None and said.abi not in ABIS:
            raise Incompatible(f"recorded with the binary interface {said.abi}, known are {', '.join(ABIS)}")
        if not self._goes_on(said):
            self._close()
        is_first, self._knows_state = not self._knows_state, True
        self.state = contract.NO_STATE if said.state is None else cgrf.encode(said.state)
        self.call_in_progress = None
        if isinstance(said, payloads.Genesis):
            self.is_initialised = said.origin is not None
        elif said.recovered == "replay" and not is_first:
            pass  # as the life before has left it, which may have been killed before its init returned
        else:
            self.is_initialised = said.recovered != "initial"

    def _at_snapshot(self, event: ChainEvent, said: payloads.Runtime) -> None:
        """A state to begin from, or to compare with; a fresh instance goes on from there (worker.snapshots)."""
        if not self._knows_state:
            self._knows_state = self.is_initialised = True
            self.state = cgrf.encode(said.value)
            return
        self.snapshots += 1
        if not self._differences.compare_values(event, replay.STATE, "state", said.value, cgrf.decode(self.state)):
            self.state = cgrf.encode(said.value)  # recorded values win
        self._close()

    def _goes_on(self, said: payloads.Genesis | payloads.Incarnation) -> bool:
        """Whether a life was lived by the very instance that its replay had rebuilt, with all that is in its memory.

        As ``rebuild`` decided then: not if the life before ended in the middle of a call.
        """
        return isinstance(said, payloads.Incarnation) and said.recovered == "replay" and self.call_in_progress is None

    def _close(self) -> None:
        if self._calls.door is not None:
            self._calls.door.close()
            self._calls.door = None

    def _entered(self) -> Door:
        calls = self._calls
        if calls.door is None:
            calls.door = self._make_door(calls)
            if calls.revival is not None:
                calls.revival.renew()
            self._contract = contract.Contract(calls.door.functions, self._options)
        return calls.door

    # -- calls -----------------------------------------------------------------------------------------------------

    def _call(self, said: payloads.Call) -> None:
        at = self._cursor.current_position() - 1
        self.call_in_progress = said.function
        params = said.params
        if said.function == HANDLE_CHILD_EVENT:
            given = params_again(params, self._children)
            if given is None:
                raise Incompatible(words.unknown_child_event(self._events[at].seq, said))
            params = given
        call = span(self._events, at)
        if call.is_empty:
            return
        door = self._entered()
        if door.clock.tank is not None:
            call = fueled(self._events, call)
        limit = self._init_ticks if said.function in STARTS else self._call_ticks
        self._calls.begin(call, budget(self._events, call, limit))
        door.clock.fill(call.fuel, call.words)
        outcome = self._outcome(door, said.function, params, at)
        event = self._cursor.current_event()
        if event is None or isinstance(self._calls.pending, RecordEnds):
            return  # the incarnation was killed in the middle of it: nothing was committed
        told = payloads.read(event.data)
        if event.event_type in BETWEEN:
            return
        if isinstance(told, payloads.Result) and isinstance(outcome, contract.Ok):
            self.state = outcome.state
        self.state = self._differences.compare_end(event, told, outcome) or self.state
        self._cursor.advance()
        self.call_in_progress = None
        if isinstance(outcome, Trap):
            self._close()  # what was stopped in the middle is never entered again
        elif said.function != INIT or isinstance(outcome, contract.Ok):
            self.is_initialised = True  # whatever else is called comes after it, or after what stands in its place

    def _outcome(self, door: Door, function: str, params: Value, at: int) -> Any:
        """Run the call: Ok, Declined, or the Trap that ended it. RecordEnds is left pending."""
        try:
            data = self._contract.input(function, self.state, cgrf.encode(params))
        except ActorError as error:
            event, accepted = self._events[at], "a call that is accepted"
            self._differences.leave(event, replay.ERROR, expected=accepted, actual=error.text())
        self._calls.pending = None
        try:
            self._calls.arm()
            result = door.call(function, data)
            if isinstance(result, GuestError):
                return contract.Declined(result.text)
            return self._contract.outcome(function, result.output)
        except Trap as trap:
            if isinstance(self._calls.pending, Diverged | Stopped):
                raise self._calls.pending from None
            if self._calls.is_told_to_stop:
                raise Stopped from None
            if isinstance(self._calls.pending, CutThere | FailedThere):
                return Trap(str(self._calls.pending), trap.kind)
            return trap
