"""Writes down what happens in the form of the traces."""

from __future__ import annotations

from typing import Any

from supervisor.core import actions as act
from supervisor.core.ref import Ref
from tests.otp_driver.scenario import in_seconds

Event = dict[str, Any]

ENDS = (act.Kind.EXITED, act.Kind.TERMINATED, act.Kind.ORPHANED)


class Record:
    """The events of a scenario, step by step, and which processes live."""

    def __init__(self) -> None:
        self.trace: list[Event] = []
        self.alive: dict[Ref, str] = {}
        self.last_started: dict[str, Ref] = {}
        self.simple_paths: set[str] = set()
        self._generations: dict[str, int] = {}
        self._names: dict[Ref, str] = {}
        self._step = 0
        self._events: list[Event] = []
        self._late_answers: dict[int, Event] = {}
        self._orphans: list[Event] = []

    def living(self, path: str) -> Ref | None:
        """The process last started at a path, if it still lives."""
        ref = self.last_started.get(path)
        return ref if ref in self.alive else None

    # -- what happens ----------------------------------------------------------------------------------------------

    def observed(self, action: act.Observed) -> None:
        """Something happened to a process."""
        ref = action.ref
        match action.kind:
            case act.Kind.STARTED:
                self._number(ref)
                self.alive[ref] = action.role
                self._add("started", path=ref.path, gen=self._generation(ref), kind=action.role)
            case act.Kind.START_IGNORED:
                self._add("start_ignored", path=ref.path)
            case act.Kind.START_FAILED:
                self._add("start_failed", path=ref.path, reason=in_seconds(action.reason))
            case kind:
                del self.alive[ref]
                to = self._orphans if kind is act.Kind.ORPHANED else self._events
                to.append(self._event(kind, path=ref.path, gen=self._generation(ref), reason=action.reason))

    def report(self, action: act.Report) -> None:
        """A supervisor reports an error; what orphans report is not recorded."""
        if action.orphan:
            return
        event = {"sup": action.sup, "context": action.context, "child": action.child}
        count = {} if action.count is None else {"count": action.count}
        self._add("report", **event, reason=in_seconds(action.reason), **count)

    def gave_up(self, action: act.GaveUp) -> None:
        """A supervisor gives up."""
        self._add("gave_up", sup=action.sup, child=action.child)

    def result(self, call: str, value: Any) -> None:
        """A call is answered."""
        self._add("result", call=call, value=self._plain(value))

    def late_answer(self, number: int, call: str, value: Any) -> None:
        """A call was still waiting when its supervisor ended."""
        self._late_answers[number] = self._event("result", call=call, value=self._plain(value))

    # -- steps -----------------------------------------------------------------------------------------------------

    def end_step(self) -> None:
        """The step is over: put its events into their normal form."""
        late = [event for _, event in sorted(self._late_answers.items())]
        orphans = sorted(self._orphans, key=lambda event: (event["path"], event["gen"]))
        for path in sorted(self.simple_paths, key=lambda path: (path.count("/"), path)):
            self._events = sort_dynamic_ends(self._events, path)
        self.trace += [*self._events, *late, *orphans]
        self._events, self._late_answers, self._orphans = [], {}, []
        self._step += 1

    # -- text ------------------------------------------------------------------------------------------------------

    def _add(self, ev: str, **keys: Any) -> None:
        self._events.append(self._event(ev, **keys))

    def _event(self, ev: str, **keys: Any) -> Event:
        return {"step": self._step, "ev": str(ev), **keys}

    def _number(self, ref: Ref) -> None:
        generation = self._generations[ref.path] = self._generations.get(ref.path, 0) + 1
        self._names[ref] = f"{ref.path}#{generation}"
        self.last_started[ref.path] = ref

    def _generation(self, ref: Ref) -> int:
        return int(self._names[ref].rpartition("#")[2])

    def _plain(self, value: Any) -> Any:
        match value:
            case Ref():
                return self._names[value]
            case dict():
                return in_seconds({key: self._plain(item) for key, item in value.items()})
            case [{"id": "undefined"}, *_]:
                return sorted(map(self._plain, value), key=lambda child: child["child"])
            case list():
                return [self._plain(item) for item in value]
            case _:
                return value


def sort_dynamic_ends(events: list[Event], supervisor: str) -> list[Event]:
    """Sort each run of ends below a simple_one_for_one supervisor by the dynamic child; they may end in any order."""
    prefix = supervisor.rstrip("/") + "/"
    result: list[Event] = []
    run: list[Event] = []

    def is_below(event: Event) -> bool:
        return event["ev"] == "terminated" and event["path"] != supervisor and event["path"].startswith(prefix)

    for event in [*events, None]:
        if event is not None and is_below(event):
            run.append(event)
            continue
        result += sorted(run, key=lambda event: event["path"][len(prefix) :].split("/")[0])
        run = []
        if event is not None:
            result.append(event)
    return result
