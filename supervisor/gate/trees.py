"""Questions and orders about the tree: its supervisors answer as OTP's do (erlang: supervisor)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from proto import control, info
from supervisor.core import notices as note
from supervisor.declared import declared
from supervisor.fleet.forest import MAIN
from supervisor.fleet.lives import BirthState
from supervisor.fleet.services import Services
from supervisor.fleet.view import FAMILY_LEVELS_MAX, tree_view
from supervisor.gate.clients import Clients, plain
from supervisor.gate.whom import CHARS_SHOWN, Serve, Whom, is_name


class Trees:
    """Puts them to the supervisors of the main tree."""

    def __init__(
        self,
        services: Services,
        clients: Clients,
        whom: Whom,
        about: Callable[[], dict[str, Any]],
        stop_tree: Callable[[bool], None],
    ) -> None:
        self._s = services
        self._clients = clients
        self._whom = whom
        self._about = about
        self._stop_tree = stop_tree
        self.table: Mapping[type, Serve] = {
            info.GetTree: self._tree,
            info.Explain: self._explain,
            info.WhichChildren: self._which,
            info.CountChildren: self._count,
            info.GetChildspec: self._childspec,
            info.Whereis: self._whereis,
            control.StartChild: self._start_child,
            control.TerminateChild: self._terminate_child,
            control.RestartChild: self._restart_child,
            control.DeleteChild: self._delete_child,
            control.StopTree: self._stop,
        }

    def _tree(self, client: bytes, question: info.GetTree) -> None:
        view = tree_view(self._s, question.target)
        if view is None:
            self._clients.refuse_info(client, question.id, "not_found", question.target)
        else:
            self._clients.inform(client, question.id, {**self._about(), "root": view})

    def _explain(self, client: bytes, question: info.Explain) -> None:
        """What an actor may do, and what those above it may who have spawned it, the nearest first."""
        actor = self._whom.actor(client, question, self._clients.refuse_info)
        if actor is None:
            return
        above: list[dict[str, Any]] = []
        parent = actor.parent
        while parent is not None and len(above) < FAMILY_LEVELS_MAX:
            above.append(declared(parent.spec, parent.path))
            parent = parent.parent
        self._clients.inform(client, question.id, {**declared(actor.spec, actor.path), "above": above})

    def _which(self, client: bytes, question: info.WhichChildren) -> None:
        self._ask_info(client, question, lambda request: note.WhichChildren(request, question.target), "children")

    def _count(self, client: bytes, question: info.CountChildren) -> None:
        self._ask_info(client, question, lambda request: note.CountChildren(request, question.target), "counts")

    def _childspec(self, client: bytes, question: info.GetChildspec) -> None:
        self._ask_info(
            client, question, lambda request: note.GetChildspec(request, question.target, question.child), "spec"
        )

    def _whereis(self, client: bytes, question: info.Whereis) -> None:
        entry = self._s.names.entry(question.name)
        if entry is None:
            self._clients.refuse_info(client, question.id, "not_found", question.name[:CHARS_SHOWN])
        else:
            members = [[actor.id, actor.path] for actor in entry.members]
            self._clients.inform(client, question.id, {"mode": entry.mode, "members": members})

    def _ask_info(self, client: bytes, question: Any, make: Callable[[int], Any], name: str) -> None:
        """Put a question to a supervisor of the main tree; its answer is the Info ``name``."""

        def answer(value: Any) -> None:
            self._clients.paid()
            if isinstance(value, dict) and "exit" in value:
                self._clients.refuse_info(client, question.id, "not_found", question.target[:CHARS_SHOWN])
            else:
                self._clients.inform(client, question.id, {name: plain(value)})

        if self._clients.may_owe(client, question.id, self._clients.refuse_info):
            self._s.forest.ask(MAIN, make, answer)

    def ask(self, client: bytes, asked: int, make: Callable[[int], Any]) -> None:
        """Put an order to a supervisor of the main tree; OTP's answer is the Outcome."""

        def answer(value: Any) -> None:
            self._clients.paid()
            self._clients.outcome(client, asked, value)

        if self._clients.may_owe(client, asked, self._clients.refuse):
            self._s.forest.ask(MAIN, make, answer)

    def _start_child(self, client: bytes, order: control.StartChild) -> None:
        if not is_name(order.name):
            self._clients.outcome(client, order.id, {"error": {"invalid_child_name": order.name[:CHARS_SHOWN]}})
            return
        state = BirthState("plain", order.state) if order.has_state else None
        self.ask(client, order.id, lambda request: note.StartChild(request, order.target, name=order.name, args=state))

    def _terminate_child(self, client: bytes, order: control.TerminateChild) -> None:
        self.ask(client, order.id, lambda request: note.TerminateChild(request, order.target, order.child))

    def _restart_child(self, client: bytes, order: control.RestartChild) -> None:
        self.ask(client, order.id, lambda request: note.RestartChild(request, order.target, order.child))

    def _delete_child(self, client: bytes, order: control.DeleteChild) -> None:
        self.ask(client, order.id, lambda request: note.DeleteChild(request, order.target, order.child))

    def _stop(self, client: bytes, order: control.StopTree) -> None:
        self._clients.tell(client, control.TO_CLIENT.encode(control.Done(order.id)))
        self._stop_tree(order.force)
