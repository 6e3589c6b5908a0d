"""Where a guest that is driven along its record leaves it: found, told with its place, and counted."""

from __future__ import annotations

from typing import Any, NoReturn

from theater import cgrf, replay
from theater.chain import ChainEvent, payload, payloads
from theater.replay import Divergence, first_difference, same, shown
from theater.values import Value
from worker import replay_words as words
from worker.engine import contract
from worker.engine.errors import Trap


class Diverged(Exception):
    """The guest has left the record."""

    def __init__(self, divergence: Divergence) -> None:
        super().__init__(str(divergence))
        self.divergence = divergence


class Differences:
    """Those of one replay. ``stops``: with the first."""

    def __init__(self, stops: bool) -> None:
        self.found: list[Divergence] = []
        self._stops = stops

    def differ(
        self, event: ChainEvent, kind: str, field: str | None = None, expected: str = "", actual: str = ""
    ) -> None:
        """A difference after which it is possible to go on."""
        divergence = _divergence(event, kind, field, expected, actual)
        if self._stops:
            raise Diverged(divergence)
        self.found.append(divergence)

    def leave(self, event: ChainEvent, kind: str, *, expected: str, actual: str) -> NoReturn:
        """A difference after which nothing can be compared any more."""
        raise Diverged(_divergence(event, kind, None, expected, actual))

    def compare_values(self, event: ChainEvent, kind: str, root: str, told: Value, given: Value) -> bool:
        """Whether two values are the same; if not, the place is told where they begin to differ."""
        if same(told, given):
            return True
        self.differ(event, kind, first_difference(told, given, root), shown(told), shown(given))
        return False

    def compare_end(self, event: ChainEvent, told: payloads.Payload, outcome: Any) -> bytes | None:
        """Compare how a call has ended; return the recorded state if another was computed: recorded values win."""
        match told, outcome:
            case payloads.Result(), contract.Ok():
                return self._compare_result(event, told, outcome)
            case payloads.Error(), contract.Declined() | Trap():
                if not words.agree(told.message, outcome):
                    self.differ(event, replay.ERROR, expected=told.message, actual=outcome.text)
            case payloads.HostCall(), _:
                self.leave(event, replay.MISSING_EVENT, expected=words.recorded(told), actual=words.ended(outcome))
            case payloads.Error(), _:
                self.leave(event, replay.ERROR, expected=told.message, actual=words.ended(outcome))
            case _:
                self.leave(event, replay.RESULT, expected=words.recorded(told), actual=words.ended(outcome))
        return None

    def _compare_result(self, event: ChainEvent, told: payloads.Result, outcome: contract.Ok) -> bytes | None:
        build = payload.result if told.state is None else payload.result_full
        if build(told.function, outcome.state, outcome.response) == event.data:
            return None
        response, state = cgrf.decode(outcome.response), cgrf.decode(outcome.state)
        if self.compare_values(event, replay.RESULT, "response", told.response, response):
            self._compare_state(event, told.state, state)
        return None if told.state is None else cgrf.encode(told.state)

    def _compare_state(self, event: ChainEvent, told: Value | None, state: Value) -> None:
        """The response is the same, the event is not."""
        if told is None:
            self.differ(event, replay.STATE, "state", "a state with another digest", shown(state))
        elif self.compare_values(event, replay.STATE, "state", told, state):
            self.differ(event, replay.HASH, "data", "another encoding", "of the same values")


def _divergence(event: ChainEvent, kind: str, field: str | None, expected: str, actual: str) -> Divergence:
    return Divergence(
        index=event.seq,
        kind=kind,
        event_type=event.event_type,
        expected_hash=event.hash.hex(),
        field=field or "",
        expected=expected,
        actual=actual,
    )
