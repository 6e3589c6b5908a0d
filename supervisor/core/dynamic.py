"""A simple_one_for_one supervisor: any number of children of one template, started on request, each for itself.

Children are known by their process. One whose restart is being tried again is known by its former process, as in OTP.
"""

from __future__ import annotations

from typing import Any

from supervisor.core import notices as note
from supervisor.core.actions import GaveUp
from supervisor.core.check import plain_childspec, with_defaults
from supervisor.core.children import Child, Desk, delay_restart, end_tries, role_of, shutdown_ms, start, stop
from supervisor.core.mail import Called, DelayOver, Ended, EndOf, Failed, Mail, Routine, Started, TimeUp, TryAgain
from supervisor.core.policy import Forgiven, comes_back, ends_supervisor, is_proper_stop, is_reported
from supervisor.core.ref import Ref, join
from supervisor.core.static import END, GO_ON, NOT_FOUND, start_answer
from theater.spec import BRUTAL_KILL, SupervisorSpec

REFUSED = {"error": "simple_one_for_one"}


class DynamicSupervisor:
    """Keeps the instances of a template running. ``handle`` says whether the supervisor goes on."""

    def __init__(self, desk: Desk, spec: SupervisorSpec) -> None:
        self._desk = desk
        self._spec = spec
        self._template = with_defaults(spec.children[0])
        self._running: dict[Ref, Child] = {}
        self._retrying: dict[Ref, Child] = {}
        self._names: dict[str, Ref] = {}

    # -- beginning and end -----------------------------------------------------------------------------------------

    def begin(self) -> Routine[Any]:
        """Nothing is started before somebody asks (init_dynamic/2)."""
        yield from ()
        return None

    def end(self) -> Routine[None]:
        """Stop all children together under one deadline, and report bad ends once per reason.

        (terminate_dynamic_children/1, wait_dynamic_children/5.)
        """
        reasons = [self._desk.take_end(ref) for ref in self._running]
        dead = {mail.ref: mail.reason for mail in reasons if mail is not None}
        waiting = dict.fromkeys(ref for ref in self._running if ref not in dead)
        ends = [*dead.values(), *(yield from self._stop_together(waiting))]
        for reason, count in _bad_ends(self._template.restart, self._template.shutdown, ends):
            template = join(self._desk.process.path, self._template.id)
            self._desk.world.report(self._desk.process, "shutdown_error", template, reason, count)

    def _stop_together(self, waiting: dict[Ref, None]) -> Routine[list[Any]]:
        """Stop these processes at once and wait for all of them; answers their reasons."""
        world, ends = self._desk.world, list[Any]()
        time_ms = shutdown_ms(self._template)
        is_brutal = self._template.shutdown == BRUTAL_KILL
        for ref in list(waiting):
            world.kill(ref) if is_brutal else world.ask_to_stop(ref, time_ms)
        timer = world.set_timer(self._desk.process, time_ms) if waiting and time_ms is not None else None
        while waiting:
            mail = yield EndOf(waiting, timer)
            if isinstance(mail, Ended):
                del waiting[mail.ref]
                ends.append(mail.reason)
            elif isinstance(mail, TimeUp):
                for ref in list(waiting):
                    world.kill(ref)
        world.cancel_timer(timer)
        return ends

    # -- one mail at a time ----------------------------------------------------------------------------------------

    def handle(self, mail: Mail) -> Routine[bool]:
        """Deal with one mail."""
        match mail:
            case Ended(ref=ref, reason=reason):
                child = self._running.get(ref)
                return (yield from self._on_end(child, ref, reason)) if child is not None else GO_ON
            case TryAgain(key=Ref() as ref):
                child = self._retrying.get(ref)
                is_due = child is not None and child.delay is None
                return (yield from self._restart(child, ref)) if child is not None and is_due else GO_ON
            case DelayOver(key=Ref() as ref, timer=timer):
                child = self._retrying.get(ref)
                if child is not None and child.delay == timer:
                    child.delay = None
                    yield from self._restart_now(child, ref)
            case Called(call=call):
                value = yield from self._answer(call)
                self._desk.world.answer(self._desk.process, call, value)
        return GO_ON

    def _on_end(self, child: Child, ref: Ref, reason: Any) -> Routine[bool]:
        """A child has ended by itself (do_restart/3)."""
        counts = not isinstance(reason, Forgiven)
        reason = reason.reason if isinstance(reason, Forgiven) else reason
        if is_reported(child.spec.restart, reason):
            self._desk.report("child_terminated", child, reason)
        if comes_back(child.spec.restart, reason):
            return (yield from self._restart(child, ref, counts))
        self._forget(child, ref)
        others_left = bool(self._running or self._retrying)
        return END if ends_supervisor(self._spec.auto_shutdown, child.spec.significant, others_left) else GO_ON

    # -- restarting ------------------------------------------------------------------------------------------------

    def _restart(self, child: Child, ref: Ref, counts: bool = True) -> Routine[bool]:
        """Restart a child, unless that was once too often (restart/2)."""
        if counts and not self._desk.window.allows(self._desk.world.now_ns):
            self._desk.world.do(GaveUp(self._desk.process.path, child.path))
            self._forget(child, ref)
            return END
        if delay_restart(self._desk, child, ref):
            self._retry_later(child, ref)
        else:
            yield from self._restart_now(child, ref)
        return GO_ON

    def _restart_now(self, child: Child, ref: Ref) -> Routine[None]:
        """Start the child anew. If that fails it is tried again, after the mail that waits (restart/3)."""
        self._forget(child, ref)
        outcome = yield from start(self._desk, child)
        match outcome:
            case Started(ref=new):
                self._remember(child, new)
            case Failed(reason=reason, aborted=False):
                self._retry_later(child, ref)
                self._desk.report("start_error", child, reason)
                self._desk.world.post(self._desk.process, TryAgain(ref))
            # A child that declines its restart is dropped, as in newer releases; OTP 25 keeps a dead entry.

    def _retry_later(self, child: Child, ref: Ref) -> None:
        self._running.pop(ref, None)
        child.ref, child.is_restarting = None, True
        self._retrying[ref] = child
        self._names[child.path] = ref

    def _remember(self, child: Child, ref: Ref) -> None:
        child.ref, child.is_restarting = ref, False
        self._running[ref] = child
        self._names[child.path] = ref

    def _forget(self, child: Child, ref: Ref) -> None:
        self._running.pop(ref, None)
        self._retrying.pop(ref, None)
        child.ref = None
        if self._names.get(child.path) == ref:
            del self._names[child.path]

    # -- calls -----------------------------------------------------------------------------------------------------

    def _answer(self, call: note.Call) -> Routine[Any]:
        """Do what an API call asks for (the ``?is_simple`` clauses of handle_call/3)."""
        match call:
            case note.StartChild():
                return (yield from self._start_child(call))
            case note.TerminateChild(child=key, exact=exact):
                return (yield from self._terminate_child(key, exact))
            case note.RestartChild() | note.DeleteChild():
                return REFUSED
            case note.GetChildspec(child=key, exact=exact):
                return self._get_childspec(key, exact)
            case note.WhichChildren():
                return self._which()
            case note.CountChildren():
                return self._count()

    def _start_child(self, call: note.StartChild) -> Routine[Any]:
        if call.name is None:
            return REFUSED
        path = join(self._desk.process.path, call.name)
        if self._desk.world.unique_names and path in self._names:
            known = self._names[path]
            return {"error": "restarting" if known in self._retrying else {"already_started": known}}
        child = Child(self._template, path, call.args)
        outcome = yield from start(self._desk, child)
        if isinstance(outcome, Started):
            self._remember(child, outcome.ref)
        return start_answer(outcome)

    def _terminate_child(self, key: str | Ref, exact: bool) -> Routine[Any]:
        ref = self._by_name(key, exact)
        if ref is None:
            return REFUSED
        child = self._running.get(ref) or self._retrying.get(ref)
        if child is None:
            return "ok" if self._is_gone(ref) else NOT_FOUND
        end_tries(self._desk, child)
        yield from stop(self._desk, child)
        self._forget(child, ref)
        return "ok"

    def _get_childspec(self, key: str | Ref, exact: bool) -> Any:
        ref = self._by_name(key, exact)
        is_known = ref in self._running or ref in self._retrying or (ref is not None and self._is_gone(ref))
        is_template = ref is None and key == self._template.id
        return {"ok": plain_childspec(self._template)} if is_known or is_template else NOT_FOUND

    def _by_name(self, key: str | Ref, exact: bool) -> Ref | None:
        """The process that is meant; None if ``key`` is the id of a child, which no dynamic child has."""
        if isinstance(key, Ref):
            return key
        return None if exact else self._names.get(join(self._desk.process.path, key))

    def _is_gone(self, ref: Ref) -> bool:
        """A process that was and is not any more; a stranger counts as alive (find_child/2)."""
        return self._desk.world.was_ever(ref) and not self._desk.world.is_alive(ref)

    def _which(self) -> list[dict[str, Any]]:
        kind = role_of(self._template)
        running = sorted(self._running, key=lambda ref: (ref.path, ref.serial))
        processes: list[Ref | str] = [*running, *("restarting" for _ in self._retrying)]
        return [{"id": "undefined", "child": process, "type": kind} for process in processes]

    def _count(self) -> dict[str, int]:
        """All that are in the books are active, unless they are being tried again."""
        size = len(self._running) + len(self._retrying)
        supervisors = size if role_of(self._template) == "supervisor" else 0
        return {"specs": 1, "active": len(self._running), "supervisors": supervisors, "workers": size - supervisors}

    # -- for people ------------------------------------------------------------------------------------------------

    def children(self) -> list[Child]:
        """All children, the first started first."""
        return [*self._running.values(), *self._retrying.values()]


def _bad_ends(restart: str, shutdown: str | int | None, reasons: list[Any]) -> list[tuple[Any, int]]:
    """How often each reason came that was not the one asked for; atoms before tuples, as Erlang sorts them."""
    counts: dict[str, tuple[Any, int]] = {}
    for reason in reasons:
        if not is_proper_stop(restart, shutdown, reason):
            _, count = counts.get(str(reason), (reason, 0))
            counts[str(reason)] = reason, count + 1
    return [counts[text] for text in sorted(counts, key=lambda text: (":" in text, text))]
