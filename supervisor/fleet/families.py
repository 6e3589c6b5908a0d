"""Supervision functions for guests (lifecycle section 10): an actor's own children, and nobody else's.

An actor that has spawned has a family: a supervision tree of its own in the forest, named ``PATH#INCARNATION``, so it
ends with that incarnation, whatever way it ends. Every question about a child checks first that the id is a child of
the asker (V1); strangers, unknown and malformed ids get the same refusal.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from typing import Any

import msgspec

from proto import control, info
from supervisor.core import notices as note
from supervisor.fleet import callbacks
from supervisor.fleet.deaths import Deaths
from supervisor.fleet.links import Pending
from supervisor.fleet.lives import ENDED, Actor, BirthState, Life
from supervisor.fleet.services import Services
from supervisor.loop import Timer
from supervisor.sockets import send
from theater.actor import ActorSpec
from theater.cause import PARENT_GONE, describe
from theater.errors import NotAChild, PermissionDenied, UnexpectedError
from theater.spec import ChildSpec, SupervisorSpec

CHILDREN_MAX = 10_000


class Refusal(Exception):
    """An Ask is refused with this text; the guest sees it as its function's error."""


class Asking:
    """One question of a guest, to be answered exactly once."""

    __slots__ = ("_answered", "arguments", "bodies", "id", "life", "services")

    def __init__(self, services: Services, life: Life, ask: control.Ask, bodies: list[bytes]) -> None:
        self.services = services
        self.life = life
        self.id = ask.id
        self.arguments = ask.arguments
        self.bodies = bodies
        self._answered = False

    def answer(self, data: dict[str, Any] | None = None, *bodies: bytes) -> None:
        """Send the result."""
        self._send(control.Answered(self.id, data or {}), bodies)

    def refuse(self, text: str) -> None:
        """Send an error the guest sees with exactly this text."""
        self._send(control.Answered(self.id, {"error": text}), ())

    def _send(self, message: Any, bodies: tuple[bytes, ...]) -> None:
        if not self._answered and self.life.is_alive:
            self._answered = True
            sock = self.services.sockets.control
            send(sock, self.life.routing, control.TO_WORKER.encode(message), bodies)

    def child(self) -> Actor:
        """The asker's child that the argument ``id`` names.

        Raises:
            Refusal: the id is not a child of the asker.
        """
        wanted = self.arguments.get("id")
        actor = self.services.register.by_id.get(wanted) if isinstance(wanted, str) else None
        if actor is None or actor not in self.life.actor.children:
            raise Refusal(NotAChild(str(wanted)).text())
        return actor


