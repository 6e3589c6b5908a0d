"""Operations that end one incarnation after the other (``poison: dead_letter``): noticed, and set aside.

A worker notes which operation it is in; one that was in the same operation when it ended as the one before it was
ended by that operation, as far as anybody can tell. Such a repeated end is not counted against the restart intensity,
and after ``poison_tries`` of them the operation is a dead letter: further incarnations refuse it.
"""

from __future__ import annotations

import msgspec

from supervisor.fleet.lives import Life
from supervisor.fleet.services import Services
from theater.cause import CRASHED, FAILED, KILLED
from theater.committed import Underway

DEAD_LETTER = "dead_letter"
SET_ASIDE_MAX = 1000


class Suspect(msgspec.Struct, frozen=True):
    """The operation in which the last incarnation ended, and how many in a row did."""

    digest: str
    tries: int


def examine(services: Services, life: Life) -> None:
    """Look at what a life that has ended was doing."""
    actor, cause = life.actor, life.cause
    assert cause is not None
    operation = life.underway
    is_wanted = life.stop_asked_ns != 0 and not life.killed_escalated
    if operation is None or is_wanted or cause.kind not in (CRASHED, FAILED, KILLED):
        return
    suspect = actor.suspect
    tries = suspect.tries + 1 if suspect is not None and suspect.digest == operation.digest else 1
    actor.suspect = Suspect(operation.digest, tries)
    life.is_forgiven = tries > 1
    services.log.warning(
        "poison_suspected", actor=actor.path, incarnation=life.number, function=operation.function, tries=tries
    )
    if tries >= actor.spec.poison_tries:
        actor.suspect = None
        _set_aside(services, life, operation, tries)


def _set_aside(services: Services, life: Life, operation: Underway, tries: int) -> None:
    actor = life.actor
    actor.set_aside[operation.digest] = operation.seq
    if len(actor.set_aside) > SET_ASIDE_MAX:
        del actor.set_aside[next(iter(actor.set_aside))]
    services.history.dead_letter(actor, operation.seq, operation.digest, operation.function, tries)
    services.log.error(
        "operation_set_aside", actor=actor.path, function=operation.function, seq=operation.seq, tries=tries,
        note="a dead letter: further incarnations refuse it",
    )  # fmt: skip
