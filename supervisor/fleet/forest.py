"""The pure trees at work: feeds them notices and performs their actions.

There is one tree for the configuration and one for every actor whose guest has spawned children (its *family*,
lifecycle section 10). Notices that arise while actions are performed wait in a queue, so a tree is never entered twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from supervisor.core import actions as act
from supervisor.core import notices as note
from supervisor.core.policy import Forgiven
from supervisor.core.tree import Tree
from supervisor.fleet.births import Births
from supervisor.fleet.deaths import Deaths
from supervisor.fleet.lives import Actor, Life
from supervisor.fleet.poison import DEAD_LETTER
from supervisor.fleet.recovery import INITIAL
from supervisor.fleet.services import Services
from supervisor.loop import Timer
from theater.actor import ActorSpec
from theater.spec import ChildSpec, SupervisorSpec

MAIN = "/"

Answer = Callable[[Any], None]


class Forest:
    """All supervision trees of this root."""

    def __init__(self, services: Services, births: Births, deaths: Deaths) -> None:
        self._s = services
        self._births = births
        self._deaths = deaths
        self._trees: dict[str, Tree] = {}
        self._timers: dict[tuple[str, Any], Timer] = {}
        self._answers: dict[int, tuple[str, Answer]] = {}
        self._queue: deque[tuple[str, Any]] = deque()
        self._busy = False
        self._owners: dict[str, Actor] = {}
        self._stopped_by: dict[str, str] = {}
        self._end: tuple[Any, bool] | None = None
        """How the main tree ended; told once the families of its actors are gone too."""
        self.on_up: Callable[[str], None] = lambda tree: None
        self.on_down: Callable[[str, Any, bool], None] = lambda tree, reason, started: None
        self.on_observed: Callable[[str, Any], None] = lambda tree, action: None

    # -- trees ----------------------------------------------------------------------------------------------------

    def plant(self, root: str, spec: SupervisorSpec, owner: Actor | None = None) -> None:
        """Start a tree named ``root``. ``owner`` is the actor whose family it is; its path is then the tree's root."""
        self._trees[root] = Tree(spec, root_path=owner.path if owner else MAIN)
        if owner is not None:
            self._owners[root] = owner
        self.feed(root, note.Begin())

    def has(self, root: str) -> bool:
        """Whether a tree with this root path lives."""
        return root in self._trees

    def stop(self, root: str, by: str = "supervisor") -> None:
        """End a tree in order."""
        if root in self._trees:
            self._stopped_by[root] = by
            self.feed(root, note.Stop("shutdown"))

    def kill(self, life: Life) -> None:
        """End a worker at once, by order of whoever runs the tree."""
        self._deaths.kill(life, "supervisor", escalated=True)

    def snapshot(self, root: str) -> Any:
        """The tree as plain data, None if it is gone."""
        tree = self._trees.get(root)
        return tree.snapshot() if tree else None

    def ask(self, root: str, make: Callable[[int], Any], answer: Answer) -> None:
        """Put an API request to a tree: ``make`` builds the notice for its id, ``answer`` gets the result."""
        request = self._s.next_id()
        if root not in self._trees:
            answer({"exit": "noproc"})
            return
        self._answers[request] = (root, answer)
        self.feed(root, make(request))

    # -- what the fleet tells ----------------------------------------------------------------------------------------

    def started(self, life: Life) -> None:
        """A worker is ready."""
        self.feed(life.tree, note.WorkerStarted(life.ref))

    def ended(self, life: Life) -> None:
        """A life is over (or was never born)."""
        assert life.cause is not None
        reason = life.cause.otp_reason()
        self.feed(life.tree, note.WorkerExited(life.ref, Forgiven(reason) if life.is_forgiven else reason))

    def feed(self, root: str, notice: Any) -> None:
        """Give a tree a notice and perform what it answers."""
        self._queue.append((root, notice))
        if self._busy:
            return
        self._busy = True
        try:
            while self._queue:
                root, notice = self._queue.popleft()
                tree = self._trees.get(root)
                if tree is not None:
                    for action in tree.feed(notice, self._s.loop.now_ns()):
                        self._perform(root, action)
        finally:
            self._busy = False

    # -- actions -----------------------------------------------------------------------------------------------------

    def _perform(self, root: str, action: Any) -> None:
        match action:
            case act.StartWorker(ref=ref, spec=spec, args=args):
                self._start(root, ref, spec, args)
            case act.StopWorker(ref=ref, shutdown_ms=deadline_ms):
                life = self._s.register.by_ref.get((root, ref))
                if life is not None:
                    self._deaths.stop(life, self._stopped_by.get(root, "supervisor"), deadline_ms)
            case act.KillWorker(ref=ref):
                life = self._s.register.by_ref.get((root, ref))
                if life is not None:
                    self._deaths.kill(life, "supervisor", escalated=life.stop_by is not None)
            case act.SetTimer(timer=timer, at_ns=at_ns):
                self._timers[(root, timer)] = self._s.loop.call_at(at_ns, lambda: self._fire(root, timer))
            case act.CancelTimer(timer=timer):
                pending = self._timers.pop((root, timer), None)
                if pending is not None:
                    pending.cancel()
            case act.Reply(id=request, value=value):
                waiting = self._answers.pop(request, None)
                if waiting is not None:
                    waiting[1](value)
            case act.Up():
                self.on_up(root)
            case act.Down(reason=reason):
                self._fell(root, reason, started=True)
            case act.StartFailedTree(reason=reason):
                self._fell(root, reason, started=False)
            case _:
                self.on_observed(root, action)

    def _start(self, root: str, ref: Any, spec: ChildSpec, args: Any) -> None:
        actor = self._actor(root, ref.path, spec)
        actor.args = args
        self._births.begin(actor, root, ref)

    def _actor(self, root: str, path: str, spec: ChildSpec) -> Actor:
        """The actor at a path: the one that was there before, or a new one with the identity the store knows."""
        assert isinstance(spec.actor, ActorSpec)
        actor = self._s.register.by_path.get(path)
        owner = self._owners.get(root)
        if actor is not None and actor.tree == root and not actor.is_alive:
            actor.declare(spec.actor)
            actor.restarts += 1
        else:
            known = self._s.history.identify(path)
            actor = Actor(path, known.id, spec.actor, root, owner)
            actor.incarnations, actor.last_seq, actor.head_hash = known.incarnations, known.last_seq, known.head_hash
            self._remember(actor)
            self._s.register.add(actor)
        if owner is not None and actor not in owner.children:
            owner.children.append(actor)
        actor.child_spec = spec
        actor.restart = spec.restart
        actor.has_backoff = spec.backoff is not None
        return actor

    def _remember(self, actor: Actor) -> None:
        """Give an actor that is new to this run what the store knows of it."""
        spec, history = actor.spec, self._s.history
        if spec.poison == DEAD_LETTER and actor.last_seq >= 0:
            actor.set_aside = history.dead_letters(actor)
        if spec.recover != INITIAL and self._s.recovers and actor.last_seq >= 0:
            actor.last_state = history.last_state(actor)

    def _fire(self, root: str, timer: Any) -> None:
        self._timers.pop((root, timer), None)
        self.feed(root, note.TimerFired(timer))

    def _fell(self, root: str, reason: Any, started: bool) -> None:
        """A tree has ended: forget it, and answer whoever still waits for it."""
        self._trees.pop(root, None)
        self._owners.pop(root, None)
        self._stopped_by.pop(root, None)
        for key in [key for key in self._timers if key[0] == root]:
            self._timers.pop(key).cancel()
        for request, (tree, answer) in list(self._answers.items()):
            if tree == root:
                del self._answers[request]
                answer({"exit": "noproc"})
        if root == MAIN:
            self._end = (reason, started)
        else:
            self.on_down(root, reason, started)
        if self._end is not None and not self._trees:
            self.on_down(MAIN, *self._end)
