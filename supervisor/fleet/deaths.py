"""From an order to stop, or a process that ended by itself, to the one end notice everybody gets (design D4, D7).

A death is noticed by pidfd and reaped here. What the worker published in its ring is all it ever said: the rest of
the ring is read before the end is told, so an event always comes before the end (exit barrier). Then the cause is
decided, callers still waiting are answered, and the core is told once.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

from proto import control, info
from supervisor.fleet.farewells import tell_peers
from supervisor.fleet.lives import ENDED, PREPARING, SPAWNING, STARTING, STOPPING, Life
from supervisor.fleet.poison import examine
from supervisor.fleet.services import Services
from supervisor.sockets import send
from supervisor.spawner.children import ExitStatus, reap, send_signal
from theater.cause import (
    COMPLETED,
    CRASHED,
    EXITED,
    FAILED,
    KILLED,
    PARENT_GONE,
    START_FAILED,
    STOPPED,
    UPDATED,
    Cause,
    describe,
)
from theater.grants import TERMINAL

STDERR_TAIL_BYTES = 2000
GRACE_MS = 500
"""Beyond a worker's own stop deadline, before the root kills a client-requested stop."""


class Deaths:
    """Stops, kills and buries workers."""

    def __init__(self, services: Services) -> None:
        self._s = services
        self.on_end: list[Callable[[Life], None]] = []
        """Called after a life has ended and its waiters were answered, before the core is told."""

    # -- orders -----------------------------------------------------------------------------------------------------

    def stop(self, life: Life, by: str, deadline_ms: int | None) -> None:
        """Ask a worker to stop gracefully. Before it said hello there is nobody to ask: it is killed."""
        if not life.is_alive:
            return
        life.stop_by = life.stop_by or by
        self._abandon_update(life, "the actor is being stopped")
        life.stop_asked_ns = life.stop_asked_ns or self._s.loop.now_ns()
        if life.phase in (PREPARING, SPAWNING) or life.step == "hello":
            self.kill(life, by)
            return
        life.phase = STOPPING
        order = control.Shutdown(self._s.next_id(), "", deadline_ms, by)
        if not send(self._s.sockets.control, life.routing, control.TO_WORKER.encode(order)):
            self.kill(life, by)

    def stop_with_deadline(self, life: Life, by: str, deadline_ms: int | None) -> None:
        """Stop for somebody who is not the core: the root itself kills when the time is over (L7)."""
        self.stop(life, by, deadline_ms)
        if deadline_ms is not None and life.is_alive and life.deadline is None:
            life.deadline = self._s.loop.call_later(
                deadline_ms + GRACE_MS, lambda: self.kill(life, by, escalated=True)
            )

    def kill(self, life: Life, by: str, escalated: bool = False) -> None:
        """End a worker at once, whatever it is doing (L6)."""
        if not life.is_alive:
            return
        life.killed_by = life.killed_by or by
        life.stop_asked_ns = life.stop_asked_ns or self._s.loop.now_ns()
        life.killed_escalated = life.killed_escalated or escalated
        if life.pidfd >= 0:
            send_signal(life.pidfd, signal.SIGKILL)
        elif life.phase == PREPARING:
            self._s.loop.call_soon(lambda: self.never_born(life, None))
        # SPAWNING: killed as soon as the spawner tells the pid.

    def end_by_signal(self, life: Life, reason: str, by: str) -> None:
        """An exit signal ends a worker at once; its cause says the reason (erlang: exit/2)."""
        if life.killed_by is None:
            life.exit_reason = reason
        self.kill(life, by)

    # -- births that failed -----------------------------------------------------------------------------------------

    def never_born(self, life: Life, failure: Cause | None) -> None:
        """A start ended before there was a process."""
        if not life.is_alive:
            return
        killed = _killed(life)
        if life.update is not None:
            self._end_beside(life, failure or killed)
        else:
            self._end(life, failure or killed, None)

    def watch(self, life: Life) -> None:
        """Follow a process that was just created."""
        life.pidfd = os.pidfd_open(life.pid)
        self._s.register.pids.add(life.pid)
        self._s.loop.add_reader(life.pidfd, lambda: self._on_exit(life))
        if life.killed_by is not None:
            send_signal(life.pidfd, signal.SIGKILL)

    # -- the end -----------------------------------------------------------------------------------------------------

    def _on_exit(self, life: Life) -> None:
        status = reap(life.pidfd)
        if status is None:
            return
        self._s.loop.remove_reader(life.pidfd)
        os.close(life.pidfd)
        life.pidfd = -1
        self._s.register.pids.discard(life.pid)
        if life.actor.spec.grants.get(TERMINAL, {}).get("device"):
            self._restore_terminal(life)  # before another life may change it
        if life.update is not None:
            words = self._s.history.drop(life)
            self._end_beside(life, self._cause(life, status, words))
        elif life.actor.life is not life:
            self._s.history.retire(life)
            self._end_retired(life, status)
        else:
            words = self._s.history.bury(life)
            self._end(life, self._cause(life, status, words), status)
        self._forget_files(life)

    def _cause(self, life: Life, status: ExitStatus, words: Cause | None) -> Cause:
        """Decide why it ended: our kill, its own last words, or a death without a word."""
        if status.signal == signal.SIGKILL and life.killed_by is not None:
            if life.killed_by == "heartbeat":
                return Cause(kind=CRASHED, signal=int(signal.SIGKILL), text="no heartbeat")
            return _killed(life)
        if words is not None and words.kind == STOPPED and life.stop_by == PARENT_GONE:
            parent = life.actor.parent
            return Cause(kind=PARENT_GONE, parent=parent.path if parent else None)
        if words is not None:
            return words
        if life.failure is not None:
            return life.failure
        words_of_kernel = self._s.cgroups.words(life.routing.hex()) if status.signal == signal.SIGKILL else None
        text = words_of_kernel or self._stderr_tail(life)
        crashed = Cause(kind=CRASHED, signal=status.signal, exit_code=status.exit_code, text=text)
        if life.phase == STARTING:
            return Cause(kind=START_FAILED, step=life.step, text=f"the process {_ended(status)}" + _because(text))
        return crashed

    def _abandon_update(self, life: Life, why: str) -> None:
        update = life.actor.update
        if update is not None and life is life.actor.life:
            update.abandon(why)

    def _end_beside(self, life: Life, cause: Cause) -> None:
        """A worker has ended that an update had started; its actor lives elsewhere."""
        life.phase, life.cause = ENDED, cause
        self._s.register.by_routing.pop(life.routing, None)
        for pending in list(life.pending.values()):
            self._s.links.give_up(pending, control.Refused(0, "channel_closed", (cause.plain(),)))
        life.pending.clear()
        life.update.ended(life)

    def _end_retired(self, life: Life, status: ExitStatus) -> None:
        """A worker has ended that another has taken over from: only those who still watch it are told."""
        life.phase, life.cause = ENDED, Cause(kind=UPDATED)
        self._s.register.by_routing.pop(life.routing, None)
        self._s.history.end(life, life.cause)
        self._answer_waiters(life, life.cause, status)

    def _end(self, life: Life, cause: Cause, status: ExitStatus | None) -> None:
        actor = life.actor
        self._abandon_update(life, f"the actor has ended: {describe(cause)}")
        if not life.was_ready and cause.kind in (COMPLETED, FAILED):
            # Its start was complete, or it would have said otherwise: the end overtook the word.
            life.was_ready = True
            self._s.forest.started(life)
        life.phase = ENDED
        life.cause = cause
        actor.cause = cause
        actor.since_ns = self._s.loop.now_ns()
        actor.last_seq, actor.head_hash = life.last_seq, life.head_hash
        for timer in (life.deadline, life.start_deadline):
            if timer is not None:
                timer.cancel()
        self._s.register.by_routing.pop(life.routing, None)
        self._s.register.by_ref.pop((life.tree, life.ref), None)
        examine(self._s, life)
        self._s.history.end(life, cause)
        self._answer_waiters(life, cause, status)
        for hook in self.on_end:
            hook(life)
        self._s.forest.ended(life)

    def _answer_waiters(self, life: Life, cause: Cause, status: ExitStatus | None) -> None:
        """Everybody who still waits for this life gets the one answer (H2)."""
        gate = self._s.sockets.gate
        plain = cause.plain()
        ended = info.ANSWERS.encode(info.Ended(life.actor.id, life.actor.path, life.number, plain))
        for client in life.watchers:
            send(gate, client, ended)
        life.watchers.clear()
        tell_peers(self._s, life, plain)
        life.release_resolvers()
        pendings = list(life.pending.values())
        life.pending.clear()
        for pending in pendings:
            self._s.links.give_up(pending, control.Refused(0, "channel_closed", (plain,)))
        seconds = (self._s.loop.now_ns() - life.stop_asked_ns) / 1e9 if life.stop_asked_ns else 0.0
        forced = cause.kind in (KILLED, EXITED)
        exit_status = None if status is None else status.exit_code if status.signal is None else -status.signal
        for client, asked in life.stop_waiters:
            report = control.Report(asked, plain, forced, exit_status, seconds)
            send(gate, client, control.TO_CLIENT.encode(report))
        life.stop_waiters.clear()

    # -- files -------------------------------------------------------------------------------------------------------

    def _stderr_tail(self, life: Life) -> str | None:
        try:
            with open(self._s.dirs.stderr_of(life.routing), "rb") as file:
                file.seek(max(0, os.fstat(file.fileno()).st_size - STDERR_TAIL_BYTES))
                return file.read().decode("utf-8", "replace").strip() or None
        except OSError:
            return None

    def _forget_files(self, life: Life) -> None:
        self._s.cgroups.forget(life.routing.hex())
        dirs, routing = self._s.dirs, life.routing
        for path in (dirs.stderr_of(routing), dirs.landing_of(routing), life.endpoint.removeprefix("ipc://")):
            try:
                os.unlink(path)
            except OSError:
                pass

    def _restore_terminal(self, life: Life) -> None:
        """One that was killed has not left its terminal as it was."""
        from theater import terminals

        for device in terminals.restore(self._s.dirs.terminals, f"{life.actor.id}-{life.number}"):
            self._s.log.info("terminal_restored", actor=life.actor.path, incarnation=life.number, device=device)


def _killed(life: Life) -> Cause:
    """We have killed it: by an order, or because a signal with a reason of its own ended it."""
    if life.exit_reason is not None:
        return Cause(kind=EXITED, by=life.killed_by, text=life.exit_reason)
    return Cause(kind=KILLED, by=life.killed_by, escalated=life.killed_escalated)


def _ended(status: ExitStatus) -> str:
    if status.signal is not None:
        return f"was ended by signal {status.signal}"
    return f"exited with code {status.exit_code}"


def _because(text: str | None) -> str:
    return f": {text}" if text else ""
