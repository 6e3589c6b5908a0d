"""What an incarnation begins from (``recover``): the declared state, the last committed one, or its history."""

from __future__ import annotations

from supervisor.fleet.lives import Actor, BirthState

INITIAL = "initial"
LAST = "last"
REPLAY = "replay"


def beginning(actor: Actor) -> BirthState:
    """Take the state the next incarnation of an actor begins from."""
    given, actor.birth_state = actor.birth_state, None
    if given is not None:
        return given
    spec = actor.spec
    if spec.recover == LAST and actor.last_state is not None:
        return BirthState("value", actor.last_state, resume=True, recovered=LAST)
    actor.last_state = None  # of a life that nobody goes on with
    if isinstance(actor.args, BirthState):
        return actor.args
    return BirthState(spec.state_kind, spec.state)


def is_played_back(actor: Actor, is_first_run: bool) -> bool:
    """Whether the next incarnation is rebuilt from the actor's chain."""
    if actor.spec.recover != REPLAY or actor.birth_state is not None or actor.last_seq < 0:
        return False
    return actor.restarts > 0 or not is_first_run


def played_back() -> BirthState:
    """What an incarnation begins from whose worker computes the state itself."""
    return BirthState("none", None, resume=True, recovered=REPLAY)


def keeps_state(actor: Actor) -> bool:
    """Whether somebody may want the state an incarnation leaves when it is killed."""
    is_child = actor.parent is not None
    return actor.spec.recover == LAST or (is_child and actor.spec.supervision.state_on_restart == LAST)
