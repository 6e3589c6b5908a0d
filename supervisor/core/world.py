"""Where the supervisors of one tree live: its processes, their mail, timers and turns. It decides nothing.

Supervisors take turns in the order in which mail reached them; each runs until it waits for something. That, with one
mailbox per supervisor, is the order of Erlang.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

from supervisor.core import actions as act
from supervisor.core.mail import (
    Called,
    DelayOver,
    Ended,
    Failed,
    Ignored,
    Mail,
    Routine,
    Started,
    StopOrder,
    TimeUp,
    accepts,
)
from supervisor.core.notices import Call
from supervisor.core.process import SUPERVISOR, WORKER, Process, State, Supervising
from supervisor.core.ref import Ref
from supervisor.core.window import NS_PER_MS
from theater.spec import ChildSpec, SupervisorSpec

NOPROC = {"exit": "noproc"}
ABORTED = "shutdown"
"""The reason of a start that was given up because the supervisor is to end."""


class World:
    """The processes of one tree and everything that goes between them."""

    def __init__(
        self,
        live: Callable[[World, Process], Routine[None]],
        *,
        whole_seconds: bool,
        patient: bool,
        asks_init: bool,
        unique_names: bool,
        seed: int,
    ) -> None:
        self._live = live
        self.whole_seconds = whole_seconds
        self.patient = patient
        self.asks_init = asks_init
        self.unique_names = unique_names
        self.random = Random(seed)
        self.now_ns = 0
        self.actions: list[act.Action] = []
        self.processes: dict[Ref, Process] = {}
        self.root: Process | None = None
        self._supervisors: dict[str, Process] = {}
        self._timers: dict[int, tuple[Process, Mail]] = {}
        self._orphans: dict[str, set[Ref]] = {}
        self._held_back: dict[str, Process] = {}
        self._last_serial = 0
        self._last_timer = 0
        self._turns: deque[Process] = deque()
        self._verdict: act.Down | act.StartFailedTree | None = None

    # -- what is there ---------------------------------------------------------------------------------------------

    def do(self, action: act.Action) -> None:
        """Have something done."""
        self.actions.append(action)

    def is_alive(self, ref: Ref) -> bool:
        """Whether the process is there (OTP: is_process_alive/1)."""
        return ref in self.processes

    def was_ever(self, ref: Ref) -> bool:
        """Whether this tree has made such a process; others are living strangers."""
        return 0 < ref.serial <= self._last_serial

    def supervisor_at(self, path: str) -> Process | None:
        """The running supervisor at a path."""
        return self._supervisors.get(path)

    def orphans(self) -> list[Process]:
        """The workers that are still ending because a supervisor above them was killed."""
        return [self.processes[ref] for refs in self._orphans.values() for ref in refs]

    # -- mail and turns --------------------------------------------------------------------------------------------

    def post(self, process: Process, mail: Mail) -> None:
        """Send mail to a supervisor that is there."""
        assert process.supervisor is not None
        desk = process.supervisor
        if desk.wait is not None and accepts(desk.wait, mail):
            self._hand(process, desk, mail)
        else:
            desk.mailbox.put(mail)

    def run(self) -> None:
        """Let supervisors work until all of them wait."""
        while self._turns:
            process = self._turns.popleft()
            if process.ref in self.processes:
                self._turn(process)
        if self._verdict is not None and not self.processes:
            self.do(self._verdict)
            self._verdict = None

    def _hand(self, process: Process, desk: Supervising, mail: Mail) -> None:
        desk.wait, desk.incoming = None, mail
        self._turns.append(process)

    def _turn(self, process: Process) -> None:
        desk = process.supervisor
        assert desk is not None and desk.routine is not None
        mail, desk.incoming = desk.incoming, None
        try:
            while True:
                # The first send starts the routine and must carry nothing.
                wait = desk.routine.send(mail)  # type: ignore[arg-type]
                mail = desk.mailbox.take(wait)
                if mail is None:
                    desk.wait = wait
                    return
        except StopIteration:
            return

    # -- starting --------------------------------------------------------------------------------------------------

    def plant(self, path: str, spec: SupervisorSpec) -> None:
        """Start the root supervisor."""
        self.root = self._new(path, SUPERVISOR, None)
        self._found(self.root, spec)

    def start(self, parent: Process, path: str, spec: ChildSpec, args: Any) -> Ref:
        """Begin to start a child; its outcome will be in the parent's mail."""
        role = WORKER if spec.supervisor is None else SUPERVISOR
        process = self._new(path, role, parent, spec, args)
        if spec.supervisor is not None:
            self._found(process, spec.supervisor)
        elif self._orphans.get(path):
            process.state = State.HELD_BACK
            self._held_back[path] = process
        else:
            self.do(act.StartWorker(process.ref, spec, args))
        return process.ref

    def _new(
        self, path: str, role: str, parent: Process | None, spec: ChildSpec | None = None, args: Any = None
    ) -> Process:
        self._last_serial += 1
        process = Process(Ref(path, self._last_serial), role, parent, spec, args)
        self.processes[process.ref] = process
        if parent is not None:
            parent.children[process.ref] = process
        return process

    def _found(self, process: Process, spec: SupervisorSpec) -> None:
        process.supervisor = Supervising(spec)
        process.supervisor.routine = self._live(self, process)
        self._turns.append(process)

    def abort_start(self, ref: Ref, doom: str) -> None:
        """End a start that is under way, if it still is. Its outcome will be Failed with this reason."""
        process = self.processes.get(ref)
        if process is None or process.state not in (State.HELD_BACK, State.STARTING):
            return
        is_doomed = process.doom is not None
        if not is_doomed or doom == ABORTED:
            process.doom = doom
        if is_doomed:
            return
        if process.state is State.HELD_BACK:
            del self._held_back[process.path]
            self.start_failed(process, doom, unseen=True)
        else:
            self.do(act.KillWorker(process.ref))

    def _release(self, path: str) -> None:
        process = self._held_back.pop(path, None)
        if process is not None and process.spec is not None:
            process.move(State.STARTING)
            self.do(act.StartWorker(process.ref, process.spec, process.args))

    # -- how starts end --------------------------------------------------------------------------------------------

    def started(self, process: Process, info: Any = None) -> None:
        """The process runs."""
        process.move(State.RUNNING)
        if process.role == SUPERVISOR:
            self._supervisors[process.path] = process
        self._observe(act.Kind.STARTED, process)
        self._tell_parent(process, Started(process.ref, info))
        if process.parent is None:
            self.do(act.Up())

    def start_ignored(self, process: Process) -> None:
        """The start was declined."""
        self._observe(act.Kind.START_IGNORED, process)
        self._forget(process)
        self._tell_parent(process, Ignored(process.ref))
        if process.parent is None:
            self._verdict = act.StartFailedTree("ignore")

    def start_failed(self, process: Process, reason: Any, unseen: bool = False) -> None:
        """The start failed and no process is left of it."""
        is_closing = process.supervisor is not None and process.supervisor.is_closing
        aborted = is_closing or process.doom == ABORTED
        if not unseen and not process.is_orphan:
            self._observe(act.Kind.START_FAILED, process, reason)
        self._forget(process)
        self._tell_parent(process, Failed(process.ref, reason, aborted))
        if process.parent is None:
            self._verdict = act.StartFailedTree(reason)

    # -- ending ----------------------------------------------------------------------------------------------------

    def ask_to_stop(self, ref: Ref, shutdown_ms: int | None, reason: Any = "shutdown") -> None:
        """Ask a process to end; its end will be in its parent's mail, if it is not there already."""
        process = self.processes.get(ref)
        if process is None:
            return
        if process.state is State.RUNNING:
            process.move(State.STOPPING)
        if process.role == WORKER:
            self.do(act.StopWorker(ref, shutdown_ms))
            return
        if not self.patient:
            self._close(process)
        self.post(process, StopOrder(reason))

    def kill(self, ref: Ref, asked: bool = True) -> None:
        """Kill a running process, ``asked`` if its supervisor does it; its end will be in its parent's mail."""
        process = self.processes.get(ref)
        if process is None:
            return
        if asked and process.state is State.RUNNING:
            process.move(State.STOPPING)
        if process.role == WORKER:
            self.do(act.KillWorker(ref))
        else:
            self._kill_supervisor(process)

    def ended(self, process: Process, reason: Any) -> None:
        """The process is gone."""
        self._observe(_kind_of_end(process), process, reason)
        self._forget(process)
        self._tell_parent(process, Ended(process.ref, reason))
        if process.parent is None:
            self._verdict = act.Down(reason)

    def _close(self, process: Process) -> None:
        """Let nothing begin any more in this supervisor and below, and end the starts that are under way."""
        if process.supervisor is None or process.supervisor.is_closing:
            return
        for member in [process, *process.descendants()]:
            if member.supervisor is not None:
                member.supervisor.is_closing = True
            else:
                self.abort_start(member.ref, ABORTED)

    def _kill_supervisor(self, process: Process) -> None:
        assert process.supervisor is not None and process.supervisor.routine is not None
        process.supervisor.routine.close()
        for member in list(process.descendants()):
            self._orphan(member)
        for child in list(process.children.values()):
            if child.supervisor is not None:
                self.post(child, StopOrder("killed"))
            elif child.state in (State.RUNNING, State.STOPPING):
                self.do(act.KillWorker(child.ref))
        self.ended(process, "killed")

    def _orphan(self, process: Process) -> None:
        process.is_orphan = True
        if process.supervisor is not None:
            process.supervisor.is_closing = True
            return
        self._orphans.setdefault(process.path, set()).add(process.ref)
        self.abort_start(process.ref, ABORTED)

    def _forget(self, process: Process) -> None:
        """The process is over: nobody finds it any more, and whoever waits for it learns that."""
        del self.processes[process.ref]
        if process.parent is not None:
            process.parent.children.pop(process.ref, None)
        if process.supervisor is not None:
            self._close_desk(process, process.supervisor)
        if process.is_orphan:
            self._forget_orphan(process)

    def _close_desk(self, process: Process, desk: Supervising) -> None:
        if self._supervisors.get(process.path) is process:
            del self._supervisors[process.path]
        for timer in list(desk.timers):
            self.cancel_timer(timer)
        for number in desk.unanswered:
            self.do(act.Reply(number, NOPROC))

    def _forget_orphan(self, process: Process) -> None:
        orphans = self._orphans.get(process.path)
        if orphans is None:
            return
        orphans.discard(process.ref)
        if not orphans:
            del self._orphans[process.path]
            self._release(process.path)

    # -- telling ---------------------------------------------------------------------------------------------------

    def call(self, call: Call) -> None:
        """Put an API call into the mailbox of the supervisor it is for."""
        process = self.supervisor_at(call.sup)
        if process is None or process.supervisor is None:
            self.do(act.Reply(call.id, NOPROC))
        else:
            process.supervisor.unanswered[call.id] = None
            self.post(process, Called(call))

    def answer(self, process: Process, call: Call, value: Any) -> None:
        """Answer a call."""
        assert process.supervisor is not None
        del process.supervisor.unanswered[call.id]
        self.do(act.Reply(call.id, value))

    def report(self, process: Process, context: str, child: str, reason: Any, count: int | None = None) -> None:
        """Write an error report of this supervisor."""
        self.do(act.Report(process.path, context, child, reason, count, process.is_orphan))

    def _observe(self, kind: act.Kind, process: Process, reason: Any = None) -> None:
        self.do(act.Observed(kind, process.ref, process.role, reason))

    def _tell_parent(self, process: Process, mail: Mail) -> None:
        parent = process.parent
        if parent is not None and parent.ref in self.processes:
            self.post(parent, mail)

    # -- timers ----------------------------------------------------------------------------------------------------

    def set_timer(self, owner: Process, delay_ms: int, key: str | Ref | None = None) -> int:
        """Wake a supervisor after a while: with TimeUp, or with DelayOver of the child ``key``."""
        assert owner.supervisor is not None
        self._last_timer += 1
        timer = self._last_timer
        self._timers[timer] = (owner, TimeUp(timer) if key is None else DelayOver(key, timer))
        owner.supervisor.timers.add(timer)
        self.do(act.SetTimer(timer, self.now_ns + delay_ms * NS_PER_MS))
        return timer

    def cancel_timer(self, timer: int | None) -> None:
        """The timer is not needed any more; None and timers that have fired do no harm."""
        if timer is not None and self._drop_timer(timer) is not None:
            self.do(act.CancelTimer(timer))

    def fire_timer(self, timer: int) -> None:
        """The time of a timer has come."""
        entry = self._drop_timer(timer)
        if entry is not None:
            self.post(*entry)

    def _drop_timer(self, timer: int) -> tuple[Process, Mail] | None:
        entry = self._timers.pop(timer, None)
        if entry is not None and entry[0].supervisor is not None:
            entry[0].supervisor.timers.discard(timer)
        return entry


def _kind_of_end(process: Process) -> act.Kind:
    if process.is_orphan:
        return act.Kind.ORPHANED
    return act.Kind.TERMINATED if process.state is State.STOPPING else act.Kind.EXITED
