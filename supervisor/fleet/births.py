"""From the core's wish to start a worker to its Ready (design section 5, flow *start*; lifecycle section 5).

Steps: package prepared → process forked → Hello with the token → Init → steps told by the worker → Ready. Whatever
goes wrong ends in exactly one of Forest.started and Forest.ended for the life.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import msgspec

from proto import control
from supervisor.fleet.deaths import Deaths
from supervisor.fleet.lives import PREPARING, RUNNING, SPAWNING, STARTING, Actor, BirthState, Life, family_of, ring_path
from supervisor.fleet.poison import DEAD_LETTER
from supervisor.fleet.recovery import beginning, is_played_back, keeps_state, played_back
from supervisor.fleet.services import Services
from supervisor.fleet.spares import Spare, Spares, endpoint_name
from supervisor.packages import Prepared
from supervisor.sockets import send
from theater.cause import START_FAILED, UPDATED, Cause
from theater.grants import HTTP, STORE

RING_BYTES = 256 * 1024
CHILDREN = ".children"
"""Added to the name of a history: what it refers to."""


class Births:
    """Starts workers and follows them until they are ready."""

    def __init__(self, services: Services, deaths: Deaths) -> None:
        self._s = services
        self._deaths = deaths
        self._digests: dict[Life, Prepared] = {}
        self.spares = Spares(services)
        self.on_begun: list[Callable[[Life, bool], None]] = []
        """Told of a life that was told to begin, and whether it goes on from a state, without ``init``."""
        self.on_started: list[Callable[[Life], None]] = []

    def begin(self, actor: Actor, tree: str, ref: Any) -> Life:
        """Start the next incarnation of an actor for the core's reference ``ref``."""
        actor.incarnations += 1
        life = Life(actor, tree, ref, actor.incarnations, self._s.loop.now_ns())
        actor.life = life
        actor.since_ns = life.started_ns
        self._s.register.revive(actor)
        self._s.register.by_ref[(tree, ref)] = life
        self._s.register.by_routing[life.routing] = life
        life.step = "package"
        options = actor.spec.options
        resolve = self._s.packages.resolve
        resolve(actor.spec.package, lambda prepared: self._prepared(life, prepared), options.counts_fuel)
        return life

    def beside(self, update: Any, old: Life, prepared: Prepared, begins: BirthState, is_trial: bool) -> Life:
        """Start a worker with another package beside the one that serves (supervisor.fleet.updates).

        A trial records into a ring that nobody will read.
        """
        actor = old.actor
        life = Life(actor, old.tree, old.ref, actor.incarnations + 1, self._s.loop.now_ns())
        life.update, life.begins, life.is_trial = update, begins, is_trial
        life.last_seq, life.head_hash = old.last_seq, old.head_hash
        life.family = old.family
        self._s.register.by_routing[life.routing] = life
        life.step = "package"
        if is_trial:
            life.ring = self._s.dirs.trial_of(life.routing)
            self._spawn(life, prepared)
        else:
            self._look_back(life, prepared)
        return life

    # -- the steps ------------------------------------------------------------------------------------------------

    def _prepared(self, life: Life, prepared: Prepared) -> None:
        if life.phase != PREPARING:
            return  # given up meanwhile
        wanted = life.actor.spec.sha256
        if prepared.error is not None:
            self._deaths.never_born(life, _failure("package", self._words(life.actor, prepared.error)))
        elif wanted is not None and wanted != prepared.digest:
            text = f"{prepared.file}: expected sha256 {wanted}, the file has {prepared.digest}"
            self._deaths.never_born(life, _failure("package", text))
        else:
            self._look_back(life, prepared)

    def _words(self, actor: Actor, error: str) -> str:
        """What is wrong with a package. The guest that has named it does not get to see what is in that file."""
        if actor.parent is None:
            return error
        self._s.log.warning("package_refused", actor=actor.path, why=error)
        return error.partition("\n")[0]

    def _look_back(self, life: Life, prepared: Prepared) -> None:
        """Have what the worker must know of its actor's past written down, if anything."""
        dirs, actor = self._s.dirs, life.actor
        if life.update is None and is_played_back(actor, is_first_run=not self._s.recovers):
            life.step = "replay"
            life.history = dirs.history_of(life.routing)
            life.begins = played_back()  # the life's, not the actor's: one that is never born must leave nothing behind
        if actor.last_seq >= 0 and dirs.has_keys(actor.id):
            life.keys = dirs.keys_of(life.routing)
        if life.history or life.keys:
            self._s.history.write_past(life, lambda error: self._written(life, prepared, error))
        else:
            self._spawn(life, prepared)

    def _written(self, life: Life, prepared: Prepared, error: str | None) -> None:
        """What the worker must know of the past is in its files, or a text says why not."""
        if life.phase != PREPARING:
            return  # given up meanwhile
        if error is not None:
            self._deaths.never_born(life, _failure("replay", error))
        else:
            self._spawn(life, prepared)

    def _spawn(self, life: Life, prepared: Prepared) -> None:
        self._digests[life] = prepared
        life.package = prepared.digest
        life.phase = SPAWNING
        life.step = "spawn"
        self._s.spawner.preload(prepared.artefact)
        spare = self.spares.take()
        if spare is not None:
            self._become(life, spare)
            return
        self._place(life)
        boot = self.spares.boot(life.routing, life.token)
        stderr = self._s.dirs.stderr_of(life.routing)
        self._s.spawner.spawn(boot, stderr, lambda answer: self._spawned(life, answer))

    def _place(self, life: Life) -> None:
        life.ring = life.ring or ring_path(self._s.dirs.rings, life)
        life.endpoint = self._s.sockets.endpoint(endpoint_name(life.routing))

    def _become(self, life: Life, spare: Spare) -> None:
        """Go on with a worker that was forked ahead: its process is there, and it has said hello."""
        register = self._s.register
        register.by_routing.pop(life.routing, None)
        life.routing, life.token = spare.routing, spare.token
        register.by_routing[life.routing] = life
        self._place(life)
        assert spare.hello is not None
        self._spawned(life, spare.pid)
        why = self.on_hello(life, spare.hello, spare.peer)
        if why is not None:
            self._s.log.warning("spare_refused", actor=life.actor.path, why=why)
            self._deaths.kill(life, "supervisor")

    def _spawned(self, life: Life, answer: int | str) -> None:
        """There is a process for this life, or a text saying why not."""
        if isinstance(answer, str):
            self._digests.pop(life, None)
            self._deaths.never_born(life, _failure("spawn", answer))
            return
        life.pid = answer
        self._deaths.watch(life)
        if life.phase == SPAWNING:
            life.phase = STARTING
            life.step = "hello"

    def on_hello(self, life: Life, hello: control.Hello, peer: tuple[int, int] | None) -> str | None:
        """Check a worker's first word and answer with Init; return why it is refused, None if it is welcome."""
        if hello.token != life.token:
            return "wrong token"
        if peer is not None and peer[1] != os.getuid():
            return f"process of user {peer[1]}"
        if life.pid == 0:
            # The word overtook the spawner's answer: the pid is known from the kernel.
            life.pid = peer[0] if peer is not None else hello.pid
        elif peer is not None and peer[0] != life.pid:
            return f"process {peer[0]}, expected {life.pid}"
        prepared = self._digests.pop(life, None)
        if prepared is None or not life.is_alive:
            return "not expected"
        self._s.cgroups.confine(life.routing.hex(), life.pid, life.actor.spec.options)
        init, bodies = self._init(life, prepared)
        if not send(self._s.sockets.control, life.routing, control.TO_WORKER.encode(init), bodies):
            return "gone"
        if life.update is None:
            self._s.history.begin(life, prepared.digest)
            for hook in self.on_begun:
                hook(life, init.resume)
        life.init_sent = True
        life.step = "package"
        life.release_resolvers()
        self.spares.refill()
        return None

    def _init(self, life: Life, prepared: Prepared) -> tuple[control.Init, list[bytes]]:
        actor, spec = life.actor, life.actor.spec
        is_beside = life.update is not None
        state = life.begins or beginning(actor)
        bodies = [state.value] if state.kind == "value" else []
        init = control.Init(
            actor_id=actor.id,
            path=actor.path,
            name=spec.name,
            incarnation=life.number,
            package=prepared.file,
            digest=prepared.digest,
            artefact=prepared.artefact,
            manifest_digest=spec.manifest_digest,
            ring=life.ring,
            ring_bytes=RING_BYTES,
            chain_seq=life.last_seq + 1,
            chain_head=life.head_hash,
            previous_end=_before(life),
            grants=spec.grants,
            options=msgspec.to_builtins(spec.options),
            state=None if bodies else state.value,
            state_kind=state.kind,
            resume=state.resume,
            parent=actor.parent.id if actor.parent else None,
            setup=life.is_trial,
            keeps_state=keeps_state(actor),
            notes_operations=spec.poison == DEAD_LETTER,
            set_aside=actor.set_aside,
            history=life.history or None,
            children=life.history + CHILDREN if life.has_references else None,
            repeats=life.keys or None,
            recovered=state.recovered,
            origin=state.origin,
            migrates=is_beside,
            listeners=self._s.listeners_path if spec.grants.get(HTTP, {}).get("listen") else None,
            has_children=is_beside and self._s.forest.has(family_of(life)),
            content=self._s.dirs.content if STORE in spec.grants else "",
        )
        return init, bodies

    def on_step(self, life: Life, step: str) -> None:
        """The worker tells how far its start has come."""
        life.step = step

    def on_ready(self, life: Life, ready: control.Ready) -> None:
        """The worker is ready: tell the core, or the update it is for."""
        if life.update is not None:
            life.phase, life.was_ready, life.callbacks, life.step = RUNNING, True, ready.callbacks, ""
            life.update.on_ready(life)
            return
        if life.phase == STARTING:
            life.phase = RUNNING
        life.was_ready = True
        life.callbacks = ready.callbacks
        life.step = ""
        for hook in self.on_started:
            hook(life)
        self._s.forest.started(life)

    def on_start_failed(self, life: Life, failed: control.StartFailed) -> None:
        """The worker says why it could not start; it ends next."""
        life.failure = _failure(failed.step, failed.text)


def _before(life: Life) -> dict[str, Any] | None:
    """How the incarnation before has ended."""
    if life.update is not None:
        return Cause(kind=UPDATED).plain()
    cause = life.actor.cause
    return cause.plain() if cause else None


def _failure(step: str, text: str) -> Cause:
    return Cause(kind=START_FAILED, step=step, text=text)
