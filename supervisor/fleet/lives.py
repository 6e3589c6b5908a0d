"""Records of actors and of their incarnations ("lives"), and the register that finds them.

An Actor outlives its incarnations; a Life is one worker process from the request to start it until it is reaped.
Both are mutable and belong to the root's loop alone.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from typing import Any

import msgspec

from proto import control
from supervisor.core.policy import comes_back
from supervisor.loop import Timer
from theater.actor import ActorSpec
from theater.cause import Cause
from theater.committed import Underway
from theater.spec import ChildSpec

PREPARING = "preparing"
SPAWNING = "spawning"
STARTING = "starting"
RUNNING = "running"
STOPPING = "stopping"
ENDED = "ended"

TOMBSTONES_MAX = 1000


class Life:
    """One incarnation of an actor, as the root sees it."""

    __slots__ = (
        "actor",
        "begins",
        "callbacks",
        "cause",
        "children_refused",
        "deadline",
        "early",
        "endpoint",
        "exit_reason",
        "failure",
        "family",
        "has_references",
        "head_hash",
        "heartbeats_missed",
        "history",
        "init_sent",
        "is_forgiven",
        "is_trial",
        "keys",
        "killed_by",
        "killed_escalated",
        "last_seq",
        "number",
        "package",
        "paused",
        "peers",
        "pending",
        "phase",
        "pid",
        "pidfd",
        "ref",
        "resolvers",
        "ring",
        "routing",
        "start_deadline",
        "started_ns",
        "step",
        "stop_asked_ns",
        "stop_by",
        "stop_deadline_ms",
        "stop_waiters",
        "token",
        "tree",
        "underway",
        "update",
        "was_ready",
        "watchers",
    )

    def __init__(self, actor: Actor, tree: str, ref: Any, number: int, started_ns: int) -> None:
        self.actor = actor
        self.tree = tree
        self.ref = ref
        self.number = number
        self.started_ns = started_ns
        self.family = number
        """The incarnation that its guest's children belong to: after an update, the one before."""
        self.update: Any = None
        """The update (supervisor.fleet.updates) it is to complete; None once it is the actor's life."""
        self.is_trial = False
        """It only shows whether a package could take over: nothing of its guest's runs but ``migrate``."""
        self.begins: BirthState | None = None
        """What it begins from, where that is known before."""
        self.early: list[tuple[Any, bytes]] = []
        """Batches it has sent before it was the actor's life."""
        self.routing = number.to_bytes(4, "big") + secrets.token_bytes(12)
        self.token = secrets.token_bytes(16)
        self.phase = PREPARING
        self.step = "manifest"
        self.pid = 0
        self.pidfd = -1
        self.endpoint = ""
        self.ring = ""
        self.history = ""
        """File with the chain it is to play back, if it is."""
        self.has_references = False
        """That chain refers to events of children, which are in a file beside it."""
        self.keys = ""
        """File with the idempotency keys it is to know, if there are any."""
        self.last_seq = actor.last_seq
        self.head_hash = actor.head_hash
        self.callbacks: tuple[str, ...] = ()
        self.cause: Cause | None = None
        self.failure: Cause | None = None
        """Why the start failed, when the root found out itself."""
        self.killed_by: str | None = None
        self.killed_escalated = False
        self.exit_reason: str | None = None
        """Of the exit signal that killed it, if one did."""
        self.underway: Underway | None = None
        """The operation it was in when it ended, where that is noted."""
        self.is_forgiven = False
        """Its end does not count against the restart intensity."""
        self.stop_by: str | None = None
        self.stop_asked_ns = 0
        """When the first order to end it came; 0 if none did."""
        self.stop_deadline_ms: int | None = None
        self.paused = False
        self.was_ready = False
        self.init_sent = False
        """Hello was answered: the worker's sockets are there."""
        self.package = ""
        """SHA-256 of the package, once known."""
        self.resolvers: list[Callable[[], None]] = []
        """Questions for the endpoint that came too early; asked again once it is there, or the life is over."""
        self.children_refused = 0
        """As there were as many as its limit allows."""
        self.heartbeats_missed = 0
        self.deadline: Timer | None = None
        self.start_deadline: Timer | None = None
        self.pending: dict[int, Any] = {}
        """Questions and orders under way to the worker: our id -> links.Pending."""
        self.peers: set[bytes] = set()
        """Workers that were told where this one is, by routing id; they are told of the end."""
        self.watchers: set[bytes] = set()
        """Clients to be told of the end."""
        self.stop_waiters: list[tuple[bytes, int]] = []
        """Clients owed a Report."""

    @property
    def is_alive(self) -> bool:
        """The process may still run."""
        return self.phase != ENDED

    def release_resolvers(self) -> None:
        """Ask again for everybody who waited for the endpoint."""
        waiting, self.resolvers = self.resolvers, []
        for resolve in waiting:
            resolve()


