"""Restart on request: an orderly stop, then a start by the same supervisor, outside its restart intensity.

What "start again" is called depends on the supervisor: restart_child where it kept the child's specification,
start_child where it forgot a temporary child, and start_child by name under simple_one_for_one, which keeps none.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from supervisor.core import notices as note
from supervisor.fleet.lives import Actor, BirthState
from supervisor.fleet.services import Services

Done = Callable[[Any], None]
State = Callable[[], BirthState | None]


def restart(services: Services, actor: Actor, done: Done, state: State | None = None) -> None:
    """Stop an actor and start it again; ``done`` gets OTP's answer of the start.

    ``state`` says, once it has stopped, what it begins from; by default that is what it began from before.
    """
    supervisor, name = os.path.split(actor.path)
    actor.is_restarting = True

    def ask(make: Callable[[int], Any], answer: Done) -> None:
        services.forest.ask(actor.tree, make, answer)

    def finished(result: Any) -> None:
        actor.is_restarting = False
        done(result)

    def stopped(result: Any) -> None:
        actor.birth_state = state() if state is not None else None
        ask(lambda request: note.RestartChild(request, supervisor, name), restarted)

    def restarted(result: Any) -> None:
        match result:
            case {"error": "simple_one_for_one"}:
                ask(lambda request: note.StartChild(request, supervisor, name=name, args=actor.args), finished)
            case {"error": "not_found"}:
                ask(
                    lambda request: note.StartChild(request, supervisor, spec=actor.child_spec, args=actor.args),
                    finished,
                )
            case _:
                finished(result)

    ask(lambda request: note.TerminateChild(request, supervisor, name), stopped)
