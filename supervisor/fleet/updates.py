"""Hot update: an actor goes on with another package, its state and its callers with it (lifecycle 3.1, UpdatePackage).

1. The new package is compiled, and tried in a worker of its own with the state of this moment: instantiated, checked,
   the state migrated. That worker is thrown away; the actor has noticed nothing.
2. The old worker hands over: it finishes its operation, sends further callers on (they ask where the actor is, and
   wait), and says where its chain ends and what its state is.
3. The next incarnation starts from there, beside it, with a chain that continues at that event.
4. The actor is where the new worker is; the old one retires. Nobody was told of an end.

Whatever goes wrong before 4: the old worker takes the actor back, and the answer says why. Its death, or an order to
stop it, ends the update first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from proto import control, info
from supervisor.fleet.births import Births
from supervisor.fleet.deaths import Deaths
from supervisor.fleet.farewells import tell_moved
from supervisor.fleet.links import Pending
from supervisor.fleet.lives import RUNNING, Actor, BirthState, Life
from supervisor.fleet.services import Services
from supervisor.loop import Timer
from supervisor.packages import Prepared
from supervisor.sockets import send
from theater.cause import describe
from theater.errors import from_wire

TIMEOUT_MS: Final = 60_000
RETIRE_MS: Final = 1_000
"""Answers of a worker that was taken over from have so long to reach their callers."""
UPDATE: Final = "update"
UPDATE_PACKAGE: Final = "update-package"
"""What a worker asks for on behalf of a caller of its own."""
BY: Final = "update"

Done = Callable[[dict[str, Any] | None, str], None]
"""Receives what became of it, or None and why not."""


class Updates:
    """Updates actors, one update per actor at a time."""

    def __init__(self, services: Services, births: Births, deaths: Deaths) -> None:
        self._s = services
        self._births = births
        self._deaths = deaths
        self.on_switched: list[Callable[[Life], None]] = []
        """Told of a life that has taken over."""
        self._retiring: dict[Life, Timer] = {}

    def begin(self, actor: Actor, package: str, timeout_ms: int | None, done: Done) -> None:
        """Update an actor; ``done`` is called exactly once."""
        why = _cannot(actor)
        if why is not None:
            done(None, why)
        else:
            Update(self._s, self._births, self._deaths, self, actor, timeout_ms or TIMEOUT_MS, done).prepare(package)


    def on_ask(self, life: Life, ask: control.Ask) -> None:
        """A caller has asked the worker itself (operation UpdatePackage): the answer goes back the same way."""

        def answer(message: Any) -> None:
            if life.is_alive:
                send(self._s.sockets.control, life.routing, control.TO_WORKER.encode(message))

        def done(result: dict[str, Any] | None, why: str) -> None:
            refused = control.Refused(ask.id, "update_package", (why,))
            answer(refused if result is None else control.Answered(ask.id, result))

        package = ask.arguments.get("package")
        if life is life.actor.life and isinstance(package, str) and package.startswith("/"):
            self.begin(life.actor, package, None, done)
        else:
            done(None, "expected the absolute path of a package")

    def retire_later(self, life: Life) -> None:
        """End a worker that was taken over from, after a while: callers get answers, and late ones are sent on."""
        timer = self._s.loop.call_later(RETIRE_MS, lambda: self._retire(life))
        self._retiring[life] = timer

    def _retire(self, life: Life) -> None:
        self._retiring.pop(life, None)

        def answered(message: Any, bodies: list[bytes]) -> None:
            if not isinstance(message, control.Done) and life.is_alive:
                self._deaths.kill(life, BY)

        if life.is_alive:
            self._s.links.question(life, control.Retire(0), Pending(b"", 0, False, answered))

    def close(self) -> None:
        """The tree has ended: those who were taken over from end with it."""
        for life, timer in self._retiring.items():
            timer.cancel()
            self._s.history.retire(life)
        self._retiring.clear()


class Update:
    """One update under way."""

    def __init__(
        self,
        services: Services,
        births: Births,
        deaths: Deaths,
        updates: Updates,
        actor: Actor,
        timeout_ms: int,
        done: Done,
    ) -> None:
        assert actor.life is not None
        self._s = services
        self._births = births
        self._deaths = deaths
        self._updates = updates
        self._actor = actor
        self._old: Life = actor.life
        self._done = done
        self._prepared: Prepared
        self._package = ""
        """Where the store keeps it."""
        self._trial: Life | None = None
        self._next: Life | None = None
        self._state = b""
        self._late: list[tuple[bytes, Sequence[bytes]]] = []
        """What the host has for the guest meanwhile."""
        self.is_handing = False
        """Callers wait until it is decided where the actor is."""
        self._is_over = False
        self._timer = services.loop.call_later(timeout_ms, lambda: self.abandon(f"not ready within {timeout_ms} ms"))
        actor.update = self

    # -- 1: the trial ----------------------------------------------------------------------------------------------

    def prepare(self, package: str) -> None:
        """Have the package compiled."""
        self._s.packages.resolve(package, self._compiled, self._actor.spec.options.counts_fuel)

    def _compiled(self, prepared: Prepared) -> None:
        if self._is_over:
            return
        if prepared.error is not None:
            self.abandon(prepared.error)
            return
        self._prepared = prepared
        self._s.history.keep_package(prepared.file, prepared.digest, self._kept)

    def _kept(self, kept: str | None, why: str) -> None:
        """The store has the package: later incarnations, and replays, find it there, whatever becomes of the file."""
        if self._is_over:
            return
        if kept is None:
            self.abandon(why)
            return
        self._package = kept
        self._ask(info.GetState(0), self._try, is_info=True)

    def _try(self, message: Any, bodies: list[bytes]) -> None:
        if self._is_over:
            return
        if not isinstance(message, info.Info) or not bodies:
            self.abandon("its state cannot be read")
            return
        self._trial = self._births.beside(self, self._old, self._prepared, _begins(bodies[0]), is_trial=True)

    # -- 2: the hand-over ------------------------------------------------------------------------------------------

    def on_ready(self, life: Life) -> None:
        """A worker of ours is ready."""
        if self._is_over:
            return
        if life is self._trial:
            self._deaths.kill(life, BY)
            self.is_handing = True
            self._ask(control.HandOver(0), self._handed)
        elif life is self._next:
            self._switch(life)

    def _handed(self, message: Any, bodies: list[bytes]) -> None:
        if self._is_over:
            return
        if not isinstance(message, control.HandedOver) or not bodies:
            self.abandon(_why(message))
            return
        self._state = bodies[0]
        if self._actor.spec.options.durability == "group":  # what it holds back is still owed to its callers
            self._s.history.when_stored(self._actor, message.last_seq, self._launch)
        else:
            self._s.history.when_received(self._old, message.last_seq, self._launch)

    # -- 3: the next incarnation -----------------------------------------------------------------------------------

    def _launch(self) -> None:
        if not self._is_over:
            self._next = self._births.beside(self, self._old, self._prepared, _begins(self._state), is_trial=False)

    # -- 4: the switch ---------------------------------------------------------------------------------------------

    def _switch(self, life: Life) -> None:
        actor, old, register = self._actor, self._old, self._s.register
        self._finish()
        actor.life = life
        actor.incarnations = life.number
        actor.since_ns = life.started_ns
        actor.goes_on_with(self._package, self._prepared.digest)
        life.update = None
        life.start_deadline, old.start_deadline = old.start_deadline, None
        register.by_ref[(life.tree, life.ref)] = life
        self._s.history.begin(life, self._prepared.digest)
        self._s.history.catch_up(life)
        for hook in self._updates.on_switched:
            hook(life)
        self._deliver(life)
        old.release_resolvers()
        send(self._s.sockets.control, old.routing, control.TO_WORKER.encode(control.TakenOver()))
        tell_moved(self._s, old)
        self._updates.retire_later(old)
        self._s.log.info("updated", actor=actor.path, incarnation=life.number, package=self._prepared.digest)
        self._done({"incarnation": life.number, "package": self._prepared.digest}, "")

    # -- what can come in between ----------------------------------------------------------------------------------

    def abandon(self, why: str) -> None:
        """The old worker serves on, if it lives; ``why`` is the answer."""
        if self._is_over:
            return
        was_handing = self.is_handing
        self._finish()
        for life in (self._trial, self._next):
            if life is not None and life.is_alive:
                self._deaths.kill(life, BY)
        if was_handing and self._old.is_alive and self._old.stop_by is None:
            self._ask(control.TakeBack(0), lambda message, bodies: self._deliver(self._old))
        self._old.release_resolvers()
        self._s.log.warning("update_failed", actor=self._actor.path, text=why)
        self._done(None, why)

    def ended(self, life: Life) -> None:
        """A worker of ours has ended before it was the actor's."""
        if life is not self._trial or not life.was_ready:
            assert life.cause is not None
            self.abandon(f"the new package: {describe(life.cause)}")

    def hold(self, header: bytes, bodies: Sequence[bytes]) -> None:
        """The host has something for the guest: whichever serves in the end."""
        self._late.append((header, bodies))

    def _deliver(self, life: Life) -> None:
        late, self._late = self._late, []
        for header, bodies in late:
            send(self._s.sockets.control, life.routing, header, bodies)

    def _ask(self, question: Any, then: Callable[[Any, list[bytes]], None], is_info: bool = False) -> None:
        self._s.links.question(self._old, question, Pending(b"", 0, is_info, then))

    def _finish(self) -> None:
        self._is_over = True
        self.is_handing = False
        self._timer.cancel()
        self._actor.update = None


def _begins(state: bytes) -> BirthState:
    return BirthState("value", state, resume=True, recovered=UPDATE)


def _cannot(actor: Actor) -> str | None:
    life = actor.life
    if life is None or not life.is_alive or life.phase != RUNNING:
        return "it is not running"
    if actor.update is not None:
        return "another update of it is under way"
    return None


def _why(message: Any) -> str:
    if isinstance(message, control.Refused):
        error = from_wire(message.kind, message.data)
        return str(error.data[0]) if message.kind == "update_package" else error.text()
    return "the worker did not hand over"

