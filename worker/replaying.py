"""Drives a guest along its recorded chain: strict replay (lifecycle 11.3), also for recovery and time travel.

Each incarnation in the chain gets an instance of its own, from the state its first event tells. No host function is
ever executed: the record answers. Whatever the guest does must be what the record says, event by event, byte by byte.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NoReturn, Protocol

from theater import cgrf, replay
from theater.actor import ActorOptions
from theater.chain import ChainError, ChainEvent, payload, payloads
from theater.errors import ActorError
from theater.replay import Divergence, ReplayHandler, ReplaySummary, first_difference, same, shown
from theater.values import Tuple, Value
from worker import replay_words as words
from worker.child_events import HANDLE_CHILD_EVENT, params_again
from worker.engine import contract
from worker.engine.clock import ticks
from worker.engine.doors import ABIS, Door
from worker.engine.errors import CANCELLED, StartError, Trap
from worker.engine.pack import INIT, Answers, GuestError
from worker.interfaces import registry

CUT_SHORT_MS: Final = 500
"""Computing time after the last that is recorded of a call that was stopped: nobody waits for its deadline again."""
SLOWER_MAX: Final = 10
"""A replay may take so many times as long as the call did: the machine may be a slower one, or a busy one."""
BEGINNINGS: Final = ("genesis", "incarnation")
BETWEEN: Final = (*BEGINNINGS, payloads.START_REFUSED)
"""What is recorded between two lives: a call is over there, if it had no end."""
EVENTS_PER_REPORT: Final = 1000

MakeDoor = Callable[[Answers], Door]


class _Diverged(Exception):
    """The guest has left the record."""

    def __init__(self, divergence: Divergence) -> None:
        super().__init__(str(divergence))
        self.divergence = divergence


class _RecordEnds(Exception):
    """The record ends in the middle of a call: the incarnation was killed there."""


class _CutThere(Exception):
    """The call was stopped here in the record: by its deadline, or because it was cancelled."""


class _FailedThere(Exception):
    """The host call failed in the record, which holds the words."""


class _Stopped(Exception):
    """Told to stop."""


class _Incompatible(Exception):
    """The chain cannot be replayed with what is at hand; the text says why."""


class Revival(Protocol):
    """Told of host calls that gave an instance what it may still hold when it goes on live, such as open files."""

    def revive(self, interface: str, function: str, given: Value, output: Value) -> None:
        """One such call, with what was answered."""

    def renew(self) -> None:
        """What comes belongs to a fresh instance, which holds nothing."""


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
        self.divergences: list[Divergence] = []
        self._cursor = self.handler.state
        self._events = events
        self._make_door = make_door
        self._options = options
        self._package = package
        self._stops = stop_on_divergence
        self._progress = progress
        self._door: Door | None = None
        self._contract: contract.Contract
        self._call_ticks = ticks(options.call_deadline_ms)
        self._init_ticks = ticks(options.init_deadline_ms)
        self._pending: BaseException | None = None
        """What a host call has found out; the engine in between turns it into a trap."""
        self._report_at = EVENTS_PER_REPORT
        self._is_told_to_stop = False
        self._budget: int | None = None
        self._cut_at: int | None = None
        """Where the record of the present call ends, if the call did not end by itself."""
        self._knows_state = state is not None
        self._children = children or {}
        self._keeps_door = False
        self._revival: Revival | None = None
        self.snapshots = 0
        """How many were compared with the state that was computed."""
        self.is_initialised = False
        """The present incarnation's ``init`` has returned, or was not to be called."""

    def rebuild(self, revival: Revival | None = None) -> tuple[ReplaySummary, Door | None]:
        """Replay, and return the instance that has lived through all of it; None if no instance has."""
        self._keeps_door, self._revival = True, revival
        summary = self.run()
        if not summary.success or self.call_in_progress is not None:
            self._close()
        return summary, self._door

    def stop(self) -> None:
        """Stop, also in the middle of a call (any thread, and signal handlers)."""
        self._is_told_to_stop = True
        door = self._door
        if door is not None:
            door.interrupt(CANCELLED)

    def run(self) -> ReplaySummary:
        """Replay; return how it went."""
        total, cursor = self._cursor.total_events(), self._cursor
        try:
            self._require_beginning()
            while not cursor.is_complete() and not self._is_told_to_stop:
                self._step()
                if cursor.current_position() >= self._report_at:
                    self._report_at = cursor.current_position() + EVENTS_PER_REPORT
                    self._progress(cursor.current_position(), total)
        except _Diverged as left:
            self.divergences.append(left.divergence)
        except _Stopped:
            pass
        except (_Incompatible, ChainError) as error:
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
        if self._is_told_to_stop and done < total:
            return ReplaySummary(total, done, 0, False, "stopped", replay.STOPPED)
        return ReplaySummary.succeeded(total, done)

    # -- events ----------------------------------------------------------------------------------------------------

    def _require_beginning(self) -> None:
        """What was committed before the first event must be known. Theater's chains begin with the call of ``init``."""
        first = self._cursor.current_event()
        if first is None or self._knows_state or first.event_type in (payloads.SNAPSHOT, *BEGINNINGS):
            return
        if first.seq > 0 or first.parent_hash is not None:
            raise _Incompatible(
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
                self._leave(event, replay.MISSING_CALL, expected="a call", actual=words.recorded(said))

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
            raise _Incompatible(f"{replay.WRONG_PACKAGE}: recorded with {said.package}, replayed with {self._package}")
        if self._package is not None and said.abi not in ABIS:
            raise _Incompatible(f"recorded with the binary interface {said.abi}, known are {', '.join(ABIS)}")
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
        state = cgrf.decode(self.state)
        if not same(said.value, state):
            place = first_difference(said.value, state, "state")
            self._differ(event, replay.STATE, place, shown(said.value), shown(state))
            self.state = cgrf.encode(said.value)  # recorded values win
        self._close()

    def _goes_on(self, said: payloads.Genesis | payloads.Incarnation) -> bool:
        """Whether a life was lived by the very instance that its replay had rebuilt, with all that is in its memory.

        As ``rebuild`` decided then: not if the life before ended in the middle of a call.
        """
        return isinstance(said, payloads.Incarnation) and said.recovered == "replay" and self.call_in_progress is None

    def _close(self) -> None:
        if self._door is not None:
            self._door.close()
            self._door = None

    def _entered(self) -> Door:
        if self._door is None:
            self._door = self._make_door(self)
            if self._revival is not None:
                self._revival.renew()
            self._contract = contract.Contract(self._door.functions, self._options)
        return self._door

    # -- calls -----------------------------------------------------------------------------------------------------

    def _call(self, said: payloads.Call) -> None:
        at = self._cursor.current_position() - 1
        self.call_in_progress = said.function
        params = said.params
        if said.function == HANDLE_CHILD_EVENT:
            given = params_again(params, self._children)
            if given is None:
                raise _Incompatible(words.unknown_child_event(self._events[at].seq, said))
            params = given
        ends_at = self._place_of_end()
        is_killed = ends_at == len(self._events) or self._events[ends_at].event_type in BETWEEN
        if is_killed and ends_at == at + 1:
            return  # nothing in it can be compared, and it may have run for as long as it liked
        was_stopped = is_killed or words.is_stop(payloads.read(self._events[ends_at].data))
        self._cut_at = ends_at if was_stopped else None
        last = min(ends_at - was_stopped, len(self._events) - 1)
        self._budget = self._full_budget(said.function, at, last)
        outcome = self._outcome(self._entered(), said.function, params, at)
        event = self._cursor.current_event()
        if event is None or isinstance(self._pending, _RecordEnds):
            return  # the incarnation was killed in the middle of it: nothing was committed
        told = payloads.read(event.data)
        if event.event_type in BETWEEN:
            return
        self._compare(event, told, outcome)
        self._cursor.advance()
        self.call_in_progress = None
        if isinstance(outcome, Trap):
            self._close()  # what was stopped in the middle is never entered again
        elif said.function == INIT and isinstance(outcome, contract.Ok):
            self.is_initialised = True

    def _outcome(self, door: Door, function: str, params: Value, at: int) -> Any:
        """Run the call: Ok, Declined, or the Trap that ended it. _RecordEnds is left in ``_pending``."""
        try:
            data = self._contract.input(function, self.state, cgrf.encode(params))
        except ActorError as error:
            self._leave(self._events[at], replay.ERROR, expected="a call that is accepted", actual=error.text())
        self._pending = None
        try:
            self._arm(door)
            result = door.call(function, data)
            if isinstance(result, GuestError):
                return contract.Declined(result.text)
            return self._contract.outcome(function, result.output)
        except Trap as trap:
            if isinstance(self._pending, _Diverged | _Stopped):
                raise self._pending from None
            if self._is_told_to_stop:
                raise _Stopped from None
            if isinstance(self._pending, _CutThere | _FailedThere):
                return Trap(str(self._pending), trap.kind)
            return trap

    def _arm(self, door: Door) -> None:
        """Give the guest time up to the next thing it must do. What follows the record cannot hang: that is finite."""
        door.arm(_short(self._budget) if self._is_at_cut() else self._budget)
        if self._is_told_to_stop:  # arming forgets an interruption
            raise _Stopped

    def _full_budget(self, function: str, at: int, last: int) -> int | None:
        """Computing time up to the next thing recorded of a call, ``last`` at the latest: the limit, or more.

        Callers may give a call more time than the actor's limit, and the machine may be a slower one now. The times of
        events are not under their hashes: a wrong one can make a replay longer, but not another.
        """
        limit = self._init_ticks if function == INIT else self._call_ticks
        if limit is None:
            return None
        taken_ms = (self._events[last].time_ns - self._events[at].time_ns) // 1_000_000
        return max(limit, ticks(SLOWER_MAX * taken_ms) or 0) if taken_ms > 0 else limit

    def _place_of_end(self) -> int:
        """Where what is recorded of the call at the position ends: at its end, the next life, or the record's end."""
        at = self._cursor.current_position()
        while at < len(self._events) and self._events[at].event_type not in ("wasm", *BETWEEN):
            at += 1
        return at

    def _is_at_cut(self) -> bool:
        """Nothing more is recorded of a call that was stopped."""
        return self._cut_at == self._cursor.current_position()

    def _compare(self, event: ChainEvent, told: payloads.Payload, outcome: Any) -> None:
        match told, outcome:
            case payloads.Result(), contract.Ok():
                self._compare_result(event, told, outcome)
            case payloads.Error(), contract.Declined() | Trap():
                if not words.agree(told.message, outcome):
                    self._differ(event, replay.ERROR, expected=told.message, actual=outcome.text)
            case payloads.HostCall(), _:
                self._leave(event, replay.MISSING_EVENT, expected=words.recorded(told), actual=words.ended(outcome))
            case payloads.Error(), _:
                self._leave(event, replay.ERROR, expected=told.message, actual=words.ended(outcome))
            case _:
                self._leave(event, replay.RESULT, expected=words.recorded(told), actual=words.ended(outcome))

    def _compare_result(self, event: ChainEvent, told: payloads.Result, outcome: contract.Ok) -> None:
        build = payload.result if told.state is None else payload.result_full
        produced = build(told.function, outcome.state, outcome.response)
        self.state = outcome.state
        if produced == event.data:
            return
        response, state = cgrf.decode(outcome.response), cgrf.decode(outcome.state)
        if not same(response, told.response):
            place = first_difference(told.response, response, "response")
            self._differ(event, replay.RESULT, place, shown(told.response), shown(response))
        elif told.state is not None and not same(told.state, state):
            place = first_difference(told.state, state, "state")
            self._differ(event, replay.STATE, place, shown(told.state), shown(state))
        elif told.state is None:
            self._differ(event, replay.STATE, "state", "a state with another digest", shown(state))
        else:
            self._differ(event, replay.HASH, "data", "another encoding", "of the same values")
        if told.state is not None:
            self.state = cgrf.encode(told.state)  # recorded values win

    # -- host calls: worker.engine.pack.Answers ----------------------------------------------------------------------

    def answer(self, interface: str, function: str, data: bytes) -> bytes:
        """Give the recorded output of the host call that must come now."""
        try:
            return self._answer(interface, function, data)
        except (_Diverged, _RecordEnds, _CutThere, _FailedThere, _Stopped) as found:
            self._pending = found
            raise

    def _answer(self, interface: str, function: str, data: bytes) -> bytes:
        if self._is_told_to_stop:
            raise _Stopped
        event = self._cursor.current_event()
        told = payloads.read(event.data) if event is not None else None
        if event is None or event.event_type in BETWEEN:
            raise _RecordEnds
        if isinstance(told, payloads.Error) and told.message.startswith(words.failures(interface, function)):
            raise _FailedThere(told.message)
        if self._is_at_cut():
            raise _CutThere(told.message if isinstance(told, payloads.Error) else "")
        if not isinstance(told, payloads.HostCall) or (told.interface, told.function) != (interface, function):
            call = f"a call of {interface}.{function}"
            self._leave(event, replay.UNEXPECTED_CALL, expected=words.recorded(told), actual=call)
        try:
            given: Value = cgrf.decode(registry.shown(interface, function, data))
        except ValueError as error:
            self._leave(event, replay.INPUT, expected=shown(told.input), actual=f"no value: {error}")
        if not same(given, told.input):
            place = first_difference(told.input, given, "input")
            self._differ(event, replay.INPUT, place, shown(told.input), shown(given))
        if self._revival is not None and registry.is_revived(interface, function):
            self._revival.revive(interface, function, told.input, told.output)
        self._cursor.advance()
        if self._door is not None:
            self._arm(self._door)
        return cgrf.encode(told.output)

    # -- differences -------------------------------------------------------------------------------------------------

    def _differ(
        self, event: ChainEvent, kind: str, field: str | None = None, expected: str = "", actual: str = ""
    ) -> None:
        """A difference after which it is possible to go on."""
        divergence = self._divergence(event, kind, field, expected, actual)
        if self._stops:
            raise _Diverged(divergence)
        self.divergences.append(divergence)

    def _leave(self, event: ChainEvent, kind: str, *, expected: str, actual: str) -> NoReturn:
        """A difference after which nothing can be compared any more."""
        raise _Diverged(self._divergence(event, kind, None, expected, actual))

    def _divergence(self, event: ChainEvent, kind: str, field: str | None, expected: str, actual: str) -> Divergence:
        return Divergence(
            index=event.seq,
            kind=kind,
            event_type=event.event_type,
            expected_hash=event.hash.hex(),
            field=field or "",
            expected=expected,
            actual=actual,
        )


def _short(budget: int | None) -> int | None:
    short = ticks(CUT_SHORT_MS)
    return short if budget is None or short is None else min(budget, short)
