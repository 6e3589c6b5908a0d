"""A supervisor with a list of children: one_for_one, one_for_all and rest_for_one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from supervisor.core import notices as note
from supervisor.core.actions import GaveUp
from supervisor.core.check import childspec_error, plain_childspec, with_defaults
from supervisor.core.children import Child, Desk, delay_restart, end_tries, role_of, start, stop
from supervisor.core.mail import Called, DelayOver, Ended, Failed, Ignored, Mail, Routine, Started, TryAgain
from supervisor.core.policy import Forgiven, comes_back, ends_supervisor, is_reported, restart_group
from supervisor.core.ref import Ref, join
from supervisor.core.table import ChildTable
from theater.spec import ChildSpec, SupervisorSpec

GO_ON = True
END = False

NOT_FOUND = {"error": "not_found"}


class ListSupervisor:
    """Keeps the children of a list running. ``handle`` says whether the supervisor goes on."""

    def __init__(self, desk: Desk, spec: SupervisorSpec) -> None:
        self._desk = desk
        self._spec = spec
        self._table = ChildTable()
        for child in spec.children:
            self._table.add(self._child(child, None))

    def _child(self, spec: ChildSpec, args: Any) -> Child:
        return Child(with_defaults(spec), join(self._desk.process.path, spec.id), args)

    # -- beginning and end -----------------------------------------------------------------------------------------

    def begin(self) -> Routine[Any]:
        """Start all children in order (init_children/2). Answers why that failed, None if it did not."""
        failed = yield from self._start_all(list(self._table))
        if failed is None:
            return None
        yield from self._stop_all(list(self._table))
        child, reason = failed
        return {"shutdown": {"failed_to_start_child": {"id": child.spec.id, "reason": reason}}}

    def end(self) -> Routine[None]:
        """Stop all children, the last one first (terminate/2)."""
        yield from self._stop_all(list(self._table))

    def _start_all(self, children: Iterable[Child]) -> Routine[tuple[Child, Any] | None]:
        """Start children in order; stops at the first that fails and answers it (start_children/2)."""
        for child in children:
            outcome = yield from start(self._desk, child)
            match outcome:
                case Started(ref=ref):
                    self._table.running(child, ref)
                case Ignored():
                    self._table.stopped(child)
                case Failed(reason=reason, aborted=aborted):
                    if not aborted:
                        self._desk.report("start_error", child, reason)
                    return child, reason
        return None

    def _stop_all(self, children: Sequence[Child]) -> Routine[None]:
        """Stop children in reverse order and forget the temporary ones (terminate_children/2)."""
        for child in reversed(children):
            end_tries(self._desk, child)
            yield from stop(self._desk, child)
            self._table.stopped(child)

    # -- one mail at a time ----------------------------------------------------------------------------------------

    def handle(self, mail: Mail) -> Routine[bool]:
        """Deal with one mail."""
        match mail:
            case Ended(ref=ref, reason=reason):
                child = self._table.by_ref(ref)
                return (yield from self._on_end(child, reason)) if child is not None else GO_ON
            case TryAgain(key=key):
                child = self._table.get(key)
                is_due = child is not None and child.is_restarting and child.delay is None
                return (yield from self._restart(child)) if child is not None and is_due else GO_ON
            case DelayOver(key=key, timer=timer):
                child = self._table.get(key)
                if child is not None and child.delay == timer:
                    child.delay = None
                    yield from self._restart_now(child)
            case Called(call=call):
                value = yield from self._answer(call)
                self._desk.world.answer(self._desk.process, call, value)
        return GO_ON

    def _on_end(self, child: Child, reason: Any) -> Routine[bool]:
        """A child has ended by itself (do_restart/3)."""
        counts = not isinstance(reason, Forgiven)
        reason = reason.reason if isinstance(reason, Forgiven) else reason
        if is_reported(child.spec.restart, reason):
            self._desk.report("child_terminated", child, reason)
        if comes_back(child.spec.restart, reason):
            return (yield from self._restart(child, counts))
        self._table.stopped(child)
        is_over = ends_supervisor(
            self._spec.auto_shutdown, child.spec.significant, others_left=self._table.has_significant()
        )
        return END if is_over else GO_ON

    # -- restarting ------------------------------------------------------------------------------------------------

    def _restart(self, child: Child, counts: bool = True) -> Routine[bool]:
        """Restart a child, unless that was once too often (restart/2)."""
        if counts and not self._desk.window.allows(self._desk.world.now_ns):
            self._desk.world.do(GaveUp(self._desk.process.path, child.path))
            self._table.stopped(child)
            return END
        if delay_restart(self._desk, child, child.spec.id):
            self._table.restarting(child)
        else:
            yield from self._restart_now(child)
        return GO_ON

    def _restart_now(self, child: Child) -> Routine[None]:
        """Stop and start what the strategy says. What fails is tried again, after the mail that waits (restart/3)."""
        self._table.stopped(child)
        group: Sequence[Child] = [child]
        if self._spec.strategy != "one_for_one":
            group = restart_group(self._spec.strategy, list(self._table), child)
            yield from self._stop_all(group)
        failed = yield from self._start_all([one for one in group if self._table.get(one.spec.id) is one])
        if failed is not None:
            self._table.restarting(failed[0])
            self._try_again(failed[0])

    def _try_again(self, child: Child) -> None:
        if not self._desk.is_closing:
            self._desk.world.post(self._desk.process, TryAgain(child.spec.id))

    # -- calls -----------------------------------------------------------------------------------------------------

    def _answer(self, call: note.Call) -> Routine[Any]:
        """Do what an API call asks for (handle_call/3)."""
        match call:
            case note.StartChild():
                return (yield from self._start_child(call))
            case note.TerminateChild(child=key):
                return (yield from self._terminate_child(key))
            case note.RestartChild(child=key):
                return (yield from self._restart_child(key))
            case note.DeleteChild(child=key):
                return self._delete_child(key)
            case note.GetChildspec(child=key):
                child = self._table.get(key)
                return {"ok": plain_childspec(child.spec)} if child is not None else NOT_FOUND
            case note.WhichChildren():
                return [_which(child) for child in reversed(list(self._table))]
            case note.CountChildren():
                return self._count()

    def _start_child(self, call: note.StartChild) -> Routine[Any]:
        if call.spec is None:
            return {"error": "missing_id"}
        error = childspec_error(call.spec, self._spec.auto_shutdown)
        if error is not None:
            return {"error": error}
        known = self._table.get(call.spec.id)
        if known is not None:
            return {"error": {"already_started": known.ref} if known.ref is not None else "already_present"}
        child = self._child(call.spec, call.args)
        outcome = yield from start(self._desk, child)
        match outcome:
            case Started(ref=ref):
                self._table.add(child)
                self._table.running(child, ref)
            case Ignored() if not child.is_temporary:
                self._table.add(child)
        return start_answer(outcome)

    def _terminate_child(self, key: str | Ref) -> Routine[Any]:
        child = self._table.get(key)
        if child is None:
            return NOT_FOUND
        end_tries(self._desk, child)
        yield from stop(self._desk, child)
        self._table.stopped(child)
        return "ok"

    def _restart_child(self, key: str | Ref) -> Routine[Any]:
        child = self._table.get(key)
        if child is None or child.is_restarting or child.ref is not None:
            return {"error": _why_not_idle(child)}
        outcome = yield from start(self._desk, child)
        if isinstance(outcome, Started):
            self._table.running(child, outcome.ref)
        return start_answer(outcome)

    def _delete_child(self, key: str | Ref) -> Any:
        child = self._table.get(key)
        if child is None or child.is_restarting or child.ref is not None:
            return {"error": _why_not_idle(child)}
        self._table.remove(child)
        return "ok"

    def _count(self) -> dict[str, int]:
        """A process that has ended is not active, even if its end has not been dealt with (count_child/2)."""
        is_alive = self._desk.world.is_alive
        supervisors = sum(role_of(child.spec) == "supervisor" for child in self._table)
        return {
            "specs": len(self._table),
            "active": sum(child.ref is not None and is_alive(child.ref) for child in self._table),
            "supervisors": supervisors,
            "workers": len(self._table) - supervisors,
        }

    # -- for people ------------------------------------------------------------------------------------------------

    def children(self) -> list[Child]:
        """All children in start order, those without a process too."""
        return list(self._table)


def start_answer(outcome: Started | Ignored | Failed) -> Any:
    """What start_child and restart_child answer."""
    match outcome:
        case Started(ref=ref, info=None):
            return {"ok": ref}
        case Started(ref=ref, info=info):
            return {"ok": ref, "info": info}
        case Ignored():
            return {"ok": "undefined"}
        case Failed(reason=reason):
            return {"error": reason}


def _which(child: Child) -> dict[str, Any]:
    process = "restarting" if child.is_restarting else child.ref if child.ref is not None else "undefined"
    return {"id": child.spec.id, "child": process, "type": role_of(child.spec)}


def _why_not_idle(child: Child | None) -> str:
    if child is None:
        return "not_found"
    return "restarting" if child.is_restarting else "running"