class Actor:
    """One actor across its incarnations."""

    __slots__ = (
        "args",
        "birth_state",
        "cause",
        "child_spec",
        "children",
        "given_bytes",
        "has_backoff",
        "head_hash",
        "id",
        "incarnations",
        "is_restarting",
        "last_seq",
        "last_state",
        "life",
        "parent",
        "path",
        "restart",
        "restarts",
        "retained",
        "set_aside",
        "since_ns",
        "spec",
        "subscribers",
        "suspect",
        "tree",
        "update",
        "updated",
    )

    def __init__(self, path: str, actor_id: str, spec: ActorSpec, tree: str, parent: Actor | None) -> None:
        self.path = path
        self.id = actor_id
        self.spec = spec
        self.tree = tree
        """Root path of the supervision tree it is in."""
        self.parent = parent
        """The actor whose guest spawned it."""
        self.child_spec: ChildSpec
        """What its supervisor was given, by which it can be started again."""
        self.args: Any = None
        """What it was started with beyond its specification: every automatic restart begins from that again."""
        self.restart = "permanent"
        self.is_restarting = False
        """Stopped on request, to be started again at once."""
        self.has_backoff = False
        self.incarnations = 0
        self.restarts = 0
        self.life: Life | None = None
        self.cause: Cause | None = None
        self.since_ns = 0
        self.last_seq = -1
        self.head_hash: bytes | None = None
        self.last_state: bytes | None = None
        """Last committed state, kept with the tombstone."""
        self.birth_state: BirthState | None = None
        """What the next incarnation begins from, when it is not the declared state."""
        self.children: list[Actor] = []
        """Actors its guest has spawned, in start order, those whose restart is due included."""
        self.given_bytes = 0
        """Packages that its guest has handed over and started (supervisor.fleet.given)."""
        self.retained: dict[str, bytes] = {}
        """Last states of children that are no more, by manifest name, for ``resume``."""
        self.suspect: Any = None
        """The operation that may be what ends its incarnations (supervisor.fleet.poison)."""
        self.set_aside: dict[str, int] = {}
        """Operations that are dead letters: digest in hex -> event of the call."""
        self.subscribers: set[str] = set()
        """Ids of its children whose events it wants."""
        self.update: Any = None
        """The update under way (supervisor.fleet.updates)."""
        self.updated: tuple[str, str] | None = None
        """Package and digest it was updated to: what every later incarnation starts with."""

    def declare(self, spec: ActorSpec) -> None:
        """Take what its supervisor declares, but for the package it was updated to."""
        self.spec = spec
        if self.updated is not None:
            self.goes_on_with(*self.updated)

    def goes_on_with(self, package: str, digest: str) -> None:
        """Every incarnation from now on has this package; a digest that is asked for becomes this one's."""
        self.updated = (package, digest)
        pinned = None if self.spec.sha256 is None else digest
        self.spec = msgspec.structs.replace(self.spec, package=package, sha256=pinned)

    @property
    def is_alive(self) -> bool:
        """An incarnation exists and has not been reaped."""
        return self.life is not None and self.life.is_alive

    @property
    def is_over(self) -> bool:
        """No incarnation lives, and none will follow by itself (asked after the core has dealt with the end)."""
        if self.is_alive:
            return False
        waits = self.has_backoff and self.cause is not None and comes_back(self.restart, self.cause.otp_reason())
        return not waits


