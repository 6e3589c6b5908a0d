"""Spawning: from a guest's question to its child, or to the reason why there is none (lifecycle section 10.1)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from supervisor.core import notices as note
from supervisor.fleet.asking import Asking, Refusal
from supervisor.fleet.declaring import Declared
from supervisor.fleet.given import GIVEN_BYTES_MAX, GivenPackages
from supervisor.fleet.lives import Actor, Life, family_of
from supervisor.fleet.services import Services
from supervisor.fleet.spawning import Names, birth_state, child_of, child_spec, wish
from theater.actor import ActorSpec
from theater.cause import describe
from theater.errors import PermissionDenied
from theater.grants import SUPERVISOR
from theater.spec import SupervisorSpec

CHILDREN_MAX = 10_000

Serve = Callable[[Asking, Callable[[Asking], None]], None]
"""Does a part of answering; whatever goes wrong with it becomes the refusal."""


class Spawns:
    """Starts the children of guests. ``started`` is told of each, and answers."""

    def __init__(self, services: Services, serve: Serve, started: Callable[[Asking, Actor], None]) -> None:
        self._s = services
        self._serve = serve
        self._started = started
        self._given = GivenPackages(services.history, services.dirs.packages)
        self._names: dict[str, Names] = {}
        """Of every family there is."""
        self._early: dict[Actor, list[Asking]] = {}
        """Spawns of an incarnation that has to wait until the children of the one before are gone."""

    def spawn(self, asking: Asking) -> None:
        """Have the manifest read, elsewhere; go on when it has been."""
        parent = asking.life.actor
        if any(child.tree != family_of(asking.life) for child in parent.children):
            self._early.setdefault(parent, []).append(asking)
            return
        self._check_room(asking)

        def read(declared: Declared) -> None:
            self._serve(asking, lambda asking: self._declared(asking, declared))

        self._s.declarations.ask(wish(asking), read)

    def _declared(self, asking: Asking, declared: Declared) -> None:
        """Start the child; a package that was handed over has to be kept first."""
        spec, wasm = child_spec(asking, declared), asking.body("wasm_body")
        if wasm is None:
            self._start(asking, spec)
            return

        def kept(path: str | None, why: str) -> None:
            if path is None:
                asking.refuse(f"Start failed at package: it cannot be kept: {why}")
            else:
                given = msgspec.structs.replace(spec, package=path)
                self._serve(asking, lambda asking: self._start(asking, given, path))

        self._given.keep(wasm, kept)

    def _start(self, asking: Asking, spec: ActorSpec, given: str | None = None) -> None:
        """Start the child; ``given`` is the package that was handed over, if one was."""
        parent = asking.life.actor
        try:
            self._check_room(asking)
            state = birth_state(asking, spec)
        except Exception:
            if given is not None:
                self._given.failed(given)
            raise
        root = self._family(asking.life)
        names = self._names[root]
        name, number = names.free(self._s, parent, spec.name)

        def started(result: Any) -> None:
            actor = self._s.register.by_path.get(f"{parent.path}/{name}")
            if actor is not None and isinstance(result, dict) and "ok" in result:
                names.given(spec.name, number)
                if given is not None:
                    self._given.started(given, parent)
                self._started(asking, actor)
            else:
                if given is not None:
                    self._given.failed(given)
                self._not_spawned(asking, actor, result)

        child = child_of(spec, name)
        self._s.forest.ask(root, lambda request: note.StartChild(request, parent.path, spec=child, args=state), started)

    def _check_room(self, asking: Asking) -> None:
        """Whether the asker may have one more child now.

        Raises:
            Refusal: it may not.
        """
        life, parent = asking.life, asking.life.actor
        if life.stop_by is not None or not life.is_alive:
            raise Refusal("shutting-down")
        if asking.arguments.get("link") and SUPERVISOR not in parent.spec.grants:
            raise Refusal(PermissionDenied("supervisor", "spawn-link starts a child").text())
        most = parent.spec.options.children_max
        if len(parent.children) >= (CHILDREN_MAX if most is None else most):
            life.children_refused += 1
            raise Refusal(f"limit children: an actor has at most {CHILDREN_MAX if most is None else most} children")
        if parent.given_bytes + len(asking.body("wasm_body") or b"") > GIVEN_BYTES_MAX:
            raise Refusal(f"limit packages: an actor has at most {GIVEN_BYTES_MAX} bytes of packages kept")
        self._check_descendants(parent)

    def _check_descendants(self, parent: Actor) -> None:
        """Whether one more may come below each of those above it: otherwise guests would breed without end.

        Raises:
            Refusal: it may not.
        """
        above: Actor | None = parent
        while above is not None:
            most = above.spec.options.descendants_max
            if sum(1 for _ in below(above)) >= most:
                raise Refusal(f"limit descendants: there are at most {most} actors below {above.path}")
            above = above.parent

    def _family(self, life: Life) -> str:
        """The family of an incarnation, planted when its first child comes."""
        root = family_of(life)
        if not self._s.forest.has(root):
            rules = life.actor.spec.supervision
            spec = SupervisorSpec(strategy=rules.strategy, intensity=rules.intensity, period_ms=rules.period_ms)
            self._names.setdefault(root, Names())
            self._s.forest.plant(root, spec, owner=life.actor)
        return root

    def _not_spawned(self, asking: Asking, actor: Actor | None, result: Any) -> None:
        """Nothing is left of a child that never started, and no notice is sent (S3)."""
        if actor is not None and not actor.is_alive:
            forget_child(actor)
            self._s.register.forget(actor)
        asking.refuse(start_error(actor, result))

    # -- families that end -------------------------------------------------------------------------------------------

    def on_down(self, root: str, parent: Actor | None) -> None:
        """A family has ended: its names are free, and the next incarnation may begin with its own."""
        self._names.pop(root, None)
        for asking in self._early.pop(parent, []) if parent is not None else []:
            self._serve(asking, self.spawn)

    def forget(self, parent: Actor) -> None:
        """An incarnation has ended; what it still wanted is nobody's wish."""
        self._early.pop(parent, None)


def below(actor: Actor) -> Iterator[Actor]:
    """Every actor that guests have spawned below this one."""
    todo = list(actor.children)
    while todo:
        child = todo.pop()
        yield child
        todo += child.children


def forget_child(child: Actor) -> bool:
    """Take a child out of its parent's list; whether it was there."""
    if child.parent is None or child not in child.parent.children:
        return False
    child.parent.children.remove(child)
    return True


def start_error(actor: Actor | None, result: Any) -> str:
    """Why a start failed, in words for the guest that asked for it."""
    if result == {"exit": "noproc"}:
        return "shutting-down"
    cause = actor.cause if actor is not None else None
    if cause is None:
        return f"Start failed: {result}"
    text = describe(cause)
    return text[:1].upper() + text[1:]
