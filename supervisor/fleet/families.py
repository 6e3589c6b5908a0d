"""Supervision functions for guests (lifecycle section 10): an actor's own children, and nobody else's.

An actor that has spawned has a family: a supervision tree of its own in the forest, named ``PATH#INCARNATION``, so it
ends with that incarnation, whatever way it ends. A child that has ended and will not come back by itself is no child
any more; its last state is retained for ``resume``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from proto import control, info
from supervisor.core import notices as note
from supervisor.fleet import callbacks
from supervisor.fleet.asking import Asking, Refusal
from supervisor.fleet.deaths import Deaths
from supervisor.fleet.links import Pending
from supervisor.fleet.lives import Actor, BirthState, Life, family_of
from supervisor.fleet.passing import pass_connection
from supervisor.fleet.restarts import restart
from supervisor.fleet.services import Services
from supervisor.fleet.spawns import Spawns, below, forget_child, start_error
from theater.cause import PARENT_GONE, describe
from theater.errors import UnexpectedError

RETAINED_MAX = 100
"""Last states of children that have left, per parent; the oldest is forgotten first."""


class Families:
    """Answers the supervision functions of every guest."""

    def __init__(self, services: Services, deaths: Deaths) -> None:
        self._s = services
        self._deaths = deaths
        self._spawns = Spawns(services, self._serve, self._spawned)
        self._awaited: dict[Life, Callable[[Life], None]] = {}
        """Children of spawn-and-wait: the answer to the waiting parent is the notice of their end."""
        self.on_linked: Callable[[Life, Actor], None] = lambda parent, child: None
        """A child was spawned that its parent is to be linked with."""
        self._emptying: dict[str, list[Asking]] = {}
        deaths.on_end.append(self._on_end)
        self._table: dict[str, Callable[[Asking], None]] = {
            "spawn": self._spawns.spawn,
            "list-children": self._list,
            "restart-child": self._restart,
            "stop-child": lambda asking: self._stop(asking, asking.child()),
            "kill-child": self._kill,
            "get-child-state": lambda asking: self._forward(asking, info.GetState(0)),
            "get-child-events": lambda asking: self._forward(asking, info.GetChain(0)),
            "child-status": lambda asking: self._forward(asking, info.GetStatus(0)),
            "child-metrics": lambda asking: self._forward(asking, info.GetMetrics(0)),
            "subscribe-to-child": self._subscribe,
            "unsubscribe-from-child": self._unsubscribe,
            "stop-children": self._stop_all,
            "pass-connection": pass_connection,
        }

    def on_ask(self, life: Life, ask: control.Ask, bodies: list[bytes]) -> None:
        """Serve one question; whatever is wrong with it becomes its refusal."""
        asking = Asking(self._s, life, ask, bodies)
        function = self._table.get(ask.function)
        if function is None:
            asking.refuse(UnexpectedError(f"no supervision function {ask.function!r}").text())
        else:
            self._serve(asking, function)

    def _serve(self, asking: Asking, function: Callable[[Asking], None]) -> None:
        try:
            function(asking)
        except Refusal as refusal:
            asking.refuse(str(refusal))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            asking.refuse(f"malformed arguments: {type(error).__name__}: {error}")

    # -- starting -------------------------------------------------------------------------------------------------

    def _spawned(self, asking: Asking, child: Actor) -> None:
        if asking.arguments.get("link"):
            self.on_linked(asking.life, child)
        if asking.arguments.get("wait"):
            self._wait(asking, child)
        else:
            asking.answer({"id": child.id})

    def _wait(self, asking: Asking, child: Actor) -> None:
        timeout_ms = asking.arguments.get("timeout_ms")
        life = child.life
        assert life is not None

        def ended(life: Life) -> None:
            if timer is not None:
                timer.cancel()
            assert life.cause is not None
            match life.cause.kind:
                case "completed":
                    asking.answer({"value": life.cause.value})
                case "stopped" | "parent_gone":
                    asking.refuse(f"Child actor {child.id} was stopped externally")
                case _:
                    asking.refuse(f"Child actor {child.id} failed: {describe(life.cause)}")

        def too_late() -> None:
            if life in self._awaited:
                self._awaited[life] = lambda life: None
            asking.refuse(f"Timeout waiting for child actor {child.id} to complete")
            self._end_child(child, lambda: None)

        timer = None if timeout_ms is None else self._s.loop.call_later(timeout_ms, too_late)
        self._awaited[life] = ended

    # -- living children ------------------------------------------------------------------------------------------

    def _list(self, asking: Asking) -> None:
        family = family_of(asking.life)
        living = [child for child in asking.life.actor.children if child.tree == family and child.is_alive]
        asking.answer({"ids": [child.id for child in living]})

    def _forward(self, asking: Asking, question: Any) -> None:
        asking.put_to(asking.child(), question, lambda message, bodies: asking.answer(message.data, *bodies))

    def _subscribe(self, asking: Asking) -> None:
        asking.life.actor.subscribers.add(asking.child().id)
        asking.answer()

    def _unsubscribe(self, asking: Asking) -> None:
        asking.life.actor.subscribers.discard(asking.child().id)
        asking.answer()

    # -- stopping and restarting ------------------------------------------------------------------------------------

    def _stop(self, asking: Asking, child: Actor) -> None:
        """The state is asked for first: a large one would not fit into the worker's last words."""

        def go_on() -> None:
            self._end_child(child, asking.answer)

        self._with_state(asking, child, go_on)

    def _kill(self, asking: Asking) -> None:
        child = asking.child()
        if child.life is not None:
            self._deaths.kill(child.life, asking.life.actor.path)
        self._end_child(child, asking.answer)

    def _end_child(self, child: Actor, done: Callable[[], None]) -> None:
        """Stop a child and have its supervisor forget it, whatever its restart type."""
        parent, name = os.path.split(child.path)
        ask = self._s.forest.ask

        def stopped(result: Any) -> None:
            ask(child.tree, lambda request: note.DeleteChild(request, parent, name), forgotten)

        def forgotten(result: Any) -> None:
            self._leave(child)
            done()

        ask(child.tree, lambda request: note.TerminateChild(request, parent, name), stopped)

    def _restart(self, asking: Asking) -> None:
        """Stop, then start from the last committed state, with the same id (10.1)."""
        child = asking.child()

        def last() -> BirthState | None:
            return None if child.last_state is None else BirthState("value", child.last_state)

        def restarted(result: Any) -> None:
            if isinstance(result, dict) and "ok" in result:
                asking.answer()
            else:
                self._leave_if_over(child)
                asking.refuse(start_error(child, result))

        if child.spec.supervision.state_on_restart == "initial":
            restart(self._s, child, restarted)
        else:
            self._with_state(asking, child, lambda: restart(self._s, child, restarted, last))

    def _with_state(self, asking: Asking, child: Actor, then: Callable[[], None]) -> None:
        """Have the child's committed state at hand, if it has one; its last words may bring a later one."""
        life = child.life

        def answered(message: Any, bodies: list[bytes]) -> None:
            if isinstance(message, info.Info) and bodies and child.life is life:
                child.last_state = bodies[0]
            then()

        if life is None or not life.is_alive:
            then()
        else:
            self._s.links.question(life, info.GetState(0), Pending(b"", 0, True, answered))

    def _stop_all(self, asking: Asking) -> None:
        """L5.5: the parent is leaving; its children go first."""
        root = family_of(asking.life)
        if not self._s.forest.has(root):
            asking.answer()
            return
        self._emptying.setdefault(root, []).append(asking)
        self._s.forest.stop(root, PARENT_GONE)

    def on_down(self, root: str) -> None:
        """A family's tree has ended: its parent is leaving or gone, or its restarts were too many."""
        parent = self._s.register.by_path.get(root.rpartition("#")[0])
        if parent is not None:
            self._disband(parent, root)
        for asking in self._emptying.pop(root, []):
            asking.answer()
        self._spawns.on_down(root, parent)

    def _disband(self, parent: Actor, root: str) -> None:
        for child in [child for child in parent.children if child.tree == root]:
            if child.life is not None and not child.life.was_ready and child.restarts > 0:
                self._tell_end(child.life)  # it was given up while its restarts failed
            self._leave(child)

    # -- ends ---------------------------------------------------------------------------------------------------

    def _on_end(self, life: Life) -> None:
        """Tell the parent of a child's end (10.3); end the family of an actor that has ended (10.4)."""
        if life.killed_escalated:
            self._kill_below(life.actor)  # its time is over, and theirs with it
        self._s.forest.stop(family_of(life), PARENT_GONE)
        self._spawns.forget(life.actor)
        if life.actor.parent is None:
            return
        # The core is told next; then it knows whether the child comes back. Nobody hears of the end before that.
        self._s.loop.call_soon(lambda: self._after_end(life))

    def _kill_below(self, actor: Actor) -> None:
        for child in list(below(actor)):
            if child.life is not None:
                self._deaths.kill(child.life, PARENT_GONE, escalated=True)

    def _after_end(self, life: Life) -> None:
        self._leave_if_over(life.actor)
        waiting = self._awaited.pop(life, None)
        if waiting is not None:
            waiting(life)
        elif life.was_ready:
            self._tell_end(life)

    def _tell_end(self, life: Life) -> None:
        parent = _parent_of(life)
        if parent is not None:
            callbacks.tell_end(self._s, parent, life)

    def _leave_if_over(self, child: Actor) -> None:
        """Forget a child that has ended, unless its supervisor is about to restart it."""
        if child.is_alive:
            return
        parent, name = os.path.split(child.path)

        def answered(result: Any) -> None:
            if result not in ({"error": "running"}, {"error": "restarting"}):
                self._leave(child)

        self._s.forest.ask(child.tree, lambda request: note.DeleteChild(request, parent, name), answered)

    def _leave(self, child: Actor) -> None:
        """It is no child any more: a tombstone, whose last state a ``resume`` may go on from."""
        if not forget_child(child):
            return
        assert child.parent is not None
        child.parent.subscribers.discard(child.id)
        if child.last_state is not None:
            retained = child.parent.retained
            retained.pop(child.spec.name, None)
            retained[child.spec.name] = child.last_state
            if len(retained) > RETAINED_MAX:
                del retained[next(iter(retained))]
        self._s.register.bury(child)

    def on_started(self, life: Life) -> None:
        """An incarnation is ready: tell the parent of an automatic restart."""
        parent = _parent_of(life)
        if parent is not None and life.actor.restarts > 0 and not life.actor.is_restarting:
            callbacks.tell_restarted(self._s, parent, life)

    def on_events(self, life: Life, first_seq: int, last_seq: int, prev_hash: bytes | None, batch: bytes) -> None:
        """Pass a subscribed child's events to its parent's worker (V6)."""
        parent = _parent_of(life)
        if parent is None or life.actor.id not in parent.actor.subscribers or not callbacks.takes_events(parent):
            return
        message = control.ChildEvents(life.actor.id, first_seq, last_seq)
        callbacks.give(self._s, parent, control.TO_WORKER.encode(message), [batch])


def _parent_of(life: Life) -> Life | None:
    """The incarnation that spawned this life's actor, if it still lives."""
    parent = life.actor.parent.life if life.actor.parent is not None else None
    return parent if parent is not None and parent.is_alive and family_of(parent) == life.tree else None