class Families:
    """Answers the supervision functions of every guest."""

    def __init__(self, services: Services, deaths: Deaths) -> None:
        self._s = services
        self._deaths = deaths
        self._awaited: dict[Life, Callable[[Life], None]] = {}
        self._emptying: dict[str, list[Asking]] = {}
        deaths.on_end.append(self._on_end)
        self._table: dict[str, Callable[[Asking], None]] = {
            "spawn": self._spawn,
            "list-children": self._list,
            "restart-child": self._restart,
            "stop-child": self._stop,
            "kill-child": self._kill,
            "get-child-state": lambda asking: self._forward(asking, info.GetState(0)),
            "get-child-events": lambda asking: self._forward(asking, info.GetChain(0)),
            "child-status": lambda asking: self._forward(asking, info.GetStatus(0)),
            "child-metrics": lambda asking: self._forward(asking, info.GetMetrics(0)),
            "subscribe-to-child": self._subscribe,
            "unsubscribe-from-child": self._unsubscribe,
            "stop-children": self._stop_all,
        }

    def on_ask(self, life: Life, ask: control.Ask, bodies: list[bytes]) -> None:
        """Serve one question; whatever is wrong with it becomes its refusal."""
        asking = Asking(self._s, life, ask, bodies)
        function = self._table.get(ask.function)
        if function is None:
            asking.refuse(UnexpectedError(f"no supervision function {ask.function!r}").text())
            return
        try:
            function(asking)
        except Refusal as refusal:
            asking.refuse(str(refusal))
        except (KeyError, TypeError, ValueError, IndexError) as error:
            asking.refuse(f"malformed arguments for {ask.function}: {error}")

    # -- starting -------------------------------------------------------------------------------------------------

    def _spawn(self, asking: Asking) -> None:
        parent = asking.life.actor
        if asking.life.stop_by is not None:
            raise Refusal("Actor is shutting down")
        if len(parent.children) >= CHILDREN_MAX:
            raise Refusal(f"an actor has at most {CHILDREN_MAX} children")
        spec = self._child_spec(asking, parent)
        state = self._birth_state(asking, spec, parent)
        root = self._family(asking.life)
        child = ChildSpec(
            id=self._free_name(parent, spec.name),
            restart=spec.supervision.restart,
            shutdown=spec.supervision.shutdown,
            actor=spec,
        )
        path = f"{parent.path}/{child.id}"
        self._s.forest.ask(
            root,
            lambda request: note.StartChild(request, parent.path, spec=child, args=state),
            lambda result: self._spawned(asking, path, result),
        )

    def _child_spec(self, asking: Asking, parent: Actor) -> ActorSpec:
        from theater.config import ConfigError, load_manifest, parse_manifest

        manifest = asking.arguments["manifest"]
        base = parent.spec.base_dir or os.path.dirname(parent.spec.package)
        try:
            if "\n" in manifest or "=" in manifest:
                spec = parse_manifest(manifest, base_dir=base, origin=f"manifest given by {parent.path}")
            else:
                spec = load_manifest(os.path.join(base, manifest))
        except ConfigError as error:
            raise Refusal(f"Start failed at manifest: {error}") from None
        missing = sorted(set(spec.grants) - set(parent.spec.grants))
        if missing:
            raise Refusal(PermissionDenied(", ".join(missing), "the parent does not hold it").text())
        body = asking.arguments.get("wasm_body")
        if body is not None:
            spec = msgspec.structs.replace(spec, package=self._keep_package(asking.bodies[body]))
        return spec

    def _keep_package(self, wasm: bytes) -> str:
        path = os.path.join(self._s.dirs.packages, hashlib.sha256(wasm).hexdigest() + ".wasm")
        if not os.path.exists(path):
            os.makedirs(self._s.dirs.packages, mode=0o700, exist_ok=True)
            with open(path + ".new", "wb") as file:
                file.write(wasm)
            os.replace(path + ".new", path)
        return path

    def _birth_state(self, asking: Asking, spec: ActorSpec, parent: Actor) -> BirthState | None:
        body = asking.arguments.get("state_body")
        resume = bool(asking.arguments.get("resume"))
        if body is not None:
            return BirthState("value", asking.bodies[body], resume)
        if not resume:
            return None
        for child in reversed(parent.children):
            if child.spec.name == spec.name and not child.is_alive and child.last_state is not None:
                return BirthState("value", child.last_state, resume=True)
        raise Refusal(f"no state to resume {spec.name} from")

    def _family(self, life: Life) -> str:
        root = family_of(life)
        if not self._s.forest.has(root):
            rules = life.actor.spec.supervision
            spec = SupervisorSpec(strategy=rules.strategy, intensity=rules.intensity, period_ms=rules.period_ms)
            self._s.forest.plant(root, spec, owner=life.actor)
        return root

    def _free_name(self, parent: Actor, name: str) -> str:
        taken = self._s.register.by_path
        if f"{parent.path}/{name}" not in taken:
            return name
        number = 2
        while f"{parent.path}/{name}-{number}" in taken:
            number += 1
        return f"{name}-{number}"

    def _spawned(self, asking: Asking, path: str, result: Any) -> None:
        actor = self._s.register.by_path.get(path)
        if not (isinstance(result, dict) and "ok" in result) or actor is None:
            cause = actor.cause if actor is not None else None
            text = describe(cause) if cause else str(result)
            if actor is not None:
                self._s.register.forget(actor)
            asking.refuse(text[:1].upper() + text[1:])
            return
        asking.life.actor.children.append(actor)
        if asking.arguments.get("wait"):
            self._wait(asking, actor)
        else:
            asking.answer({"id": actor.id})

    def _wait(self, asking: Asking, child: Actor) -> None:
        timeout_ms = asking.arguments.get("timeout_ms")
        timer: Timer | None = None

        def ended(life: Life) -> None:
            if timer is not None:
                timer.cancel()
            assert life.cause is not None
            if life.cause.kind == "completed":
                asking.answer({"value": life.cause.value})
            elif life.cause.kind in ("stopped", "parent_gone"):
                asking.refuse(f"Child actor {child.id} was stopped externally")
            else:
                asking.refuse(f"Child actor {child.id} failed: {describe(life.cause)}")

        def too_late() -> None:
            if child.life is not None:
                self._awaited.pop(child.life, None)
            self._terminate(child, lambda result: None)
            asking.refuse(f"Timeout waiting for child actor {child.id} to complete")

        assert child.life is not None
        if not child.life.is_alive:
            ended(child.life)
            return
        self._awaited[child.life] = ended
        if timeout_ms is not None:
            timer = self._s.loop.call_later(timeout_ms, too_late)

    # -- living children ------------------------------------------------------------------------------------------

    def _list(self, asking: Asking) -> None:
        asking.answer({"ids": [child.id for child in asking.life.actor.children if child.is_alive]})

    def _forward(self, asking: Asking, question: Any) -> None:
        child = asking.child()

        def answered(message: Any, bodies: list[bytes]) -> None:
            if isinstance(message, info.Info):
                asking.answer(message.data, *bodies)
            else:
                asking.refuse(f"child {child.id}: {message.kind}")

        if child.life is None or not child.life.is_alive:
            raise Refusal(f"child {child.id} is not running")
        self._s.links.question(child.life, question, Pending(b"", 0, True, answered))

    def _subscribe(self, asking: Asking) -> None:
        asking.life.actor.subscribers.add(asking.child().id)
        asking.answer()

    def _unsubscribe(self, asking: Asking) -> None:
        asking.life.actor.subscribers.discard(asking.child().id)
        asking.answer()

    # -- stopping and restarting ------------------------------------------------------------------------------------

    def _stop(self, asking: Asking) -> None:
        child = asking.child()
        asking.life.actor.children.remove(child)
        self._terminate(child, lambda result: asking.answer())

    def _kill(self, asking: Asking) -> None:
        child = asking.child()
        asking.life.actor.children.remove(child)
        if child.life is not None:
            self._deaths.kill(child.life, asking.life.actor.path)
        self._terminate(child, lambda result: asking.answer())

    def _terminate(self, child: Actor, done: Callable[[Any], None]) -> None:
        parent, name = os.path.split(child.path)
        self._s.forest.ask(child.tree, lambda request: note.TerminateChild(request, parent, name), done)

    def _restart(self, asking: Asking) -> None:
        """Stop, then start from the last committed state, with the same id (10.1)."""
        child = asking.child()
        if child.spec.supervision.state_on_restart == "initial" or child.life is None or not child.life.is_alive:
            self._restart_from(asking, child, None)
            return

        def answered(message: Any, bodies: list[bytes]) -> None:
            kept = bodies[0] if isinstance(message, info.Info) and bodies else child.last_state
            self._restart_from(asking, child, kept)

        self._s.links.question(child.life, info.GetState(0), Pending(b"", 0, True, answered))

    def _restart_from(self, asking: Asking, child: Actor, state: bytes | None) -> None:
        parent, name = os.path.split(child.path)
        spec = ChildSpec(id=name, restart=child.restart, shutdown=child.spec.supervision.shutdown, actor=child.spec)

        def done(result: Any) -> None:
            if isinstance(result, dict) and "ok" in result:
                asking.answer()
            else:
                asking.refuse(describe(child.cause) if child.cause else str(result))

        def stopped(result: Any) -> None:
            if state is not None:
                child.birth_state = BirthState("value", state)
            make: Callable[[int], Any] = (
                (lambda request: note.StartChild(request, parent, spec=spec))
                if child.restart == "temporary"
                else (lambda request: note.RestartChild(request, parent, name))
            )
            self._s.forest.ask(child.tree, make, done)

        self._terminate(child, stopped)

    def _stop_all(self, asking: Asking) -> None:
        """L5.5: the parent is leaving; its children go first."""
        root = family_of(asking.life)
        if not self._s.forest.has(root):
            asking.answer()
            return
        self._emptying.setdefault(root, []).append(asking)
        self._s.forest.stop(root, PARENT_GONE)

    def on_down(self, root: str) -> None:
        """A family's tree has ended."""
        for asking in self._emptying.pop(root, []):
            asking.answer()

    # -- ends --------------------------------------------------------------------------------------------------------

    def _on_end(self, life: Life) -> None:
        """Tell the parent of a child's end (10.3); end the family of an actor that has ended (10.4)."""
        self._s.forest.stop(family_of(life), PARENT_GONE)
        waiting = self._awaited.pop(life, None)
        if waiting is not None:
            waiting(life)
        parent = life.actor.parent
        if parent is not None and life.cause is not None and life.phase == ENDED and life.was_ready:
            callbacks.tell_end(self._s, parent, life)

    def on_started(self, life: Life) -> None:
        """An incarnation is ready: tell the parent of an automatic restart."""
        parent = life.actor.parent
        if parent is not None and life.number > 1:
            callbacks.tell_restarted(self._s, parent, life)

    def on_events(self, life: Life, first_seq: int, last_seq: int, batch: bytes) -> None:
        """Pass a subscribed child's events to its parent's worker (V6)."""
        parent = life.actor.parent
        if parent is None or life.actor.id not in parent.subscribers or parent.life is None:
            return
        message = control.ChildEvents(life.actor.id, first_seq, last_seq)
        send(self._s.sockets.control, parent.life.routing, control.TO_WORKER.encode(message), [batch])


def family_of(life: Life) -> str:
    """Name of the supervision tree of the children one incarnation has spawned."""
    return f"{life.actor.path}#{life.number}"