class BirthState:
    """A state to begin from: ``kind`` as in Init.state_kind; ``resume`` skips ``init``; the others as in Init."""

    __slots__ = ("kind", "origin", "recovered", "resume", "value")

    def __init__(
        self,
        kind: str,
        value: Any,
        resume: bool = False,
        recovered: str = "initial",
        origin: dict[str, Any] | None = None,
    ) -> None:
        self.kind = kind
        self.value = value
        self.resume = resume
        self.recovered = recovered
        self.origin = origin


class Register:
    """Finds actors by path and id, lives by routing id and by the core's reference."""

    def __init__(self) -> None:
        self.by_path: dict[str, Actor] = {}
        self.by_id: dict[str, Actor] = {}
        self.by_routing: dict[bytes, Life] = {}
        self.by_ref: dict[tuple[str, Any], Life] = {}
        self.pids: set[int] = set()
        self.by_name: Callable[[str], Actor | None] = lambda name: None
        """The actor that has a name (supervisor.fleet.names)."""
        self._tombstones: dict[str, Actor] = {}

    def find(self, target: str) -> Actor | None:
        """Return the actor of a path, id or name."""
        return self.by_path.get(target) or self.by_id.get(target) or self.by_name(target)

    def add(self, actor: Actor) -> None:
        """Make an actor known."""
        self.by_path[actor.path] = actor
        self.by_id[actor.id] = actor

    def bury(self, actor: Actor) -> None:
        """Keep an actor that will not come back as a tombstone; the oldest tombstones are forgotten."""
        self._tombstones[actor.id] = actor
        while len(self._tombstones) > TOMBSTONES_MAX:
            oldest = next(iter(self._tombstones))
            self.forget(self._tombstones.pop(oldest))

    def revive(self, actor: Actor) -> None:
        """Take an actor back from the tombstones."""
        self._tombstones.pop(actor.id, None)

    def forget(self, actor: Actor) -> None:
        """Drop an actor that is not alive."""
        if actor.is_alive:
            return
        if self.by_path.get(actor.path) is actor:
            del self.by_path[actor.path]
        if self.by_id.get(actor.id) is actor:
            del self.by_id[actor.id]

    def processes(self) -> list[Life]:
        """Every life that may still have a process, those beside their actor's included (updates)."""
        return list({id(life): life for life in (*self.by_routing.values(), *self.lives())}.values())

    def lives(self) -> list[Life]:
        """Every life whose process may still run."""
        return [actor.life for actor in self.by_path.values() if actor.life is not None and actor.life.is_alive]


def worker_is_gone(actor: Actor) -> control.Refused | None:
    """The refusal for a question about an actor without a process, id 0; None if it has one."""
    if actor.is_alive:
        return None
    return control.Refused(0, "channel_closed", (actor.cause.plain() if actor.cause else None,))


def family_of(life: Life) -> str:
    """Name of the supervision tree of the children one incarnation has spawned."""
    return f"{life.actor.path}#{life.family}"


def ring_path(rings_dir: str, life: Life) -> str:
    """Where the ring of a life is."""
    return os.path.join(rings_dir, life.routing.hex() + ".ring")


def is_family(asker: Actor, other: Actor) -> bool:
    """Whether ``other`` is the asker itself, the actor that spawned it, or below it."""
    if other is asker or other is asker.parent:
        return True
    above = other.parent
    while above is not None:
        if above is asker:
            return True
        above = above.parent
    return False
