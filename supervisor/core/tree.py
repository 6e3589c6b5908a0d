"""The door of the core: one supervision tree as a pure machine. Notices and the time go in, actions come out.

Whoever feeds it performs the actions in their order and comes back with what happened. It knows no clock, socket,
process, file or logger, and the same notices at the same times always give the same actions.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from supervisor.core import notices as note
from supervisor.core.actions import Action
from supervisor.core.errors import CoreMisuse
from supervisor.core.life import live
from supervisor.core.mail import Failed, Ignored, Started
from supervisor.core.process import WORKER, Process, State
from supervisor.core.ref import Ref
from supervisor.core.snapshot import snapshot
from supervisor.core.world import World
from theater.spec import SupervisorSpec


class Tree:
    """A supervision tree with exactly OTP's behaviour.

    ``root_path`` is the path of the root supervisor. The rest are deviations and questions of taste:

    * ``whole_seconds``: read the clock of the restart window as OTP does, in whole seconds.
    * ``patient``: let a start that is under way come to its end before a stop is served, as OTP must; otherwise it is
      ended at once.
    * ``unique_names``: refuse to start a dynamic child by the name of a living one; OTP has no names for them.
    * ``asks_init``: ask by InitSupervisor before a supervisor starts (OTP: ``Module:init/1``); otherwise all run.
    * ``seed``: of the jitter of ``backoff``.
    """

    def __init__(
        self,
        spec: SupervisorSpec,
        *,
        root_path: str = "/",
        whole_seconds: bool = False,
        patient: bool = False,
        unique_names: bool = True,
        asks_init: bool = False,
        seed: int = 0,
    ) -> None:
        self._spec = spec
        self._root_path = root_path
        self._world = World(
            live,
            whole_seconds=whole_seconds,
            patient=patient,
            asks_init=asks_init,
            unique_names=unique_names,
            seed=seed,
        )

    def feed(self, notice: note.Notice, now_ns: int) -> list[Action]:
        """Take in one notice and everything that follows from it; answer what is to be done, in order.

        Raises:
            CoreMisuse: the notice makes no sense, as a second Begin does.
        """
        return self.feed_all((notice,), now_ns)

    def feed_all(self, notices: Iterable[note.Notice], now_ns: int) -> list[Action]:
        """Take in several notices that came together: all are in the mailboxes before a supervisor sees the first."""
        world = self._world
        world.now_ns = now_ns
        for notice in notices:
            self._take(notice)
        world.run()
        actions, world.actions = world.actions, []
        return actions

    def snapshot(self) -> dict[str, Any]:
        """The tree as plain data, for people."""
        return snapshot(self._world, self._root_path)

    def _take(self, notice: note.Notice) -> None:
        world = self._world
        match notice:
            case note.WorkerExited(ref=ref, reason=reason):
                self._worker_exited(ref, reason)
            case note.WorkerStarted(ref=ref, info=info):
                worker = self._starting(ref)
                if worker is not None and worker.doom is None:
                    world.started(worker, info)
            case note.WorkerIgnored(ref=ref):
                self._worker_did_not_start(ref, None)
            case note.WorkerStartFailed(ref=ref, reason=reason):
                self._worker_did_not_start(ref, reason)
            case note.TimerFired(timer=timer):
                world.fire_timer(timer)
            case note.Stop(reason=reason):
                self._stop(reason)
            case note.Kill(path=path):
                self._kill(path)
            case note.SupervisorInit():
                self._initialised(notice)
            case note.Begin():
                self._begin()
            case _ if isinstance(notice, note.Call):
                world.call(notice)
            case _:
                raise CoreMisuse(f"expected a notice of supervisor.core.notices, got {notice!r}")

    def _begin(self) -> None:
        if self._world.root is not None:
            raise CoreMisuse(f"the tree {self._root_path} has begun already")
        self._world.plant(self._root_path, self._spec)

    def _stop(self, reason: Any) -> None:
        root = self._world.root
        if root is not None:
            self._world.ask_to_stop(root.ref, None, reason)

    def _kill(self, path: str) -> None:
        supervisor = self._world.supervisor_at(path)
        if supervisor is not None:
            self._world.kill(supervisor.ref, asked=False)

    # -- what became of workers; notices about processes that are gone or were never asked for are stale -----------

    def _starting(self, ref: Ref) -> Process | None:
        process = self._world.processes.get(ref)
        is_starting = process is not None and process.role == WORKER and process.state is State.STARTING
        return process if is_starting else None

    def _worker_did_not_start(self, ref: Ref, reason: Any) -> None:
        worker = self._starting(ref)
        if worker is None:
            return
        if reason is None and worker.doom is None:
            self._world.start_ignored(worker)
        else:
            self._world.start_failed(worker, worker.doom or reason)

    def _worker_exited(self, ref: Ref, reason: Any) -> None:
        worker = self._world.processes.get(ref)
        if worker is None or worker.role != WORKER:
            return
        if worker.state is State.STARTING:
            self._world.start_failed(worker, worker.doom or reason)
        else:
            self._world.ended(worker, reason)

    def _initialised(self, notice: note.SupervisorInit) -> None:
        process = self._world.processes.get(notice.ref)
        if process is None or process.supervisor is None or process.state is not State.STARTING:
            return
        match notice.outcome:
            case "ok":
                self._world.post(process, Started(notice.ref))
            case "ignore":
                self._world.post(process, Ignored(notice.ref))
            case _:
                self._world.post(process, Failed(notice.ref, notice.reason))
