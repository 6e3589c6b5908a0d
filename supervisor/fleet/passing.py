"""A guest hands a TCP connection to another actor: who that may be, and what both workers are told.

The connection itself goes from worker to worker, and never comes here. The receiving worker is told a token first, then
the sending one where to go with it.
"""

from __future__ import annotations

import secrets
from typing import Any, Final

from proto import control
from supervisor.fleet.asking import Asking, Refusal
from supervisor.fleet.links import Pending
from supervisor.fleet.lives import RUNNING, Actor, Life, is_family
from theater.grants.tcp import GRANT
from theater.patterns.paths import matches

EXPIRES_MS: Final = 10_000
"""How long the token is good."""
ANSWER_MS: Final = 5_000
"""Time for the receiving worker to answer."""
TOKEN_BYTES: Final = 16


def pass_connection(asking: Asking) -> None:
    """Prepare the worker of the actor with this id for a connection of the asker's, and answer where to go.

    Raises:
        Refusal: there is no such actor, it does not hold the grant, or it does not run at the moment.
    """
    life = _receiver(asking)
    services = asking.services
    socket = services.dirs.landing_of(life.routing)
    token = secrets.token_bytes(TOKEN_BYTES)

    def answered(message: Any, bodies: list[bytes]) -> None:
        timer.cancel()
        if isinstance(message, control.Done):
            asking.answer({"socket": socket, "token": token})
        else:
            asking.refuse(str(message.data[0]) if message.data else f"{life.actor.id} has ended")

    timer = services.loop.call_later(ANSWER_MS, lambda: asking.refuse(f"{life.actor.id} does not answer"))
    expect = control.Expect(0, socket, token, EXPIRES_MS)
    services.links.question(life, expect, Pending(b"", 0, False, answered))


def _may_give(giver: Actor, taker: Actor) -> bool:
    grant = giver.spec.grants.get(GRANT.name)
    if grant is None or GRANT.name not in taker.spec.grants:
        return False
    return is_family(giver, taker) or matches(GRANT.of(grant)["give"], taker.path)


def _receiver(asking: Asking) -> Life:
    """Actors that may not be given any, and those there are none of, get the same words: who is there does not leak."""
    wanted = asking.arguments.get("id")
    actor = asking.services.register.by_id.get(wanted) if isinstance(wanted, str) else None
    if actor is None or not _may_give(asking.life.actor, actor):
        raise Refusal(f"{str(wanted)[:64]} is no actor that may be given connections (grant tcp)")
    life = actor.life
    if life is None or life.phase != RUNNING:
        raise Refusal(f"{actor.id} is not running at the moment")
    return life
